#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 600
#
# hostile: workloads and outsiders attack, and what they send ends under a counter of its own. red and blue have the
# same MACs and addresses, so that what strays would arrive. What is wrong speaks to port 666, and beside it stands a
# packet that is right and speaks to port 777: captures tell in the end what arrived. grey's workloads f and g never say
# anything by themselves, so there each frame can be counted.
#
# HOLES=1 also runs attacks that are known to succeed still.
. "$(dirname "$0")/../lib/lab.sh"
need tcpdump

E=02:00:00:00:00:0e E4=10.0.1.5
F=02:00:00:00:00:0f F4=10.0.3.1 F6=fd00:3::1
G=02:00:00:00:00:10 G4=10.0.3.2 G6=fd00:3::2
H1=192.168.50.1 H2=192.168.50.2 H3=192.168.50.3
OUTSIDER=192.168.50.66
TAG=301

lab_two_hosts
workload_add h1 qa $A $A4/24,$A6/64
workload_add h2 qb $B $B4/24,$B6/64
silent_add h1 pe
silent_add h1 pf
silent_add h2 pg
function_add h1 s0
LAB_WORKLOADS="h1.pa h1.pc h1.pe h1.qa h1.pf h2.pb h2.qb h2.pg"
LAB_FUNCTIONS='  one: {instances: {one1: {host: h1, device: s0}}}'
U1=$(mac_of h1 u0)
U2=$(mac_of h2 u0)
P=$(mac_of h1 pa)
# Nobody acknowledges the SYN-ACKs of a flood: they need not be repeated.
in_ns h2.pb sh -c 'echo 0 > /proc/sys/net/ipv4/tcp_synack_retries'

# lab_yaml knows red on two hosts: this one adds h3, a host whose address anybody may take here, blue and grey.
eval "two_hosts_$(declare -f lab_yaml)"
lab_yaml() {
	two_hosts_lab_yaml | sed "s/^  h2:.*/&\n  h3: {vtep: $H3, underlay: [u0]}/"
	lab_blue
	cat <<-YAML
	  grey:
	    networks:
	      web: {vni: 103, subnets: [10.0.3.0/24, "fd00:3::/64"]}
	    ports:
	      f: {network: web, host: h1, device: pf, mac: "$F", addresses: [$F4, "$F6"]}
	      g: {network: web, host: h2, device: pg, mac: "$G", addresses: [$G4, "$G6"]}
	    options: {default: {in: allow, out: allow}}
	YAML
}

# configure [CONNTRACK OPTIONS [MORE OF RED]]
configure() {
	lab_apply <<-YAML
	  e: {network: web, host: h1, device: pe, mac: "$E", addresses: [$E4]}
	options:
	  default: {in: allow, out: allow}
	  conntrack: {${1:-}}
	${2:-}
	YAML
}

# chain_on PORTS
chain_on() {
	cat <<-YAML
	chains:
	  inspect: {tag: $TAG, steps: [{function: one}]}
	insert:
	  - {name: wire, apply_to: [$1], chain: inspect}
	YAML
}

# From a to b of a tenant; the last layer is the caller's.
m4() { echo "eth('$B', '$A', ip4('$A4', '$B4', $1))"; }
m6() { echo "eth('$B', '$A', ip6('$A6', '$B6', $1))"; }

# on_wire SOURCE FRAME [VNI [MORE OF THE OUTER ip4()]]: the frame in a tunnel packet to h2. It is sent by h1's device,
# and stands for whoever can put a packet on that wire.
on_wire() { echo "eth('$U2', '$U1', ip4('$1', '$H2', udp(50000, 4789, vxlan(${3:-101}, $2))${4:+, $4}))"; }

# --- what arrived -------------------------------------------------------------------------------------

# right NS FRAME: it passes, and is expected among b's captured frames.
RIGHT=0
right() {
	send "$@"
	RIGHT=$((RIGHT + 1))
}

watch_start() {
	RIGHT=0
	capture_start h2.pb eth0 "$STATE/red.b"
	capture_start h2.qb eth0 "$STATE/blue.b"
}

# watch_stop WHAT [BLUE]: blue's b got so many right ones.
watch_stop() {
	capture_stop
	expect_captured $RIGHT "$STATE/red.b" "dst port 777" "$1: all that is right reaches b"
	expect_captured 0 "$STATE/red.b" "dst port 666" "$1: nothing else does"
	expect_captured "${2:-0}" "$STATE/blue.b" "dst port 777" "$1: and blue's b gets its own alone"
	expect_captured 0 "$STATE/blue.b" "dst port 666 or dst port 4789" "$1: and nothing else"
}

# expect_vxlan N FILE TEXT: tcpdump shows what is inside too, in a line of its own.
expect_vxlan() {
	expect_eq "$1" "$(tcpdump -Z root -nr "$2" dst port 4789 2>/dev/null | grep -c VXLAN)" "$3"
}

# --- on the underlay ------------------------------------------------------------------------------------

# outside REASON FRAME TEXT
outside() { SEND_DEVICE=u0 expect_drop h2 "$1" h1 "$2" "$3"; }

