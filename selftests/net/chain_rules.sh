#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# chain_rules: rules of a on h1 and of b on h2 have chains, through s0 of h1 and t0 of h2; c beside a has none. Which flows
# the functions see, both ways and on both hosts, and that no other does; that a chain comes to flows that are there, and
# goes; and what is believed of a function whose chain a rule chose.
. "$(dirname "$0")/../lib/lab.sh"
need tcpdump tshark

lab_two_hosts
function_add h1 s0
function_add h2 t0
LAB_FUNCTIONS='  fw: {instances: {fw1: {host: h1, device: s0}}}
  ips: {instances: {ips1: {host: h2, device: t0}}}'

LEAVING=0x212d	# PCP 1 << 13 | 301
TOWARDS=0x412d	# PCP 2 << 13 | 301
LEAVING2=0x212e
TOWARDS2=0x412e

CHAINS='chains:
  at-a: {tag: 301, steps: [{function: fw}]}
  at-b: {tag: 302, steps: [{function: ips}]}'
ALL='  - {name: all-in, direction: in, priority: 1, action: allow}'
OUT='  - {name: a-out, apply_to: [port:a], direction: out, priority: 50, protocol: tcp, destination_port: [7, 80], action: allow, chain: at-a}'
IN='  - {name: b-in, apply_to: [port:b], direction: in, priority: 50, protocol: tcp, destination_port: [7, 80], action: allow, chain: at-b}'

# rules LINES: and the chains, which stay.
rules() { printf '%s\nacl:\n%s\n' "$CHAINS" "$1" | lab_apply; }

watch() {
	capture_start h1.s0 s0 "$STATE/s0"
	capture_start h2.t0 t0 "$STATE/t0"
}

field() { counter_get "$1" steps "red/$2:$3"; }

udp_frame() { echo "eth('$2', '$1', ip4('$3', '$4', udp($5, ${6:-$5})))"; }

# says PATTERN TEXT: the last command.
says() { if grep -q -- "$1" "$STATE/output"; then ok "$2"; else fail "$2"; show_output; fi; }

# What matches goes through, at the host where it matches; all else passes beside.
only_what_matches() {
	local sent=() family
	rules "$OUT
$IN
$ALL"
	watch
	sent=("$(field h1 at-a/fw sent)" "$(field h2 at-b/ips sent)")
	ping_ok h1.pa $B4
	ping_ok h2.pb $A6
	udp_ok h1.pa $B4 7
	udp_ok h2.pb $A6 7
	tcp_ok h2.pb $A4 7
	tcp_ok h1.pc $A6 7
	expect_eq "${sent[*]}" "$(field h1 at-a/fw sent) $(field h2 at-b/ips sent)" "pings, UDP and what others begin meet no function"
	tcp_ok h1.pa $B4 7
	tcp_ok h1.pa $B6 7
	tcp_ok h1.pc $B4 7
	capture_stop
	expect_captured 0 "$STATE/s0" "not vlan 301" "nothing without the tag"
	expect_captured 0 "$STATE/t0" "not vlan 302" "nor there"
	expect_captured 0 "$STATE/s0" "vlan and not tcp port 7" "a's function sees the rule's flows alone"
	expect_captured 0 "$STATE/s0" "vlan and not (ether host $A and ether host $B)" "of a alone"
	expect_captured 0 "$STATE/t0" "vlan and not tcp port 7" "b's function likewise"
	for family in ip ip6; do
		sees s0 "$family leaving a" "ether[14:2] == $LEAVING and vlan and $family and ether src $A"
		sees s0 "$family towards a" "ether[14:2] == $TOWARDS and vlan and $family and ether dst $A"
		sees t0 "$family towards b" "ether[14:2] == $TOWARDS2 and vlan and $family and ether dst $B"
		sees t0 "$family leaving b" "ether[14:2] == $LEAVING2 and vlan and $family and ether src $B"
	done
	sees t0 "c's connection" "vlan and ether src $C"
	expect_captured 0 "$STATE/s0" "vlan and ether src $A and ether[14:2] != $LEAVING" "what a sends has PCP 1"
	expect_captured 0 "$STATE/t0" "vlan and ether dst $B and ether[14:2] != $TOWARDS2" "what goes to b has PCP 2"
	tshark_clean "$STATE/s0"
	tshark_clean "$STATE/t0"
}

