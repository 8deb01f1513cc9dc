#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 600
#
# wire: what really is on the underlay. Three hosts at a switch; workload r on h2 is a NAT router between two networks of
# its tenant, so that what came to it out of a tunnel goes into one again, to the third host. Super-packets stay whole
# where no wire follows, and are cut rightly where one does. Every frame seen dissects cleanly, checksums included.
. "$(dirname "$0")/../lib/lab.sh"
need tcpdump curl busybox tshark nft

R1=02:00:00:00:00:11 R14=10.0.1.254 R16=fd00:1::fe
R2=02:00:00:00:00:12 R24=10.0.2.254 R26=fd00:2::fe
D=02:00:00:00:00:0d D4=10.0.2.4 D6=fd00:2::4
FILM=$STATE/film.bin
SIZE=8000000

lab() {
	local n
	need_weft
	for n in 1 2 3; do host_add h$n 192.168.50.$n/24; done
	underlay_bridge h1 u0 h2 u0 h3 u0
	workload_add h1 pa $A $A4/24,$A6/64
	workload_add h3 pd $D $D4/24,$D6/64
	# r: one workload with a device in each network.
	workload_add h2 r1 $R1 $R14/24,$R16/64
	pair h2 r2 h2.r1 eth1
	in_ns h2.r1 ip link set eth1 down
	in_ns h2.r1 ip link set eth1 address $R2 mtu "$WORKLOAD_MTU"
	in_ns h2.r1 ip link set eth1 up
	addr_add h2.r1 eth1 $R24/24,$R26/64
	in_ns h2.r1 sh -c 'echo 1 | tee /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding' >/dev/null
	# A workload may speak from its own addresses only, so r changes both.
	in_ns h2.r1 nft "
		table inet r {
			chain to_d {
				type nat hook prerouting priority -100
				ip daddr $R14 tcp dport 8080 dnat ip to $D4:80
				ip daddr $R14 udp dport 7 dnat ip to $D4
				ip6 daddr $R16 tcp dport 8080 dnat ip6 to [$D6]:80
				ip6 daddr $R16 udp dport 7 dnat ip6 to $D6
			}
			chain from_r { type nat hook postrouting priority 100; oifname eth1 masquerade; }
		}" || die "no NAT in r"
	for n in 1 2 3; do weft_load h$n; done
}

configure() {
	weft_apply h1 h2 h3 <<-YAML >/dev/null
	version: 1
	hosts:
	  h1: {vtep: 192.168.50.1, underlay: [u0], mode: $MODE}
	  h2: {vtep: 192.168.50.2, underlay: [u0], mode: $MODE}
	  h3: {vtep: 192.168.50.3, underlay: [u0], mode: $MODE}
	tenants:
	  red:
	    options: {default: {in: allow, out: allow}}
	    networks:
	      web: {vni: 101, subnets: [10.0.1.0/24, "fd00:1::/64"]}
	      db: {vni: 102, subnets: [10.0.2.0/24, "fd00:2::/64"]}
	    ports:
	      a: {network: web, host: h1, device: pa, mac: "$A", addresses: [$A4, "$A6"]}
	      r1: {network: web, host: h2, device: r1, mac: "$R1", addresses: [$R14, "$R16"]}
	      r2: {network: db, host: h2, device: r2, mac: "$R2", addresses: [$R24, "$R26"]}
	      d: {network: db, host: h3, device: pd, mac: "$D", addresses: [$D4, "$D6"]}
	    acl:
	      - {name: no, direction: in, priority: 50, protocol: udp, destination_port: 997, action: deny}
	      - {name: refuse, direction: in, priority: 50, protocol: tcp, destination_port: 996, action: reject}
	      - {name: refuse-out, direction: out, priority: 50, protocol: tcp, destination_port: 995, action: reject}
	YAML
}

