#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# acl_import: rules of a ClassBench filter set and of YAML come in whole, in the order of the file, and hold for packets;
# a file with anything wrong in it changes nothing, and its line is named.
. "$(dirname "$0")/../lib/lab.sh"

lab_two_hosts
lab_apply <<< "acl: [{name: own, direction: in, priority: 1, protocol: icmp, action: allow}]"
import() { weft_on h2 acl import red "$@"; }
rules() { weft_on h2 -j acl show red | jq -cS "$1"; }

# The first filter that matches decides, also beside overlapping ones; a wildcard protocol with ports is of those that have any.
cat > "$STATE/filters" <<-'FILTERS'
	@10.0.1.1/32	10.0.1.2/32	0 : 65535	500 : 509	0x11/0xFF	0x0000/0x0000
	# a comment, and an empty line

	@10.0.1.77/24	0.0.0.0/0	1024 : 65535	600 : 600	0x00/0x00	0x1000/0x1000
	@fd00:1::/64	fd00:1::2/128	0 : 65535	700 : 700	0x11/0xFF
	@0.0.0.0/0	0.0.0.0/0	0 : 65535	0 : 65535	0x2f/0xff
FILTERS
expect_ok import "$STATE/filters" format classbench direction in action allow
expect_eq '["line-000001","line-000004-sctp","line-000004-tcp","line-000004-udp","line-000004-udplite","line-000005","line-000006","own"]' \
	"$(rules '[keys[] | sub("red/"; "")] | sort')" "each filter is a rule, beside what is there"
expect_eq '{"action":"allow","destination_port":[[600,600]],"direction":"in","priority":59999,"protocol":"tcp","source":["10.0.1.0/24"],"source_port":[[1024,65535]]}' \
	"$(rules '.["red/line-000004-tcp"]')" "with all that it says"
expect_eq '"ipv4" "gre"' "$(rules '.["red/line-000006"] | .ethertype, .protocol' | xargs -0 printf '%s' | paste -sd' ')" "all of IPv4 is not all of IPv6"
echo_serve h2.pb 500 509 510 600 700
udp_ok h1.pa 10.0.1.2 500
udp_ok h1.pa 10.0.1.2 509
udp_fail h1.pa 10.0.1.2 510
udp_fail h1.pc 10.0.1.2 500
tcp_ok h1.pc 10.0.1.2 600
udp_ok h1.pa fd00:1::2 700
udp_fail h1.pa 10.0.1.2 700
expect_eq 2 "$(weft_on h2 -s -j acl show red/line-000001 | jq '.[].statistics.packets')" "and its hits are counted"
expect_ok weft_on h2 verify

# Order: the earlier line wins, whatever the number of lines.
printf '@0.0.0.0/0 0.0.0.0/0 0 : 65535 500 : 500 0x11/0xFF\n@0.0.0.0/0 0.0.0.0/0 0 : 65535 500 : 509 0x11/0xFF\n' > "$STATE/order"
expect_ok import "$STATE/order" format classbench action deny apply_to port:b,port:a log true --replace
expect_eq '["line-000001","line-000002"]' "$(rules '[keys[] | sub("red/"; "")] | sort')" "--replace leaves nothing else"
expect_eq 'true' "$(rules '.["red/line-000001"] | .apply_to == ["port:b", "port:a"] and .log and .action == "deny"')" "keys for all lines"
expect_eq line-000001 "$(weft_on h2 -j acl check red source 10.0.1.1 destination 10.0.1.2 protocol udp destination_port 500 | jq -r '.judged[-1].rule')" "the first line that matches decides"

# YAML, as a list or as the acl of a tenant.
cat > "$STATE/rules.yaml" <<-'YAML'
	acl:
	  - {name: a, direction: in, priority: 5, protocol: udp, destination_port: 500, action: allow}
	  - name: b
	    direction: out
	    priority: 6
	    action: deny
	    protocol: tcp
YAML
expect_ok import "$STATE/rules.yaml" format yaml --replace
expect_eq '["a","b"]' "$(rules '[keys[] | sub("red/"; "")] | sort')" "YAML"
sed -n 's/^  //p' "$STATE/rules.yaml" > "$STATE/list.yaml"
before=$(weft_on h2 save)
expect_refused 'list.yaml:1:3: .*acl red/a exists already' import "$STATE/list.yaml" format yaml
expect_ok weft_on h2 acl del red/a
expect_ok weft_on h2 acl del red/b
expect_ok -t "the list from standard input" bash -c "$(declare -f weft_on netns_of root_of import); WEFT=$WEFT TEST_ID=$TEST_ID BPFFS=$BPFFS; import - format yaml < '$STATE/list.yaml'"
expect_eq "$before" "$(weft_on h2 save)" "is the same"