# sees DEVICE TEXT FILTER
sees() {
	local n
	n=$(captured "$STATE/$1" "$3")
	if [ "${n:-0}" -gt 0 ]; then ok "$1 sees $2 ($n frames)"; else fail "$1 misses $2"; fi
}

# One chain at both ends of one host's flow: leaving, then towards.
both_ends() {
	rules "  - {name: both, apply_to: [port:a, port:c], direction: in, priority: 50, protocol: udp, action: allow, chain: at-a}
  - {name: both-out, apply_to: [port:a, port:c], direction: out, priority: 50, protocol: udp, action: allow, chain: at-a}
$ALL"
	capture_start h1.s0 s0 "$STATE/s0"
	send h1.pa "$(udp_frame $A $C $A4 $C4 901)"
	udp_ok h1.pc $A6 7
	capture_stop
	expect_captured 2 "$STATE/s0" "ether[14:2] == $LEAVING and vlan and udp port 901" "leaving a, in and out again"
	expect_captured 2 "$STATE/s0" "ether[14:2] == $TOWARDS and vlan and udp port 901" "towards c, in and out again"
}

SYN_902='tcp port 902 and tcp[tcpflags] == tcp-syn'

# A chain on a's wire and another by its rule; then the same one twice, which inspects once.
with_wire() {
	local chain
	LAB_FUNCTIONS+='
  waf: {instances: {waf1: {host: h1, device: v0}}}'
	for chain in wire at-a; do
		{
			echo "$CHAINS"
			echo "  wire: {tag: 303, steps: [{function: waf}]}"
			printf 'insert:\n  - {name: w, apply_to: [port:a], chain: %s}\nacl:\n%s\n%s\n' $chain "$OUT" "$ALL"
		} | lab_apply
		capture_start h1.s0 s0 "$STATE/s0"
		capture_start h1.v0 v0 "$STATE/v0"
		send h1.pa "eth('$B', '$A', ip4('$A4', '$B4', tcp(902, 7)))"
		udp_ok h1.pa $B4 7
		tcp_ok h1.pa $B6 7
		capture_stop
		expect_captured 2 "$STATE/s0" "vlan 301 and $SYN_902" "$chain on the wire: the rule's chain once"
		[ $chain = wire ] && expect_captured 2 "$STATE/v0" "vlan 303 and $SYN_902" "and the wire's"
		[ $chain = wire ] && expect_captured 0 "$STATE/s0" "vlan 301 and udp" "the rule's sees the rule's flows alone"
		[ $chain = at-a ] && expect_captured 0 "$STATE/v0" "vlan" "nothing goes through what is on no wire"
	done
	LAB_FUNCTIONS=${LAB_FUNCTIONS%$'\n'*}
}

# The function keeps all that it gets: the rule's flows are gone, once it is taken for dead under a reason; the others live.
deaf() {
	rules "$OUT
$ALL"
	tcp_ok h1.pa $B4 7
	function_kill h1 s0
	tcp_fail h1.pa $B4 7
	send h1.pa "eth('$B', '$A', ip4('$A4', '$B4', tcp(902, 7)))" 8
	sleep 1.2
	expect_counter_moved h1 drops sf_down tcp_fail h1.pa $B4 7
	ping_ok h1.pa $B4
	udp_ok h1.pa $B4 7
	tcp_ok h1.pc $B4 7
	expect_ok -t "status names it" eval 'weft_on h1 status | grep -q "function fw/fw1 has returned nothing.*dropped"'
	expect_status 4 weft_on h1 verify
	says 'did not come back from function fw/fw1' "verify's probe did not come back"
	expect_ok weft_on h1 chain set red/at-a bypass on
	expect_counter_moved h1 chains red/at-a:bypassed tcp_ok h1.pa $B4 7
	expect_ok weft_on h1 chain set red/at-a bypass off
	function_revive h1 s0
	wait_for 8 eval '(tcp_ok h1.pa $B4 7) | grep -q answered'
	tcp_ok h1.pa $B4 7
	expect_eq "leaving towards" "$(weft_on h1 -j verify | jq -r '[.chains[] | select(.chain == "red/at-a").way] | sort | join(" ")')" \
		"a probe crosses the chain, both ways"
}

