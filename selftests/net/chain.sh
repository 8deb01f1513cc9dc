#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# chain: the wire of h1.pa goes through a function on h1: s0 alone first (one arm), then t0 and t1 (two arms). What
# the function sees, what it is believed, and that nothing else comes near it.
. "$(dirname "$0")/../lib/lab.sh"
need tcpdump

lab_two_hosts
function_add h1 s0
function_add h1 t0 t1
LAB_FUNCTIONS='  one: {instances: {one1: {host: h1, device: s0}}}
  two: {instances: {two1: {host: h1, devices: [t0, t1]}}}'

LEAVING=0x212d		# PCP 1 << 13 | 301
TOWARDS=0x412d		# PCP 2 << 13 | 301

# configure FUNCTION PORTS
configure() {
	lab_apply <<-YAML
	options: {default: {in: allow, out: allow}}
	acl:
	  - {name: out, direction: out, priority: 50, protocol: udp, destination_port: 666, action: deny}
	  - {name: in, direction: in, priority: 50, protocol: udp, destination_port: 667, action: deny}
	chains:
	  inspect: {tag: 301, steps: [{function: $1}]}
	insert:
	  - {name: wire, apply_to: [$2], chain: inspect}
	YAML
}

u4() { echo "eth('$2', '$1', ip4('$3', '$4', udp(999, ${5:-999})))"; }

# Both directions, both families, broadcast both ways; the echo server is at b, and one at a.
traffic() {
	ping_ok h1.pa $B4
	ping_ok h1.pa $B6
	ping_ok h2.pb $A6
	tcp_ok h1.pa $B4 7
	tcp_ok h2.pb $A6 7
	ping_ok h1.pc $B4
	send h1.pa "eth(BROADCAST, '$A', ip4('$A4', '255.255.255.255', udp(998, 998)))"
	send h2.pb "eth(BROADCAST, '$B', ip4('$B4', '255.255.255.255', udp(997, 997)))"
}

# at_function FILE PASSES: one arm sees each frame in and out again, each of two arms once.
at_function() {
	expect_captured 0 "$1" "not vlan 301" "the function gets nothing without the tag"
	expect_captured 0 "$1" "ether src $C or ether dst $C" "nor anything of another workload"
	expect_captured 0 "$1" "vlan and ether[14:2] != $LEAVING and ether[14:2] != $TOWARDS" "nor any other PCP"
	expect_captured 0 "$1" "vlan and ether src $A and ether[14:2] != $LEAVING" "what a sends has PCP 1"
	expect_captured 0 "$1" "vlan and ether src $B and ether[14:2] != $TOWARDS" "what goes to a has PCP 2"
	for family in ip ip6; do
		for way in $LEAVING $TOWARDS; do
			[ "$(captured "$1" "ether[14:2] == $way and vlan and $family")" -gt 0 ] &&
				ok "the function sees $family with $way" || fail "the function misses $family with $way"
		done
	done
	expect_captured "$2" "$1" "ether[14:2] == $LEAVING and vlan and udp port 998" "a's broadcast goes through once"
	expect_captured "$2" "$1" "ether[14:2] == $TOWARDS and vlan and udp port 997" "a broadcast towards a goes through once"
}

broadcast_arrived() {
	expect_captured 1 "$1.b" "udp port 998" "a's broadcast reaches b"
	expect_captured 1 "$1.c" "udp port 998" "and c"
	expect_captured 1 "$1.a" "udp port 997" "b's broadcast reaches a"
	expect_captured 1 "$1.c" "udp port 997" "and c"
}

