# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2120
#
# transitions.sh: changes of policy for crash_lab.sh, a function each. It sets OLD and NEW, the YAML of the tenants,
# and FRAMES, a line a frame: KIND FROM-DEVICE TO-DEVICE EXPRESSION (probes.py). OLD_WHOLE is all of the old
# configuration, CHANGE another command than apply, and before_change() is called between the two.

TRANSITIONS=(rule_replaced default_closed default_opened default_out monitor_off tenant_replaced slots_reused vni_swapped
	network_to_other_tenant port_moved devices_swapped addresses_swapped group_changed chain_rebound chain_inserted
	chain_removed chain_with_rule chain_without_rule rule_with_chain rule_without_chain rule_chain_rebound
	rule_chain_way rule_chain_back first_apply ipv6_added table_resized ifindex_reused port_to_function function_to_port verb batch
	mode_xdp mode_tc first_clsact)

# head_yaml [FUNCTIONS [MODE]]: more functions than the usual ones; how h1 attaches.
head_yaml() {
	cat <<-YAML
	version: 1
	hosts:
	  h1: {vtep: 192.168.50.1, underlay: [u0], mode: ${2:-tc}}
	  h2: {vtep: 192.168.50.2, underlay: [u0]}
	service_functions:
	  deaf: {instances: {d: {host: h1, device: s0}}}
	  deaf2: {instances: {d: {host: h1, device: s1}}}
	  good: {instances: {g: {host: h1, device: s2}}}
	YAML
	[ -z "${1:-}" ] || echo "$1"
	echo 'tenants:'
}

# tenant NAME VNI: begins a tenant whose network web has this VNI.
tenant() { printf '  %s:\n    networks:\n      web: {vni: %s}\n' "$1" "$2"; }
ports() { echo '    ports:'; }
acl() { echo '    acl:'; }

# port NAME DEVICE NUMBER [NETWORK [NUMBER OF THE ADDRESS]]
port() {
	local host=h1
	[[ $2 == q* ]] && host=h2
	printf '      %s: {network: %s, host: %s, device: %s, mac: "02:00:00:00:00:0%s", addresses: [10.0.1.%s%s]}\n' \
		"$1" "${4:-web}" $host "$2" "$3" "${5:-$3}" "${SIX:+, \"fd00:1::${5:-$3}\"}"
}

# rule NAME ACTION PRIORITY UDP-PORT [MORE]
rule() {
	printf '      - {name: %s, direction: in, priority: %s, protocol: udp, destination_port: %s, action: %s%s}\n' \
		"$1" "$3" "$4" "$2" "${5:+, $5}"
}

# The web of a, b (here) and c (there), with rules on stdin.
red_web() { tenant red 101; ports; port a p1 1; port b p2 2; port c q1 3; cat; }

# to_b KIND PORT: to UDP port PORT of b, from a and from c, in a new flow and in an old one.
to_b() {
	printf '%s p1 p2 u4(1, 2, fresh, %s, data)\n' "$1" "$2"
	printf '%s p1 p2 u4(1, 2, 4000, %s, data)\n' "$1" "$2"
	printf '%s q1 p2 u4(3, 2, fresh, %s, data)\n' "$1" "$2"
	printf '%s q1 p2 u4(3, 2, 4000, %s, data)\n' "$1" "$2"
}

transition_rule_replaced() {
	OLD=$({ acl; rule keep allow 50 5; rule it allow 60 6; } | red_web)
	NEW=$({ acl; rule keep allow 50 5; rule it allow 60 7; } | red_web)
	FRAMES=$(to_b both 5; to_b old 6; to_b new 7; to_b never 9; echo 'never h1/p2 p2 u4(1, 2, fresh, 5, data)')
}

defaults() { printf '    options: {default: {in: %s, out: %s}}\n' "$1" "$2"; }

transition_default_closed() {
	OLD=$({ defaults allow allow; acl; rule no deny 50 9; } | red_web)
	NEW=$({ defaults deny allow; acl; rule yes allow 50 5; } | red_web)
	FRAMES=$(to_b both 5; to_b old 6; to_b never 9)
}

transition_default_opened() {
	OLD=$({ defaults deny allow; acl; rule yes allow 50 5; } | red_web)
	NEW=$({ defaults allow allow; acl; rule no deny 50 9; } | red_web)
	FRAMES=$(to_b both 5; to_b new 6; to_b never 9)
}