underlay_addresses() {
	local wrong right
	wrong=$(m4 "udp(999, 666)") right=$(m4 "udp(999, 777)")
	SEND_DEVICE=u0 right h1 "$(on_wire $H1 "$right")"
	outside vtep_unknown "$(on_wire $OUTSIDER "$wrong")" "an address that is no host"
	outside vtep_unknown "$(on_wire $H2 "$wrong")" "the host's own address"
	outside vtep_unknown "$(on_wire 0.0.0.0 "$wrong")" "no address"
	outside vni_unknown "$(on_wire $H1 "$wrong" 999)" "a VNI that is nobody's"
	outside vni_unknown "$(on_wire $H1 "$wrong" 0)" "VNI 0"
	outside vni_unknown "$(on_wire $H1 "$wrong" "0x800065")" "red's VNI with a bit above it"
	outside wrong_host "$(on_wire $H3 "$wrong")" "a host speaks for a MAC of another one"
	outside wrong_host "$(on_wire $H1 "eth('$B', '$B', ip4('$A4', '$B4', udp(998, 666)))")" \
		"and for one of this host"
	outside wrong_host "$(on_wire $H1 "eth('$B', '02:00:00:00:00:99', ip4('$A4', '$B4', udp(998, 666)))")" \
		"and for nobody's"
	outside wrong_host "$(on_wire $H3 "eth(BROADCAST, '$A', ip4('$A4', '255.255.255.255', udp(998, 666)))")" \
		"and for another's, to all"
	outside not_here "$(on_wire $H1 "eth('$C', '$A', ip4('$A4', '$C4', udp(998, 666)))")" \
		"for a MAC of another host"
	outside link_local "$(on_wire $H1 "eth('01:80:c2:00:00:00', '$A', bytes(50), 0x4242)")" "spanning tree"
}

# The same MACs and addresses in two networks: what goes where is the VNI's to tell, and of c blue knows nothing.
underlay_tenants() {
	outside wrong_host "$(on_wire $H1 "eth('$B', '$C', ip4('$C4', '$B4', udp(998, 666)))" 102)" \
		"a MAC of red's in blue's network"
	outside wrong_host "$(on_wire $H1 "eth('$G', '$A', ip4('$A4', '$G4', udp(998, 666)))" 103)" "and in grey's"
	SEND_DEVICE=u0 right h1 "$(on_wire $H1 "eth('$B', '$C', ip4('$C4', '$B4', udp(998, 777)))")"
	SEND_DEVICE=u0 send h1 "$(on_wire $H1 "$(m4 "udp(998, 777)")" 102)"
}

underlay_headers() {
	local wrong right
	wrong=$(m4 "udp(997, 666)") right=$(m4 "udp(997, 777)")
	outside outer_bad "eth('$U2', '$U1', ip4('$H1', '$H2', udp(50000, 4789, vxlan(101, $wrong, flags=0))))" \
		"no VNI in the header"
	outside outer_bad "eth('$U2', '$U1', ip4('$H1', '$H2', udp(50000, 4789, vxlan(101, $wrong, flags=0xf7))))" \
		"all flags but the VNI's"
	outside bad_vlan "$(on_wire $H1 "eth('$B', '$A', vlan(301, ip4('$A4', '$B4', udp(997, 666)), pcp=2))")" \
		"a tag inside the tunnel"
	outside bad_vlan "$(on_wire $H1 "eth('$B', '$A', vlan(0, ip4('$A4', '$B4', udp(997, 666)), as_type=SVLAN))")" \
		"802.1ad inside the tunnel"
	outside fragment_bad "$(on_wire $H1 "eth('$B', '$A', ip4('$A4', '$B4', udp(997, 666), fragment=0x2000))")" \
		"a fragment inside the tunnel, of no multiple of eight bytes"
	outside bad_ipv4 "$(on_wire $H1 "eth('$B', '$A', ip4('$A4', '$B4', udp(997, 666), total=1000))")" \
		"an inner length that is larger than the packet"
	outside icmp_unrelated "$(on_wire $H1 "$(m4 "icmp(3, 1, 0, 0, ip4('$B4', '$A4', udp(4711, 666)))")")" \
		"an ICMP error of no flow"
	SEND_DEVICE=u0 right h1 "$(on_wire $H1 "$right" 101 "ttl=1")"
	SEND_DEVICE=u0 send h1 "$(on_wire $H1 "eth('$B', '$A', b'tiny', 0x4243)")"
	# What is no tunnel packet of ours is the host's own. Whether that opens it is another question: see holes.
	SEND_DEVICE=u0 send h1 "$(on_wire $OUTSIDER "$wrong" 101 "options=bytes([1, 1, 1, 1])")"
	outside outer_fragment "fragments($(on_wire $H1 "$wrong"), 64)[0]" "the first fragment of a tunnel packet"
	SEND_DEVICE=u0 send h1 "fragments($(on_wire $H1 "$wrong"), 64)[1]"
	SEND_DEVICE=u0 send h1 "eth('$U2', '$U1', vlan(7, ip4('$H1', '$H2', udp(50000, 4789, vxlan(101, $wrong)))))"
}

# A packet of 112 bytes cut after 20 to 100 of them. Below 42 there is no UDP header: the host's stack is welcome to it.
underlay_truncated() {
	local before after whole
	whole=$(on_wire $H1 "$(m4 "udp(996, 666)")")
	before=$(cut_counters)
	SEND_DEVICE=u0 send h1 "(lambda whole: [whole[:n] for n in range(20, 101)])($whole)"
	after=$(jq -nc "$before | [.[0] + 8, .[1] + 14, .[2] + 37]")
	wait_for 2 cut_counters_are "$after"
	expect_eq "$after" "$(cut_counters)" "cut after 42 to 49 bytes: outer_bad, to 63: short_frame, to 100: bad_ipv4"
}

cut_counters() { weft_on h2 -j counters | jq -c '.drops | [.outer_bad, .short_frame, .bad_ipv4]'; }
cut_counters_are() { [ "$(cut_counters)" = "$1" ]; }

# VXLAN in VXLAN: what is inside is the receiver's payload, and nothing else.
underlay_nested() {
	local inner
	inner="vxlan(102, $(m4 "udp(995, 666)"))"
	SEND_DEVICE=u0 send h1 "$(on_wire $H1 "$(m4 "udp(50000, 4789, $inner)")")"
	SEND_DEVICE=u0 send h1 "$(on_wire $H1 "eth('$B', '$A', ip4('$A4', '$H2', udp(50000, 4789, $inner)))")"
}

