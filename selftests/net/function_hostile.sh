#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# function_hostile: a function that has been taken over. ips (s0 on h1) is in the wire of red's a (tag 301) and of blue's a (302),
# who has the same addresses, and in flows of red's c that a rule chose (304); red's c has another function in its wire, fw
# (v0, tag 303). While ips still gives back what it gets, and connections go on through it, it sends what it should not: nothing of
# that arrives anywhere, begins or ends a flow, and each frame is counted under its name.
. "$(dirname "$0")/../lib/lab.sh"
need tcpdump jq

STRANGER=02:00:00:00:00:99
TTL=66			# of whatever it makes up

lab_blue_chain() {
	lab_blue "timeouts: {udp: 10m}"
	cat <<-YAML
	    chains:
	      inspect: {tag: 302, steps: [{function: ips}]}
	    insert:
	      - {name: wire, apply_to: [port:a], chain: inspect}
	YAML
}

configure() {
	local host
	LAB_FUNCTIONS='  ips: {instances: {ips1: {host: h1, device: s0}}}
  fw: {instances: {fw1: {host: h1, device: v0}}}'
	{
		lab_yaml <<-YAML
		options: {default: {in: allow, out: allow}, conntrack: {timeouts: {udp: 10m}}}
		acl:
		  - {name: chosen, apply_to: [port:c], direction: out, priority: 50, protocol: udp, destination_port: 900, action: allow, chain: chosen}
		chains:
		  inspect: {tag: 301, steps: [{function: ips}]}
		  fence: {tag: 303, steps: [{function: fw}]}
		  chosen: {tag: 304, steps: [{function: ips}]}
		insert:
		  - {name: wire-a, apply_to: [port:a], chain: inspect}
		  - {name: wire-c, apply_to: [port:c], chain: fence}
		YAML
		lab_blue_chain
	} > "$STATE/lab.yaml"
	for host in h1 h2; do
		run_quietly weft_on $host apply "$STATE/lab.yaml" || { show_output; die "weft apply on $host"; }
	done
}

# --- what it sends --------------------------------------------------------------------------------------------------

# Packets of a's, of what goes to it, and of c's: what a known flow has, unless told otherwise.
out4() { echo "ip4('$A4', '$B4', ${1:-udp(777, 777)}, ttl=$TTL)"; }
in4() { echo "ip4('$B4', '$A4', ${1:-udp(777, 777)}, ttl=$TTL)"; }
c4() { echo "ip4('$C4', '$B4', ${1:-udp(777, 777)}, ttl=$TTL)"; }
out6() { echo "ip6('$A6', '$B6', udp(666, 666), hops=$TTL)"; }
in6() { echo "ip6('$B6', '$A6', udp(666, 666), hops=$TTL)"; }

# tagged TAG PCP PACKET [vlan()'s arguments]: from a to b; towards, from b to a
tagged() { echo "eth('$B', '$A', vlan($1, $3, pcp=$2${4:+, $4}))"; }
towards() { echo "eth('$A', '$B', vlan($1, $3, pcp=$2${4:+, $4}))"; }

# drops REASON FRAME TEXT: the frame moves that counter, by one. COUNTED is how they were after the one before.
drops() {
	local before
	before=$(count_of "$1")
	send h1.s0 "$2"
	wait_for 1 has_moved "$1" "$before"
	expect_eq $((before + 1)) "$(count_of "$1")" "$3: $1"
}
count_of() { jq ".$1" <<< "$COUNTED"; }
has_moved() {
	COUNTED=$(weft_on h1 -j counters | jq -c .drops)
	[ "$(count_of "$1")" != "$2" ]
}

wrong_tags() {
	drops sf_untagged "eth('$B', '$A', $(out4))" "no tag"
	drops sf_unknown "$(tagged 309 1 "$(out4)")" "nobody's tag"
	drops sf_unknown "$(tagged 0 1 "$(out4)")" "a priority tag"
	drops sf_unknown "eth('$B', '$C', vlan(303, $(c4), pcp=1))" "the tag of a chain that does not include it"
	drops sf_unknown "eth('$C', '$B', vlan(303, ip4('$B4', '$C4', udp(777, 777), ttl=$TTL), pcp=2))" "towards, likewise"
	drops sf_unknown "$(tagged 301 1 "$(out4)" as_type=SVLAN)" "802.1ad"
	drops sf_unknown "$(tagged 301 1 "vlan(301, $(out4), pcp=1)")" "the tag twice"
	drops sf_unknown "$(tagged 301 1 "vlan(302, $(out4), pcp=1)")" "its tag, and another tenant's in it"
	drops sf_unknown "$(tagged 302 1 "vlan(301, $(out4), pcp=1)")" "and the other way round"
	drops bad_vlan "$(tagged 301 1 "vlan(301, vlan(301, $(out4)))")" "three tags"
}

