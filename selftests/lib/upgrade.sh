# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2154
#
# upgrade.sh: other builds of weft, and traffic that notices what they do. To be sourced instead of lab.sh: makes its two
# hosts, with an echo server at b. Connections and UDP flows that stand, and new ones of both every millisecond, of both
# families (churn.c).

# shellcheck source=selftests/lib/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"

NEXT=$BUILD/upgrade/next/weft OLD=$BUILD/upgrade/abi2/weft
make -s -C "$TOP" upgrade-wefts > "$STATE/make" 2>&1 || { cat "$STATE/make"; die "no other builds"; }

# with BINARY HOST ARGUMENT...
with() { WEFT=$1 weft_on "${@:2}"; }

configure() {
	lab_apply <<-YAML
	options:
	  conntrack: {max_flows: 65536, max_half_open: 4096, timeouts: {udp: 1h, udp_replied: 1h}}
	acl:
	  - {name: idle, apply_to: [port:b], direction: in, priority: 50, protocol: udp, destination_port: 9000-9999, action: allow}
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
		renice -n -19 -p "$BG_PID" > /dev/null
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

label() { bpftool -j map lookup pinned "$(root_of "$1")/abi" key 0 0 0 0 | jq -r '.formatted.value | "\(.version) \(.build)"'; }

# expect_load TEXT BINARY ARGUMENT...: on both hosts, or LOAD_HOSTS, with traffic.
expect_load() {
	local text=$1 binary=$2 host
	shift 2
	churn_begin
	sleep 0.2
	for host in ${LOAD_HOSTS:-h1 h2}; do
		expect_ok -t "$text on $host" with "$binary" $host load "$@"
		sleep 0.1
	done
	churn_end "$text"
}

# No link may go on with a program that is not the pinned one.
expect_programs() {
	local host ids odd
	for host in h1 h2; do
		ids=$(for p in "$(root_of $host)"/prog/*; do bpftool -j prog show pinned "$p"; done | jq -s 'map(.id)')
		odd=$(for l in "$(root_of $host)"/link/*; do bpftool -j link show pinned "$l"; done |
			jq -s --argjson p "$ids" '[.[] | select(.prog_id as $i | $p | index($i) | not)] | length')
		expect_eq 0 "$odd" "$host: every device runs the programs that are pinned"
		expect_ok -t "$host: nothing is left of the load" test ! -e "$(root_of $host)/next"
	done
}

lab_two_hosts
echo_serve h2.pb 7
# Who waits for the CPU looks like who lost a packet.
renice -n -19 -p "$ECHO_PID" > /dev/null