underlay() {
	watch_start
	underlay_addresses
	underlay_tenants
	underlay_headers
	underlay_truncated
	underlay_nested
	udp_ok h1 $H2 4788
	watch_stop underlay 1
	expect_eq 1 "$(tcpdump -Z root -nr "$STATE/red.b" "ether[12:4] == 0x42437469 and less 18" 2>/dev/null |
		grep -c "length 18")" "a frame that is shorter than any IP header arrives as it was sent"
	expect_vxlan 2 "$STATE/red.b" "VXLAN in VXLAN arrives unopened"
}

# --- VNI injection by a workload ---------------------------------------------------------------------------

# injected MAC ADDRESS: a tunnel packet for blue, sent by red's a.
injected() {
	echo "eth('$1', '$A', ip4('${3:-$A4}', '$2', udp(50000, 4789, vxlan(102, $(m4 "udp(994, 666)")))))"
}

# A workload's VXLAN is payload like any other: it stays in its network, whatever address it has, and no host opens it.
injection() {
	local opened mac
	opened=$(opened_by_hosts)
	watch_start
	capture_start h1.pc eth0 "$STATE/red.c"
	send h1.pa "$(injected $B $H2)"
	send h1.pa "$(injected $B $H1)"
	send h1.pa "$(injected $B $B4)"
	note "to MACs of hosts: nobody's in this network, so all its ports get a copy, and no host does"
	for mac in $U1 $U2 $P; do
		send h1.pa "$(injected "$mac" $H1)"
		send h1.pa "$(injected "$mac" $H2)"
	done
	expect_drop h1 spoofed_ipv4 h1.pa "$(injected $B $H2 $H1)" "from the host's own address"
	expect_drop h1 spoofed_ipv4 h1.pa "$(injected "$U2" $H2 $H1)" "and to the other host's MAC"
	right h1.pa "$(m4 "udp(994, 777)")"
	watch_stop "VXLAN of a workload"
	expect_vxlan 9 "$STATE/red.b" "all of it comes to red's b as it was sent"
	expect_vxlan 6 "$STATE/red.c" "c gets what was for nobody"
	expect_eq "$opened" "$(opened_by_hosts)" "no host has opened any"
}

opened_by_hosts() { echo "$(frames_seen h1 weft-vxlan) $(frames_seen h2 weft-vxlan)"; }

# --- malformed frames -------------------------------------------------------------------------------------

# bad REASON FRAME TEXT: from a.
bad() { expect_drop h1 "$1" h1.pa "$2" "$3"; }

malformed_link() {
	bad short_frame "eth('$B', '$A', vlan(0, b'ab', type=VLAN))" "a frame that ends in its tags"
	bad bad_vlan "eth('$B', '$A', vlan(0, vlan(2, vlan(3, ip4('$A4', '$B4', udp(999, 666))))))" "three tags"
	bad bad_vlan "eth('$B', '$A', vlan(0, vlan(0, vlan(0, vlan(0, ip4('$A4', '$B4', udp(999, 666)))))))" "four tags"
	bad vlan_not_allowed "eth('$B', '$A', vlan(5, ip4('$A4', '$B4', udp(999, 666)), as_type=SVLAN))" "802.1ad"
	bad bad_arp "eth(BROADCAST, '$A', arp(1, '$A', '$A4', '00:00:00:00:00:00', '$B4', hardware=6))" \
		"ARP of Token Ring"
	bad bad_arp "eth(BROADCAST, '$A', arp(1, '$A', '$A4', '00:00:00:00:00:00', '$B4', cut=27))" "ARP cut off"
	bad bad_arp "eth(BROADCAST, '$A', arp(8, '$A', '$A4', '00:00:00:00:00:00', '$B4'))" "InARP"
	bad hidden_ip "eth('$B', '$A', bytes([0xaa, 0xaa, 3, 0, 0, 0, 8, 6]) + arp(2, '$C', '$C4', '$B', '$B4'), 36)" \
		"ARP behind SNAP"
	bad link_local "eth('01:80:c2:00:00:0e', '$A', bytes(50), 0x88cc)" "LLDP"
	bad same_port "eth('$A', '$A', ip4('$A4', '$B4', udp(999, 666)))" "to itself"
}

