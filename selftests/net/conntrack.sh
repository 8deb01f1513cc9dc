#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# conntrack: b of h2 lets nothing in but a few ports; a of h1 lets nothing in at all. What may pass is what belongs to a
# flow, and a flow is what an allowed packet began.
. "$(dirname "$0")/../lib/lab.sh"

lab_two_hosts

# configure [CONNTRACK OPTIONS]
configure() {
	lab_apply <<-YAML
	options:
	  default: {in: deny, out: allow}
	  conntrack: {${1:-}}
	acl:
	  - {name: tcp, apply_to: [port:b], direction: in, priority: 50, protocol: tcp, destination_port: 7, action: allow}
	  - {name: udp, apply_to: [port:b], direction: in, priority: 50, protocol: udp, destination_port: [7, 9000-9999], action: allow}
	  - {name: ping, apply_to: [port:b], direction: in, priority: 50, protocol: icmp, icmp_type: 8, action: allow}
	  - {name: ping6, apply_to: [port:b], direction: in, priority: 50, protocol: icmpv6, icmp_type: 128, action: allow}
	YAML
}

t4() { echo "eth('$B', '$A', ip4('$A4', '$B4', tcp($1, 7, $2, seq=${3:-1000}, ack=${4:-0})))"; }
t4_back() { echo "eth('$A', '$B', ip4('$B4', '$A4', tcp(7, $1, $2, seq=${3:-5000}, ack=${4:-0})))"; }
u4() { echo "eth('$B', '$A', ip4('$A4', '$B4', udp($1, ${2:-9000})))"; }
u4_back() { echo "eth('$A', '$B', ip4('$B4', '$A4', udp(${2:-9000}, $1)))"; }

# passes HOST PORT NS FRAME TEXT: the port of that host gets it.
passes() {
	local before i after
	before=$(counter_get "$1" ports "red/$2:to_packets")
	send "$3" "$4"
	for ((i = 0; i < 6; i++)); do
		after=$(counter_get "$1" ports "red/$2:to_packets")
		[ "$after" = "$before" ] || break
		sleep 0.02
	done
	expect_eq $((before + 1)) "$after" "$5: passes"
}

replies() {
	udp_ok h1.pa $B4 7
	udp_ok h1.pa $B6 7
	expect_drop h1 acl_in h2.pb "$(u4_back 4001)" "UDP that nobody asked for"
	passes h2 b h1.pa "$(u4 4002)" "a question"
	passes h1 a h2.pb "$(u4_back 4002)" "its answer"
	expect_drop h1 acl_in h2.pb "$(u4_back 4002 9001)" "an answer from another port"
	ping_ok h1.pa $B4
	ping_ok h1.pa $B6
	passes h2 b h1.pa "eth('$B', '$A', ip4('$A4', '$B4', icmp(8, id=77)))" "a ping"
	passes h1 a h2.pb "eth('$A', '$B', ip4('$B4', '$A4', icmp(0, id=77)))" "its answer"
	expect_drop h2 ct_invalid h2.pb "eth('$A', '$B', ip4('$B4', '$A4', icmp(0, id=78)))" "an answer with another id"
}

tcp_states() {
	tcp_ok h1.pa $B4 7
	tcp_ok h1.pa $B6 7
	expect_drop h1 ct_invalid h1.pa "$(t4 5001 ACK)" "a segment in the middle of nothing"
	expect_drop h1 ct_invalid h1.pa "$(t4 5001 RST)" "a reset of nothing"
	expect_drop h2 ct_invalid h2.pb "$(t4_back 5001 'SYN | ACK')" "a SYN-ACK without SYN"
	# b answers, and a's kernel, which knows nothing of it, resets: more than one packet may arrive.
	expect_counter_moved h2 ports red/b:to_packets send h1.pa "$(t4 5002 SYN)"
	expect_drop h1 bad_l4 h1.pa "$(t4 5002 FIN 1001)" "a FIN without ACK"
}

# icmp_error NS FROM_MAC FROM TO_MAC TO QUOTE
error_about() { echo "eth('$A', '$B', ip4('$B4', '$A4', icmp(3, 3, 0, 0, $1)))"; }

related() {
	passes h2 b h1.pa "$(u4 4010)" "a question"
	passes h1 a h2.pb "$(error_about "ip4('$A4', '$B4', udp(4010, 9000))")" "an error about it"
	expect_drop h2 icmp_unrelated h2.pb "$(error_about "ip4('$A4', '$B4', udp(4011, 9000))")" "an error about nothing"
	expect_drop h2 icmp_unrelated h2.pb "$(error_about "ip4('$C4', '$B4', udp(4010, 9000))")" \
		"an error about another's packet"
	udp_refused h1.pa $B4 9500
	udp_refused h1.pa $B6 9500
}

# The table is made for 64 flows, and holds a quarter more at most; they live for four seconds. Flows that nobody has
# replied to give way to new ones; those with a reply do not, and then there is no room.
full() {
	configure 'max_flows: 64, max_half_open: 64, timeouts: {udp: 4s, udp_replied: 4s}'
	send h1.pa "[eth('$B', '$A', ip4('$A4', '$B4', udp(6000 + i, 9000))) for i in range(64)]"
	expect_counter_moved h1 tenants red:displaced send h1.pa \
		"[eth('$B', '$A', ip4('$A4', '$B4', udp(7000 + i, 9000))) for i in range(64)]"
	expect_counter_still h1 drops ct_full send h1.pa \
		"[eth('$B', '$A', ip4('$A4', '$B4', udp(7500 + i, 9000))) for i in range(64)]"
	expect_counter_moved h1 drops ct_full \
		send_pairs "[eth('$B', '$A', ip4('$A4', '$B4', udp(7100 + i, 9000))) for i in range(16)]" \
		"[eth('$A', '$B', ip4('$B4', '$A4', udp(9000, 7100 + i))) for i in range(16)]"
	sleep 4.5
	passes h2 b h1.pa "$(u4 8000)" "a new flow takes the place of an expired one"
	expect_eq true "$([ "$(counter_get h1 tenants red:reclaimed)" -gt 0 ] && echo true)" "that is counted"
}

# Questions and their answers, some at a time, until the table is full of them.
send_pairs() {
	local i
	for i in 1 2 3 4 5 6 7 8; do
		send h1.pa "${1//7100/$((7100 + 16 * i))}"
		send h2.pb "${2//7100/$((7100 + 16 * i))}"
	done
}

# A flood of SYNs fills only the half-open table; who is connected stays so.
syn_flood() {
	sleep 2.5
	bg in_ns h1.pa "$TOOLS/echo" tcp $B4 7 --count 30 --gap 100 --timeout 2000
	local client=$BG_PID
	sleep 0.5
	send h1.pa "[eth('$B', '$A', ip4('$A4', '$B4', tcp(20000 + i, 7, SYN))) for i in range(1000)]"
	expect_ok -t "the client is still connected" kill -0 "$client"
	wait_gone "$client"
	tcp_ok h1.pa $B4 7
	expect_counter_still h1 drops ct_full tcp_ok h1.pa $B4 7
}

run() {
	configure
	replies
	tcp_states
	related
	full
	syn_flood
	configure 'loose: true'
	expect_counter_moved h2 ports red/b:to_packets send h1.pa "$(t4 5003 ACK)"
	expect_drop h1 ct_invalid h1.pa "$(t4 5004 RST)" "loose: but no reset"
}
echo_serve h2.pb 7
each_mode run