# hold NS ADDRESS: a connection that stays, a byte or some each 50 ms, for as long as it is answered.
hold() {
	bg in_ns "$1" "$TOOLS/echo" tcp "$2" 7 --sport "$3" --count 1000 --gap 50 --timeout 3000
	HELD=$BG_PID
	sleep 0.5
}
held() { if kill -0 "$HELD" 2>/dev/null; then ok "$1: the connection lives"; else fail "$1: the connection is gone"; fi; }

# frames DEVICE FILTER: seen in half a second.
frames() {
	capture_start "$1" "${1#*.}" "$STATE/half"
	sleep 0.5
	capture_stop
	captured "$STATE/half" "vlan and tcp port 4201"
}
some() { if [ "$2" -gt 0 ]; then ok "$1 ($2 frames)"; else fail "$1: none"; fi; }

# A connection that is there gets a chain, another, none; at its next packet.
changes() {
	rules "$ALL"
	hold h1.pa $B4 4201
	expect_eq 0 "$(frames h1.s0)" "no chain yet"
	expect_ok weft_on h1 acl add red/a-out apply_to port:a direction out priority 50 protocol tcp destination_port 7 action allow chain at-a
	some "the rule comes, and the connection is inspected" "$(frames h1.s0)"
	held "inspected"
	expect_ok weft_on h2 acl add red/b-in apply_to port:b direction in priority 50 protocol tcp destination_port 7 action allow chain at-b
	some "at the other end too" "$(frames h2.t0)"
	held "twice inspected"
	expect_ok weft_on h1 acl set red/a-out destination_port 8
	expect_eq 0 "$(frames h1.s0)" "the rule is of another port now"
	expect_ok weft_on h1 acl set red/a-out destination_port 7
	some "and of this one" "$(frames h1.s0)"
	expect_ok weft_on h1 acl replace red/a-out apply_to port:a direction out priority 50 protocol tcp destination_port 7 action allow
	expect_eq 0 "$(frames h1.s0)" "the rule has no chain any more"
	some "the other end's has" "$(frames h2.t0)"
	held "all along"
	kill $HELD
	wait_gone $HELD
}

# existing: keep lets what is there go on without the function, reset ends it.
existing() {
	local kept
	CHAINS=${CHAINS/tag: 301,/tag: 301, existing: keep,}
	rules "$ALL"
	hold h1.pa $B4 4201
	rules "$OUT
$ALL"
	kept=$(counter_get h1 chains red/at-a:kept)
	expect_eq 0 "$(frames h1.s0)" "keep: it goes on without the function"
	some "which counts" $(($(counter_get h1 chains red/at-a:kept) - kept))
	expect_counter_moved h1 steps red/at-a/fw:sent tcp_ok h1.pa $B6 7
	held "kept"
	CHAINS=${CHAINS/existing: keep/existing: reset}
	rules "$OUT
$ALL"
	wait_gone $HELD
	ok "reset: the connection has ended"
	expect_counter_moved h1 steps red/at-a/fw:sent tcp_ok h1.pa $B4 7
	CHAINS=${CHAINS/existing: reset, }
}