malformed_ipv4() {
	local any="udp(999, 666)" id=$((RANDOM + 2))
	bad bad_ipv4 "eth('$B', '$A', ip4('$A4', '$B4', $any, version=6))" "IPv4 of version 6"
	bad bad_ipv4 "eth('$B', '$A', ip4('$A4', '$B4', $any, ihl=4))" "a header of 16 bytes"
	bad bad_ipv4 "eth('$B', '$A', ip4('$A4', '$B4', $any, ihl=0))" "a header of none"
	bad bad_ipv4 "eth('$B', '$A', ip4('$A4', '$B4', $any, ihl=15))" "a header longer than the packet"
	bad bad_ipv4 "eth('$B', '$A', ip4('$A4', '$B4', $any, total=49))" "a length larger than the frame, by one"
	bad bad_ipv4 "eth('$B', '$A', ip4('$A4', '$B4', $any, total=65535))" "and by all"
	bad bad_ipv4 "eth('$B', '$A', ip4('$A4', '$B4', $any, total=19))" "a length smaller than the header"
	bad bad_ipv4 "eth('$B', '$A', ip4('$A4', '$B4', $any))[:33]" "a header cut off"
	bad bad_ipv4 "eth('$B', '$A')" "no header"
	right h1.pa "fragments($(m4 "udp(999, 777, b'x' * 64)"), id=$id)[0]"
	bad fragment_overlap "eth('$B', '$A', ip4('$A4', '$B4', bytes(24), 17, fragment=0x2001, id=$id))" "a fragment over UDP's data"
	bad fragment "fragments($(m4 "udp(999, 777, b'x' * 64)"), id=$id)[1]" "and what belongs to that datagram"
	bad fragment_bad "eth('$B', '$A', ip4('$A4', '$B4', $any, fragment=0x2005))" "a fragment of 28 bytes in the middle"
	bad fragment_bad "eth('$B', '$A', ip4('$A4', '$B4', bytes(64), 17, fragment=0x1fff))" "a ping of death"
	bad fragment_tiny "eth('$B', '$A', ip4('$A4', '$B4', b'xxxxxxxx', 6, fragment=0x2000))" \
		"a fragment without all of TCP"
	bad fragment_tiny "eth('$B', '$A', ip4('$A4', '$B4', bytes(32), 6, fragment=0x0001))" \
		"a fragment with TCP's flags alone"
	right h1.pa "eth('$B', '$A', ip4('$A4', '$B4', udp(999, 777), options=bytes([1] * 40)))"
	right h1.pa "eth('$B', '$A', ip4('$A4', '$B4', udp(999, 777)) + bytes(100))"
	right h1.pa "eth('$B', '$A', ip4('$A4', '$B4', udp(999, 777), fragment=0x4000))"
}

# times N HEADER TEXT: a header so many times around the text.
times() {
	local n text=$3
	for ((n = 0; n < $1; n++)); do text="extension($2, $text)"; done
	echo "$text"
}

malformed_ipv6() {
	local any="udp(999, 666)"
	bad bad_ipv6 "eth('$B', '$A', ip6('$A6', '$B6', $any, version=4))" "IPv6 of version 4"
	bad bad_ipv6 "eth('$B', '$A', ip6('$A6', '$B6', $any, length=29))" "a length larger than the frame"
	bad bad_ipv6 "eth('$B', '$A', ip6('$A6', '$B6', $any))[:53]" "a header cut off"
	bad bad_extension "$(m6 "$(times 7 DESTINATION "$any")")" "seven extension headers"
	bad bad_extension "$(m6 "extension(DESTINATION, extension(HOP, $any))")" "hop-by-hop in second place"
	bad bad_extension "$(m6 "extension(DESTINATION, $any, units=20)")" "a header longer than we look"
	bad bad_extension "$(m6 "bytes([17, 9]) + bytes(30), DESTINATION")" "a header longer than the packet"
	bad bad_extension "eth('$B', '$A', ip6('$A6', '$B6', extension(HOP, $any), length=0))" "a jumbogram"
	bad bad_l4 "$(m6 "fragment6(bytes(24))")" "a first fragment with a wrong length in it"
	bad bad_l4 "$(m6 "extension(DESTINATION, fragment6(b'x' * 24, more=0))")" \
		"an atomic fragment behind another header, with a wrong length in it"
	bad fragment_bad "$(m6 "fragment6(bytes([135, 0, 0, 0]) + bytes(20), 58, more=0)")" "ND with a fragment header"
	bad bad_l4 "eth('$B', '$A', ip6('$A6', '$B6', $any, length=7))" "a length smaller than UDP's header"
	send h1.pa "$(m6 "extension(HOP, extension(ROUTING, $(times 3 DESTINATION "udp(999, 777)")))")"
	send h1.pa "$(m6 "extension(DESTINATION, udp(999, 777), units=14)")"
}

malformed_l4() {
	bad bad_l4 "$(m4 "tcp(999, 666, offset=4)")" "a TCP header of 16 bytes"
	bad bad_l4 "$(m4 "tcp(999, 666, offset=0)")" "a TCP header of none"
	bad bad_l4 "$(m4 "tcp(999, 666, offset=6)")" "a TCP header that ends behind the packet"
	bad bad_l4 "$(m4 "tcp(999, 666, 0)")" "TCP without flags"
	bad bad_l4 "$(m4 "tcp(999, 666, SYN | FIN)")" "SYN and FIN"
	bad bad_l4 "$(m4 "tcp(999, 666, SYN | RST)")" "SYN and RST"
	bad bad_l4 "$(m4 "tcp(999, 666, FIN | PSH | URG)[:19], 6")" "TCP cut off"
	bad bad_l4 "$(m4 "udp(999, 666, length=7)")" "a UDP length of 7"
	bad bad_l4 "$(m4 "udp(999, 666, length=29)")" "a UDP length larger than the packet"
	bad bad_l4 "$(m4 "udp(999, 666)[:7], 17")" "UDP cut off"
	bad bad_l4 "$(m4 "b'x' * 11, 132")" "SCTP cut off"
	bad bad_l4 "$(m4 "icmp(8)[:7], 1")" "ICMP cut off"
	bad router_advert "$(m4 "icmp(5, 1, 0, 0, ip4('$B4', '$A4', udp(777, 999)))")" "an ICMP redirect"
	bad bad_l4 "$(m4 "icmp(8), 58")" "ICMPv6 in IPv4"
	bad bad_l4 "$(m6 "echo6(), 1")" "ICMP in IPv6"
	bad bad_l4 "$(m6 "echo6()[:7], 58")" "ICMPv6 cut off"
	bad bad_l4 "$(m4 "icmp(3, 1, 0, 0, ip4('$B4', '$A4', udp(777, 999))[:27])")" \
		"an ICMP error whose quote is cut off"
	bad bad_l4 "$(m4 "icmp(3, 1, 0, 0, ip4('$B4', '$A4', udp(777, 999), ihl=4))")" "an ICMP error with a bad quote"
	bad bad_l4 "$(m4 "icmp(11, 1, 0, 0, ip4('$B4', '$A4', udp(777, 999), fragment=3))")" \
		"an ICMP error that quotes a late fragment"
	bad bad_l4 "$(m4 "tcp(999, 666, FIN | PSH | URG)")" "a Christmas tree"
	right h1.pa "$(m4 "tcp(993, 777, offset=15, data=bytes([1] * 40))")"
	right h1.pa "$(m4 "udp(999, 777, length=10)")"
}

