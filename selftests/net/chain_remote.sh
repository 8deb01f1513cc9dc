#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 240
#
# chain_remote: three hosts at a switch; workloads a and c on h1, b on h2, d on h3, and functions on h3 (s0) and on h1 (s1, s2). Frames
# go to a function of another host and back to the host that judges them: both ends behind one function, functions near and
# far in one chain, one that is near for one host and far for another. What is on the wire, what becomes of it when the
# host of the function dies, and that nobody gets into a path, or round in it.
UNDERLAY_MTU=1524
. "$(dirname "$0")/../lib/lab.sh"
need tcpdump tshark curl busybox

D=02:00:00:00:00:0d D4=10.0.1.4 D6=fd00:1::4
LEAVING=0x212d		# PCP 1 << 13 | 301
TOWARDS=0x412d		# PCP 2 << 13 | 301
SIZE=4000000
FILM=$STATE/film.bin

lab() {
	local n
	need_weft
	for n in 1 2 3; do host_add h$n 192.168.50.$n/24; done
	underlay_bridge h1 u0 h2 u0 h3 u0
	workload_add h1 pa $A $A4/24,$A6/64
	workload_add h1 pc $C $C4/24,$C6/64
	workload_add h2 pb $B $B4/24,$B6/64
	workload_add h3 pd $D $D4/24,$D6/64
	function_add h3 s0
	function_add h1 s1
	function_add h1 s2
	for n in 1 2 3; do weft_load h$n; done
}

# configure FUNCTIONS STEPS PORTS
configure() {
	local host
	cat > "$STATE/apply.yaml" <<-YAML
	version: 1
	hosts:
	  h1: {vtep: 192.168.50.1, underlay: [u0], mode: $MODE}
	  h2: {vtep: 192.168.50.2, underlay: [u0], mode: $MODE}
	  h3: {vtep: 192.168.50.3, underlay: [u0], mode: $MODE}
	service_functions: {$1}
	tenants:
	  red:
	    options: {default: {in: allow, out: allow}}
	    networks: {web: {vni: 101, subnets: [10.0.1.0/24, "fd00:1::/64"]}}
	    ports:
	      a: {network: web, host: h1, device: pa, mac: "$A", addresses: [$A4, "$A6"]}
	      b: {network: web, host: h2, device: pb, mac: "$B", addresses: [$B4, "$B6"]}
	      c: {network: web, host: h1, device: pc, mac: "$C", addresses: [$C4, "$C6"]}
	      d: {network: web, host: h3, device: pd, mac: "$D", addresses: [$D4, "$D6"]}
	    acl:
	      - {name: in, direction: in, priority: 50, protocol: udp, destination_port: 667, action: deny}
	    chains:
	      inspect: {tag: 301, steps: $2}
	    insert:
	      - {name: wire, apply_to: [$3], chain: inspect}
	YAML
	for host in h1 h2 h3; do
		run_quietly weft_on $host apply "$STATE/apply.yaml" || { show_output; die "weft apply on $host"; }
	done
}

FAR='far: {instances: {far1: {host: h3, device: s0, offloads: keep}}}'
NEAR='near: {instances: {near1: {host: h1, device: s1, offloads: keep}}}'
BOTH='far: {instances: {far1: {host: h3, device: s0}, far2: {host: h1, device: s2}}}'

# Each hop's copy of a segment is a segment of its own.
TSHARK_OPTIONS+=(-o tcp.desegment_tcp_streams:FALSE -o tcp.analyze_sequence_numbers:FALSE)

udp_frame() { echo "eth('$2', '$1', ip4('$3', '$4', udp($5, $5)))"; }
cast() { echo "eth(BROADCAST, '$1', ip4('$2', '255.255.255.255', udp($3, $3)))"; }

