#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# existing: a of h1 talks to b of h2 and to c beside it, by TCP, UDP and ping, when a chain comes onto the wires of a
# and c. What the function on s0 then sees of these flows, and of new ones; that they go on, or both their ends are
# reset; and that all leave the function with the chain.
. "$(dirname "$0")/../lib/lab.sh"
need tcpdump tshark ss

lab_two_hosts
function_add h1 s0
LAB_FUNCTIONS='  one: {instances: {one1: {host: h1, device: s0}}}'
FLOWS=8			# that start_flows begins
BASE=4100		# their ports; others each time

# tenant [EXISTING]: the lines of the tenant, with the chain on a's wire.
tenant() {
	echo 'options: {default: {in: allow, out: allow}}'
	[ -z "${1:-}" ] || cat <<-YAML
	chains:
	  inspect: {tag: 301, existing: $1, steps: [{function: one}]}
	insert:
	  - {name: wire, apply_to: [port:a, port:c], chain: inspect}
	YAML
}

# chain [EXISTING]: it comes, or goes; h1's own words are in $STATE/applied.
chain() {
	tenant "${1:-}" | lab_yaml > "$STATE/wanted.yaml"
	weft_on h1 apply "$STATE/wanted.yaml" > "$STATE/applied" 2>&1 || die "apply: $(cat "$STATE/applied")"
	run_quietly weft_on h2 apply "$STATE/wanted.yaml" || die "apply on h2"
}

# tcp_client NS ADDRESS PORT: one connection, a byte or some each 50 ms.
tcp_client() {
	bg in_ns "$1" "$TOOLS/echo" tcp "$2" 7 --sport "$3" --count 1000 --gap 50 --timeout 3000
	TCP_CLIENTS+=("$BG_PID")
}

# udp_client NS ADDRESS PORT: one flow; each answer is a line of its log. What is lost is lost.
udp_client() {
	bg in_ns "$1" sh -c "while :; do $TOOLS/echo udp $2 7 --sport $3 --timeout 300 && echo answered; sleep 0.05; done" \
		> "$STATE/log.$3" 2>&1
	OTHERS+=("$BG_PID") LOGS+=("$STATE/log.$3")
}

ping_client() {
	bg in_ns "$1" ping -n -i 0.1 "$2" > "$STATE/log.ping.$2" 2>&1
	OTHERS+=("$BG_PID") LOGS+=("$STATE/log.ping.$2")
}

flows_of_h1() { weft_on h1 -j ct show red | jq length; }
all_there() { [ "$(flows_of_h1)" = $FLOWS ]; }

start_flows() {
	TCP_CLIENTS=() OTHERS=() LOGS=()
	BASE=$((BASE + 10))
	weft_on h1 ct flush > /dev/null
	weft_on h2 ct flush > /dev/null
	tcp_client h1.pa $B4 $((BASE + 1))
	tcp_client h1.pa $B6 $((BASE + 2))
	tcp_client h2.pb $A4 $((BASE + 3))
	tcp_client h1.pa $C6 $((BASE + 4))
	udp_client h1.pa $B4 $((BASE + 5))
	udp_client h2.pb $A6 $((BASE + 6))
	ping_client h1.pa $B4
	ping_client h2.pb $A6
	wait_for 5 all_there
	sleep 0.3
	expect_eq $FLOWS "$(flows_of_h1)" "the flows are there before the chain"
	answered > /dev/null
}

# Each log grows. The first call only looks.
declare -A LENGTH
answered() {
	local log n
	for log in "${LOGS[@]}"; do
		n=$(grep -cE 'answered|bytes from' "$log")
		[ "$n" -gt "${LENGTH[$log]:-0}" ] || echo "${log##*/}"
		LENGTH[$log]=$n
	done
}

