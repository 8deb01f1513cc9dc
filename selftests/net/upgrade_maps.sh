#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# upgrade_maps: maps of version 2 become maps of version 4 under traffic (lib/upgrade.sh), and version 2 again: no packet is
# lost and no flow, be it in use, idle, half open or denied, nor what it has counted; and none if the load is killed on the
# way, at whatever moment. What a full table holds stays, as far as the other version has room.
# timeout: 900
. "$(dirname "$0")/../lib/upgrade.sh"

# Another tenant, whose tables are small and fill up.
SMALL=1024
D=02:00:00:00:00:0d D4=10.0.2.1 E=02:00:00:00:00:0e E4=10.0.2.2
LAB_WORKLOADS="h1.pa h1.pc h2.pb h1.pd h2.pe"

small_tenant() {
	cat <<-YAML
	  small:
	    options:
	      conntrack: {max_flows: $SMALL, max_half_open: 64, timeouts: {udp: 1h}}
	    networks:
	      lan: {vni: 102, subnets: [10.0.2.0/24]}
	    ports:
	      d: {network: lan, host: h1, device: pd, mac: "$D", addresses: [$D4]}
	      e: {network: lan, host: h2, device: pe, mac: "$E", addresses: [$E4]}
	    acl:
	      - {name: flood, direction: in, priority: 50, protocol: udp, action: allow}
	YAML
}

# So many tenants that their tables are not taken away one by one.
crowd() {
	local i
	for i in {10..29}; do
		printf '  t%s:\n    networks:\n      n: {vni: 2%s, subnets: [10.0.%s.0/24]}\n' $i $i $i
		printf '    ports:\n      p: {network: n, host: h1, device: x%s, mac: "02:00:00:00:01:%s", addresses: [10.0.%s.9]}\n' $i $i $i
	done
}

# apply_with WEFT [TENANTS]: on both hosts; nothing but red, small and those.
apply_with() {
	local host
	{ cat "$STATE/red.yaml"; small_tenant; ${2:-true}; } > "$STATE/apply.yaml"
	for host in h1 h2; do
		run_quietly with "$1" $host apply --prune --force "$STATE/apply.yaml" || { show_output; die "weft apply on $host"; }
	done
}

# ---- flows of which no packet passes while maps change, of both families ----

# a asks b, and only the flow lets b's answer in.
idle_question() {
	send h1.pa "eth('$B', '$A', ip4('$A4', '$B4', udp(4444, ${1:-9000})))"
	send h1.pa "eth('$B', '$A', ip6('$A6', '$B6', udp(4444, ${1:-9000})))"
}
idle_answer() {
	local before
	before=$(counter_get h1 ports red/a:to_packets)
	send h2.pb "eth('$A', '$B', ip4('$B4', '$A4', udp(9000, ${1:-4444})))"
	send h2.pb "eth('$A', '$B', ip6('$B6', '$A6', udp(9000, ${1:-4444})))"
	sleep 0.3
	echo $(($(counter_get h1 ports red/a:to_packets) - before))
}

# Handshakes, of which the hosts themselves see nothing.
half_open() {
	send h1.pa "eth('$B', '$A', ip4('$A4', '$B4', tcp($1, 9100, flags=SYN, seq=100)))"
	send h1.pa "eth('$B', '$A', ip6('$A6', '$B6', tcp($1, 9100, flags=SYN, seq=100)))"
}
half_done() {
	send h2.pb "eth('$A', '$B', ip4('$B4', '$A4', tcp(9100, $1, flags=SYN | ACK, seq=500, ack=101)))"
	send h2.pb "eth('$A', '$B', ip6('$B6', '$A6', tcp(9100, $1, flags=SYN | ACK, seq=500, ack=101)))"
	sleep 0.1
	send h1.pa "eth('$B', '$A', ip4('$A4', '$B4', tcp($1, 9100, flags=ACK, seq=101, ack=501)))"
	send h1.pa "eth('$B', '$A', ip6('$A6', '$B6', tcp($1, 9100, flags=ACK, seq=101, ack=501)))"
	sleep 0.1
}
mute() {
	local ns
	for ns in h1.pa h2.pb; do
		in_ns $ns nft -f - <<-NFT
		table inet mute {
			chain input {
				type filter hook input priority 0;
				tcp dport 9100 drop
				tcp sport 9100 drop
			}
		}
		NFT
	done
}

