#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# upgrade_rules: 2,000 rules with groups and prefixes of both families, as many as version 2 of the maps takes, go from
# version 2 to 4 under traffic (lib/upgrade.sh) and back: as they were taken over, as version 4 itself makes them, and with
# changes since. Each time what this file says itself is allowed passes, the rest is dropped and counted, and flows live on.
# What has grown beyond version 2 is not handed back. All of it on h2, where b is; h1 is of version 4 all the time.
# timeout: 900
. "$(dirname "$0")/../lib/upgrade.sh"

RULES=2000 LOAD_HOSTS=h2
# Rules of which packets are sent: of all kinds, in each part of the set.
SAMPLES='(0, 1, 2, 3, 4, 7, 15, 500, 501, 502, 503, 504, 523, 531, 997, 998, 1000, 1001, 1002, 1003, 1004, 1007, 1015, 1995, 1996, 1997, 1998, 1999)'
LIVE=30000	# source ports of the flows that stay; the next rounds' begin anew

# The i-th rule is about port 20000 + i, and about who and what, one like another: see verdict().
rules() {
	awk -v n=$RULES 'BEGIN {
		split("10.0.1.0/31|\"fd00:1::2/127\"|group:lan|port:a|group:both", source, "|")
		for (i = 0; i < n; i++)
			printf "  - {name: r%d, apply_to: [port:b], direction: in, priority: 100, protocol: udp, source: [%s], destination_port: %d, action: %s}\n",
				i, source[i % 5 + 1], 20000 + i, i % 8 == 7 ? "reject" : i % 4 == 3 ? "deny" : "allow"
	}'
}

configuration() {
	cat <<-YAML
	groups:
	  lan: {prefixes: [10.0.1.2/31, "fd00:1::/127"]}
	  both: {ports: [a, c]}
	options:
	  conntrack: {max_flows: 65536, max_half_open: 4096, timeouts: {udp: 1h, udp_replied: 1h}}
	acl:
	  - {name: roof, direction: in, priority: 200, protocol: udp, source: [10.0.1.3], destination_port: 20500-20549, action: deny}
	  - {name: floor, direction: in, priority: 10, protocol: udp, source: [group:lan], destination_port: 21000-21999, action: allow}
	  - {name: echo, apply_to: [port:b], direction: in, priority: 50, protocol: tcp, destination_port: 7, action: allow}
	  - {name: echo-udp, apply_to: [port:b], direction: in, priority: 50, protocol: udp, destination_port: 7, action: allow}
	$(rules)
	YAML
}

# done_on_h2 ARGUMENT...: a command that is no test; what stays is judged again by its packets.
done_on_h2() {
	run_quietly weft_on h2 "$@" || { show_output; die "weft $*"; }
	ask $LIVE
}

# Said once more, and by nobody who knows weft's rules: lines "SOURCE PORT" of what passes. CHANGED: changed() was done.
expected() {
	python3 - "$SAMPLES" "${CHANGED:-}" <<-'PYTHON'
	import sys
	who = [{"10.0.1.1"}, {"fd00:1::3"}, {"10.0.1.3", "fd00:1::1"}, {"10.0.1.1", "fd00:1::1"},
	       {"10.0.1.1", "fd00:1::1", "10.0.1.3", "fd00:1::3"}]
	samples, changed = eval(sys.argv[1]), sys.argv[2]
	for source in who[4]:
	    for i in samples:
	        if source == "10.0.1.3" and 500 <= i < 550:
	            continue
	        if changed and i == 1:
	            print(source, 20000 + i)
	        elif source in who[i % 5] and not (changed and i == 500):
	            if i % 4 != 3:
	                print(source, 20000 + i)
	        elif source in who[2] and i >= 1000:
	            print(source, 20000 + i)
	PYTHON
}

# A packet to each of the samples, of each source. $1: the first source port.
ask() {
	send h1.pa "[eth('$B', '$A', ip4('$A4', '$B4', udp($1 + i, 20000 + i))) for i in $SAMPLES]"
	send h1.pa "[eth('$B', '$A', ip6('$A6', '$B6', udp($1 + i, 20000 + i))) for i in $SAMPLES]"
	send h1.pc "[eth('$B', '$C', ip4('$C4', '$B4', udp($1 + i, 20000 + i))) for i in $SAMPLES]"
	send h1.pc "[eth('$B', '$C', ip6('$C6', '$B6', udp($1 + i, 20000 + i))) for i in $SAMPLES]"
	sleep 0.2
}

# flows FIRST-PORT [FIELD]: lines "SOURCE PORT", of flows that b lets in.
flows() {
	weft_on h2 -j ct show red | jq -r --argjson p "$1" '.[] | select(.protocol == "udp" and .verdict == "allow" and
		.source_port - $p == .destination_port - 20000) | "\(.source) \(.destination_port)'"${2:+ \\($2)}"'"' | LC_ALL=C sort
}

denied() { echo $(($(counter_get h2 drops acl_in) + $(counter_get h2 drops rejected) + $(counter_get h2 drops reject_limited))); }