# let_speak [FILTER]: until each flow that fits has been asked and answered anew.
let_speak() { wait_for 3 spoke "$(said "${1:-true}")" "${1:-true}" || fail "not all flows go on"; }
said() {
	weft_on h1 -j ct show red | jq -c "[.[] | select(($1) and (.protocol != \"tcp\" or .state == \"established\")) |
		{key: \"\(.protocol) \(.source) \(.source_port)\", value: (.packets + .reply_packets)}] | from_entries"
}
spoke() { jq -ne --argjson before "$1" --argjson now "$(said "$2")" '$before | to_entries | all($now[.key] > .value + 2)'; }

expect_answers() { expect_eq '' "$(answered)" "$1: UDP and pings are answered"; }

connected() {
	local pid n=0
	for pid in "${TCP_CLIENTS[@]}"; do
		kill -0 "$pid" 2>/dev/null && n=$((n + 1))
	done
	echo $n
}

stop_flows() {
	local pid
	for pid in "${TCP_CLIENTS[@]}" "${OTHERS[@]}"; do kill "$pid" 2>/dev/null; done
	for pid in "${TCP_CLIENTS[@]}" "${OTHERS[@]}"; do wait_gone "$pid"; done
	LENGTH=()
}

# Sockets of the connections at both ends.
sockets() {
	local ns
	for ns in h1.pa h1.pc h2.pb; do in_ns "$ns" ss -Htn state established; done |
		grep -cE ":$((BASE / 10))[0-9]\b"
}

# sees TEXT FILTER: the function, of this second; misses likewise.
sees() {
	local n
	n=$(captured "$STATE/s0" "vlan 301 and ($2)")
	if [ "${n:-0}" -gt 0 ]; then ok "$1 ($n frames)"; else fail "$1: the function saw none"; fi
}
misses() { expect_captured 0 "$STATE/s0" "vlan 301 and ($2)" "$1"; }

old_tcp4() { echo "ip and tcp port $((BASE + $1))"; }
old_tcp6() { echo "ip6 and tcp port $((BASE + $1))"; }

# each_old VERB TEXT: of every flow that was there before the chain.
each_old() {
	"$1" "TCP from a $2" "$(old_tcp4 1)"
	"$1" "TCP from a by IPv6 $2" "$(old_tcp6 2)"
	"$1" "TCP from the other host $2" "$(old_tcp4 3)"
	"$1" "TCP between two ports with the chain $2" "$(old_tcp6 4)"
	each_old_datagram "$1" "$2"
}

each_old_datagram() {
	"$1" "UDP from a $2" "ip and udp port $((BASE + 5))"
	"$1" "UDP from the other host by IPv6 $2" "ip6 and udp port $((BASE + 6))"
	"$1" "ping from a $2" "icmp"
	"$1" "ping from the other host by IPv6 $2" "icmp6"
}

# says FORESEEN: diff, then apply, in words and in JSON, about the chain that comes; it is on after it.
says() {
	tenant "$1" | lab_yaml > "$STATE/wanted.yaml"
	expect_status 3 weft_on h1 diff "$STATE/wanted.yaml"
	mv "$STATE/output" "$STATE/foreseen"
	expect_ok -t "diff says: $2" grep -qxF "chain red/inspect: $2" "$STATE/foreseen"
	expect_eq "$3" "$(weft_on h1 -j diff "$STATE/wanted.yaml" |
		jq -r '.[] | select(.op == "flows") | "\(.enter) \(.stay) \(.reset) \(.leave)"')" "and so does diff -j"
	capture_start h1.s0 s0 "$STATE/s0"
	chain "$1"
	expect_ok -t "apply says the same" grep -qxF "chain red/inspect: $2" "$STATE/applied"
}

# goes N: the chain goes, and so many flows with it; the function sees nothing more.
goes() {
	local word=leave
	[ "$1" = 1 ] && word=leaves
	chain
	expect_ok -t "apply says that $1 $word" grep -qE "^chain red/inspect: $1 live flows? $word function one$" "$STATE/applied"
	capture_start h1.s0 s0 "$STATE/s0"
	sleep 0.3
	capture_stop
	misses "without the chain the function sees nothing" "ip or ip6"
}

