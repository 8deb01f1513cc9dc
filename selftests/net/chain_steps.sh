#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# chain_steps: three functions in one chain on h1: s0 and v0 with one arm, t0 and t1 with two. In which order a packet
# meets them, both ways, mirrored, and with both ends behind chains; what becomes of it when one is dead, closed and
# open; and that none of them can speak for another.
. "$(dirname "$0")/../lib/lab.sh"
need tcpdump tshark

lab_two_hosts
function_add h1 s0
function_add h1 t0 t1
function_add h1 v0
LAB_FUNCTIONS='  fw: {instances: {fw1: {host: h1, device: s0}}}
  ips: {instances: {ips1: {host: h1, devices: [t0, t1]}}}
  waf: {instances: {waf1: {host: h1, device: v0}}}'

LEAVING=0x212d		# PCP 1 << 13 | 301
TOWARDS=0x412d		# PCP 2 << 13 | 301
ORDER='[{function: fw}, {function: ips}, {function: waf}]'

# configure STEPS [KEYS [PORTS]]: the chain `inspect`.
configure() {
	lab_apply <<-YAML
	options: {default: {in: allow, out: allow}}
	chains:
	  inspect: {tag: 301, ${2:-mirror_order: false}, steps: $1}
	insert:
	  - {name: wire, apply_to: [${3:-port:a}], chain: inspect}
	YAML
}

watch() {
	capture_start h1.s0 s0 "$STATE/s0"
	capture_start h1.t0 t0 "$STATE/t0"
	capture_start h1.t0 t1 "$STATE/t1"
	capture_start h1.v0 v0 "$STATE/v0"
}

# path FILTER: the devices that a frame passed, in order of time. A one-armed function shows a frame twice, in and out.
path() {
	local device
	for device in s0 t0 t1 v0; do
		tcpdump -Z root -tt --time-stamp-precision=nano -r "$STATE/$device" "$1" 2>/dev/null | sed "s/ .*/ $device/"
	done | sort -n | cut -d' ' -f2 | uniq | xargs
}

udp_frame() { echo "eth('$2', '$1', ip4('$3', '$4', udp($5, $5)))"; }

# order LEAVING TOWARDS [cmd]: the paths of one datagram from a, of one to it and of a broadcast, which arrives once.
order() {
	watch
	capture_start h1.pa eth0 "$STATE/a"
	send h1.pa "$(udp_frame $A $B $A4 $B4 901)"
	send h2.pb "$(udp_frame $B $A $B4 $A4 902)"
	send h2.pb "eth(BROADCAST, '$B', ip4('$B4', '255.255.255.255', udp(997, 997)))"
	${3:-true}
	capture_stop
	expect_eq "$1" "$(path "vlan and udp port 901")" "leaving"
	expect_eq "$2" "$(path "vlan and udp port 902")" "towards"
	expect_eq "$2" "$(path "vlan and udp port 997")" "a broadcast towards"
	expect_captured 1 "$STATE/a" "udp port 997" "which arrives once"
}

traffic() {
	ping_ok h1.pa $B4
	ping_ok h2.pb $A6
	tcp_ok h1.pa $B4 7
}

# What each of them sees.
at_functions() {
	local device
	for device in s0 t0 t1 v0; do
		expect_captured 0 "$STATE/$device" "not vlan 301" "$device: nothing without the tag"
		expect_captured 0 "$STATE/$device" "vlan and ether src $A and ether[14:2] != $LEAVING" "$device: from a with PCP 1"
		expect_captured 0 "$STATE/$device" "vlan and ether dst $A and ether[14:2] != $TOWARDS" "$device: to a with PCP 2"
	done
	tshark_clean "$STATE/v0"
}

# field STEP FIELD: a counter of a step.
field() { counter_get h1 steps "red/inspect/$1:$2"; }

steps_are_counted() {
	local step
	local -A sent returned
	for step in fw ips waf; do
		sent[$step]=$(field $step sent)
		returned[$step]=$(field $step returned)
	done
	ping_ok h1.pa $B4
	for step in fw ips waf; do
		expect_eq $((sent[$step] + 6)) "$(field $step sent)" "$step was sent three pings and their answers"
		expect_eq $((returned[$step] + 6)) "$(field $step returned)" "$step gave all back"
	done
	expect_eq "fw ips waf fw ips waf" "$(weft_on h1 -j verify | jq -r '[.chains | sort_by(.way)[].function] | join(" ")')" \
		"a probe crosses each step, both ways"
}

# Each function's device is believed what its own step was sent; frames of one go to the next, and no further.
believed() {
	local SEND_DEVICE=s0
	watch
	expect_drop h1 sf_no_flow h1.s0 "eth('$B', '$A', vlan(301, ip4('$A4', '$B4', udp(903, 903)), pcp=1))" \
		"the first one gives back what it was not given"
	SEND_DEVICE=v0
	expect_drop h1 sf_unknown h1.v0 "eth('$B', '$A', vlan(301, ip4('$A4', '$B4', udp(904, 904)), pcp=2))" \
		"the last function gives back a frame of the other pass"
	expect_drop h1 sf_unknown h1.v0 "eth('$B', '$C', vlan(301, ip4('$C4', '$B4', udp(904, 904)), pcp=1))" \
		"or one of another workload"
	expect_drop h1 sf_no_flow h1.v0 "eth('$A', '$B', vlan(301, ip4('$B4', '$A4', udp(904, 904)), pcp=2))" \
		"or one that nobody admitted"
	expect_drop h1 sf_unknown h1.v0 "eth('$B', '$A', vlan(302, ip4('$A4', '$B4', udp(904, 904)), pcp=1))" "or another tag"
	SEND_DEVICE=t0
	expect_drop h1 sf_unknown h1.t0 "eth('$B', '$A', vlan(301, ip4('$A4', '$B4', udp(904, 904)), pcp=1))" \
		"a function of two arms gives back where frames enter"
	capture_stop
	expect_eq s0 "$(path "vlan and udp port 903")" "what the first one makes up gets no further"
	expect_eq 0 "$(captured "$STATE/s0" "vlan and udp port 904")" "nothing goes back to an earlier one"
}