# film HOST CAPTURE...: everywhere that a frame may pass. XDP takes frames before a capture of their own device.
film() {
	local host
	for host in h1 h2 h3; do capture_start switch $host "$STATE/$host"; done
	capture_start h3.s0 s0 "$STATE/s0"
	capture_start h1.s1 s1 "$STATE/s1"
	capture_start h1.pa eth0 "$STATE/a"
	capture_start h1.pc eth0 "$STATE/c"
	capture_start h2.pb eth0 "$STATE/b"
	capture_start h3.pd eth0 "$STATE/d"
}

# at DEVICE FILTER: the PCP of each time that a frame went in there, or came back, with the chain's tag.
at() { tcpdump -Z root -nr "$STATE/$1" -e "vlan 301 and $2" 2>/dev/null | sed -n 's/.*vlan 301, p \([0-9]\).*/\1/p' | xargs; }

# arrives ONCE... : of "a b c d" those that a broadcast to that UDP port reaches, once each; the others not at all.
arrives() {
	local port=$1 w n
	shift
	for w in a b c d; do
		[[ " $* " = *" $w "* ]] && n=1 || n=0
		# The sender's own capture has it, too.
		[ "$w" = "${FROM:-}" ] || expect_captured $n "$STATE/$w" "udp port $port" "$w gets it $n times"
	done
}

# paths FILTER: of a capture at the switch: source and destination, SPI, SI, TTL of what is in NSH.
paths() {
	tshark_fields "$STATE/$1" "nsh && !icmp && $2" ip.src ip.dst nsh.spi nsh.si nsh.ttl |
		awk '{ split($1, s, ","); split($2, d, ","); print s[1], d[1], $3, $4, $5 }'
}

# By names alone: spi TENANT/CHAIN TOWARDS, instance FUNCTION/INSTANCE
named() { PYTHONPATH=$TOP/selftests/net python3 -B -c "from frames import fnv; h = fnv('$1'); print($2)"; }
spi() { named "$1" "((h >> 23 ^ h) & 0x7fffff) << 1 | $2"; }
instance() { named "$1" "f'{h:08x}'"; }

traffic() {
	ping_ok h1.pa $B4
	ping_ok h2.pb $A6
	ping_ok h1.pc $B6
	ping_ok h3.pd $A4
	tcp_ok h1.pa $B4 7
	tcp_ok h2.pb $A6 7
	udp_ok h1.pa $B4 7 --size 1400
	expect_ok -t "fragments pass" in_ns h1.pa ping -n -c 2 -i 0.1 -W 2 -q -s 4000 $B4
	expect_ok -t "of IPv6, too" in_ns h2.pb ping -n -c 2 -i 0.1 -W 2 -q -s 4000 $A6
}

# Both ends behind the function on h3: each frame passes it twice, first leaving, then towards.
both_far() {
	configure "$FAR" '[{function: far}]' "port:a, port:b"
	traffic
	film
	send h1.pa "$(udp_frame $A $B $A4 $B4 901)"
	send h1.pa "$(cast $A $A4 902)"
	send h3.pd "$(cast $D $D4 903)"
	send h1.pc "$(cast $C $C4 904)"
	tcp_ok h1.pa $B4 7
	capture_stop
	expect_eq "1 1 2 2" "$(at s0 "udp port 901")" "the function sees it leave, and arrive"
	expect_captured 0 "$STATE/s0" "not vlan 301" "the function gets nothing without the tag"
	expect_captured 1 "$STATE/b" "udp port 901" "it arrives once"
	FROM=a arrives 902 b c d
	FROM=d arrives 903 a b c
	FROM=c arrives 904 a b d
	expect_eq "1 1 2 2" "$(at s0 "udp port 902")" "a's broadcast is seen to leave a, and to arrive at b"
	expect_eq "2 2 2 2" "$(at s0 "udp port 903")" "d's for a and for b, which are of different hosts"
	expect_eq "2 2 2 2" "$(at s0 "udp port 904")" "and so is c's"
	on_the_wire
}

