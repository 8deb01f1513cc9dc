#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# sctp: associations between two hosts, packet by packet (this kernel may know no SCTP itself): b lets in port 7 alone, a
# nothing. Each packet must be in its association, with the right tag; floods and guesses end none. And flows of
# protocols without ports.
. "$(dirname "$0")/../lib/lab.sh"

TA=0xa1a1a1a1 TB=0xb2b2b2b2 TC=0xc3c3c3c3 TD=0xd4d4d4d4
COOKIE="chunk(10, 'c00c1e00')" COOKIE_ACK='chunk(11)' ABORT='chunk(6)' ABORT_T='chunk(6, flags=1)'
DATA="chunk(0, '00000001000000000000000064617461', 3)" SACK="chunk(3, '000000010001000000000000')"
SHUTDOWN="chunk(7, '00000001')" SHUTDOWN_ACK='chunk(8)' COMPLETE='chunk(14)'
HEARTBEAT="chunk(4, '0001000812345678')" HEARTBEAT_ACK="chunk(5, '0001000812345678')"

lab_two_hosts

# configure [CONNTRACK OPTIONS]
configure() {
	lab_apply <<-YAML
	options:
	  default: {in: deny, out: allow}
	  conntrack: {max_half_open: 64, ${1:-}}
	acl:
	  - {name: sctp, apply_to: [port:b], direction: in, priority: 50, protocol: sctp, destination_port: 7, action: allow}
	  - {name: esp, apply_to: [port:b], direction: in, priority: 50, protocol: esp, action: allow}
	  - {name: gre, apply_to: [port:b], direction: in, priority: 50, protocol: gre, action: allow}
	YAML
}

# to_b TAG CHUNKS [PORT], to_a: a frame of the family that FAMILY says.
to_b() {
	local l4="sctp(${3:-4000}, 7, $1, $2)"
	[ "$FAMILY" = 4 ] && echo "eth('$B', '$A', ip4('$A4', '$B4', $l4))" || echo "eth('$B', '$A', ip6('$A6', '$B6', $l4))"
}
to_a() {
	local l4="sctp(7, ${3:-4000}, $1, $2)"
	[ "$FAMILY" = 4 ] && echo "eth('$A', '$B', ip4('$B4', '$A4', $l4))" || echo "eth('$A', '$B', ip6('$B6', '$A6', $l4))"
}

# passes a|b FRAME TEXT: that port gets it.
passes() {
	local host=h2 from=h1.pa before
	[ "$1" = b ] || { host=h1 from=h2.pb; }
	before=$(counter_get $host ports "red/$1:to_packets")
	send $from "$2"
	expect_eq $((before + 1)) "$(counter_after "$before" $host ports "red/$1:to_packets")" "IPv$FAMILY: $3: passes"
}

# state PORT: of the association of a's port, on both hosts.
state() {
	local host
	for host in h1 h2; do
		weft_on $host -j ct show red | jq -r --argjson p "$1" '.[] | select(.protocol == "sctp" and .source_port == $p and .destination_port == 7) |
			"\(.state)\(if .half_open then "*" else "" end)"'
	done | xargs
}

handshake() {
	passes b "$(to_b 0 "init($TA)" $1)" "INIT"
	expect_eq "init_sent* init_sent*" "$(state $1)" "an INIT is half open"
	passes a "$(to_a $TA "init($TB, 2)" $1)" "INIT ACK"
	expect_eq "cookie_wait* cookie_wait*" "$(state $1)" "so is its answer"
	expect_drop h1 ct_sctp_tag h1.pa "$(to_b $TC "$COOKIE" $1)" "a cookie with another tag"
	passes b "$(to_b $TB "$COOKIE, $DATA" $1)" "COOKIE ECHO with DATA"
	expect_eq "cookie_echoed* cookie_echoed*" "$(state $1)" "and the cookie"
	passes a "$(to_a $TA "$COOKIE_ACK, $SACK" $1)" "COOKIE ACK"
	expect_eq "established established" "$(state $1)" "an association"
}

# Nobody who does not know the tags ends it, whichever side he speaks for.
forged() {
	expect_drop h2 ct_sctp_tag h2.pb "$(to_a $TC "$ABORT")" "an ABORT with another tag"
	expect_drop h2 ct_sctp_tag h2.pb "$(to_a $TA "$ABORT_T")" "an ABORT with the tag of the wrong end"
	expect_drop h1 ct_sctp_tag h1.pa "$(to_b $TC "$ABORT")" "an ABORT with another tag"
	expect_drop h1 ct_sctp_tag h1.pa "$(to_b $TC "$DATA")" "DATA with another tag"
	expect_drop h2 ct_sctp_state h2.pb "$(to_a 0 "init($TC)")" "an INIT of the other end"
	expect_drop h1 bad_l4 h1.pa "$(to_b $TB "init($TC)")" "an INIT with a tag"
	expect_drop h1 bad_l4 h1.pa "$(to_b $TB "chunk(0, '00000001', 3, 400)")" "a chunk longer than its packet"
	expect_drop h1 bad_l4 h1.pa "$(to_b $TB "$DATA, $COOKIE")" "a cookie behind DATA"
	passes b "$(to_b 0 "init($TD)")" "a forged INIT"
	expect_eq "established established" "$(weft_on h1 -j ct show red | jq -r '.[] | select(.protocol == "sctp" and (.half_open | not)) |
		.state' | head -n 1) $(weft_on h2 -j ct show red | jq -r '.[] | select(.protocol == "sctp" and (.half_open | not)) | .state' |
		head -n 1)" "it is an association still"
	passes b "$(to_b $TB "$DATA")" "DATA"
	passes a "$(to_a $TA "$SACK")" "its SACK"
}