# silence: the two-armed function goes deaf, and is noticed.
silence() {
	function_kill h1 t0 t1
	send h1.pa "$(udp_frame $A $B $A4 $B4 905)" 8
	sleep 1.2
}

dead_closed() {
	silence
	expect_drop h1 sf_down h1.pa "$(udp_frame $A $B $A4 $B4 905)" "a closed step"
	expect_ok -t "status names the function" eval 'weft_on h1 status | grep -q "function ips/ips1 has returned nothing.*dropped"'
	expect_ok weft_on h1 chain set red/inspect bypass on
	ping_ok h1.pa $B4
	expect_ok weft_on h1 chain set red/inspect bypass off
	function_revive h1 t0 t1
	wait_for 8 can_ping h1.pa $B4
	ping_ok h1.pa $B4
}

dead_open() {
	local before
	expect_ok weft_on h1 chain set red/inspect steps '[{function: fw}, {function: ips, on_failure: open}, {function: waf}]'
	silence
	watch
	expect_counter_moved h1 steps red/inspect/ips:skipped ping_ok h1.pa $B4
	ping_ok h2.pb $A6
	# Of what skips it one frame in 64, and one a second, is risked.
	tcp_ok h1.pa $B4 7 --timeout 5000
	capture_stop
	expect_eq "s0 v0" "$(path "vlan and icmp[icmptype] == icmp-echo and ether src $A" | tr ' ' '\n' | uniq | sort -u | grep -v t | xargs)" \
		"the others still see what skips the dead one"
	expect_ok -t "status says so" eval 'weft_on h1 status | grep -q "function ips/ips1 has returned nothing.*skips it"'
	# It is tried now and then, and is back in the wire when it answers.
	function_revive h1 t0 t1
	send h1.pa "$(udp_frame $A $B $A4 $B4 906)" 200 2
	before=$(field ips returned)
	ping_ok h1.pa $B4
	expect_eq $((before + 6)) "$(field ips returned)" "it is back"
}

# Its devices are gone: closed drops, open goes on, and the last step open leads on to the receiver.
gone() {
	in_ns h1 ip link del v0
	configure '[{function: fw}, {function: ips}, {function: waf, on_failure: open}]'
	ping_ok h1.pa $B4
	ping_ok h2.pb $A6
	expect_counter_moved h1 steps red/inspect/waf:skipped tcp_ok h1.pa $B4 7
	expect_ok weft_on h1 chain set red/inspect steps '[{function: fw}, {function: ips}, {function: waf}]'
	expect_drop h1 sf_down h1.pa "$(udp_frame $A $B $A4 $B4 905)" "a closed step without its device"
	expect_ok weft_on h1 chain set red/inspect steps '[{function: waf, on_failure: open}]'
	ping_ok h1.pa $B4
	ping_ok h1.pa $C6
}

# a and c behind the same chain: leaving a through all, then towards c through all.
both_ends() {
	configure "$ORDER" "mirror_order: true" "port:a, port:c"
	watch
	ping_ok h1.pc $A6
	send h1.pa "$(udp_frame $A $C $A4 $C4 907)"
	capture_stop
	expect_eq "s0 t0 t1 v0 t1 t0 s0" "$(path "vlan and udp port 907")" "both ends, mirrored"
	configure "$ORDER" "mirror_order: false" "port:a, port:c"
	watch
	ping_ok h1.pa $C4
	send h1.pa "$(udp_frame $A $C $A4 $C4 908)"
	capture_stop
	expect_eq "s0 t0 t1 v0 s0 t1 t0 v0" "$(path "vlan and udp port 908")" "both ends, in one order"
}

refusals() {
	expect_refused "stands once in a chain" weft_on h1 chain set red/inspect steps fw,ips,fw
	expect_refused "is that of tenants/red/chains/inspect already" weft_on h1 chain add red/other tag 301 steps waf,ips
}

run() {
	if [ "$MODE" = xdp ]; then
		function_xdp_ready h1.s0 s0
		function_xdp_ready h1.t0 t0
		function_xdp_ready h1.t0 t1
		function_xdp_ready h1.v0 v0
	fi
	configure "$ORDER"
	order "s0 t0 t1 v0" "s0 t1 t0 v0" traffic
	at_functions
	steps_are_counted
	believed
	refusals
	configure "$ORDER" "mirror_order: true"
	order "s0 t0 t1 v0" "v0 t1 t0 s0"
	both_ends
	configure "$ORDER"
	dead_closed
	dead_open
}
echo_serve h2.pb 7
echo_serve h1.pa 7
each_mode run
gone