# All that is known of those flows, but for what only time changes.
facts() {
	local host
	for host in h1 h2; do
		weft_on $host -j ct show red | jq -cS --arg host $host 'def old_names: {syn_sent: "syn", syn_recv: "syn", new: "unreplied", assured: "replied"};
			.[] |
			select(.destination_port == 9000 or .destination_port == 9100 or .destination_port == 10500) |
			del(.idle_s, .left_s, .tenant, .network, .rule, .rule_id, .proxied, .source_chain, .destination_chain) | .state |= (old_names[.] // .) | [$host, .]'
	done | LC_ALL=C sort
}
known() { jq -s "map(select($1)) | length" <<< "$(facts)"; }

# A flow that the ACL has let in and does not any more is known as denied, where it ends.
denied_flow() {
	idle_question 10500
	apply_with "$1"
	idle_question 10500
	expect_eq 2 "$(WEFT=$1 known '.[0] == "h2" and .[1].verdict == "deny"')" "flows are known as denied"
}

expect_flows() {
	expect_eq 2 "$(idle_answer)" "$1: idle flows live on"
	expect_eq 0 "$(idle_answer 4445)" "$1: what is of no flow stays out"
	expect_drop h2 acl_in h1.pa "eth('$B', '$A', ip4('$A4', '$B4', udp(4444, 10500)))" "$1: what is denied stays so"
}

# expect_change BEFORE AFTER TEXT BINARY ARGUMENT...: another version; BEFORE and AFTER are the commands that know the root.
expect_change() {
	local after=$2
	WEFT=$1 facts > "$STATE/facts.before"
	shift 2
	expect_load "$@"
	WEFT=$after facts > "$STATE/facts.after"
	expect_ok -t "$1: $(wc -l < "$STATE/facts.before") flows are what they were, and have counted what they had" \
		cmp -s "$STATE/facts.before" "$STATE/facts.after"
	cmp -s "$STATE/facts.before" "$STATE/facts.after" ||
		diff "$STATE/facts.before" "$STATE/facts.after" | sed 's/^/    /' | head -n 20
}

# ---- a full table ----

flood() {
	"$TOOLS/flood" --netns "$(netns_of h1.pd)" --dev eth0 --src-mac $D --dst-mac $E --src-ip $D4 --dst-ip $E4 \
		--sport 20000 --dport 9000 --flows "$1" --size 64 --seconds 0.5 --pps 40000 > "$STATE/flood" || fail "no flood"
}

# A line a flow, "HOST KEY PACKETS".
small_flows() {
	local host
	for host in h1 h2; do
		weft_on $host -j ct show small | jq -r --arg host $host '.[] | "\($host):\(.source_port) \(.packets)"'
	done | LC_ALL=C sort
}

fill_table() {
	flood $SMALL
	small_flows > "$STATE/small.before"
	expect_eq $((2 * SMALL)) "$(wc -l < "$STATE/small.before")" "tables are full"
	expect_drop h1 ct_full h1.pd "eth('$E', '$D', ip4('$D4', '$E4', udp(11, 12)))" "and take no more"
}

expect_small() {
	small_flows > "$STATE/small.after"
	expect_ok -t "$1: all that the full tables held is there" cmp -s "$STATE/small.before" "$STATE/small.after"
}

# ---- the versions ----

version_2() {
	local host
	for host in h1 h2; do
		weft_on $host unload --force
		with "$OLD" $host load --host $host || die "load of version 2"
	done
	WEFT=$OLD configure
	cp "$STATE/apply.yaml" "$STATE/red.yaml"
	cat >> "$STATE/red.yaml" <<-YAML
	      - {name: half, direction: in, priority: 50, protocol: tcp, destination_port: 9100, action: allow}
	YAML
	apply_with "$OLD" crowd
	cp "$STATE/red.yaml" "$STATE/red.less"
	cat >> "$STATE/red.yaml" <<-YAML
	      - {name: brief, direction: in, priority: 50, protocol: udp, destination_port: 10500, action: allow}
	YAML
	apply_with "$OLD"
	expect_eq 2 "$(label h1 | cut -d' ' -f1)" "a root of version 2"
	WEFT=$OLD tcp_ok h1.pa $B4 7
	WEFT=$OLD idle_question
	idle_question 10500
	mv "$STATE/red.less" "$STATE/red.yaml"
	WEFT=$OLD denied_flow "$OLD"
	WEFT=$OLD expect_flows "version 2"
	WEFT=$OLD fill_table
	expect_refused 'weft load' weft_on h1 save
}

# What version 4 puts beside the rest.
expect_version_4() {
	expect_eq "4 $("$WEFT" -j version | jq -r .build)" "$(label h1)" "$1: the root is of version 4"
	expect_ok -t "$1: no queue is left" test ! -e "$(root_of h1)/recent4" -a ! -e "$(root_of h1)/tenants/red/recent4"
	expect_eq "0 0" "$(bpftool -j map dump pinned "$(root_of h1)/tenant_slots" | jq -r '[.[].formatted.value | select(.id != 0)] |
		"\(map(select(.seed == 0)) | length) \(length - (map(.seed) | unique | length))"')" "$1: each tenant has a seed of its own"
	# By their places in include/timeouts.h: 9 is udp, an hour in both tenants, 14 sctp_established, 210 s, which version 2 had not.
	expect_eq "true 2" "$(bpftool -j map dump pinned "$(root_of h1)/tenant_slots" | jq -r '[.[].formatted.value | select(.id != 0)] |
		"\(all(.[]; (.timeout | min) > 0 and .shortest == (.timeout | min))) \(map(select(.timeout[9] * 210 == .timeout[14] * 3600)) | length)"')" \
		"$1: idle times are those that were set, and the new ones' defaults"
	expect_programs
	# Tables that version 2 did not have, of fragments and of hits of rules, come with the next apply.
	expect_output '^maps: .* brought up to date|^nothing to change' weft_on h1 apply "$STATE/apply.yaml"
	expect_output 'nothing to change' weft_on h1 apply "$STATE/apply.yaml"
	expect_ok -t "$1: all is as it should be" weft_on h1 verify
}

expect_version_2() {
	expect_eq 2 "$(label h1 | cut -d' ' -f1)" "$1: the root is of version 2 again"
	WEFT=$OLD expect_programs
	expect_output 'nothing to change' with "$OLD" h1 apply "$STATE/apply.yaml"
	expect_ok -t "$1: all is as it should be" with "$OLD" h1 verify
}

there_and_back() {
	# Who may not ask the kernel for the tables in use would lose their flows, and so changes nothing.
	expect_refused 'without cap_sys_admin' in_ns h1 setpriv --bounding-set -sys_admin "$WEFT" -r "$(root_of h1)" load
	expect_eq 2 "$(label h1 | cut -d' ' -f1)" "the root is of version 2 still"
	WEFT=$OLD half_open 5001
	expect_change "$OLD" "$WEFT" "from version 2 to 4" "$WEFT"
	expect_version_4 "there"
	expect_small "there"
	half_done 5001
	expect_eq 4 "$(known '.[1].source_port == 5001 and (.[1].half_open | not)')" "handshakes go on in version 4"
	expect_flows "version 4"
	tcp_ok h1.pa $B4 7
	udp_fail h1.pa $B4 9
	expect_refused 'load --previous' weft_on h1 rollback 1

	# Many tenants come and go: what stands for nothing is of this version, too.
	apply_with "$WEFT" crowd
	apply_with "$WEFT"
	expect_output 'nothing to change' weft_on h1 apply "$STATE/apply.yaml"

	# Programs that know one step would leave the others out.
	run_quietly weft_on h1 sf add first instances '{i: {host: h1, device: none1}}'
	run_quietly weft_on h1 sf add second instances '{i: {host: h1, device: none2}}'
	expect_ok weft_on h1 chain add red/pair tag 77 steps first,second
	expect_refused 'leave out all but the first' weft_on h1 load --previous
	expect_eq 4 "$(label h1 | cut -d" " -f1)" "and stay in version 4"
	# Programs that know no chains of rules would drop what these are to inspect.
	expect_ok weft_on h1 chain set red/pair steps first
	expect_ok weft_on h1 acl add red/inspected apply_to port:a direction out priority 9 protocol udp destination_port 4444 \
		action allow chain pair
	expect_refused 'acl red/inspected: has a chain, .* know no chains of rules' weft_on h1 load --previous
	expect_ok weft_on h1 acl del red/inspected
	expect_ok weft_on h1 chain del red/pair
	run_quietly weft_on h1 sf del first
	run_quietly weft_on h1 sf del second

	# The build before can do nothing with this root; the one that knows both puts it back.
	expect_refused 'version 4' with "$OLD" h1 load
	expect_refused 'version 4' with "$OLD" h1 status
	half_open 5002
	expect_change "$WEFT" "$OLD" "back to version 2" "$WEFT" --previous
	expect_version_2 "back"
	WEFT=$OLD expect_small "back"
	WEFT=$OLD half_done 5002
	expect_eq 4 "$(WEFT=$OLD known '.[1].source_port == 5002 and (.[1].half_open | not)')" "handshakes go on in version 2"
	WEFT=$OLD expect_flows "version 2"
	expect_change "$OLD" "$WEFT" "to version 4 with the programs that were kept" "$WEFT" --previous
	expect_version_4 "again"
	expect_small "again"
	expect_flows "version 4"
}

# Version 4 takes more flows than version 2 has room for: those seen last go back.
more_than_fit() {
	local flows
	flood $((SMALL + SMALL / 8))
	flows=$(weft_on h1 -j ct show small | jq length)
	expect_ok -t "a table of version 4 has $flows flows" test "$flows" -gt $SMALL
	expect_output 'found no room' weft_on h1 load --previous
	expect_eq $SMALL "$(with "$OLD" h1 -j ct show small | jq length)" "version 2 has those for which it has room"
	expect_ok -t "and on to version 4" weft_on h1 load --previous
	expect_eq $SMALL "$(weft_on h1 -j ct show small | jq length)" "which has them all"
}

load_by() { "$TOOLS/killat" "$@" "$WEFT" -n "$(netns_of h1)" -r "$(root_of h1)" load --previous; }

# Kills a load N steps before its end; the next one ends what it has begun, or undoes it, and then changes the version once
# more. From version 4 to 2 in tc mode, the other way in xdp mode.
killed() {
	local steps n before=(5 35 700 1600)
	small_flows | grep ^h1: > "$STATE/small.before"
	churn_begin
	if [ "$MODE" = tc ]; then
		steps=$(load_by count)
		weft_on h1 load
	else
		before=(5 35 85 135)
		weft_on h1 load --previous
		steps=$(load_by count)
	fi
	for n in "${before[@]}"; do
		[ "$MODE" = tc ] || weft_on h1 load --previous
		expect_ok -t "$n steps before its end a load is killed" load_by before $((steps - n))
		expect_ok -t "the next one goes on" weft_on h1 load
	done
	churn_end "loads killed"
	expect_version_4 "after all those deaths"
	expect_flows "after all those deaths"
	small_flows | grep ^h1: > "$STATE/small.after"
	expect_ok -t "and the full table has what it had" cmp -s "$STATE/small.before" "$STATE/small.after"
}

run() {
	offloads h1 pd gro on
	version_2
	there_and_back
	more_than_fit
	killed
	tcp_ok h1.pa $B4 7
	tcp_fail h1.pa $B4 9
}

workload_add h1 pd $D $D4/24
workload_add h2 pe $E $E4/24
mute
each_mode run