on_the_wire() {
	local out in
	out=$(spi red/inspect 0) in=$(spi red/inspect 1)
	expect_eq "192.168.50.1 192.168.50.3 $out 255 0x003f
192.168.50.3 192.168.50.1 $out 254 0x003e
192.168.50.2 192.168.50.3 $in 255 0x003f
192.168.50.3 192.168.50.2 $in 254 0x003e" "$(paths h3 'udp.port == 901')" "four frames in NSH, to h3 and home, on the chain's path"
	expect_eq "6 1 3 101 4 c0a83201,$(instance far/far1),212d0000,00000000" \
		"$(tshark_fields "$STATE/h3" "nsh && !icmp && udp.port == 901 && nsh.spi == $out" nsh.length nsh.mdtype nsh.nextproto vxlan.vni vxlan.next_proto nsh.contextheader |
			sed 's/\t/ /g; s/^0x0*//' | sort -u)" \
		"6 words, MD type 1, Ethernet behind, in VXLAN-GPE of the network's VNI; who judges, the instance, the tag"
	for host in h1 h2 h3; do
		tshark_clean "$STATE/$host" 20
		expect_eq 0 "$(tshark_count "$STATE/$host" 'nsh && (_ws.malformed || (_ws.expert && !_ws.expert.group == "Sequence"))')" \
			"and no dissector finds anything odd at $host"
	done
}

# fetched NS ADDRESS: the whole file, with the right sum.
fetched() {
	expect_eq "$SUM" "$(HTTP_TIMEOUT=20 http_get "$1" "http://$2/film.bin" | sha256sum)" "$((SIZE / 1000000)) MB from $2 arrive unharmed"
}

# Super-packets pass whole where no wire follows, and are cut rightly where one does.
streams() {
	local host
	capture_start h3 u0 "$STATE/whole"
	fetched h2.pb $A4
	fetched h2.pb "[$A6]"
	capture_stop
	[ "$(captured "$STATE/whole" "udp port 4790 and greater 5000")" -gt 20 ] && ok "super-packets stay whole" ||
		fail "no super-packets in NSH at h3"
	for host in h1 h2 h3; do underlay_cut $host u0; done
	for host in h1 h2 h3; do capture_start switch $host "$STATE/cut.$host"; done
	fetched h2.pb $A4
	fetched h2.pb "[$A6]"
	capture_stop
	for host in h1 h2 h3; do
		expect_captured 0 "$STATE/cut.$host" "greater $((UNDERLAY_MTU + 15))" "no frame of $host is longer than the wire takes"
		tshark_clean "$STATE/cut.$host" 500
		offloads $host u0 tso on gso on
	done
}

# Near and far in one chain: in order, to and fro.
mixed() {
	configure "$FAR, $NEAR" '[{function: near}, {function: far}]' "port:a"
	traffic
	film
	send h1.pa "$(udp_frame $A $B $A4 $B4 901)"
	send h2.pb "$(udp_frame $B $A $B4 $A4 902)"
	capture_stop
	expect_eq "1 1 / 1 1" "$(at s1 "udp port 901") / $(at s0 "udp port 901")" "both see it leave"
	expect_eq "2 2 / 2 2" "$(at s1 "udp port 902") / $(at s0 "udp port 902")" "and arrive"
	expect_eq "254 253" "$(paths h3 'udp.port == 901' | cut -d' ' -f4 | xargs)" "the far one is the second: index 254"
	expect_captured 1 "$STATE/b" "udp port 901" "it arrives"
	expect_captured 1 "$STATE/a" "udp port 902" "and so does the other"
	weft_on h1 chain set red/inspect bypass on >/dev/null
	film
	ping_ok h1.pa $B4
	capture_stop
	expect_captured 0 "$STATE/s0" "icmp" "bypassed on the host that judges, nothing goes to the other"
	weft_on h1 chain set red/inspect bypass off >/dev/null
}