# All or nothing, and where it is wrong.
wrong() {
	local regex=$1
	shift
	expect_refused "$regex" "$@"
	expect_eq "$before" "$(weft_on h2 save)" "nothing was changed"
}
bad() { printf '@10.0.0.0/8 10.0.0.0/8 0 : 65535 0 : 65535 0x06/0xFF\n%b\n' "$1" > "$STATE/bad"; wrong "$2" import "$STATE/bad" format classbench; }
bad '10.0.0.0/8' 'bad:2:1: .*begins with @'
bad '@10.0.0.0/33 10.0.0.0/8 0 : 65535 0 : 65535 0x06/0xFF' 'bad:2:2: .*not an IPv4 or IPv6 prefix'
bad '@10.0.0.0/8 10.0.0.0/8 0 : 65536 0 : 65535 0x06/0xFF' 'bad:2:28: .*not a range'
bad '@10.0.0.0/8 10.0.0.0/8 9 : 8 0 : 65535 0x06/0xFF' 'bad:2:.*ends before it begins'
bad '@10.0.0.0/8 10.0.0.0/8 0 : 65535 0 : 65535 0x06/0x0F' 'bad:2:.*mask is 0x00 or 0xFF'
bad '@10.0.0.0/8 10.0.0.0/8 0 : 65535 0 : 65535' 'bad:2:.*the line ends'
bad '@10.0.0.0/8 fd00::/8 0 : 65535 0 : 65535 0x06/0xFF' 'bad:2:.*different address families'
bad '@10.0.0.0/8 10.0.0.0/8 0 : 65535 80 : 80 0x01/0xFF' 'line-000002.*destination_port needs a protocol with ports'
bad '@10.0.0.0/8 10.0.0.0/8 0 : 65535 80 : 80 0x06/0xFF \0' 'bad:2: .*no text'
bad "$(printf '%600s' @)" 'bad:2: .*longer than any filter'
printf -- '- {name: x, direction: in, priority: 5, action: allow, source: [group:none]}\n' > "$STATE/bad.yaml"
wrong 'bad.yaml:1:.*none' import "$STATE/bad.yaml" format yaml
printf -- '- {name: x, direction: sideways, priority: 5, action: allow}\n' > "$STATE/bad.yaml"
wrong 'bad.yaml:1:.*sideways' import "$STATE/bad.yaml" format yaml
printf 'hosts: {}\n' > "$STATE/bad.yaml"
wrong 'not a list of rules' import "$STATE/bad.yaml" format yaml
wrong 'format .nft. is not known' import "$STATE/bad" format nft
wrong 'each line of the file' import "$STATE/order" format classbench source 10.0.0.0/8
wrong 'action' import "$STATE/order" format classbench action perhaps
wrong 'cannot be opened' import "$STATE/none" format classbench
wrong 'does not exist' weft_on h2 acl import green "$STATE/order" format classbench

# --- lint: what is odd about rules that came in like this ---

findings() { weft_on h2 -j acl lint red | jq -cS '[.findings[] | "\(.rule) \(.kind) \(.by | join(" "))"]'; }
cat > "$STATE/odd.yaml" <<-'YAML'
	- {name: wide, direction: in, priority: 90, protocol: udp, destination_port: 500-599, action: allow}
	- {name: narrow, direction: in, priority: 80, protocol: udp, destination_port: 510, action: deny}
	- {name: low, direction: in, priority: 70, protocol: tcp, destination_port: 0-1023, action: reject}
	- {name: high, direction: in, priority: 70, protocol: tcp, destination_port: 1024-65535, action: reject}
	- {name: rest, direction: in, priority: 60, protocol: tcp, action: allow}
	- {name: rival, direction: in, priority: 90, protocol: udp, destination_port: 590-700, action: reject}
YAML
expect_status 0 weft_on h2 acl lint red
expect_ok import "$STATE/odd.yaml" format yaml --replace
expect_status 3 weft_on h2 acl lint red
expect_eq '["narrow shadowed wide","rest shadowed high low","wide contradiction rival"]' "$(findings | jq -c sort)" "what is odd, and by what"
expect_eq 'red/narrow shadowed: never decides: wide, asked before it, matches all that it does' \
	"$(weft_on h2 acl lint red | grep narrow)" "in words"
expect_eq '6 rules, 3 findings' "$(weft_on h2 acl lint | tail -1)" "of all tenants"
# As packets have it: the shadowed rule decides nothing, the one above it does.
udp_ok h1.pa 10.0.1.2 510
expect_eq 0 "$(weft_on h2 -s -j acl show red/narrow | jq '.[].statistics.packets')" "the shadowed rule has decided nothing"
expect_eq 1 "$(weft_on h2 -s -j acl show red/wide | jq '.[].statistics.packets')" "the one before it has"
expect_refused 'no such tenant' weft_on h2 acl lint green
