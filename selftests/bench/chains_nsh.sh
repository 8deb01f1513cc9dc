#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# chains_nsh.sh: what the way to another host leaves of a TCP stream through a function. Three hosts at a switch, in tc mode; on
# x1 and x2 a workload of each of two tenants, who differ in nothing but where the function in the wire of the one on x2 is: on
# x2 itself (near), or on x3 (far). Each is the example's reflector, of one arm, and takes super-packets. One connection, to the
# inspected workload. In turns; medians, the ratio of pairs.
#
#	nsh_stream_gbps_{near,far}
#	nsh_stream_ratio		far over near
UNDERLAY_MTU=1524
. "$(dirname "$0")/../lib/net.sh"
. "$(dirname "$0")/figures.sh"
need_weft
need jq

ROUNDS=${ROUNDS:-15} SECONDS_EACH=${SECONDS_EACH:-1}
MAC_A=02:00:00:00:00:0a MAC_B=02:00:00:00:00:0b
A4=10.0.1.1 B4=10.0.1.2
declare -A WORKLOAD=([near]=p0 [far]=q0) FUNCTION_HOST=([near]=x2 [far]=x3)

lab() {
	local n kind
	for n in 1 2 3; do host_add x$n 192.168.67.$n/24; done
	underlay_bridge x1 u0 x2 u0 x3 u0
	for kind in near far; do
		workload_add x1 "${WORKLOAD[$kind]}" $MAC_A $A4/24
		workload_add x2 "${WORKLOAD[$kind]}" $MAC_B $B4/24
		function_wire "${FUNCTION_HOST[$kind]}" s0
		function_start "${FUNCTION_HOST[$kind]}.s0" "$TOOLS/reflector" s0
	done
	for n in 1 2 3; do weft_load x$n; done
}

# tenant NAME VNI TAG: its function is of the same name
tenant() {
	cat <<-YAML
	  $1:
	    options: {default: {in: allow, out: allow}}
	    networks: {web: {vni: $2, subnets: [10.0.1.0/24], mtu: $WORKLOAD_MTU}}
	    ports:
	      a: {network: web, host: x1, device: ${WORKLOAD[$1]}, mac: "$MAC_A", addresses: [$A4]}
	      b: {network: web, host: x2, device: ${WORKLOAD[$1]}, mac: "$MAC_B", addresses: [$B4]}
	    chains: {inspect: {tag: $3, steps: [{function: $1}]}}
	    insert: [{name: wire, apply_to: [port:b], chain: inspect}]
	YAML
}

configuration() {
	cat <<-YAML
	version: 1
	hosts:
	  x1: {vtep: 192.168.67.1, underlay: [u0], mode: tc}
	  x2: {vtep: 192.168.67.2, underlay: [u0], mode: tc}
	  x3: {vtep: 192.168.67.3, underlay: [u0], mode: tc}
	service_functions:
	  near: {instances: {one: {host: x2, device: s0, offloads: keep}}}
	  far: {instances: {one: {host: x3, device: s0, offloads: keep}}}
	tenants:
	YAML
	tenant near 101 301
	tenant far 102 302
}

stream() {
	"$TOOLS/stream" --client-ns "$(netns_of "x1.${WORKLOAD[$1]}")" --server-ns "$(netns_of "x2.${WORKLOAD[$1]}")" --addr $B4 \
		--client-cpu 0 --server-cpu $(($(nproc) > 1)) --seconds "$SECONDS_EACH" --warmup 0.4 | sed -n 's/^gbps=//p'
}

sent() { counter_get "$1" steps "$2/inspect/$2:returned"; }

lab
weft_apply x1 x2 x3 > /dev/null < <(configuration)
for kind in near far; do ping_ok "x1.${WORKLOAD[$kind]}" $B4; done
before_near=$(sent x2 near) before_far=$(sent x2 far)
for ((round = 0; round < ROUNDS; round++)); do
	for kind in near far; do sample $kind "$(stream $kind)"; done
done
expect_ok -t "the streams passed the functions" test $(($(sent x2 near) - before_near)) -gt 10000 -a $(($(sent x2 far) - before_far)) -gt 10000
expect_eq "0 0" "$(counter_get x2 drops sf_down) $(counter_get x3 drops sf_down)" "none was taken for dead"
for kind in near far; do figure nsh_stream_gbps_$kind "$(median $kind)"; done
ratio_figure nsh_stream_ratio far near