# One function: here for a, there for b, whose host has none. And rules hold behind it.
near_and_far() {
	configure "$NEAR" '[{function: near}]' "port:a, port:b"
	traffic
	film
	send h1.pa "$(udp_frame $A $B $A4 $B4 901)"
	send h1.pc "$(cast $C $C4 904)"
	send h3.pd "$(cast $D $D4 903)"
	expect_drop h2 acl_in h1.pa "$(udp_frame $A $B $A4 $B4 667)" "what b's rules deny"
	capture_stop
	expect_eq "1 1 2 2" "$(at s1 "udp port 901")" "the function sees it leave a, and arrive at b"
	expect_eq "192.168.50.2 192.168.50.1 255 / 192.168.50.1 192.168.50.2 254" \
		"$(paths h1 'udp.port == 901' | cut -d' ' -f1,2,4 | paste -sd/ | sed 's#/# / #g')" "only b's host sends it there in NSH"
	FROM=c arrives 904 a b d
	FROM=d arrives 903 a b c
	expect_eq "1 1" "$(at s1 "udp port 667")" "what is denied towards b does not come to its function"
}

# far1 on h3 and far2 on h1: a prefers the one on its own host. When that dies its flows go to the other; when h3 dies too …
deaths() {
	local before
	configure "$BOTH" '[{function: far}]' "port:a"
	before=$(frames_seen h3.s0 s0)
	ping_ok h1.pa $B4
	tcp_ok h2.pb $A6 7
	expect_eq 0 $(($(frames_seen h3.s0 s0) - before)) "as long as the local instance lives the other gets nothing"
	function_kill h1 s2
	for n in 1 2 3 4; do send h1.pa "$(udp_frame $A $B $A4 $B4 91$n)" 3; done
	wait_for 8 can_ping h1.pa $B4
	ping_ok h1.pa $B4
	[ $(($(frames_seen h3.s0 s0) - before)) -ge 6 ] && ok "the other host's takes over" || fail "nobody takes over"
	function_revive h1 s2
	configure "$FAR" '[{function: far, on_failure: closed}]' "port:a"
	ping_ok h1.pa $B4
	in_ns h3 ip link set u0 down
	send h1.pa "$(udp_frame $A $B $A4 $B4 905)" 8
	sleep 1.2
	send h1.pa "$(udp_frame $A $B $A4 $B4 905)" 4
	expect_counter_moved h1 drops sf_down ping_fail h1.pa $B4
	expect_ok -t "status names the function and its host" eval \
		'weft_on h1 status | grep -q "function far/far1 on host h3 has returned nothing.*dropped"'
	expect_ok weft_on h1 chain set red/inspect steps '[{function: far, on_failure: open}]'
	expect_counter_moved h1 steps red/inspect/far:skipped ping_ok h1.pa $B4
	in_ns h3 ip link set u0 up
	wait_for 8 can_ping h3 192.168.50.1
	before=$(frames_seen h3.s0 s0)
	send h1.pa "$(udp_frame $A $B $A4 $B4 906)" 300 10
	[ $(($(frames_seen h3.s0 s0) - before)) -gt 2 ] && ok "it is back" || fail "it is not tried again"
}

# forge HOST PORT FRAME-IN-NSH...: from h3's own underlay, as if h3 or 192.168.50.SOURCE sent it.
forge() { echo "eth('$(mac_of h1 u0)', '$(mac_of h3 u0)', ip4('192.168.50.${SOURCE:-3}', '192.168.50.1', udp(50000, 4790, nsh($1))))"; }