# The flow from port 992 is blue's alone: in red an error about it is about nothing.
unrelated() {
	local quote
	quote="ip4('$A4', '$B4', udp(992, 777))"
	quote="eth('$A', '$B', ip4('$B4', '$A4', icmp(3, 3, 0, 0, $quote)))"
	send h1.qa "$(m4 "udp(992, 777)")"
	capture_start h1.pa eth0 "$STATE/red.a"
	capture_start h1.qa eth0 "$STATE/blue.a"
	expect_drop h2 icmp_unrelated h2.pb "$quote" "an ICMP error that quotes a flow of another tenant"
	expect_drop h2 icmp_unrelated h2.pb \
		"eth('$A', '$B', ip4('$B4', '$A4', icmp(11, 0, 0, 0, ip4('$A4', '$B4', tcp(1, 2)))))" \
		"an ICMP error that quotes no flow"
	expect_drop h2 icmp_unrelated h2.pb \
		"eth('$A', '$B', ip6('$B6', '$A6', icmp6(2, 0, bytes(4) + ip6('$A6', '$B6', udp(992, 777)))))" \
		"a too-big of IPv6 that quotes no flow"
	send h2.qb "$quote"
	sleep 0.1
}

# Frames that no underlay of MTU 1500 carries; the workload's end of its wire has the MTU that it likes.
too_big() {
	in_ns h1 ip link set pa mtu 3000
	in_ns h1.pa ip link set eth0 mtu 3000
	bad too_big "$(m4 "udp(999, 666, b'x' * 1423)")" "larger than the underlay carries, by one"
	bad too_big "eth('$B', '$A', random.Random(1).randbytes(2900), 0x4242)" "jumbo garbage"
	bad bad_ipv4 "eth('$B', '$A', b'E' + random.Random(2).randbytes(2900))" "jumbo garbage of IPv4's ethertype"
	right h1.pa "$(m4 "udp(999, 777, b'x' * 1422)")"
	in_ns h1.pa ip link set eth0 mtu "$WORKLOAD_MTU"
	in_ns h1 ip link set pa mtu 1500
}

malformed() {
	watch_start
	malformed_link
	malformed_ipv4
	malformed_ipv6
	malformed_l4
	too_big
	unrelated
	watch_stop malformed 1
	expect_captured 2 "$STATE/red.b" "ip6 proto 0 or ip6 proto 60" \
		"five extension headers are not too many, nor 120 bytes"
	expect_captured 0 "$STATE/red.a" "ether src $B and (icmp[0] == 3 or icmp[0] == 11 or (icmp6 and ip6[40] < 128))" \
		"red's a hears of no error"
	expect_captured 1 "$STATE/blue.a" "ether src $B and icmp[0] == 3 and src host $B4 and icmp[28:2] == 992" \
		"blue's a hears of its own"
}

# --- the guard ------------------------------------------------------------------------------------------

# What the host itself, or a program on it, sends to a workload. The mark of weft's own frames is one of 2^32.
guard() {
	local SEND_DEVICE=pa mark host="'02:00:00:00:00:99'"
	capture_start h1.pa eth0 "$STATE/red.a"
	expect_drop h1 guard h1 "eth('$A', $host, ip4('$B4', '$A4', udp(999, 666)))" \
		"a program on the host sends to a workload"
	expect_drop h1 guard h1 "eth('$A', '$B', ip4('$B4', '$A4', udp(999, 666)))" "with the MAC of another workload"
	for mark in 1 0x80000000 0xffffffff; do
		expect_drop h1 guard h1 "marked($mark, eth('$A', $host, ip4('$B4', '$A4', udp(999, 666))))" \
			"with mark $mark"
	done
	in_ns h1 ip addr add 10.0.1.254/24 dev pa
	in_ns h1 ip neigh replace $A4 lladdr $A dev pa
	expect_counter_moved h1 drops guard in_ns h1 ping -c 1 -W 0.1 -I pa $A4
	expect_counter_moved h1 drops guard in_ns h1 ping -c 1 -W 0.1 -I pa -m 1 $A4
	expect_counter_moved h1 drops guard in_ns h1 ping -c 1 -W 0.1 -I pa $C4
	in_ns h1 ip addr del 10.0.1.254/24 dev pa
	SEND_DEVICE=s0
	expect_drop h1 guard h1 "eth('$B', '$A', vlan($TAG, ip4('$A4', '$B4', udp(999, 666)), pcp=1))" \
		"to a function's device"
	SEND_DEVICE=eth0
	send h1.pc "eth('$A', '$C', ip4('$C4', '$A4', udp(999, 777)))"
	capture_stop
	expect_captured 1 "$STATE/red.a" "udp dst port 777 and ether src $C" "what weft vetted passes the guard"
	expect_captured 0 "$STATE/red.a" "udp dst port 666 or src host 10.0.1.254" "and nothing else does"
}

# --- tables ----------------------------------------------------------------------------------------------

# connected NS ADDR: a connection that is used ten times a second; $BG_PID lives as long as it is answered.
connected() { bg in_ns "$1" "$TOOLS/echo" tcp "$2" 7 --count 1000 --gap 100 --timeout 2000; }

