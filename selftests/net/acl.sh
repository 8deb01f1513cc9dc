#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# acl: every match and every action of a rule, an allowed and a denied packet for each. a and c are workloads of h1,
# b of h2, so that a to b crosses hosts (ACL in is judged at h2) and a to c does not.
. "$(dirname "$0")/../lib/lab.sh"
need tcpdump

lab_two_hosts

# configure OPTIONS
configure() {
	lab_apply <<-YAML
	options: {$1}
	groups:
	  left: {ports: [a]}
	  right: {ports: [b]}
	  low: {prefixes: [10.0.1.0/31, "fd00:1::/127"]}
	acl:
	  - {name: ports, direction: in, priority: 50, protocol: tcp, destination_port: [80, 8000-8002], action: allow}
	  - {name: sport, direction: in, priority: 50, protocol: udp, source_port: 4000-4001, destination_port: 500, action: allow}
	  - {name: prefix, direction: in, priority: 50, protocol: udp, destination_port: 501, source: [$A4/32, "$A6/128"], action: allow}
	  - {name: prefixes, direction: in, priority: 50, protocol: udp, destination_port: 502, source: [group:low], action: allow}
	  - {name: group, direction: in, priority: 50, protocol: udp, destination_port: 503, source: [group:left], action: allow}
	  - {name: to-group, direction: out, priority: 50, protocol: udp, destination_port: 504, destination: [group:right], action: deny}
	  - {name: open, direction: in, priority: 50, protocol: udp, destination_port: 504, action: allow}
	  - {name: one-port, apply_to: [port:c], direction: in, priority: 50, protocol: udp, destination_port: 505, action: allow}
	  - {name: flags, direction: in, priority: 50, protocol: tcp, destination_port: 506, tcp_flags: [syn, "!urg"], action: allow}
	  - {name: echo, direction: in, priority: 50, protocol: icmp, icmp_type: 8, icmp_code: 0, action: allow}
	  - {name: echo6, direction: in, priority: 50, protocol: icmpv6, icmp_type: 128, action: allow}
	  - {name: type, direction: in, priority: 50, ethertype: 0x88b5, action: allow}
	  - {name: stray, direction: in, priority: 50, protocol: tcp, destination_port: 507, conntrack_state: [invalid], action: allow}
	  - {name: stray-out, direction: out, priority: 50, protocol: tcp, destination_port: 507, conntrack_state: [invalid], action: allow}
	  - {name: no, direction: in, priority: 50, destination_port: 509, protocol: tcp, action: reject}
	  - {name: no-udp, direction: in, priority: 50, destination_port: 509, protocol: udp, action: reject}
	  - {name: no-out, direction: out, priority: 50, destination_port: 510, protocol: tcp, action: reject}
	  - {name: no-udp-out, direction: out, priority: 50, destination_port: 510, protocol: udp, action: reject}
	  - {name: p1, direction: in, priority: 200, protocol: udp, destination_port: 511, action: allow}
	  - {name: p2, direction: in, priority: 100, protocol: udp, destination_port: 511-512, action: deny}
	  - {name: p3, direction: in, priority: 90, protocol: udp, destination_port: 512, action: allow}
	  - {name: t1, direction: in, priority: 100, protocol: udp, destination_port: 513, action: allow}
	  - {name: t2, direction: in, priority: 100, protocol: udp, destination_port: 513, action: deny}
	  - {name: s1, direction: in, priority: 50, protocol: udp, destination_port: 514-515, stateless: true, action: allow}
	  - {name: s2, direction: in, priority: 50, protocol: udp, source_port: 515, stateless: true, action: allow}
	  - {name: s3, direction: out, priority: 50, protocol: udp, destination_port: 514-515, stateless: true, action: allow}
	YAML
}

u4() { echo "eth('$B', '$1', ip4('$2', '$B4', udp(${4:-4444}, $3)))"; }
u6() { echo "eth('$B', '$1', ip6('$2', '$B6', udp(${4:-4444}, $3)))"; }
t4() { echo "eth('$B', '$A', ip4('$A4', '$B4', tcp(4444, $1, ${2:-SYN})))"; }
denied() { expect_drop h2 acl_in h1.pa "$1" "$2"; }

