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
	local before
	before=$(counter_get "$1" ports "red/$2:to_packets")
	send "$3" "$4"
	expect_eq $((before + 1)) "$(counter_after "$before" "$1" ports "red/$2:to_packets")" "$5: passes"
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

# Headers that lie in pages, where programs cannot read them at first, are read and judged as all others are.
in_pages() {
	passes h2 b h1.pa "InPages($(u4 4301))" "UDP in pages"
	passes h2 b h1.pa "InPages(eth('$B', '$A', ip6('$A6', '$B6', udp(4303, 9000))))" "UDP over IPv6 in pages"
	passes h2 b h1.pa "InPages(eth('$B', '$A', ip4('$A4', '$B4', icmp(8, id=79))))" "a ping in pages"
	# The server answers, and the client's kernel, which has not asked, refuses that.
	expect_counter_moved h2 ports red/b:to_packets send h1.pa "InPages($(t4 4302 SYN))"
	expect_counter_moved h2 ports red/b:to_packets send h1.pa \
		"InPages(eth('$B', '$A', ip6('$A6', '$B6', tcp(4304, 7, SYN))))"
	sleep 0.1
	expect_drop h2 acl_in h1.pa "InPages($(u4 4305 8999))" "a port that nobody may, in pages"
	expect_drop h1 ct_invalid h1.pa "InPages($(t4 4306 ACK))" "a segment of nothing, in pages"
	expect_drop h1 spoofed_ipv4 h1.pa "InPages(eth('$B', '$A', ip4('$C4', '$B4', udp(4307, 9000))))" "another's address, in pages"
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

# ask N PORT SECONDS: UDP from as many ports, this one the first, one after the other, and once more each after so long;
# prints how many questions were answered.
ask() {
	in_ns h1.pa python3 -S -E - <<-PYTHON
	import socket, time
	answered, kept = 0, [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range($1)]
	for again in range(2):
	    for i, s in enumerate(kept):
	        if not again:
	            s.bind(("$A4", $2 + i))
	            s.settimeout(2)
	            s.connect(("$B4", 7))
	        s.send(b"?")
	        try:
	            answered += len(s.recv(10)) > 0
	        except TimeoutError:
	            pass
	    time.sleep(0 if again else $3)
	print(answered)
	PYTHON
}

assured() { weft_on "$1" -j ct show red | jq '[.[] | select(.state == "assured" and .packets == 2 and .reply_packets == 2)] | length'; }

# The table is made for 64 flows, and holds a quarter more at most; they live for three seconds.
full() {
	local before
	configure 'max_flows: 64, max_half_open: 64, timeouts: {udp: 3s, udp_replied: 30s}'
	before=$(counter_get h1 tenants red:displaced)
	expect_counter_still h1 drops ct_full send h1.pa \
		"[eth('$B', '$A', ip4('$A4', '$B4', udp(6000 + i, 9000))) for i in range(100)]"
	expect_eq true "$([ "$(counter_get h1 tenants red:displaced)" -gt $((before + 10)) ] && echo true)" \
		"flows without a reply give way to new ones, and are counted"
	expect_eq 80 "$(ask 40 20000 2.2)" "40 questions are answered, and answered again after two seconds"
	expect_eq "40 40" "$(assured h1) $(assured h2)" "which makes their flows assured"
	expect_eq 200 "$(ask 100 21000 0)" "100 others find room, since those that were answered give way as well"
	send h1.pa "[eth('$B', '$A', ip4('$A4', '$B4', udp(7000 + i, 9000))) for i in range(300)]"
	expect_eq "40 40" "$(assured h1) $(assured h2)" "but for what is assured, whoever sends what"
	sleep 3.5
	passes h2 b h1.pa "$(u4 8000)" "a new flow takes the place of an expired one"
	expect_eq true "$([ "$(counter_get h1 tenants red:reclaimed)" -gt 0 ] && echo true)" "that is counted"
}

# packets_of_it: of the established connection, there and back. passed_since N: ten more.
packets_of_it() {
	weft_on h1 -j ct show red protocol tcp state established half_open false | jq '[.[] | .packets + .reply_packets] | add // 0'
}
passed_since() { [ "$(packets_of_it)" -gt $(($1 + 10)) ]; }

# The table gets another size under a connection, which passes only as long as its flow is known.
resize() {
	local client size packets
	bg in_ns h1.pa "$TOOLS/echo" tcp $B4 7 --count 100000 --gap 10 --timeout 2000
	client=$BG_PID
	wait_for 3 passed_since 0
	for size in 4096 128 64 20000 64; do
		expect_ok weft_on h1 tenant set red conntrack.max_flows $size
		expect_ok weft_on h2 tenant set red conntrack.max_flows $size
	done
	packets=$(packets_of_it)
	expect_ok -t "packets pass after it" wait_for 2 passed_since "$packets"
	expect_ok -t "the connection has lasted" kill -0 "$client"
	bg_stop "$client"
	expect_output '^[1-9][0-9]* flows' weft_on h1 ct flush red
	expect_output '^0 flows' weft_on h1 ct flush red
	expect_ok weft_on h2 ct flush red
}

# A flood of SYNs fills only the half-open table; who is connected stays so.
syn_flood() {
	sleep 2.5
	bg in_ns h1.pa "$TOOLS/echo" tcp $B4 7 --count 1000 --gap 100 --timeout 2000
	local client=$BG_PID
	wait_for 3 passed_since 0
	send h1.pa "[eth('$B', '$A', ip4('$A4', '$B4', tcp(20000 + i, 7, SYN))) for i in range(1000)]"
	tcp_ok h1.pa $B4 7
	expect_ok -t "the client is still answered" wait_for 3 passed_since "$(packets_of_it)"
	expect_ok -t "the client is still connected" kill -0 "$client"
	bg_stop "$client"
	expect_counter_still h1 drops ct_full tcp_ok h1.pa $B4 7
}

run() {
	configure
	replies
	in_pages
	tcp_states
	related
	full
	resize
	syn_flood
	configure 'loose: true'
	expect_counter_moved h2 ports red/b:to_packets send h1.pa "$(t4 5003 ACK)"
	expect_drop h1 ct_invalid h1.pa "$(t4 5004 RST)" "loose: but no reset"
}
echo_serve h2.pb 7
each_mode run
