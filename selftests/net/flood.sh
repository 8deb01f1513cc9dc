#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# flood: h1, h2 and h3 on one switch; red's network has ports on h1 (a, c) and h2 (b), blue's on h3. Broadcast, multicast
# and unknown unicast of a reach c and b, once each, and h3 never sees them, nor do they come back to a.
. "$(dirname "$0")/../lib/lab.sh"
need tcpdump

host_add h1 192.168.50.1/24
host_add h2 192.168.50.2/24
host_add h3 192.168.50.3/24
underlay_bridge h1 u0 h2 u0 h3 u0
workload_add h1 pa $A $A4/24,$A6/64
workload_add h1 pc $C $C4/24,$C6/64
workload_add h2 pb $B $B4/24,$B6/64
workload_add h3 pd $B $B4/24
for host in h1 h2 h3; do weft_load $host; done
LAB_HOSTS="h1 h2 h3"
LAB_WORKLOADS="h1.pa h1.pc h2.pb h3.pd"

# configure ACTION: what b lets in of UDP port 997.
configure() {
	lab_apply <<-YAML
	options: {default: {in: allow, out: allow}}
	acl:
	  - {name: b, apply_to: [port:b], direction: in, priority: 50, protocol: udp, destination_port: 997, action: deny}
	  - {name: a, apply_to: [port:a], direction: out, priority: 50, protocol: udp, destination_port: 996, action: deny}
	YAML
}

# lab_yaml knows two hosts: this one adds the third, and who lives there.
eval "two_hosts_$(declare -f lab_yaml)"
lab_yaml() {
	two_hosts_lab_yaml | sed "s/^  h2:.*/&\n  h3: {vtep: 192.168.50.3, underlay: [u0], mode: $MODE}/"
	cat <<-YAML
	  blue:
	    networks:
	      web: {vni: 102, subnets: [10.0.1.0/24]}
	    ports:
	      d: {network: web, host: h3, device: pd, mac: "$B", addresses: [$B4]}
	YAML
}

flooded() { echo "eth($1, '$A', ip4('$A4', '$2', udp(999, $3)))"; }

run() {
	local captures=$STATE/$MODE kind
	configure
	# The next hop of h2 is not known before the first packet: a copy does not wait for it.
	ping_ok h1.pa $B4
	for device in h1.pa:eth0 h1.pc:eth0 h2.pb:eth0 h3.pd:eth0 h3:u0; do
		capture_start "${device%:*}" "${device#*:}" "$captures.${device%:*}"
	done
	send h1.pa "$(flooded BROADCAST 255.255.255.255 901)"
	send h1.pa "$(flooded "'01:00:5e:00:00:fb'" 224.0.0.251 902)"
	send h1.pa "$(flooded "'02:00:00:00:00:77'" 10.0.1.77 903)"
	send h1.pa "eth(group_mac('ff02::fb'), '$A', ip6('$A6', 'ff02::fb', udp(999, 904)))"
	expect_drop h2 acl_in h1.pa "$(flooded BROADCAST 255.255.255.255 997)" "b does not let it in"
	expect_drop h1 acl_out h1.pa "$(flooded BROADCAST 255.255.255.255 996)" "a may not send it"
	ping_ok h1.pa $B4
	capture_stop
	for kind in 901:broadcast 902:multicast 903:unknown\ unicast 904:IPv6\ multicast; do
		expect_captured 1 "$captures.h1.pa" "udp port ${kind%%:*}" "${kind#*:} does not come back to its sender"
		expect_captured 1 "$captures.h1.pc" "udp port ${kind%%:*}" "${kind#*:} reaches the neighbour on the host"
		expect_captured 1 "$captures.h2.pb" "udp port ${kind%%:*}" "${kind#*:} reaches the other host"
	done
	expect_captured 1 "$captures.h1.pc" "udp port 997" "the ACL of one receiver is not another's"
	expect_captured 0 "$captures.h2.pb" "udp port 997 or udp port 996" "what is denied arrives nowhere"
	expect_captured 0 "$captures.h3" "udp port 4789" "no tunnel packet comes to the host without ports in the network"
	expect_captured 0 "$captures.h3.pd" "ether src $A" "and nothing to its workload"
}
each_mode run