# What the function says of flows that are not its chain's, and of what is no flow.
believed() {
	local SEND_DEVICE=s0 f=h1.s0
	rules "$OUT
$ALL"
	udp_ok h1.pa $B4 7
	udp_ok h1.pc $B4 7
	expect_drop h1 sf_no_flow $f "eth('$B', '$A', vlan(301, ip4('$A4', '$B4', udp(999, 7)), pcp=1))" "a flow that nobody began"
	expect_drop h1 sf_no_flow $f "eth('$B', '$A', vlan(301, ip4('$A4', '$B4', icmp(8)), pcp=1))" "a flow without the chain"
	expect_drop h1 sf_no_flow $f "eth('$A', '$B', vlan(301, ip4('$B4', '$A4', tcp(80, 555, ACK)), pcp=2))" "an answer to nobody"
	expect_drop h1 sf_no_flow $f "eth(BROADCAST, '$A', vlan(301, ip4('$A4', '255.255.255.255', udp(999, 999)), pcp=1))" "a broadcast"
	expect_drop h1 sf_unknown $f "eth('$B', '$C', vlan(301, ip4('$C4', '$B4', udp(999, 7)), pcp=1))" "for a workload whose rules have no chain"
	expect_drop h1 sf_unknown $f "eth('$B', '$A', vlan(302, ip4('$A4', '$B4', udp(999, 7)), pcp=1))" "another chain's tag"
	SEND_DEVICE=eth0
	expect_drop h1 vlan_not_allowed h1.pa "eth('$B', '$A', vlan(301, ip4('$A4', '$B4', tcp(999, 7)), pcp=1))" "a workload forges the tag"
}

# Broadcasts and what else is of no flow do not pass where the rule that lets them has a chain.
no_flow() {
	rules "  - {name: any, apply_to: [port:a], direction: out, priority: 50, action: allow, chain: at-a}
$ALL"
	expect_drop h1 chain_no_flow h1.pa "eth(BROADCAST, '$A', ip4('$A4', '255.255.255.255', udp(998, 998)))" "a broadcast"
	expect_drop h1 chain_no_flow h1.pa "eth('$B', '$A', b'x' * 50, type=0x9000)" "what is not IP"
	ping_ok h1.pa $B4
	expect_output 'through chain at-a' weft_on h1 acl check red port a direction out protocol udp source $A4 destination $B4 destination_port 53
	expect_status 3 weft_on h1 acl check red port a direction out protocol udp source $A4 destination 255.255.255.255 destination_port 53
	says chain_no_flow "acl check says why"
}

# A stream of super-packets through both ends' functions.
stream() {
	rules "$OUT
$IN
$ALL"
	expect_eq ok "$(python3 -S -E "$TOP/selftests/net/streams.py" "/run/netns/$(netns_of h2.pb)" "/run/netns/$(netns_of h1.pa)" $B4 both size=3000000)" \
		"3 MB each way through two functions"
	expect_eq ok "$(python3 -S -E "$TOP/selftests/net/streams.py" "/run/netns/$(netns_of h2.pb)" "/run/netns/$(netns_of h1.pa)" $B6 both size=1000000)" \
		"and by IPv6"
	some "the function saw the stream" $(($(field h1 at-a/fw sent)))
}