wrong_pcp() {
	local pcp
	for pcp in 0 3 7; do drops sf_unknown "$(tagged 301 $pcp "$(out4)")" "PCP $pcp"; done
	drops sf_unknown "$(tagged 301 2 "$(out4)")" "the PCP of the other way"
	drops sf_unknown "$(towards 301 1 "$(in4)")" "likewise, towards a"
}

wrong_macs() {
	drops sf_unknown "eth('$B', '$C', vlan(301, $(out4), pcp=1))" "another workload's MAC"
	drops sf_unknown "eth('$B', '$STRANGER', vlan(301, $(out4), pcp=1))" "a stranger's"
	drops sf_unknown "eth('$C', '$B', vlan(301, $(in4), pcp=2))" "to a workload that has it not in its wire"
	drops sf_unknown "eth('$A', '$STRANGER', vlan(301, $(in4), pcp=2))" "a stranger speaks to a"
	drops spoofed_ipv4 "$(tagged 301 1 "ip4('$C4', '$B4', udp(777, 777), ttl=$TTL)")" "another's address"
	drops spoofed_ipv6 "$(tagged 301 1 "ip6('$C6', '$B6', udp(777, 777), hops=$TTL)")" "another's IPv6 address"
	drops sf_unknown "$(tagged 301 1 "arp(1, '$A', '$A4', '$B', '$B4')")" "ARP"
}

no_flow() {
	drops sf_no_flow "$(tagged 301 1 "$(out4 "udp(666, 666)")")" "a datagram that nobody sent"
	drops sf_no_flow "$(tagged 301 1 "$(out4 "tcp(666, 7, SYN)")")" "a connection that nobody begins"
	drops sf_no_flow "$(tagged 301 1 "$(out4 "icmp(8, id=666)")")" "a ping"
	drops sf_no_flow "$(tagged 301 1 "$(out6)")" "IPv6 that nobody sent"
	drops sf_no_flow "$(towards 301 2 "$(in4 "udp(666, 666)")")" "towards a, what nobody admitted"
	drops sf_no_flow "$(towards 301 2 "$(in6)")" "towards a, IPv6"
	drops sf_no_flow "$(towards 301 0 "$(in4 "tcp(7, 666, RST)")")" "a reset of no connection"
	drops sf_no_flow "eth(BROADCAST, '$A', vlan(301, ip4('$A4', '255.255.255.255', udp(666, 666), ttl=$TTL), pcp=1))" "a broadcast"
	drops sf_no_flow "eth(BROADCAST, '$B', vlan(301, ip4('$B4', '255.255.255.255', udp(666, 666), ttl=$TTL), pcp=2))" \
		"a broadcast towards a"
}

# Blue has the same MACs and addresses, and the same function: what red has is no flow of blue's.
other_tenant() {
	drops sf_no_flow "$(tagged 302 1 "$(out4)")" "a flow of red's with blue's tag"
	drops sf_no_flow "$(towards 302 2 "$(in4)")" "towards blue's a"
	drops sf_no_flow "$(tagged 302 1 "$(out4 "tcp($SPORT, 7, ACK | PSH, 1, 1, b'x')")")" "into a connection of red's"
	drops sf_no_flow "$(towards 302 0 "$(in4 "tcp(7, $SPORT, RST)")")" "a reset of it"
}

# c's flow on port 777 has fw in its wire; that on 900 was sent through ips by a rule, that on 901 was not.
other_chain() {
	drops sf_unknown "eth('$B', '$C', vlan(301, $(c4), pcp=1))" "into a flow of c's, with the tag of a's chain"
	drops sf_unknown "eth('$C', '$B', vlan(301, ip4('$B4', '$C4', tcp(7, 777, RST), ttl=$TTL)))" "a reset for c"
	drops sf_no_flow "eth('$B', '$C', vlan(304, $(c4), pcp=1))" "with the tag of a chain that another flow of c's has"
	drops sf_no_flow "eth('$B', '$C', vlan(304, $(c4 "udp(901, 901)"), pcp=1))" "into one that no rule has sent there"
	drops sf_no_flow "eth('$C', '$B', vlan(304, ip4('$B4', '$C4', udp(901, 901), ttl=$TTL), pcp=2))" "towards c, likewise"
	drops sf_no_flow "eth('$B', '$C', vlan(304, $(c4 "udp(666, 900)"), pcp=1))" "a flow that a rule would send there, if it was one"
	drops sf_no_flow "eth(BROADCAST, '$C', vlan(304, ip4('$C4', '255.255.255.255', udp(900, 900), ttl=$TTL), pcp=1))" "a broadcast of c's"
}