# The source is asked: what comes from the other host was let out there.
transition_default_out() {
	local any='direction: in, priority: 10, action: allow}'
	OLD=$({ defaults deny allow; acl; echo "      - {name: any, $any"; rule no deny 50 9 | sed s/in,/out,/; } | red_web)
	NEW=$({ defaults deny deny; acl; echo "      - {name: any, $any"; rule yes allow 50 5 | sed s/in,/out,/; } | red_web)
	FRAMES=$(to_b both 5; to_b old 6 | grep p1; to_b never 9 | grep p1; to_b both 6 | grep q1)
}

transition_monitor_off() {
	OLD=$({ echo '    options: {enforcement: monitor}'; acl; rule keep allow 50 5; } | red_web)
	NEW=$({ acl; rule keep allow 50 5; } | red_web)
	FRAMES=$(to_b both 5; to_b old 6; echo 'never p1 p2 u4(2, 2, fresh, 5, data)'; echo 'never p1 p3 u4(1, 4, fresh, 5, data)')
}

transition_tenant_replaced() {
	local blue
	blue=$(tenant blue 102; ports; port x p3 1; port y p4 2; acl; rule any allow 10 1-100)
	OLD=$({ acl; rule no deny 100 9 'apply_to: [port:b]'; rule any allow 10 1-100; } | red_web; echo "$blue")
	NEW=$(echo "$blue"; { acl; rule yes allow 50 5; } | red_web | sed s/red/green/)
	FRAMES=$(to_b both 5; to_b old 6; to_b never 9; echo 'both p3 p4 u4(1, 2, 4000, 9, data)'
		echo 'never p1 p4 u4(1, 2, 4000, 5, data)'; echo 'never p3 p2 u4(1, 2, fresh, 5, data)')
}

# The tenant before this one has just gone, and the new one gets its places.
transition_slots_reused() {
	local blue
	blue=$(tenant blue 102; ports; port x p3 1; port y p4 2; acl; rule any allow 10 1-100)
	OLD=$blue
	NEW=$(echo "$blue"; { acl; rule yes allow 50 5; } | red_web | sed s/red/green/)
	FRAMES=$(to_b new 5 | grep p1; to_b never 9 | grep p1; echo 'both p3 p4 u4(1, 2, 4000, 9, data)'
		echo 'never p1 p4 u4(1, 2, 4000, 5, data)'; echo 'never p3 p2 u4(1, 2, fresh, 5, data)')
	{ head_yaml; echo "$blue"; { acl; rule any allow 50 1-100; } | red_web; } > "$STATE/older.yaml"
	before_old() {
		weft_quietly h1 apply --no-verify --prune --force "$STATE/older.yaml"
		ask probe 5
	}
}

# Two tenants with the same MACs and addresses.
transition_vni_swapped() {
	two() {
		tenant red "$1"; ports; port a p1 1; port b p2 2; acl; rule any allow 50 5
		tenant blue "$2"; ports; port x p3 1; port y p4 2; acl; rule any allow 50 1-100
	}
	OLD=$(two 101 102)
	NEW=$(two 102 101)
	FRAMES='both p1 p2 u4(1, 2, fresh, 5, data)
		both p3 p4 u4(1, 2, 4000, 7, data)
		never p1 p4 u4(1, 2, fresh, 5, data)
		never p1 p4 u4(1, 2, 4000, 5, data)
		never p3 p2 u4(1, 2, fresh, 5, data)
		never p3 p2 u4(1, 2, 4000, 7, data)
		never p1 p2 u4(1, 2, fresh, 9, data)'
}

# One rule of red's denies b alone what all others get; blue denies it by default.
transition_network_to_other_tenant() {
	local rest
	rest=$(acl; rule no deny 100 9 'apply_to: [port:b]'; rule any allow 10 1-100)
	OLD=$(echo "$rest" | red_web; tenant blue 102; ports; port x p3 4)
	NEW=$(tenant red 102; ports; port x p3 4; echo "$rest" | sed /port:b/d
		{ acl; rule yes allow 50 5; } | red_web | sed s/red/blue/)
	FRAMES=$(to_b both 5; to_b old 6; to_b never 9)
}

