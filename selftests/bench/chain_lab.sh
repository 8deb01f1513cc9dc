# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2154
#
# chain_lab.sh: two hosts X1 and X2, for a letter X: x in xdp mode, t in tc mode. On each a workload of three tenants, which
# differ in nothing but the chain in the wire of the one on X1: none (q0, tenant none), of one function (p0, one), of four
# (r0, four). The functions f0 to f3 are the example's reflector, on X1, with one arm each, s0 to s3; f0 is in both chains.
# To be sourced after net.sh and two_hosts.sh.
#
#	chain_lab X		all of it
#	reflector X NS DEVICE	one more reflector, of that kind

declare -A CHAIN_WORKLOAD=([none]=q0 [1]=p0 [4]=r0)
declare -A CHAIN_MODE=([x]=xdp [t]=tc) CHAIN_NET=([x]=65 [t]=66)

reflector() {
	if [ "$1" = x ]; then set -- "$2" "$TOOLS/reflector" -x "$3"; else set -- "$2" "$TOOLS/reflector" "$3"; fi
	function_start "$@"
}

chain_hosts() {
	local x=$1 net=${CHAIN_NET[$1]} dev
	host_add "${x}1" "192.168.$net.1/24"
	host_add "${x}2" "192.168.$net.2/24"
	underlay_link "${x}1" u0 "${x}2" u0
	for dev in "${CHAIN_WORKLOAD[@]}"; do
		workload_add "${x}1" "$dev" $MAC_A "$A4/24,$A6/64"
		workload_add "${x}2" "$dev" $MAC_B "$B4/24,$B6/64"
		[ "$x" = t ] || { workload_xdp_ready "${x}1.$dev"; workload_xdp_ready "${x}2.$dev"; }
	done
	for dev in s0 s1 s2 s3; do
		function_wire "${x}1" $dev
		reflector "$x" "${x}1.$dev" $dev
	done
	weft_load "${x}1"
	weft_load "${x}2"
}

# chain_tenant X NAME VNI DEVICE [CHAIN]
chain_tenant() {
	cat <<-YAML
	  $2:
	    options: {default: {in: deny, out: allow}, conntrack: {max_flows: 65536}}
	    networks: {web: {vni: $3, subnets: [10.0.1.0/24, "fd00:1::/64"], mtu: $WORKLOAD_MTU}}
	    ports:
	      a: {network: web, host: ${1}1, device: $4, mac: "$MAC_A", addresses: [$A4, "$A6"]}
	      b: {network: web, host: ${1}2, device: $4, mac: "$MAC_B", addresses: [$B4, "$B6"]}
	    acl:
	      - {name: udp, direction: in, priority: 100, protocol: udp, destination_port: 1000-65535, action: allow}
	      - {name: tcp, direction: in, priority: 90, protocol: tcp, destination_port: 1000-65535, action: allow}
	      - {name: ping, direction: in, priority: 80, protocol: icmp, action: allow}
	YAML
	[ -z "${5:-}" ] || cat <<-YAML
	    chains: {inspect: {$5}}
	    insert: [{name: wire, apply_to: [port:a], chain: inspect}]
	YAML
}

chain_yaml() {
	local x=$1 net=${CHAIN_NET[$1]} mode=${CHAIN_MODE[$1]}
	cat <<-YAML
	version: 1
	hosts:
	  ${x}1: {vtep: 192.168.$net.1, underlay: [u0], mode: $mode}
	  ${x}2: {vtep: 192.168.$net.2, underlay: [u0], mode: $mode}
	service_functions:
	  f0: {instances: {one: {host: ${x}1, device: s0}}}
	  f1: {instances: {one: {host: ${x}1, device: s1}}}
	  f2: {instances: {one: {host: ${x}1, device: s2}}}
	  f3: {instances: {one: {host: ${x}1, device: s3}}}
	tenants:
	YAML
	chain_tenant "$x" one 101 p0 'tag: 301, steps: [{function: f0}]'
	chain_tenant "$x" none 102 q0
	chain_tenant "$x" four 103 r0 'tag: 303, steps: [{function: f0}, {function: f1}, {function: f2}, {function: f3}]'
}

chain_lab() {
	local x=$1 host dev
	chain_hosts "$x"
	chain_yaml "$x" > "$STATE/apply.yaml"
	# The first host sends by XDP once the other end of its cable takes that, which it does since the second's apply.
	for host in "${x}1" "${x}2" "${x}1"; do
		run_quietly weft_on "$host" apply "$STATE/apply.yaml" || { show_output; die "weft apply on $host"; }
	done
	for dev in "${CHAIN_WORKLOAD[@]}"; do ping_ok "${x}1.$dev" $B4; done
}