# The function's wire takes longer frames than the others, so that weft has to say no.
giants() {
	drops too_big "$(tagged 301 1 "$(out4 "udp(777, 777, b'x' * 2900)")")" "a giant of a known flow"
	drops too_big "$(towards 301 2 "$(in4 "udp(777, 777, b'x' * 2900)")")" "towards a, likewise"
	drops bad_ipv4 "$(tagged 301 1 "ip4('$A4', '$B4', udp(777, 777), total=1400, ttl=$TTL)")" "a packet that says it is longer"
	drops bad_l4 "$(tagged 301 1 "$(out4 "udp(777, 777, length=1400)")")" "a datagram that says it is longer"
}

fragments() {
	drops sf_no_flow "$(tagged 301 1 "ip4('$A4', '$B4', udp(666, 666, b'x' * 24, length=60), ttl=$TTL, id=$SPORT, fragment=0x2000)")" \
		"the first fragment of what nobody sent"
	drops fragment_tiny "$(tagged 301 1 "ip4('$A4', '$B4', tcp($SPORT, 7, ACK)[:8], ttl=$TTL, id=$SPORT, fragment=0x2000, protocol=6)")" "a tiny one"
	drops fragment_bad "$(tagged 301 1 "ip4('$A4', '$B4', bytes(64), ttl=$TTL, id=$SPORT, fragment=0x1fff, protocol=17)")" "one that ends behind the end"
}

# --- the lab ----------------------------------------------------------------------------------------------------------

# What may pass goes on meanwhile: connections of a, both ways, of c and of blue's a. A client ends when an answer is missing.
# stream NS ADDRESS [MORE]: from port SPORT + MORE
stream() {
	bg in_ns "$1" "$TOOLS/echo" tcp "$2" 7 --sport $((SPORT + ${3:-0})) --count 100000 --gap 20 --size 1000 --timeout 2000 > /dev/null 2>&1
	STREAMS+=("$BG_PID")
}
streams_begin() {
	STREAMS=()
	stream h1.pa $B4
	stream h1.pa $B6
	stream h2.pb $A6
	stream h1.pc $B4
	stream h1.qa $B4 1000
}
streams_end() {
	local pid alive=0 port
	for port in red/a red/c blue/a; do
		expect_counter_moved h1 ports $port:to_packets true
	done
	for pid in "${STREAMS[@]}"; do
		kill -0 "$pid" 2>/dev/null && alive=$((alive + 1))
		bg_stop "$pid"
	done
	expect_eq ${#STREAMS[@]} $alive "all connections have gone on meanwhile, and go on"
}

# The flows that the attacks are about.
flows_begin() {
	send h1.pa "eth('$B', '$A', ip4('$A4', '$B4', udp(777, 777)))"
	send h1.pc "[eth('$B', '$C', ip4('$C4', '$B4', udp(i, i))) for i in (777, 900, 901)]"
}

flows() {
	local tenant
	for tenant in red blue; do
		weft_on h1 -j ct show $tenant | jq -r '.[] | "\(.protocol) \(.source) \(.source_port) \(.destination) \(.destination_port) \(.state)"' | sort
	done
}

WORKLOADS="h1.pa h1.pc h1.qa h2.pb h2.qb"
watch() { for ns in $WORKLOADS; do capture_start $ns eth0 "$STATE/$ns"; done; }
arrived() {
	for ns in $WORKLOADS; do
		expect_captured 0 "$STATE/$ns" "ip[8] == $TTL or ip6[7] == $TTL" "nothing of all that arrives at $ns"
	done
}

run() {
	local SEND_DEVICE SPORT before
	SPORT=50$([ "$MODE" = tc ] && echo 01 || echo 02)
	if [ "$MODE" = xdp ]; then
		function_xdp_ready h1.s0 s0
		function_xdp_ready h1.v0 v0
	fi
	configure
	for host in h1 h2; do run_quietly weft_on $host ct flush; done
	flows_begin
	streams_begin
	wait_for 5 streams_are_there
	watch
	before=$(flows)
	SEND_DEVICE=s0
	has_moved none ""
	for attack in wrong_tags wrong_pcp wrong_macs no_flow other_tenant other_chain giants fragments; do
		note "$attack, $MODE"
		$attack
	done
	expect_eq "$before" "$(flows)" "no flow has begun or ended"
	streams_end
	capture_stop
	arrived
	unset SEND_DEVICE
	ping_ok h1.pa $B4
	udp_ok h1.qa $B4 7
}
streams_are_there() { [ "$(flows | grep -c "tcp .*${SPORT:1}.* established")" -ge 5 ]; }

lab_two_hosts
workload_add h1 qa $A $A4/24,$A6/64
workload_add h2 qb $B $B4/24,$B6/64
function_add h1 s0
function_add h1 v0
in_ns h1 ip link set s0 mtu 3000
in_ns h1.s0 ip link set s0 mtu 3000
for ns in h1.pa h2.pb h2.qb; do echo_serve $ns 7; done
LAB_WORKLOADS=$WORKLOADS
each_mode run