transition_port_moved() {
	local more='      db: {vni: 102}' rules
	rules=$(acl; rule yes allow 50 5)
	OLD=$(tenant red 101; echo "$more"; ports; port a p1 1; port b p2 2; port c p3 3 db; echo "$rules")
	NEW=$(tenant red 101; echo "$more"; ports; port a p4 1; port b p2 2 db; port c p3 3 db; echo "$rules")
	FRAMES='old p1 p2 u4(1, 2, fresh, 5, data)
		new p2 p3 u4(2, 3, fresh, 5, data)
		never p1 p2 u4(1, 2, fresh, 9, data)
		never p1 p3 u4(1, 3, fresh, 5, data)
		never p4 p3 u4(1, 3, fresh, 5, data)
		never p4 p2 u4(1, 2, fresh, 5, data)
		never p2 p3 u4(2, 3, fresh, 9, data)
		never p3 p2 u4(3, 2, 4000, 9, data)'
}

transition_devices_swapped() {
	local rules
	rules=$(acl; rule a allow 50 5 'apply_to: [port:a]'; rule b allow 50 6 'apply_to: [port:b]')
	OLD=$(tenant red 101; ports; port a p1 1; port b p2 2; port c p3 3; echo "$rules")
	NEW=$(tenant red 101; ports; port a p2 1; port b p1 2; port c p3 3; echo "$rules")
	FRAMES='old p3 p1 u4(3, 1, fresh, 5, data)
		new p3 p2 u4(3, 1, fresh, 5, data)
		never p3 p1 u4(3, 1, fresh, 6, data)
		never p3 p2 u4(3, 1, 4000, 6, data)
		never p3 p2 u4(3, 2, 4000, 5, data)
		never p3 p1 u4(3, 2, fresh, 5, data)'
}

# Two ports swap addresses, and only the second may: what the first sends is allowed by no policy.
transition_addresses_swapped() {
	local rules
	rules=$(echo '    groups: {g: {ports: [y]}}'; acl; rule g allow 50 5 'source: [group:g]')
	OLD=$(tenant red 101; ports; port x p1 1; port y p2 2; port z p3 3; echo "$rules")
	NEW=$(tenant red 101; ports; port x p1 1 web 2; port y p2 2 web 1; port z p3 3; echo "$rules")
	FRAMES='old p2 p3 u4(2, 3, fresh, 5, data)
		new p2 p3 u4(2, 3, fresh, 5, data, 1)
		never p1 p3 u4(1, 3, fresh, 5, data)
		never p1 p3 u4(1, 3, fresh, 5, data, 2)
		never p2 p3 u4(2, 3, fresh, 9, data)'
}

transition_group_changed() {
	local rules
	rules=$(acl; rule g allow 50 5 'source: [group:g]'; rule other allow 50 6)
	OLD=$(tenant red 101; ports; port a p1 1; port b p2 2; port c p3 3; port d p4 4; echo '    groups: {g: {ports: [a]}}'; echo "$rules")
	NEW=$(tenant red 101; ports; port a p1 1; port b p2 2; port c p3 3; port d p4 4; echo '    groups: {g: {ports: [c]}}'; echo "$rules")
	FRAMES='old p1 p2 u4(1, 2, fresh, 5, data)
		old p1 p2 u4(1, 2, 4000, 5, data)
		new p3 p2 u4(3, 2, fresh, 5, data)
		both p3 p2 u4(3, 2, 4000, 6, data)
		never p4 p2 u4(4, 2, fresh, 5, data)
		never p4 p2 u4(4, 2, 4000, 5, data)'
}

# chained CHAINS INSERTS: a and b, the wire of b, and c beside it.
chained() {
	tenant red 101; ports; port a p1 1; port b p2 2; port c p3 3; acl; rule any allow 50 5
	[ -z "${1:-}" ] || printf '    chains: {%s}\n    insert: [{name: i, apply_to: [port:b], chain: %s}]\n' "$1" "$2"
}

# Both functions swallow what they get: whatever arrives has gone past them.
transition_chain_rebound() {
	OLD=$(chained 'one: {tag: 301, steps: [{function: deaf}]}' one)
	NEW=$(chained 'two: {tag: 302, steps: [{function: deaf2}]}' two)
	FRAMES='both p1 p3 u4(1, 3, fresh, 5, data)
		never p1 p2 u4(1, 2, fresh, 5, data)
		never p1 p2 u4(1, 2, 4000, 5, data)
		never p2 p1 u4(2, 1, fresh, 5, data)
		never p2 p1 u4(2, 1, 4000, 5, data)'
}