# The command: what it shows, refuses, saves and compares.
command_line() {
	rules "$OUT
$IN
$ALL"
	expect_eq at-a "$(weft_on h1 -j acl show red/a-out | jq -r '.. | .chain? // empty')" "acl show"
	expect_output 'chain: at-a' weft_on h1 acl show red/a-out
	weft_on h1 save > "$STATE/saved.yaml"
	expect_ok -t "save says it" grep -q 'chain: at-a' "$STATE/saved.yaml"
	expect_ok weft_on h1 diff "$STATE/saved.yaml"
	sed 's/, chain: at-a//' "$STATE/saved.yaml" > "$STATE/other.yaml"
	expect_status 3 weft_on h1 diff "$STATE/other.yaml"
	says chain "diff names it"
	expect_refused 'names chain at-a' weft_on h1 chain del red/at-a
	expect_refused 'which this tenant does not have' weft_on h1 acl set red/a-out chain nowhere
	expect_refused 'with action deny' weft_on h1 acl set red/a-out action deny
	expect_refused 'stateless rule' weft_on h1 acl set red/a-out stateless true
	expect_refused 'which function fw/fw1 on this host needs for port b of host h2' weft_on h1 acl set red/a-out apply_to port:a,port:b
	expect_refused 'which port a needs for function ips on other hosts' weft_on h1 acl add red/every direction in priority 9 action allow chain at-b
	expect_ok weft_on h1 verify
	# In a map of rules that is another tool's to write.
	expect_ok "$TOOLS/owner" "$(root_of h1)/tenants/red/rules" inspect a-out at-b
	expect_refused 'which port a needs for function ips on other hosts' weft_on h1 acl commit red
	expect_ok "$TOOLS/owner" "$(root_of h1)/tenants/red/rules" inspect a-out nowhere
	expect_refused 'nowhere' weft_on h1 acl commit red
	expect_counter_moved h1 steps red/at-a/fw:sent tcp_ok h1.pa $B4 7
	expect_ok "$TOOLS/owner" "$(root_of h1)/tenants/red/rules" inspect a-out at-a
	expect_ok "$TOOLS/owner" "$(root_of h1)/tenants/red/rules" inspect all-in at-a
	expect_refused 'which function fw/fw1 on this host needs for port b of host h2' weft_on h1 acl commit red
	weft_on h1 acl del red/all-in 2>/dev/null
	weft_on h1 apply "$STATE/saved.yaml" > /dev/null
	expect_ok weft_on h1 verify
}

# knows BITS: what the label of the loaded programs says that they know, beside their version.
knows() {
	local pin
	pin=$(root_of h1)/abi
	bpftool -j map lookup pinned "$pin" key 0 0 0 0 | jq -r '.value[]' | sed "5s/.*/0x0$1/" | xargs bpftool map update pinned "$pin" key 0 0 0 0 value
}

# Programs of a build before would drop all that a rule with a chain lets pass: none is made.
older_programs() {
	expect_ok weft_on h1 acl del red/a-out
	expect_ok weft_on h1 acl del red/b-in
	knows 0
	expect_refused 'know no chains of rules: run .weft load' weft_on h1 acl add red/more apply_to port:a direction out priority 9 action allow chain at-a
	expect_ok weft_on h1 acl add red/more apply_to port:a direction out priority 9 action allow
	knows 1
	expect_ok weft_on h1 acl set red/more chain at-a
	expect_ok weft_on h1 acl del red/more
}

# A port comes into a rule's group, and leaves it: so it comes into the chain.
groups() {
	{
		echo "$CHAINS"
		echo 'groups: {inspected: {ports: [a]}}'
		printf 'acl:\n%s\n%s\n' "${OUT/port:a/group:inspected}" "$ALL"
	} | lab_apply
	expect_counter_moved h1 steps red/at-a/fw:sent tcp_ok h1.pa $B4 7
	expect_counter_still h1 steps red/at-a/fw:sent tcp_ok h1.pc $B4 7
	expect_ok weft_on h1 group set red/inspected ports a,c
	expect_counter_moved h1 steps red/at-a/fw:sent tcp_ok h1.pc $B4 7
	expect_refused 'which function fw/fw1 on this host needs for port b of host h2' weft_on h1 group set red/inspected ports a,b
	expect_ok weft_on h1 group set red/inspected ports c
	expect_counter_still h1 steps red/at-a/fw:sent tcp_ok h1.pa $B4 7
	expect_ok weft_on h1 verify
}

run() {
	if [ "$MODE" = xdp ]; then
		function_xdp_ready h1.s0 s0
		function_xdp_ready h2.t0 t0
		function_xdp_ready h1.v0 v0
	fi
	only_what_matches
	both_ends
	with_wire
	believed
	no_flow
	deaf
	changes
	existing
	stream
}
function_add h1 v0
for ns in h1.pa h1.pc h2.pb; do echo_serve $ns 7; done
each_mode run
command_line
older_programs
groups
