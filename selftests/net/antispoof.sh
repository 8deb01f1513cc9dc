#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# antispoof: h1.pa may speak with its own MAC and addresses only, in every place where such stand: Ethernet, IPv4,
# IPv6, ARP, ND. h1.pt is a workload of the same network whose frames carry VLAN tag 7, and must.
. "$(dirname "$0")/../lib/lab.sh"
need tcpdump

lab_two_hosts
T=02:00:00:00:00:07 T4=10.0.1.7
workload_add h1 pt $T
LAB_WORKLOADS="h1.pa h1.pc h2.pb h1.pt"

configure() {
	lab_apply <<-YAML
	  t: {network: web, host: h1, device: pt, mac: "$T", addresses: [$T4], vlan: 7}
	options: {default: {in: allow, out: allow}}
	YAML
}

# What a says to b, by UDP port 999, so that a capture at b can tell what arrived.
from_a4() { echo "eth('$B', '${2:-$A}', ip4('$1', '$B4', udp(999, 999)))"; }
from_a6() { echo "eth('$B', '${2:-$A}', ip6('$1', '$B6', udp(999, 999)))"; }
nd() { echo "eth(group_mac(group_of('$B6')), '$A', ip6('$1', group_of('$B6'), $2, hops=${3:-255}))"; }

addresses() {
	expect_drop h1 spoofed_mac h1.pa "$(from_a4 $A4 $C)" "another workload's MAC"
	expect_drop h1 spoofed_mac h1.pa "$(from_a4 $A4 02:00:00:00:00:99)" "nobody's MAC"
	expect_drop h1 spoofed_mac h1.pa "$(from_a4 $A4 $B)" "the receiver's own MAC"
	expect_drop h1 spoofed_ipv4 h1.pa "$(from_a4 $C4)" "another workload's IPv4 address"
	expect_drop h1 spoofed_ipv4 h1.pa "$(from_a4 0.0.0.0)" "no IPv4 address"
	expect_drop h1 spoofed_ipv4 h1.pa "$(from_a4 127.0.0.1)" "a loopback address"
	expect_drop h1 spoofed_ipv6 h1.pa "$(from_a6 $C6)" "another workload's IPv6 address"
	expect_drop h1 spoofed_ipv6 h1.pa "$(from_a6 ::)" "no IPv6 address"
	expect_drop h1 spoofed_ipv6 h1.pa "eth('$B', '$A', ip6(link_local('$C'), '$B6', udp(999, 999)))" \
		"another's link-local address"
}

neighbours() {
	expect_drop h1 spoofed_arp h1.pa "eth(BROADCAST, '$A', arp(1, '$C', '$A4', '00:00:00:00:00:00', '$B4'))" \
		"ARP with another's sender MAC"
	expect_drop h1 spoofed_arp h1.pa "eth(BROADCAST, '$A', arp(1, '$A', '$C4', '00:00:00:00:00:00', '$B4'))" \
		"ARP with another's sender address"
	expect_drop h1 spoofed_arp h1.pa "eth('$B', '$A', arp(2, '$A', '$C4', '$B', '$B4'))" "ARP reply for another"
	expect_drop h1 spoofed_arp h1.pa "eth(BROADCAST, '$A', arp(2, '$A', '$C4', BROADCAST, '$C4'))" \
		"gratuitous ARP for another"
	expect_drop h1 neigh_consumed h1.pa "eth(BROADCAST, '$A', arp(1, '$A', '$A4', '00:00:00:00:00:00', '$A4'))" \
		"its own gratuitous ARP needs no answer"
	expect_drop h1 spoofed_nd h1.pa "$(nd $A6 "solicit('$B6', '$C')")" "NS with another's MAC"
	expect_drop h1 spoofed_nd h1.pa "$(nd $A6 "advertise('$C6', '$A')")" "NA for another's address"
	expect_drop h1 spoofed_nd h1.pa "$(nd $A6 "advertise('$A6', '$C')")" "NA with another's MAC"
	expect_drop h1 spoofed_nd h1.pa "$(nd $A6 "solicit('$B6', '$A')" 64)" "NS through a router"
	expect_drop h1 spoofed_ipv6 h1.pa "$(nd $C6 "solicit('$B6', '$A')")" "NS from another's address"
	expect_drop h1 neigh_consumed h1.pa "$(nd $A6 "advertise('$A6', '$A')")" "its own NA needs no answer"
	expect_drop h1 router_advert h1.pa \
		"eth(group_mac('ff02::1'), '$A', ip6(link_local('$A'), 'ff02::1', router_advertise('$A'), hops=255))" \
		"router advertisement"
}