transition_chain_inserted() {
	OLD=$(chained)
	NEW=$(chained 'one: {tag: 301, steps: [{function: good}]}' one)
	FRAMES='both p1 p2 u4(1, 2, fresh, 5, data)
		both p1 p2 u4(1, 2, 4000, 5, data)
		both p2 p1 u4(2, 1, fresh, 5, data)
		never p1 p2 u4(1, 2, fresh, 9, data)'
}

transition_chain_removed() {
	transition_chain_inserted
	local old=$OLD
	OLD=$NEW NEW=$old
}

# With the function comes a rule that lets through what only the function may judge; and both go again.
transition_chain_with_rule() {
	OLD=$(chained; rule no deny 100 9)
	NEW=$(chained; rule yes allow 100 9; tail -n 2 <<< "$(chained 'one: {tag: 301, steps: [{function: deaf}]}' one)")
	FRAMES='both p1 p3 u4(1, 3, fresh, 5, data)
		old p1 p2 u4(1, 2, fresh, 5, data)
		never p1 p2 u4(1, 2, fresh, 9, data)
		never p1 p2 u4(1, 2, 4000, 9, data)'
}

# A flow that only the function was to judge is there when both go.
transition_chain_without_rule() {
	transition_chain_with_rule
	local old=$OLD
	OLD=$NEW NEW=$old
	FRAMES=${FRAMES/old p1/new p1}
}

# by_rule CHAINS RULES: a and b, and c beside them; rules of b with chains.
by_rule() {
	tenant red 101; ports; port a p1 1; port b p2 2; port c p3 3
	[ -z "$1" ] || echo "    chains: {$1}"
	acl; rule any allow 50 5; printf '%s\n' "$2"
}

to_b_or_c='both p1 p3 u4(1, 3, fresh, 5, data)
		both p1 p2 u4(1, 2, fresh, 5, data)'

# A rule lets through what its chain alone may judge; and both go again.
transition_rule_with_chain() {
	OLD=$(by_rule '' '')
	NEW=$(by_rule 'one: {tag: 301, steps: [{function: deaf}]}' "$(rule it allow 60 9 'apply_to: [port:b], chain: one')")
	FRAMES="$to_b_or_c
		never p1 p2 u4(1, 2, fresh, 9, data)
		never p1 p2 u4(1, 2, 4000, 9, data)"
}

transition_rule_without_chain() {
	transition_rule_with_chain
	local old=$OLD
	OLD=$NEW NEW=$old
}

# Another chain, which is new, in the rule's.
transition_rule_chain_rebound() {
	OLD=$(by_rule 'one: {tag: 301, steps: [{function: deaf}]}' "$(rule it allow 60 9 'apply_to: [port:b], chain: one')")
	NEW=$(by_rule 'two: {tag: 302, steps: [{function: deaf2}]}' "$(rule it allow 60 9 'apply_to: [port:b], chain: two')")
	FRAMES="$to_b_or_c
		never p1 p2 u4(1, 2, fresh, 9, data)
		never p1 p2 u4(1, 2, 4000, 9, data)"
}

# The rule is of other flows, and the chain of another function, at once: neither rule meets the other one's.
transition_rule_chain_way() {
	OLD=$(by_rule 'one: {tag: 301, steps: [{function: good}]}' "$(rule it allow 60 6 'apply_to: [port:b], chain: one')")
	NEW=$(by_rule 'one: {tag: 301, steps: [{function: deaf}]}' "$(rule it allow 60 9 'apply_to: [port:b], chain: one')")
	FRAMES="$to_b_or_c
		old p1 p2 u4(1, 2, fresh, 6, data)
		old p1 p2 u4(1, 2, 4000, 6, data)
		never p1 p2 u4(1, 2, fresh, 9, data)
		never p1 p2 u4(1, 2, 4000, 9, data)"
}