forged() {
	local SEND_DEVICE=u0 inner si in
	configure "$FAR" '[{function: far}]' "port:a, port:b"
	ping_ok h1.pa $B4
	inner=$(udp_frame $A $B $A4 $B4 920)
	in="101, 'red/inspect', 0, SI, '192.168.50.1', 'far/far1', $LEAVING, $inner"
	film
	expect_drop h1 sf_no_flow h3 "$(forge "${in/SI/254}")" "what never went there, on the right path"
	SEND_DEVICE=eth0 send h1.pa "$inner"
	expect_counter_still h1 drops nsh_index send h3 "$(forge "${in/SI/254}")"
	for si in 255 253 252 1 0; do
		expect_drop h1 nsh_index h3 "$(forge "${in/SI/$si}")" "a frame with index $si, round once more"
	done
	in=${in/SI/254}
	expect_drop h1 nsh_path h3 "$(forge "${in/red\/inspect/blue/inspect}")" "another tenant's path"
	expect_drop h1 nsh_path h3 "$(forge "${in/101/102}")" "another network"
	expect_drop h1 nsh_path h3 "$(forge "${in/192.168.50.1/192.168.50.2}")" "judged by another host"
	expect_drop h1 nsh_index h3 "$(forge "${in/far1/far2}")" "an instance that there is not"
	SOURCE=2 expect_drop h1 nsh_index h3 "$(SOURCE=2 forge "$in")" "from a host without that function"
	expect_drop h1 vtep_unknown h3 "$(SOURCE=77 forge "$in")" "from an address that is no host"
	expect_drop h1 nsh_bad h3 "$(forge "$in, base=0x00060203")" "MD type 2"
	expect_drop h1 nsh_bad h3 "$(forge "$in, ttl=0")" "TTL 0"
	expect_drop h1 nsh_mac h3 "$(forge "${in/$inner/$(udp_frame $D $B $D4 $B4 921)}")" "in the name of a workload that is not h1's"
	expect_drop h1 sf_no_flow h3 "$(forge "${in/$inner/$(udp_frame $C $B $C4 $B4 921)}")" "or of one that the chain does not protect"
	expect_drop h1 spoofed_ipv4 h3 "$(forge "${in/$inner/$(udp_frame $A $B $C4 $B4 921)}")" "or with another one's address"
	expect_drop h1 nsh_path h3 "$(forge "${in/192.168.50.1/192.168.50.3}")" "for a function of h1, by a host that has no port on the path"
	capture_stop
	expect_captured 2 "$STATE/b" "udp port 920" "what did arrives, and so does one more of its flow"
	expect_captured 0 "$STATE/b" "udp port 921" "and none of the others"
	SEND_DEVICE=eth0
	film
	# A workload's own NSH is payload to everybody.
	send h1.pc "eth('$B', '$C', ip4('$C4', '$B4', udp(50000, 4790, nsh(101, 'red/inspect', 0, 254, '192.168.50.1', 'far/far1', $LEAVING, $(udp_frame $A $B $A4 $B4 922)))))"
	expect_drop h1 spoofed_ipv4 h1.pc "eth('$B', '$C', ip4('192.168.50.3', '$B4', udp(50000, 4790, nsh(101, 'red/inspect', 0, 254, '192.168.50.1', 'far/far1', $LEAVING, $(udp_frame $A $B $A4 $B4 922)))))" \
		"in the name of a host"
	capture_stop
	expect_captured 1 "$STATE/b" "udp dst port 4790" "a workload's own NSH arrives as what it is"
	expect_captured 0 "$STATE/b" "udp port 922" "and is not unpacked"
}

verified() {
	expect_output "function far is on other hosts" weft_on h1 verify
	expect_output "probe chain red/inspect, function far, towards: back" weft_on h3 verify
}

run() {
	local ns
	if [ "$MODE" = xdp ]; then
		function_xdp_ready h3.s0 s0
		function_xdp_ready h1.s1 s1
		function_xdp_ready h1.s2 s2
	fi
	both_far
	verified
	[ "$MODE" = xdp ] || streams
	mixed
	near_and_far
	forged
	deaths
}

head -c $SIZE /dev/urandom > "$FILM"
SUM=$(sha256sum < "$FILM")
lab
echo_serve h2.pb 7
echo_serve h1.pa 7
http_serve h1.pa 80 "$STATE"
LAB_WORKLOADS="h1.pa h1.pc h2.pb h3.pd" LAB_HOSTS="h1 h2 h3"
each_mode run