# Thousands of SYNs of a workload that never answers: only handshakes of its own tenant have to give way.
syn_flood() {
	send h1.pe "[eth('$B', '$E', ip4('$E4', '$B4', tcp(2000 + i, 7, SYN))) for i in range(4000)]"
	expect_eq true "$(weft_on h1 -j ct show red | jq '[.[] | select(.half_open)] | length | . >= 32 and . <= 64')" \
		"the table of handshakes is full, and no fuller"
	tcp_ok h1.qa $B4 7
	tcp_ok h1.pa $B4 7
	tcp_ok h1.pa $B6 7
}

# e asks b on a thousand ports, where nobody answers: the table has room for 256 flows of red's, and such give way.
udp_flood() {
	local before
	before=$(counter_get h1 tenants red:displaced)
	expect_counter_still h1 drops ct_full send h1.pe \
		"[eth('$B', '$E', ip4('$E4', '$B4', udp(3000 + i, 666, b''))) for i in range(1000)]"
	expect_eq true "$([ "$(counter_get h1 tenants red:displaced)" -gt $((before + 600)) ] && echo true)" \
		"a flood of questions pushes out nothing but itself"
	udp_ok h1.qa $B4 7
	tcp_ok h1.qa $B6 7
	udp_ok h1.pa $B4 7
}

floods() {
	local own other
	configure 'max_flows: 256, max_half_open: 64, timeouts: {udp: 1s, udp_replied: 1s, icmp: 1s}'
	connected h1.pc $B4
	own=$BG_PID
	connected h1.qa $B4
	other=$BG_PID
	sleep 0.3
	syn_flood
	udp_flood
	expect_ok -t "who was connected before is so still" kill -0 "$own"
	expect_ok -t "so is who was in the other tenant" kill -0 "$other"
	sleep 1.5
	udp_ok h1.pa $B4 7
	tcp_ok h1.pa $B4 7
	ping_ok h1.pa $B6
	bg_stop "$own"
	bg_stop "$other"
}

# --- forged tags -----------------------------------------------------------------------------------------

# forged NS FROM TO TAG TEXT
forged() {
	expect_drop "${1%%.*}" vlan_not_allowed "$1" "eth('$3', '$2', $4)" "$5"
}

# tagged VID PCP [PAYLOAD [MORE]]
tagged() { echo "vlan($1, ${3:-"ip4('$A4', '$B4', udp(999, 666))"}, pcp=$2${4:+, $4})"; }

tags() {
	configure "" "$(chain_on port:a)"
	[ "$MODE" = tc ] || function_xdp_ready h1.s0 s0
	watch_start
	capture_start h1.s0 s0 "$STATE/red.s0"
	forged h1.pa $A $B "$(tagged 0 1)" "the chain's priority without its tag"
	forged h1.pa $A $B "$(tagged 0 2)" "the priority of the other direction"
	forged h1.pa $A $B "$(tagged $TAG 0)" "the chain's tag without its priority"
	forged h1.pa $A $B "$(tagged $TAG 2)" "what the function has let through, the protected workload claims"
	forged h1.pa $A $B "$(tagged $TAG 1 '' as_type=SVLAN)" "802.1ad"
	forged h1.pa $A $B "$(tagged 0 0 "$(tagged $TAG 1)")" "the tag behind a priority tag"
	forged h1.pa $A $B "$(tagged $TAG 1 "$(tagged $TAG 1)")" "the tag twice"
	forged h1.pc $C $A "$(tagged $TAG 1 "ip4('$C4', '$A4', udp(999, 666))")" "a workload of the same host"
	forged h2.pb $B $A "$(tagged $TAG 2 "ip4('$B4', '$A4', udp(999, 666))")" "one of another host"
	forged h1.qa $A $B "$(tagged $TAG 1)" "one of another tenant, with the same MAC"
	SEND_DEVICE=u0 expect_drop h1 bad_vlan h2 "eth('$U1', '$U2', ip4('$H2', '$H1', udp(50000, 4789, vxlan(101,
		eth('$A', '$B', $(tagged $TAG 2 "ip4('$B4', '$A4', udp(999, 666))"))))))" "a host, in the tunnel"
	right h1.pa "$(m4 "udp(999, 777)")"
	watch_stop "forged tags"
	expect_captured 0 "$STATE/red.b" "ether dst $B and vlan" "no tag reaches b"
	expect_captured 0 "$STATE/red.s0" "vlan and dst port 666" "the function sees nothing of it"
	expect_captured $((2 * RIGHT)) "$STATE/red.s0" "vlan $TAG and ether[14] >> 5 == 1 and ether src $A" \
		"but what is right, with the tag that weft gives"
	[ "$MODE" != tc ] || SEND_DEVICE=s0 expect_drop h1 bad_checksum h1.s0 \
		"unfinished(eth('$B', '$A', $(tagged $TAG 1)), 38, 2)" "a function's unfinished checksum, upon UDP's port"
}

# --- garbage ---------------------------------------------------------------------------------------------

SLICES=12 SLICE=200

# What f sent, and what has come in by the tunnel, as far as anything tells of it. A tag that f's port has not makes a
# frame nobody's, so the drops of the whole host are looked at.
# A fragment that came before its first waits, and counts when it is let go or lost.
waits='([.fragments[].early] | add)'
from_port='([.drops[]] | add) + .ports["grey/f"].from_packets + '$waits
from_tunnel='([.drops[]] | add) + ([.ports[].to_packets] | add) + '$waits

sum_on() { weft_on "$1" -j counters | jq "$2"; }
sum_is() { [ "$(sum_on "$1" "$2")" -eq "$3" ]; }