transition_rule_chain_back() {
	transition_rule_chain_way
	local old=$OLD
	OLD=$NEW NEW=$old
	FRAMES=${FRAMES//old p1/new p1}
}

transition_first_apply() {
	NEW=$({ acl; rule yes allow 50 5; } | red_web)
	FRAMES=$(to_b new 5 | grep p1; to_b never 9; echo 'never p1 p2 u4(2, 1, fresh, 5, data)')
	OLD_WHOLE='version: 1'
}

transition_ipv6_added() {
	OLD=$({ acl; rule yes allow 50 5; } | red_web)
	NEW=$({ acl; rule yes allow 50 5; } | SIX=1 red_web)
	FRAMES=$(to_b both 5 | grep p1; to_b new 5 | grep p1 | sed s/u4/u6/; to_b never 9; to_b never 9 | sed s/u4/u6/)
}

transition_table_resized() {
	OLD=$({ echo '    options: {conntrack: {max_flows: 1024, max_half_open: 128}}'; acl; rule yes allow 50 5; } | red_web)
	NEW=$({ echo '    options: {conntrack: {max_flows: 4096, max_half_open: 512}}'; acl; rule yes allow 50 5; } | red_web)
	# In flows that are there already: the small table is not to be full.
	FRAMES=$(to_b both 5 | grep 4000; to_b never 9)
}

# The device of a goes, and another one comes with the same index, for e. Who is behind it never was a.
transition_ifindex_reused() {
	local rules
	rules=$(acl; rule g allow 50 5 'source: [port:a]')
	OLD=$(tenant red 101; ports; port a p6 6; port b p2 2; echo "$rules")
	NEW=$(tenant red 101; ports; port e p7 5; port b p2 2; echo "$rules" | sed s/port:a/10.0.1.6/)
	FRAMES='old t6 p2 u4(6, 2, fresh, 5, data)
		never t6 p2 u4(5, 2, fresh, 5, data)'
	place() {
		in_ns h1 ip link del p6 2>/dev/null
		in_ns h1 ip link del p7 2>/dev/null
		ip link add "$@" netns "$(netns_of h1)" type veth peer name t6 netns "$(netns_of wl)"
		in_ns h1 ip link set "$1" up
		in_ns wl ip link set t6 up
	}
	before_old() {
		NEVER=' never2 '
		place p6
		ask reopen
	}
	before_change() {
		place p7 index "$(in_ns h1 ip -j link show p6 | jq '.[0].ifindex')"
		ask reopen
		NEVER=' old1 never2 '
	}
	before_begin() { place p6; }
}

# What is behind the device of a port is a function from now on. The host itself sends to neither.
transition_port_to_function() {
	OLD=$({ port d p5 5; acl; rule yes allow 50 5; } | red_web)
	NEW=$({ acl; rule yes allow 50 5; } | red_web)
	NEW_FUNCTIONS='  late: {instances: {l: {host: h1, device: p5}}}'
	FRAMES=$(to_b both 5; to_b never 9; echo 'old p5 p2 u4(5, 2, fresh, 5, data)'
		echo 'never h1/p5 p5 u4(5, 2, fresh, 5, data)'; echo 'never h1/p2 p2 u4(5, 2, fresh, 5, data)')
}

transition_function_to_port() {
	transition_port_to_function
	local old=$OLD
	OLD=$NEW NEW=$old
	OLD_FUNCTIONS=$NEW_FUNCTIONS NEW_FUNCTIONS=
	FRAMES=${FRAMES/old p5/new p5}
}

transition_verb() {
	transition_rule_replaced
	CHANGE=(acl set red/it destination_port 7)
}

transition_batch() {
	transition_rule_replaced
	printf '%s\n' 'acl set red/it destination_port 7' 'group replace red/g ports a' > "$STATE/batch"
	NEW=$(echo "$NEW"; echo '    groups: {g: {ports: [a]}}')
	CHANGE=(-b "$STATE/batch")
}

transition_mode_xdp() {
	OLD=$({ acl; rule yes allow 50 5; } | red_web)
	NEW=$OLD
	NEW_MODE=xdp
	FRAMES=$(to_b both 5; to_b never 9; echo 'never h1/p2 p2 u4(1, 2, fresh, 5, data)')
}

transition_mode_tc() {
	transition_mode_xdp
	OLD_MODE=xdp NEW_MODE=tc
}

# As on kernels without TCX. Last: what comes after it would be attached so, too.
transition_first_clsact() {
	transition_first_apply
	before_begin() { weft_quietly h1 unload --force; weft_load h1 --clsact; }
}