# fetched ADDRESS: the whole file, with the right sum.
fetched() {
	if [ "$(HTTP_TIMEOUT=20 http_get h1.pa "http://$1/film.bin" | sha256sum)" = "$SUM" ]; then
		ok "$((SIZE / 1000000)) MB from $1 arrive unharmed"
	else
		fail "the file does not come from $1"
	fi
}

# From r itself, and through it from d, which is r's port 8080.
all_fetched() {
	fetched "$R14"
	fetched "[$R16]"
	fetched "$R14:8080"
	fetched "[$R16]:8080"
	udp_ok h1.pa $R14 7 --size 1400
	udp_ok h1.pa $R16 7 --size 1380
}

# Of the underlay at each host: over the bound of an Ethernet wire or not?
larger_than_a_wire() { captured "$1" "greater 1515"; }

transfers() {
	local captures=$STATE/$1 host
	for host in h1 h2 h3; do capture_start $host u0 "$captures.$host"; done
	all_fetched
	capture_stop
}

whole() {
	local captures=$STATE/whole host
	transfers whole
	for host in h1 h2 h3; do
		[ "$(larger_than_a_wire "$captures.$host")" -gt 50 ] && ok "super-packets pass $host whole" ||
			fail "no super-packets at $host"
	done
}

cut() {
	local captures=$STATE/cut host
	for host in h1 h2 h3; do underlay_cut $host u0; done
	transfers cut
	corrupted
	for host in h1 h2 h3; do
		# GRO puts together what has arrived; what leaves is cut.
		expect_captured 0 "$captures.$host" "ether src $(mac_of $host u0) and greater 1515" "$host sends nothing longer than the wire takes"
		in_ns $host ethtool -K u0 gro off
	done
	transfers apart
	for host in h1 h2 h3; do
		expect_captured 0 "$STATE/apart.$host" "greater 1515" "no frame at $host is longer than the wire takes"
		tshark_clean "$STATE/apart.$host" 1000
	done
	for host in h1 h2 h3; do offloads $host u0 tso on gso on; done
}

# A SYN's checksum is unfinished when it is refused, and so is that of the answer which takes its place.
refused() {
	local address
	capture_start h1.pa eth0 "$STATE/refused"
	for address in $R14 $R16; do
		tcp_refused h1.pa $address 995
		tcp_refused h1.pa $address 996
	done
	capture_stop
	expect_captured 4 "$STATE/refused" "ether dst $A and (tcp[13] & 4 != 0 or ip6[53] & 4 != 0)" "a RST for each"
	tshark_clean "$STATE/refused" 8
}

udp_errors() { in_ns h2.r1 cat /proc/net/snmp | awk '/^Udp:/ { n = $8 } END { print n }'; }

# GRO vouches for the tunnel's checksum; the inner one is still the receiver's to look at.
corrupted() {
	local before
	before=$(udp_errors)
	send h1.pa "eth('$R1', '$A', ip4('$A4', '$R14', Layer(bytes.fromhex('03ea000700111234636f72727570746564'), 17)))"
	wait_for 2 eval '[ "$(udp_errors)" != "$before" ]'
	expect_eq $((before + 1)) "$(udp_errors)" "a datagram with a wrong checksum is the receiver's to drop"
}

# A workload whose MTU is larger than the overlay's: what does not fit has a name.
too_big() {
	in_ns h1.pa ip link set eth0 mtu 1500
	in_ns h1 ip link set pa mtu 1500
	local u4="eth('$R1', '$A', ip4('$A4', '$R14', udp(999, 999, b'x' * SIZE)))"
	expect_drop h1 too_big h1.pa "${u4/SIZE/1423}" "a packet of 1451 bytes does not fit 1500 with 50 of the tunnel"
	expect_counter_still h1 drops too_big send h1.pa "${u4/SIZE/1422}"
}

xdp() {
	local captures=$STATE/xdp host
	capture_start switch h1 "$captures.h1"
	capture_start switch h3 "$captures.h3"
	all_fetched
	capture_stop
	for host in h1 h3; do tshark_clean "$captures.$host" 1000; done
}

head -c $SIZE /dev/urandom > "$FILM"
SUM=$(sha256sum < "$FILM")
lab
http_serve h2.r1 80 "$STATE"
http_serve h3.pd 80 "$STATE"
echo_serve h3.pd 7
MODE=tc
configure
whole
refused
cut
too_big
MODE=xdp
LAB_WORKLOADS="h1.pa h3.pd h2.r1"
for ns in $LAB_WORKLOADS; do workload_xdp_ready $ns; done
offloads h2.r1 eth1 tx off tso off gso off gro on
configure
xdp
too_big
