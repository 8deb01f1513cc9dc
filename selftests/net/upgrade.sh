#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# upgrade: other builds of weft are loaded over a loaded one while workloads on two hosts talk: connections that stand, UDP
# flows that stand, and new ones of both every millisecond. No packet may be lost and no flow: not when the programs are
# replaced, not when the maps go from version 1 to 2, and not on the way back. Hosts h1 and h2, a and c on h1, b on h2.
# timeout: 240
. "$(dirname "$0")/../lib/lab.sh"
lab_two_hosts

NEXT=$BUILD/upgrade/next/weft OLD=$BUILD/upgrade/abi1/weft
make -s -C "$TOP" upgrade-wefts > "$STATE/make" 2>&1 || { cat "$STATE/make"; die "no other builds"; }

# with BINARY HOST ARGUMENT...
with() { WEFT=$1 weft_on "${@:2}"; }

configure() {
	lab_apply <<-YAML
	options:
	  conntrack: {max_flows: 65536, max_half_open: 4096}
	acl:
	  - {name: echo, apply_to: [port:b], direction: in, priority: 50, protocol: tcp, destination_port: 7, action: allow}
	  - {name: echo-udp, apply_to: [port:b], direction: in, priority: 50, protocol: udp, destination_port: 7, action: allow}
	  - {name: ping, direction: in, priority: 50, protocol: icmp, action: allow}
	YAML
}

# Traffic of both families. churn_end TEXT: what became of it.
churn_begin() {
	CHURN=()
	local address
	for address in $B4 $B6; do
		bg in_ns h1.pa "$TOOLS/churn" $address 7 20 > "$STATE/churn.$address" 2>&1
		CHURN+=("$BG_PID:$address")
		wait_for 5 grep -q ready "$STATE/churn.$address" || die "no traffic: $(cat "$STATE/churn.$address")"
	done
}

churn_end() {
	local one address report
	for one in "${CHURN[@]}"; do kill "${one%%:*}"; done
	for one in "${CHURN[@]}"; do
		address=${one#*:}
		wait_gone "${one%%:*}"
		report=$(tail -n 1 "$STATE/churn.$address")
		if [[ $report =~ broken=0\ asked=([0-9]+)\ answered=([0-9]+)\ retransmitted=0 ]] &&
			[ "${BASH_REMATCH[1]}" -gt 200 ] && [ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ]; then
			ok "$1: $address: nothing lost: $report"
		else
			fail "$1: $address: $report"
		fi
	done
}

flows_of() { weft_on "$1" -j ct show red | jq length; }
build_of() { bpftool -j map dump pinned "$(root_of "$1")/abi" | jq -r '.[0].formatted.value.build // empty'; }
label() { bpftool -j map lookup pinned "$(root_of "$1")/abi" key 0 0 0 0 | jq -r '.formatted.value | "\(.version) \(.build)"'; }

# expect_load TEXT BINARY ARGUMENT...: on both hosts, with traffic.
expect_load() {
	local text=$1 binary=$2 host
	shift 2
	churn_begin
	sleep 0.2
	for host in h1 h2; do
		expect_ok -t "$text on $host" with "$binary" $host load "$@"
		sleep 0.1
	done
	churn_end "$text"
}

# No link may go on with a program that is not the pinned one.
expect_programs() {
	local host pinned=() odd
	for host in h1 h2; do
		pinned=("$(root_of $host)"/prog/*)
		pinned=$(for p in "${pinned[@]}"; do bpftool -j prog show pinned "$p"; done | jq -s 'map(.id)')
		odd=$(for l in "$(root_of $host)"/link/*; do bpftool -j link show pinned "$l"; done |
			jq -s --argjson p "$pinned" '[.[] | select(.prog_id as $i | $p | index($i) | not)] | length')
		expect_eq 0 "$odd" "$host: every device runs the programs that are pinned"
		expect_ok -t "$host: nothing is left of the load" test ! -e "$(root_of $host)/next"
	done
}

same_version() {
	local drops denied
	configure
	churn_begin
	sleep 0.3
	churn_end "without a load"
	denied=$(counter_get h2 drops acl_in)
	udp_fail h1.pa $B4 9
	drops=$(counter_get h2 drops acl_in)
	expect_eq $((denied + 1)) "$drops" "a drop is counted before"
	expect_load "the same build again" "$WEFT"
	expect_load "a build with more in it" "$NEXT"
	expect_eq "2 $("$NEXT" -j version | jq -r .build)" "$(label h1)" "the root says which build it has"
	expect_eq "$("$WEFT" -j version | jq -r .build)" "$(with "$NEXT" h1 -j status | jq -r .previous)" "and which it keeps"
	expect_eq "$drops" "$(WEFT=$NEXT counter_get h2 drops acl_in)" "counters went along"
	udp_fail h1.pa $B4 9
	expect_eq $((drops + 1)) "$(WEFT=$NEXT counter_get h2 drops acl_in)" "and count on"
	expect_refused 'has room for' weft_on h1 load
	expect_load "the build before" "$NEXT" --previous
	expect_eq $((drops + 1)) "$(counter_get h2 drops acl_in)" "counters came back"
	expect_eq "2 $("$WEFT" -j version | jq -r .build)" "$(label h1)" "the root has the build before"
	expect_programs
}

versions() {
	local host flows before
	for host in h1 h2; do
		weft_on $host unload --force
		with "$OLD" $host load --host $host || die "load of version 1"
	done
	WEFT=$OLD configure
	expect_eq "1" "$(label h1 | cut -d' ' -f1)" "a root of version 1"
	WEFT=$OLD tcp_ok h1.pa $B4 7
	expect_refused 'weft load' weft_on h1 save
	churn_begin
	sleep 0.2
	for host in h1 h2; do
		flows=$(with "$OLD" $host -j ct show red | jq length)
		before=$(with "$OLD" $host -j ct show red | jq '[.[] | .packets? // 0] | add')
		expect_ok -t "from version 1 to 2 on $host" weft_on $host load
		expect_ok -t "$host: flows went along ($flows before, $(flows_of $host) now)" test "$(flows_of $host)" -ge "$flows"
		sleep 0.1
	done
	churn_end "from version 1 to 2"
	expect_eq "2 $("$WEFT" -j version | jq -r .build)" "$(label h1)" "the root is of version 2"
	expect_programs
	expect_output 'nothing to change' weft_on h1 apply "$STATE/apply.yaml"
	tcp_ok h1.pa $B4 7
	udp_fail h1.pa $B4 9

	# The build before can do nothing with this root; the one that knows both puts it back.
	expect_refused 'version 2' with "$OLD" h1 load
	expect_refused 'version 2' with "$OLD" h1 status
	expect_load "back from version 2 to 1" "$WEFT" --previous
	expect_eq "1" "$(label h1 | cut -d' ' -f1)" "the root is of version 1 again"
	WEFT=$OLD expect_programs
	expect_output 'nothing to change' with "$OLD" h1 apply "$STATE/apply.yaml"
	expect_load "and to version 2 once more" "$WEFT"
	expect_load "and back" "$WEFT" --previous
	expect_load "the kept programs of version 2" "$WEFT" --previous
	expect_eq "2 $("$WEFT" -j version | jq -r .build)" "$(label h1)" "the root is of version 2 again"
	tcp_ok h1.pa $B4 7
	tcp_fail h1.pa $B4 9
}

run() {
	same_version
	versions
}
echo_serve h2.pb 7
each_mode run