# each_is_counted TEXT HOST COUNTERS NS FRAMES: FRAMES is an expression for SLICE frames of seed `s`.
each_is_counted() {
	local text=$1 host=$2 what=$3 ns=$4 frames=$5 s before
	for ((s = 1; s <= SLICES; s++)); do
		before=$(sum_on "$host" "$what")
		send "$ns" "(lambda s: $frames)($s)"
		if ! wait_for 3 sum_is "$host" "$what" $((before + SLICE)); then
			fail "$text, seed $s: $(($(sum_on "$host" "$what") - before)) of $SLICE are counted"
			return
		fi
	done
	ok "$text: each of $((SLICES * SLICE)) frames was delivered or has its counter"
}

# Frames to damage: all that f may say to g, and some that it may not.
grey_frames() {
	local extension
	extension=$(times 3 DESTINATION "udp(1, 2)")
	cat <<-FRAMES
	[eth('$G', '$F', ip4('$F4', '$G4', udp(1, 2, b'x' * 60))), eth('$G', '$F', ip4('$F4', '$G4', tcp(1, 2, SYN))),
	eth('$G', '$F', ip4('$F4', '$G4', tcp(3, 4, ACK, offset=15, data=b'x' * 90), options=bytes([1] * 40))),
	eth('$G', '$F', ip4('$F4', '$G4', icmp(8))),
	eth('$G', '$F', ip4('$F4', '$G4', icmp(3, 4, 0, 0, ip4('$G4', '$F4', udp(2, 1))))),
	eth('$G', '$F', ip6('$F6', '$G6', udp(1, 2, b'x' * 60))), eth('$G', '$F', ip6('$F6', '$G6', tcp(1, 2, SYN))),
	eth('$G', '$F', ip6('$F6', '$G6', $extension)), eth('$G', '$F', ip6('$F6', '$G6', echo6())),
	eth('$G', '$F', ip6('$F6', '$G6', icmp6(2, 0, bytes(4) + ip6('$G6', '$F6', tcp(2, 1))))),
	eth(group_mac(group_of('$G6')), '$F', ip6('$F6', group_of('$G6'), solicit('$G6', '$F'), hops=255)),
	eth(BROADCAST, '$F', arp(1, '$F', '$F4', '00:00:00:00:00:00', '$G4')),
	eth(BROADCAST, '$F', ip4('$F4', '255.255.255.255', udp(1, 2))),
	eth('$G', '$F', vlan(5, vlan(6, ip4('$F4', '$G4', udp(1, 2))))), eth('$G', '$F', bytes(80), 0x4242)]
	FRAMES
}

# f's port is told of each frame; on h2, where only g is of that network, each tunnel packet ends in one place.
garbage() {
	local frames to_g="mac('$G') + mac('$F')"
	frames=$(grey_frames)
	each_is_counted "damaged frames of a workload" h1 "$from_port" h1.pf "damaged(s, $SLICE, $frames)"
	each_is_counted "noise of a workload" h1 "$from_port" h1.pf \
		"noise(s, $SLICE, [$to_g, $to_g + mac('08:00:45'), $to_g + mac('86:dd:60'), $to_g + mac('08:06'),
		mac(BROADCAST) + mac('$F'), mac('$A') + mac('$F'), b''])"
	local SEND_DEVICE=u0
	frames="[$(on_wire $H1 frame 103) for frame in $frames]"
	each_is_counted "damaged tunnel packets" h2 "$from_tunnel" h1 "damaged(s, $SLICE, $frames, 42, 42)"
	# Where the outer headers are damaged too, the host's stack gets what is not ours.
	send h1 "damaged(99, $SLICE, $frames)"
}

after_all() {
	ping_ok h1.pa $B4
	ping_ok h2.pb $A6
	tcp_ok h1.pa $B4 7
	tcp_ok h1.qa $B4 7
	udp_ok h1.pc $B6 7
	expect_eq "0 0" "$(counter_get h1 drops internal) $(counter_get h2 drops internal)" \
		"no look-up failed that cannot fail"
}

# --- round what tells where a packet comes from -----------------------------------------------------------

# expect_idle BEFORE TEXT: the tunnel device, which is there only to be asked about, got nothing more.
expect_idle() { expect_eq "$1" "$(frames_seen h2 weft-vxlan)" "$2: nothing gets into the host by its tunnel device"; }

# Tunnel packets that are passed to the host's stack as none of ours: the kernel's VXLAN socket must not open them.
tunnel_device() {
	local SEND_DEVICE=u0 frame before
	frame="eth('$(mac_of h2 weft-vxlan)', '$A', ip4('$H3', '$H1', udp(999, 666)))"
	in_ns h2 ip addr add 192.168.77.1/32 dev u0
	before=$(frames_seen h2 weft-vxlan)
	send h1 "$(on_wire $OUTSIDER "$frame" 101 "options=bytes([1, 1, 1, 1])")"
	sleep 0.1
	expect_idle "$before" "options in the outer header"
	send h1 "fragments($(on_wire $OUTSIDER "$frame"), 64)"
	expect_idle "$before" "outer fragments"
	send h1 "eth('$U2', '$U1', ip4('$OUTSIDER', '192.168.77.1', udp(50000, 4789, vxlan(101, $frame))))"
	expect_idle "$before" "another address of the host"
	in_ns h2 ip addr del 192.168.77.1/32 dev u0
}

# Packets of a known flow come from where its ends live, and from nowhere else.
origin() {
	local SEND_DEVICE=u0
	send h1 "$(on_wire $H1 "$(m4 "udp(991, 777)")")"
	outside wrong_host "$(on_wire $H3 "$(m4 "udp(991, 777)")")" "a host speaks in a flow of another one"
	SEND_DEVICE=eth0 send h1.pa "$(m4 "udp(990, 777)")"
	expect_drop h1 not_here h2 \
		"eth('$U1', '$U2', ip4('$H2', '$H1', udp(50000, 4789, vxlan(101, $(m4 "udp(990, 777)")))))" \
		"a host has another one send a packet for it"
}