matches() {
	tcp_ok h1.pa $B4 80
	tcp_ok h1.pa $B6 8000
	tcp_ok h1.pa $C4 8002
	for port in 79 81 7999 8003; do denied "$(t4 $port)" "TCP port $port"; done
	udp_ok h1.pa $B4 500 --sport 4001
	denied "$(u4 $A $A4 500 4002)" "another source port"
	udp_ok h1.pa $B4 501
	udp_ok h1.pa $B6 501
	expect_drop h2 acl_in h1.pc "$(u4 $C $C4 501)" "another source prefix"
	expect_drop h2 acl_in h1.pc "$(u6 $C $C6 501)" "another source prefix"
	udp_ok h1.pa $B4 502
	expect_drop h2 acl_in h1.pc "$(u6 $C $C6 502)" "outside a group of prefixes"
	udp_ok h1.pa $B6 503
	expect_drop h2 acl_in h1.pc "$(u4 $C $C4 503)" "outside a group of ports"
	udp_ok h1.pa $C4 504
	expect_drop h1 acl_out h1.pa "$(u4 $A $A4 504)" "to a group"
	udp_ok h1.pa $C4 505
	denied "$(u4 $A $A4 505)" "at a port that the rule is not for"
	tcp_ok h1.pa $B4 506
	denied "$(t4 506 'SYN | URG')" "with a flag that must not be set"
	ping_ok h1.pa $B4
	denied "eth('$B', '$A', ip4('$A4', '$B4', icmp(13)))" "another ICMP type"
	denied "eth('$B', '$A', ip4('$A4', '$B4', icmp(8, 1)))" "another ICMP code"
	ping_ok h1.pa $B6
	expect_counter_moved h2 ports red/b:to_packets send h1.pa "eth('$B', '$A', bytes(46), type=0x88b5)"
	denied "eth('$B', '$A', bytes(46), type=0x88b6)" "another ethertype"
	expect_counter_moved h2 ports red/b:to_packets send h1.pa "$(t4 507 ACK)"
	expect_drop h1 ct_invalid h1.pa "$(t4 508 ACK)" "a segment of no connection"
}

actions() {
	local peer
	for peer in $B4 $B6 $C4 $C6; do
		tcp_refused h1.pa $peer 509
		udp_refused h1.pa $peer 509
		tcp_refused h1.pa $peer 510
		udp_refused h1.pa $peer 510
	done
	expect_counter_moved h2 drops rejected echo_tcp h1.pa $B4 509
	udp_ok h1.pa $B4 511
	denied "$(u4 $A $A4 512)" "the higher priority denies"
	denied "$(u4 $A $A4 513)" "of equal priorities, deny wins"
}

stateless() {
	expect_drop h1 acl_in h2.pb "eth('$A', '$B', ip4('$B4', '$A4', udp(514, 4444)))" "no flow lets the answer in"
	udp_fail h1.pa $B4 514
	udp_ok h1.pa $B4 515
	udp_ok h1.pa $B6 515
}

run() {
	configure 'default: {in: deny, out: allow}'
	matches
	actions
	stateless
	configure 'default: {in: allow, out: deny}'
	expect_drop h1 acl_out h1.pa "$(u4 $A $A4 600)" "the default for out"
	configure 'default: {in: allow, out: allow}'
	udp_ok h1.pa $B4 601
	configure 'enforcement: monitor, default: {in: deny, out: allow}'
	expect_counter_moved h2 tenants red:would_drop_in udp_ok h1.pa $B4 601
	expect_counter_moved h1 tenants red:would_drop_out udp_ok h1.pa $B4 504
	expect_drop h1 spoofed_ipv4 h1.pa "$(u4 $A $C4 601)" "monitoring stops at the rules: anti-spoof holds"
}
ports="80 500 501 502 503 504 505 506 511 512 513 514 515 601 8000 8002"
echo_serve h2.pb $ports
echo_serve h1.pc $ports
each_mode run