tags() {
	before=$(counter_get h1 ports red/a:drops)
	expect_drop h1 vlan_not_allowed h1.pa "eth('$B', '$A', vlan(7, ip4('$A4', '$B4', udp(999, 999))))" "a tag"
	expect_eq $((before + 1)) "$(counter_get h1 ports red/a:drops)" "which is the untagged port's drop"
	expect_drop h1 vlan_not_allowed h1.pa "eth('$B', '$A', vlan(0, ip4('$A4', '$B4', udp(999, 999)), pcp=3))" \
		"a priority tag"
	expect_drop h1 vlan_not_allowed h1.pa \
		"eth('$B', '$A', vlan(7, vlan(8, ip4('$A4', '$B4', udp(999, 999))), as_type=SVLAN))" "two tags"
	expect_drop h1 unknown_port h1.pt \
		"eth('$B', '$T', vlan(7, ip4('$T4', '$B4', udp(999, 999)), as_type=SVLAN))" "the right tag, but 802.1ad's"
	expect_drop h1 unknown_port h1.pt "eth('$B', '$T', ip4('$T4', '$B4', udp(999, 999)))" "no tag where one must be"
	expect_drop h1 unknown_port h1.pt "eth('$B', '$T', vlan(8, ip4('$T4', '$B4', udp(999, 999))))" "the wrong tag"
	expect_drop h1 vlan_not_allowed h1.pt \
		"eth('$B', '$T', vlan(7, vlan(8, ip4('$T4', '$B4', udp(999, 999)))))" "a tag under the port's own"
	expect_drop h1 spoofed_mac h1.pt "eth('$B', '$A', vlan(7, ip4('$T4', '$B4', udp(999, 999))))" \
		"the right tag, another's MAC"
	expect_drop h1 spoofed_ipv4 h1.pt "eth('$B', '$T', vlan(7, ip4('$A4', '$B4', udp(999, 999))))" \
		"the right tag, another's address"
}

# What must pass arrives; the captures have seen the spoofed ones too, if any came through.
allowed() {
	send h1.pa "$(from_a4 $A4)"
	send h1.pa "$(from_a6 $A6)"
	send h1.pa "eth('$B', '$A', ip6(link_local('$A'), '$B6', udp(999, 999)))"
	send h1.pt "eth('$B', '$T', vlan(7, ip4('$T4', '$B4', udp(999, 999))))"
	send h2.pb "eth('$T', '$B', ip4('$B4', '$T4', udp(999, 999)))"
	send h1.pt "eth(BROADCAST, '$T', vlan(7, arp(1, '$T', '$T4', '00:00:00:00:00:00', '$B4')))"
	# A client without an address asks for one; a host probes for its own.
	send h1.pa "eth(BROADCAST, '$A', ip4('0.0.0.0', '255.255.255.255', udp(68, 67)))"
	send h1.pa "eth(group_mac('ff02::16'), '$A', ip6('::', 'ff02::16', icmp6(143, 0, bytes(4)), hops=1))"
	expect_drop h1 neigh_unknown h1.pa "$(probe fd00:1::99)" "DAD for a free address meets silence"
	send h1.pa "$(probe $B6)"
}

probe() { echo "eth(group_mac(group_of('$1')), '$A', ip6('::', group_of('$1'), solicit('$1'), hops=255))"; }

arrived() {
	expect_captured 3 "$1.b" "udp port 999 and ether src $A" "b got three frames of a, none of them spoofed"
	expect_captured 1 "$1.b" "udp port 999 and ether src $T" "b got one of the tagged port, without its tag"
	expect_captured 4 "$1.b" "ether dst $B and (udp port 999 or vlan)" "b got nothing else"
	expect_captured 1 "$1.t" "ether src $B and vlan 7 and udp port 999" "the answer to the tagged port has its tag"
	expect_captured 1 "$1.t" "ether src $B and vlan 7 and arp" "ARP is answered with the tag"
	expect_captured 1 "$1.b" "src host 0.0.0.0 and udp src port 68" "a DHCP client's broadcast arrives"
	expect_captured 1 "$1.b" "src host :: and icmp6" "an MLD report of the unspecified address arrives"
	expect_captured 1 "$1.a" "src host $B6 and dst host ff02::1" "DAD for b's address is told that it is taken"
}

run() {
	local captures=$STATE/$MODE
	configure
	capture_start h2.pb eth0 "$captures.b"
	capture_start h1.pt eth0 "$captures.t"
	capture_start h1.pa eth0 "$captures.a"
	addresses
	neighbours
	tags
	allowed
	ping_ok h1.pa $B4
	ping_ok h1.pa $B6
	capture_stop
	arrived "$captures"
}
each_mode run