icmp_to_all() {
	expect_drop h1 icmp_unrelated h1.pa \
		"eth(BROADCAST, '$A', ip4('$A4', '$B4', icmp(3, 4, 0, 1000, ip4('$B4', '$A4', udp(7, 989)))))" \
		"an ICMP error of no flow, to all MACs"
}

# --- unfinished checksums -----------------------------------------------------------------------------------

# unfinished FRAME START [OFFSET TEXT]: dropped if there is a text, else it passes. XDP has no such checksum beside the
# frame, so nobody ever finishes it there.
unfinished() {
	local frame="unfinished($1, $2, ${3:-0})"
	if [ $# -le 3 ]; then
		right h1.pa "$frame"
	elif [ "$MODE" = tc ]; then
		bad bad_checksum "$frame" "an unfinished checksum $4"
	fi
}

# A workload says where its checksum goes, and the underlay's device writes it there when all has been judged. What begins
# before the IP header's 20th byte, or 40th, a new kernel refuses itself.
unfinished_checksums() {
	local wrong4 right4 wrong6 right6 tcp4 ping quote before
	wrong4=$(m4 "udp(999, 666)") right4=$(m4 "udp(999, 777)")
	wrong6=$(m6 "udp(999, 666)") right6=$(m6 "udp(999, 777)")
	tcp4=$(m4 "tcp(999, 666)") ping=$(m4 "icmp(8)")
	quote=$(m4 "icmp(3, 3, 0, 0, ip4('$B4', '$A4', udp(7, 989)))")
	in_ns h1 ethtool -K u0 tx off >/dev/null
	watch_start
	[ "$MODE" = tc ] && bad bad_checksum "forged($(m4 "udp(999, 666, b'x' * 20)"), 28, 0x014d)" \
		"an unfinished checksum that becomes another source address"
	unfinished "$wrong4" 30 0 "upon the receiver's address"
	unfinished "$wrong4" 26 14 "at its own place, but of more than UDP"
	unfinished "$wrong4" 34 2 "upon UDP's port"
	unfinished "$wrong4" 34 4 "upon UDP's length"
	unfinished "$wrong4" 34 16 "at TCP's place in UDP"
	unfinished "$wrong4" 40 0 "that begins at its own place"
	unfinished "$tcp4" 34 13 "upon TCP's flags"
	unfinished "$tcp4" 34 6 "at UDP's place in TCP"
	unfinished "$ping" 34 4 "upon ICMP's id"
	unfinished "$quote" 62 2 "upon the port in an ICMP error's quote"
	unfinished "$wrong6" 46 0 "upon IPv6's receiver"
	unfinished "$wrong6" 54 2 "upon UDP's port behind IPv6"
	unfinished "$(m6 "extension(DESTINATION, udp(999, 666))")" 54 6 "in an extension header"
	unfinished "$right4" 34 6
	unfinished "$right6" 54 6
	unfinished "eth('$B', '$A', ip4('$A4', '$B4', udp(999, 777), options=bytes([1] * 8)))" 42 6
	unfinished "$right4" 42 0
	# What stands behind UDP's header is the workload's: a tunnel of its own, say.
	send h1.pa "unfinished($(m4 "udp(999, 4789, vxlan(102, $wrong4))"), 84, 6)"
	send h1.pa "unfinished($(m6 "extension(DESTINATION, udp(999, 777))"), 62, 6)"
	watch_stop "unfinished checksums"
	expect_captured 0 "$STATE/red.b" "src host 10.0.1.77" "and nothing from an address that is not a's"
	expect_captured 1 "$STATE/red.b" "ip6 proto 60" "what stands behind an extension header does"
	expect_vxlan 1 "$STATE/red.b" "and a tunnel of the workload's own"
	in_ns h1 ethtool -K u0 tx on >/dev/null
}

# --- what is not stopped yet --------------------------------------------------------------------------------

# flood_start NS FRAME: as fast as one process can, until $BG_PID ends.
flood_start() {
	printf '%s\teth0\t100000000\t0\t%s\n' "/run/netns/$(netns_of "$1")" "$2" > "$STATE/flood"
	bg sh -c 'exec python3 -S -E "$1" < "$2"' sh "$TOP/selftests/net/frames.py" "$STATE/flood"
}

# function_is_down BEFORE: sf_down has risen by more than a few.
function_is_down() { [ "$(counter_get h1 drops sf_down)" -gt $(($1 + 100)) ]; }

# What a function does not give back, because it dislikes it, makes it a dead one for all.
hole_dead_function() {
	local before
	configure "" "$(chain_on "port:c, port:e")"
	in_ns h1.s0 tc filter add dev s0 ingress pref 1 protocol all u32 match u16 666 0xffff at 22 \
		action mirred egress redirect dev lo
	before=$(counter_get h1 drops sf_down)
	flood_start h1.pe "eth('$B', '$E', ip4('$E4', '$B4', udp(999, 666)))"
	wait_for 5 function_is_down "$before"
	ping_ok h1.pc $B4
	bg_stop "$BG_PID"
	in_ns h1.s0 tc filter del dev s0 ingress pref 1
}

holes() {
	configure
	hole_dead_function
}

run() {
	configure
	ping_ok h1.pa $B4
	underlay
	injection
	malformed
	guard
	garbage
	floods
	tags
	configure
	tunnel_device
	origin
	icmp_to_all
	unfinished_checksums
	configure
	after_all
	[ -z "${HOLES:-}" ] || holes
}
echo_serve h2.pb 7
echo_serve h2.qb 7
echo_serve h2 4788
each_mode run