# What stands at the function's device may come from the function itself: nearly all of it is refused.
believed() {
	local SEND_DEVICE=s0 f=h1.s0
	expect_drop h1 sf_untagged $f "$(u4 $A $B $A4 $B4)" "the function sends without a tag"
	expect_drop h1 sf_unknown $f "eth('$B', '$A', vlan(302, ip4('$A4', '$B4', udp(999, 999)), pcp=1))" "another tag"
	expect_drop h1 sf_unknown $f "eth('$B', '$A', vlan(301, ip4('$A4', '$B4', udp(999, 999)), pcp=3))" "PCP 3"
	expect_drop h1 sf_unknown $f "eth('$B', '$A', vlan(301, ip4('$A4', '$B4', udp(999, 999)), pcp=2))" \
		"PCP 2 to a workload that is not protected"
	expect_drop h1 sf_unknown $f "eth('$B', '$C', vlan(301, ip4('$C4', '$B4', udp(999, 999)), pcp=1))" \
		"PCP 1 from a workload that is not protected"
	expect_drop h1 sf_unknown $f \
		"eth('$A', '02:00:00:00:00:99', vlan(301, ip4('$B4', '$A4', udp(999, 999)), pcp=2))" "from nobody's MAC"
	expect_drop h1 sf_no_flow $f "eth('$A', '$B', vlan(301, ip4('$B4', '$A4', udp(555, 555)), pcp=2))" \
		"a flow that nobody admitted"
	expect_drop h1 sf_unknown $f "eth('$B', '$A', vlan(301, vlan(5, ip4('$A4', '$B4', udp(999, 999))), pcp=1))" \
		"two tags"
	expect_drop h1 sf_no_flow $f "eth(BROADCAST, '$B', vlan(301, ip4('$B4', '255.255.255.255', udp(667, 667)), pcp=2))" \
		"a broadcast that it was not given"
	expect_drop h1 sf_unknown $f "eth(BROADCAST, '$B', vlan(301, arp(1, '$B', '$B4', '$A', '$A4'), pcp=2))" "ARP"
}

forged() {
	expect_drop h1 vlan_not_allowed h1.pa "eth('$B', '$A', vlan(301, ip4('$A4', '$B4', udp(996, 996)), pcp=1))" \
		"the protected workload forges the tag"
	expect_drop h1 vlan_not_allowed h1.pc "eth('$A', '$C', vlan(301, ip4('$C4', '$A4', udp(996, 996)), pcp=2))" \
		"another forges it"
	expect_counter_moved h1 drops guard in_ns h1 ping -c 1 -W 0.2 -I s0 192.0.2.1
}

policy() {
	expect_drop h1 acl_out h1.pa "$(u4 $A $B $A4 $B4 666)" "what the policy denies is dropped after the function"
	expect_drop h1 acl_in h2.pb "$(u4 $B $A $B4 $A4 667)" "what it denies towards a never gets there"
}

one_arm() {
	local captures=$STATE/one.$MODE
	configure one port:a
	[ "$MODE" = tc ] || function_xdp_ready h1.s0 s0
	capture_start h1.s0 s0 "$captures.s0"
	capture_start h1.pa eth0 "$captures.a"
	capture_start h1.pc eth0 "$captures.c"
	capture_start h2.pb eth0 "$captures.b"
	traffic
	policy
	forged
	capture_stop
	at_function "$captures.s0" 2
	broadcast_arrived "$captures"
	expect_captured 2 "$captures.s0" "vlan and udp port 666" "the function saw what was denied after it"
	expect_captured 0 "$captures.s0" "vlan and (udp port 667 or udp port 996)" "and none of what was denied before"
	believed
}

dead() {
	function_kill h1 s0
	send h1.pa "$(u4 $A $B $A4 $B4)" 8
	sleep 1.2
	expect_counter_moved h1 drops sf_down ping_fail h1.pa $B4
	expect_ok weft_on h1 chain set red/inspect bypass on
	ping_ok h1.pa $B4
	ping_ok h2.pb $A6
	expect_ok weft_on h1 chain set red/inspect bypass off
	function_revive h1 s0
	wait_for 5 can_ping h1.pa $B4
	ping_ok h1.pa $B4
}

two_arms() {
	local captures=$STATE/two.$MODE
	configure two port:a
	[ "$MODE" = tc ] || { function_xdp_ready h1.t0 t0; function_xdp_ready h1.t0 t1; }
	capture_start h1.t0 t0 "$captures.t0"
	capture_start h1.t0 t1 "$captures.t1"
	traffic
	capture_stop
	at_function "$captures.t0" 1
	at_function "$captures.t1" 1
}

# Both ends behind the one function: each packet passes twice, first leaving, then towards.
both_ends() {
	local captures=$STATE/both.$MODE
	configure one "port:a, port:c"
	capture_start h1.s0 s0 "$captures.s0"
	ping_ok h1.pa $C4
	ping_ok h1.pc $A6
	capture_stop
	for way in $LEAVING $TOWARDS; do
		expect_captured 6 "$captures.s0" "ether[14:2] == $way and vlan and ether src $A and icmp" \
			"a's three pings pass with $way"
		expect_captured 6 "$captures.s0" "ether[14:2] == $way and vlan and ether src $C and icmp" \
			"c's answers pass with $way"
	done
}

run() {
	one_arm
	dead
	two_arms
	both_ends
}
echo_serve h2.pb 7
echo_serve h1.pa 7
each_mode run
