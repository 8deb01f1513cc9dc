#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# epoch: an established flow obeys the policy of now: a denying rule stops it at its next packet, an allowing one lets it
# go on, in whichever direction that packet goes; and once `apply` has returned, nothing passes that it denies.
. "$(dirname "$0")/../lib/lab.sh"

lab_two_hosts

# policy ACTION: of UDP and TCP port 7 to b.
policy() {
	lab_apply <<-YAML
	options: {default: {in: deny, out: allow}}
	acl:
	  - {name: tcp, apply_to: [port:b], direction: in, priority: 50, protocol: tcp, destination_port: 7, action: $1}
	  - {name: udp, apply_to: [port:b], direction: in, priority: 50, protocol: udp, destination_port: 7, action: $1}
	YAML
}

to_b() { counter_get h2 ports red/b:to_packets; }

# One connection over three policies: a client that exchanges a byte each 100 ms and gives up after 20 s of silence.
established() {
	local client before
	bg in_ns h1.pa "$TOOLS/echo" tcp "$1" 7 --count 400 --gap 100 --timeout 20000
	client=$BG_PID
	sleep 0.6
	policy deny
	expect_counter_moved h2 drops acl_in sleep 0.8
	before=$(to_b)
	sleep 0.8
	expect_eq "$before" "$(to_b)" "to $1: nothing of the connection passes any more"
	expect_ok -t "the client still waits" kill -0 "$client"
	policy allow
	wait_for 5 eval "[ \$(to_b) -gt $((before + 5)) ]"
	expect_eq yes "$([ "$(to_b)" -gt $((before + 5)) ] && echo yes)" "to $1: the same connection goes on"
	expect_ok -t "with the same client" kill -0 "$client"
	bg_stop "$client"
}

# The rule is changed back and forth under a stream of packets of one flow, some hundred a second.
race() {
	local i before frame="eth('$B', '$A', ip4('$A4', '$B4', udp(40007, 7)))"
	bg bash -c 'exec python3 -S -E "$0" <<< "$1"' "$TOP/selftests/net/frames.py" \
		"$(printf '%s\t%s\t%s\t%s\t%s' "/run/netns/$(netns_of h1.pa)" eth0 100000 2 "$frame")"
	for ((i = 0; i < 6; i++)); do
		policy deny
		before=$(to_b)
		sleep 0.2
		expect_eq "$before" "$(to_b)" "round $i: no packet after the apply that denies"
		before=$(to_b)
		policy allow
		wait_for 1 eval "[ \$(to_b) -gt $before ]" || fail "round $i: nothing passes after the apply that allows"
	done
	bg_stop "$BG_PID"
	udp_ok h1.pa $B4 7
}

run() {
	policy allow
	established $B4
	established $B6
	expect_ok weft_on h2 epoch bump red
	tcp_ok h1.pa $B4 7
	race
}
echo_serve h2.pb 7
each_mode run