# expect_rules TEXT: WEFT is the command that knows the root. Allowed and denied, on new flows; and those that are there live on.
expect_rules() {
	local drops packets sent
	sent=$(python3 -c "print(4 * len($SAMPLES))")
	expected | LC_ALL=C sort > "$STATE/expected"
	drops=$(denied)
	packets=$(counter_get h2 ports red/b:to_packets)
	ROUND=$((ROUND + 2000))
	ask $ROUND
	flows $ROUND > "$STATE/flows"
	expect_ok -t "$1: $(wc -l < "$STATE/expected") of $sent pass, by the rules" diff "$STATE/expected" "$STATE/flows"
	expect_eq $((sent - $(wc -l < "$STATE/expected"))) $(($(denied) - drops)) "$1: the others are dropped and counted"
	expect_eq "$(wc -l < "$STATE/expected")" $(($(counter_get h2 ports red/b:to_packets) - packets)) "$1: b gets what passes"
}

# Of the flows that stay each sees a packet more.
expect_alive() {
	local before
	before=$(flows $LIVE .packets | awk '{ print $1, $2, $3 + 1 }')
	ask $LIVE
	expect_eq "$before" "$(flows $LIVE .packets)" "$1: $(wc -l <<< "$before") flows have counted on"
}

tree_of() { bpftool -j map lookup pinned "$(root_of h2)/tenants/red/acl" key 0 0 0 0 | jq '.formatted.value.header.tree'; }

version_2() {
	weft_on h2 unload --force
	with "$OLD" h2 load --host h2 || die "load of version 2"
	unset CHANGED
	ROUND=$LIVE
	configuration | LAB_HOSTS=h1 lab_apply
	configuration | LAB_HOSTS=h2 WEFT=$OLD lab_apply
	expect_eq 2 "$(label h2 | cut -d' ' -f1)" "a root of version 2"
	ask $LIVE
	WEFT=$OLD expect_rules "version 2"
	WEFT=$OLD expect_alive "version 2"
}

# Version 4 has a tree, rules beside it, and such in it as do not count any more.
make_tree() {
	done_on_h2 apply "$STATE/apply.yaml"
	expect_eq true "$([ "$(tree_of)" != 0 ] && echo true)" "version 4 has made a tree of the rules"
	done_on_h2 acl del red/r500
	done_on_h2 acl set red/r1 source 0.0.0.0/0,::/0
	CHANGED=1
}

# The rules are put into the form of version 2 first of all: killed there, a load leaves the root to version 4.
killed() {
	local n
	for n in {2..14}; do
		"$TOOLS/killat" -o "$STATE/killed" before $n "$WEFT" -n "$(netns_of h2)" -r "$(root_of h2)" load --previous > "$STATE/killed.at"
	done
	expect_eq "4 0" "$(label h2 | cut -d' ' -f1) $(tree_of)" "loads killed at their first steps have come as far as to the rules"
	expect_rules "killed on the way"
}

# Pins of trees and indices, and trees that programs may look at.
trees() {
	find "$(root_of h2)/tenants/red" -name 'acl_*' | wc -l
	bpftool -j map dump pinned "$(root_of h2)/acl_tree" | jq length
}

# Nothing is touched: version 4 goes on with its tree.
not_handed_back() {
	local tree
	tree=$(tree_of)
	expect_refused "$1" weft_on h2 load --previous
	expect_eq "4 $tree" "$(label h2 | cut -d' ' -f1) $(tree_of)" "the root is as it was"
}

# What version 2 has no room for, and what nobody has committed.
refused() {
	local rule
	rule=$(printf 'r2' | od -An -v -tx1 | sed 's/^ /0x/; s/ / 0x/g')$(printf ' 0x00%.0s' {1..30})
	# shellcheck disable=SC2086
	run_quietly bpftool map delete pinned "$(root_of h2)/tenants/red/rules" key $rule || { show_output; die "no such rule"; }
	not_handed_back 'tenant red: its rules are not those that are in use: .weft acl commit red'
	expect_rules "while that waits"
	done_on_h2 apply "$STATE/apply.yaml"
	done_on_h2 group set red/lan prefixes "10.0.1.2/31,fd00:1::/127,$(echo 192.0.2.{1..20} | tr ' ' ,)"
	not_handed_back 'tenant red: its rules make more than 4096 entries'
	unset CHANGED
	expect_rules "with more members than version 2 takes"
	expect_alive "with more members than version 2 takes"
}

run() {
	version_2
	expect_load "from version 2 to 4" "$WEFT"
	expect_rules "taken over"
	expect_alive "taken over"
	if [ "$MODE" = tc ]; then
		expect_load "back as it came" "$WEFT" --previous
		WEFT=$OLD expect_rules "back"
		expect_load "to version 4 again" "$WEFT" --previous
	fi
	make_tree
	expect_rules "in version 4's own form"
	killed
	expect_load "back from that" "$WEFT" --previous
	expect_eq "0 0" "$(trees | xargs)" "no tree is left there"
	WEFT=$OLD expect_rules "back from that"
	WEFT=$OLD expect_alive "back from that"
	expect_ok with "$OLD" h2 verify
	expect_load "to version 4 once more" "$WEFT" --previous
	expect_rules "once more"
	make_tree
	refused
}

each_mode run