insert() {
	start_flows
	says insert "$FLOWS live flows enter function one (existing: insert)" "$FLOWS 0 0 0"
	let_speak
	capture_stop
	each_old sees "goes through the function"
	expect_eq 4 "$(connected)" "insert: the connections go on"
	expect_answers insert
	goes $FLOWS
	expect_eq 4 "$(connected)" "and without the chain again"
	stop_flows
}

keep() {
	start_flows
	says keep "0 live flows enter function one (existing: keep), $FLOWS stay outside" "0 $FLOWS 0 0"
	expect_counter_moved h1 chains red/inspect:kept sleep 0.3
	expect_ok -t "the flows are judged again" weft_on h1 epoch bump red
	tcp_ok h1.pa $B4 7 --sport $((BASE + 9))
	sleep 0.3
	capture_stop
	each_old misses "stays outside the function"
	sees "a new connection goes through it" "tcp port $((BASE + 9))"
	expect_eq 4 "$(connected)" "keep: the connections go on"
	expect_answers keep
	goes 1
	# What it has kept out comes in when it is told to.
	chain keep
	capture_start h1.s0 s0 "$STATE/s0"
	chain insert
	expect_ok -t "from keep to insert" grep -qE "^chain red/inspect: [0-9]+ live flows enter function one \(existing: insert\)$" \
		"$STATE/applied"
	let_speak
	capture_stop
	each_old sees "enters the function when the chain is made to insert"
	expect_eq 4 "$(connected)" "and the connections go on"
	chain
	stop_flows
}

# rst_to FILE MAC PORT: how many RSTs.
rst_to() {
	captured "$1" "ether dst $2 and tcp port $3 and (tcp[tcpflags] & tcp-rst != 0 or (ip6 and ip6[53] & 4 != 0))"
}

reset() {
	local i
	start_flows
	capture_start h1.pa eth0 "$STATE/a"
	capture_start h2.pb eth0 "$STATE/b"
	expect_eq 8 "$(sockets)" "four connections have eight ends"
	says reset "0 live flows enter function one (existing: reset), $FLOWS are reset" "0 0 $FLOWS 0"
	wait_for 3 eval '[ "$(connected)" = 0 ]'
	expect_eq 0 "$(connected)" "reset: no client stays connected"
	wait_for 3 eval '[ "$(sockets)" = 0 ]'
	expect_eq 0 "$(sockets)" "and neither end of any connection has its socket"
	expect_eq true "$([ "$(counter_get h1 drops chain_reset)" -ge $FLOWS ] && echo true)" "each flow is counted"
	sleep 0.3
	answered > /dev/null
	tcp_ok h1.pa $B4 7 --sport $((BASE + 9))
	let_speak '.protocol != "tcp"'
	capture_stop
	for ((i = 1; i <= 3; i++)); do
		expect_eq yes "$([ "$(rst_to "$STATE/a" $A $((BASE + i)))" -gt 0 ] && echo yes)" "a gets a RST of connection $i"
		expect_eq yes "$([ "$(rst_to "$STATE/b" $B $((BASE + i)))" -gt 0 ] && echo yes)" "b gets a RST of connection $i"
		misses "nothing of connection $i came to the function" "tcp port $((BASE + i))"
	done
	tshark_clean "$STATE/b"
	sees "a new connection goes through it" "tcp port $((BASE + 9))"
	each_old_datagram sees "begins anew through the function"
	expect_answers reset
	expect_counter_still h1 drops chain_reset sleep 0.3
	stop_flows
	chain
}

run() {
	[ "$MODE" = tc ] || function_xdp_ready h1.s0 s0
	chain
	insert
	keep
	reset
}
for ns in h1.pa h1.pc h2.pb; do echo_serve $ns 7; done
each_mode run
