#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# chain_mtu: packets as large as may be, through a function on another host: workload a and c on h1, the function s0 on h2. What
# cannot fit is refused with the number that would; what fits passes, on an underlay of 1500 and on a jumbo one; and what
# does not fit by then is dropped under its own reason.
. "$(dirname "$0")/../lib/lab.sh"

UNDERLAY_MTU=1500
lab() {
	need_weft
	host_add h1 192.168.50.1/24
	host_add h2 192.168.50.2/24
	underlay_link h1 u0 h2 u0
	workload_add h1 pa $A $A4/24,$A6/64
	workload_add h1 pc $C $C4/24,$C6/64
	function_add h2 s0
	function_add h1 s1
	weft_load h1
	weft_load h2
}

# config MTU [MORE INSTANCES]
config() {
	cat <<-YAML
	version: 1
	hosts:
	  h1: {vtep: 192.168.50.1, underlay: [u0], mode: $MODE}
	  h2: {vtep: 192.168.50.2, underlay: [u0], mode: $MODE}
	service_functions: {far: {instances: {far1: {host: h2, device: s0}${2:+, $2}}}}
	tenants:
	  red:
	    options: {default: {in: allow, out: allow}}
	    networks: {web: {vni: 101, mtu: $1, subnets: [10.0.1.0/24, "fd00:1::/64"]}}
	    ports:
	      a: {network: web, host: h1, device: pa, mac: "$A", addresses: [$A4, "$A6"]}
	      c: {network: web, host: h1, device: pc, mac: "$C", addresses: [$C4, "$C6"]}
	    chains: {inspect: {tag: 301, steps: [{function: far}]}}
	    insert: [{name: wire, apply_to: [port:a], chain: inspect}]
	YAML
}

applies() {
	local host
	config "$@" > "$STATE/apply.yaml"
	for host in h1 h2; do
		run_quietly weft_on $host apply "$STATE/apply.yaml" || { show_output; fail "apply on $host with mtu $1"; }
	done
}

refused() {
	config "$2" > "$STATE/apply.yaml"
	expect_refused "mtu $2 and 74 bytes.*do not fit the MTU $3 of the underlay device u0: set mtu to $(($3 - 74)) or less, or the device's MTU to $(($2 + 74))" \
		weft_on "$1" apply "$STATE/apply.yaml"
}

# workloads MTU: theirs, and that of their devices on the host.
workloads() {
	local w
	for w in pa pc; do
		in_ns h1.$w ip link set eth0 mtu "$1"
		in_ns h1 ip link set $w mtu "$1"
	done
}

underlay() {
	in_ns h1 ip link set u0 mtu "$1"
	in_ns h2 ip link set u0 mtu "$1"
}

function_mtu() {
	in_ns h2 ip link set s0 mtu "$1"
	in_ns h2.s0 ip link set s0 mtu "$1"
}

# full MTU: of each family a packet of so many bytes, which may not be cut.
full() {
	expect_ok -t "$1 bytes of IPv4 pass" in_ns h1.pa ping -n -c 2 -i 0.1 -W 1 -q -M 'do' -s $(($1 - 28)) $C4
	expect_ok -t "$1 bytes of IPv6 pass" in_ns h1.pa ping -n -c 2 -i 0.1 -W 1 -q -M 'do' -s $(($1 - 48)) $C6
}

jumbo() {
	local mtu=$(($1 - 74))
	underlay "$1"
	sleep 1.2
	workloads $mtu
	refused h1 $((mtu + 1)) "$1"
	config $mtu > "$STATE/apply.yaml"
	expect_refused "mtu $mtu does not fit the MTU 1500 of s0" weft_on h2 apply "$STATE/apply.yaml"
	function_mtu $mtu
	applies $mtu
	full $mtu
	tcp_ok h1.pa $C4 7 --size 60000
}

sizes() {
	refused h1 1427 1500
	refused h2 1427 1500
	workloads 1426
	applies 1426
	full 1426
	tcp_ok h1.pa $C4 7 --size 60000

	# The underlay carries less than when it was looked at.
	in_ns h1 ip link set u0 mtu 1499
	sleep 1.2
	expect_counter_moved h1 drops too_big in_ns h1.pa ping -n -c 2 -i 0.1 -W 0.3 -q -M 'do' -s $((1426 - 28)) $C4
	expect_counter_still h1 drops too_big in_ns h1.pa ping -n -c 2 -i 0.1 -W 1 -q -M 'do' -s $((1425 - 28)) $C4
	# A veth with XDP takes no more than a page has room for.
	[ "$MODE" = tc ] && jumbo 9000 || jumbo 3400
	underlay 1500
	function_mtu 1500
	workloads 1426
	applies 1426
}

# Where one instance is near, the far one is no reason to refuse anything, and is not used either.
near_is_enough() {
	local before
	applies 1450 "near: {host: h1, device: s1}"
	expect_output "function far: its instances on other hosts are not used for ports here: network red/web has mtu 1450" \
		weft_on h1 apply "$STATE/apply.yaml"
	ping_ok h1.pa $C4
	function_kill h1 s1
	before=$(frames_seen h2.s0 s0)
	send h1.pa "eth('$C', '$A', ip4('$A4', '$C4', udp(901, 901)))" 8
	sleep 1.2
	expect_counter_moved h1 drops sf_down ping_fail h1.pa $C4
	expect_eq 0 $(($(frames_seen h2.s0 s0) - before)) "nothing goes where it might not fit"
	function_revive h1 s1
	applies 1426 "near: {host: h1, device: s1}"
	function_kill h1 s1
	for n in 1 2 3 4; do send h1.pa "eth('$C', '$A', ip4('$A4', '$C4', udp(91$n, 901)))" 3; done
	wait_for 5 can_ping h1.pa $C4
	ping_ok h1.pa $C4
	[ $(($(frames_seen h2.s0 s0) - before)) -ge 6 ] && ok "what fits goes there" || fail "it does not go there"
	function_revive h1 s1
}

run() {
	if [ "$MODE" = xdp ]; then
		function_xdp_ready h2.s0 s0
		function_xdp_ready h1.s1 s1
	fi
	sizes
	near_is_enough
}

lab
echo_serve h1.pc 7
LAB_WORKLOADS="h1.pa h1.pc"
each_mode run