# A flood of INIT fills the half-open table, and no other.
flood() {
	send h1.pa "[$(to_b 0 "init(1 + i)" "10000 + i") for i in range(300)]"
	sleep 0.2
	expect_ok -t "300 INIT fill the half-open table alone" test "$(weft_on h1 -j ct show red | jq '[.[] | select(.half_open)] | length')" -le 80
	passes b "$(to_b $TB "$DATA")" "DATA meanwhile"
	passes a "$(to_a $TA "$SACK")" "its SACK"
}

# Who has crashed comes again with the same ports.
restart() {
	passes b "$(to_b 0 "init($TC)")" "an INIT anew"
	passes a "$(to_a $TC "init($TD, 2)")" "its INIT ACK"
	passes b "$(to_b $TD "$COOKIE")" "its cookie"
	passes a "$(to_a $TC "$COOKIE_ACK")" "COOKIE ACK"
	expect_drop h1 ct_sctp_tag h1.pa "$(to_b $TB "$DATA")" "DATA of the association before"
	passes b "$(to_b $TD "$DATA")" "DATA of this one"
}

shutdown() {
	passes b "$(to_b $TD "$SHUTDOWN")" "SHUTDOWN"
	expect_eq "shutdown_sent shutdown_sent" "$(state 4000)" "it is shut down"
	passes a "$(to_a $TC "$SHUTDOWN_ACK")" "SHUTDOWN ACK"
	expect_eq "shutdown_ack_sent shutdown_ack_sent" "$(state 4000)" "by both ends"
	passes b "$(to_b $TD "$COMPLETE")" "SHUTDOWN COMPLETE"
	expect_eq "closed closed" "$(state 4000)" "and closed"
}

path() {
	expect_drop h1 ct_invalid h1.pa "$(to_b $TB "$DATA" 4001)" "DATA on a path that nobody knows"
	passes b "$(to_b $TB "$HEARTBEAT" 4001)" "a HEARTBEAT there"
	expect_drop h1 ct_sctp_state h1.pa "$(to_b $TB "$DATA" 4001)" "DATA before it is answered"
	passes a "$(to_a $TA "$HEARTBEAT_ACK" 4001)" "the answer"
	passes b "$(to_b $TB "$DATA" 4001)" "DATA then"
}

associations() {
	expect_drop h2 acl_in h1.pa "$(to_b 0 "init($TA)" | sed 's/, 7,/, 8,/')" "another port, by the rules"
	expect_drop h1 ct_invalid h1.pa "$(to_b $TB "$DATA")" "DATA of nothing"
	expect_drop h1 ct_invalid h1.pa "$(to_b $TB "$ABORT_T")" "an ABORT of nothing"
	handshake 4000
	forged
	flood
	restart
	shutdown
	path
}

# raw NUMBER ADDRESSES...: a packet of that protocol.
raw() { echo "eth('$2', '$3', ip4('$4', '$5', b'\x00' * 24, $1))"; }

portless() {
	FAMILY=4
	expect_drop h1 acl_in h2.pb "$(raw 50 $A $B $B4 $A4)" "ESP that nobody asked for"
	passes b "$(raw 50 $B $A $A4 $B4)" "ESP"
	passes a "$(raw 50 $A $B $B4 $A4)" "its answer"
	expect_drop h1 acl_in h2.pb "$(raw 47 $A $B $B4 $A4)" "GRE, which is another flow"
	passes b "$(raw 47 $B $A $A4 $B4)" "GRE"
	passes a "$(raw 47 $A $B $B4 $A4)" "its answer"
	passes b "$(raw 47 $B $A $A4 $B4)" "and more"
	expect_output ' gre? ?|47 .* assured ' weft_on h1 ct show red
}

# The tenant's own times count, from the next packet on.
times() {
	FAMILY=4
	configure 'timeouts: {sctp_established: 1s, other: 1s}'
	handshake 4100
	passes b "$(raw 50 $B $A $A4 $B4)" "ESP"
	sleep 1.3
	expect_drop h1 ct_invalid h1.pa "$(to_b $TB "$DATA" 4100)" "an association that was idle too long"
	expect_drop h1 acl_in h2.pb "$(raw 50 $A $B $B4 $A4)" "an answer that comes too late"
}

run() {
	configure
	for FAMILY in 4 6; do
		associations
		weft_on h1 ct flush red > "$STATE/flush"
		weft_on h2 ct flush red > "$STATE/flush"
	done
	portless
	times
}
each_mode run
