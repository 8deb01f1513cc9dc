#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# smoke.sh: what must hold on every kernel: two hosts, a workload on each, an ACL, and a chain through a one-arm
# function on the first host. In both modes: every program loads and attaches, an overlay carries IPv4 and IPv6, what is
# allowed passes, what is denied does not and is counted, the function sees the frames, unload leaves nothing. Then maps of
# another version become those of this one, and go back.

. "$(dirname "${BASH_SOURCE[0]}")/../lib/net.sh"

MAC1=02:00:00:00:00:0a MAC2=02:00:00:00:00:0b

topology() {
	host_add h1 192.168.50.1/24
	host_add h2 192.168.50.2/24
	underlay_link h1 u0 h2 u0
	workload_add h1 p0 $MAC1 10.0.1.1/24,fd00:1::1/64
	workload_add h2 p0 $MAC2 10.0.1.2/24,fd00:1::2/64
	function_add h1 s0
	echo_serve h2.p0 5432 5433
}

xdp_ready() {
	workload_xdp_ready h1.p0
	workload_xdp_ready h2.p0
	nic_like h1 u0
	nic_like h2 u0
	function_xdp_ready h1.s0 s0
}

# yaml MODE INSERT
yaml() {
	cat <<-YAML
		version: 1
		hosts:
		  h1: {vtep: 192.168.50.1, underlay: [u0], mode: $1}
		  h2: {vtep: 192.168.50.2, underlay: [u0], mode: $1}
		service_functions:
		  inspector: {instances: {i1: {host: h1, device: s0}}}
		tenants:
		  red:
		    options: {default: {in: deny, out: allow}}
		    networks:
		      web: {vni: 101, subnets: [10.0.1.0/24, "fd00:1::/64"]}
		    ports:
		      a: {network: web, host: h1, device: p0, mac: "$MAC1", addresses: [10.0.1.1, "fd00:1::1"]}
		      b: {network: web, host: h2, device: p0, mac: "$MAC2", addresses: [10.0.1.2, "fd00:1::2"]}
		    acl:
		      - {name: ping, direction: in, priority: 50, protocol: icmp, action: allow}
		      - {name: ping6, direction: in, priority: 50, protocol: icmpv6, action: allow}
		      - {name: pg, direction: in, priority: 100, protocol: tcp, destination_port: 5432, action: allow}
		    chains:
		      inspect: {tag: 301, steps: [{function: inspector}]}
		    insert: [$2]
	YAML
}

overlay_and_acl() {
	ping_ok h1.p0 10.0.1.2
	ping_ok h1.p0 fd00:1::2
	tcp_ok h1.p0 10.0.1.2 5432
	tcp_ok h1.p0 fd00:1::2 5432
	expect_counter_moved h2 drops acl_in echo_tcp h1.p0 10.0.1.2 5433 --timeout 600
	tcp_fail h1.p0 fd00:1::2 5433
}

chain() {
	local before after
	before=$(frames_seen h1.s0 s0)
	tcp_ok h1.p0 10.0.1.2 5432
	ping_ok h1.p0 fd00:1::2
	after=$(frames_seen h1.s0 s0)
	if [ $((after - before)) -ge 8 ]; then
		ok "the function saw $((after - before)) frames"
	else
		fail "the function saw $((after - before)) frames"
	fi
	function_kill h1 s0
	tcp_fail h1.p0 10.0.1.2 5432
	expect_status 4 weft_on h1 verify
	function_revive h1 s0
	tcp_ok h1.p0 10.0.1.2 5432
	expect_status 0 weft_on h1 verify
}

nothing_left() {
	local host left
	for host in h1 h2; do
		expect_ok -t "$host unloads" weft_on "$host" unload --force
		left=$(in_ns "$host" tc filter show dev p0 ingress; in_ns "$host" tc filter show dev u0 ingress
			in_ns "$host" ip link show | grep -o 'prog/xdp.*'; ls "$(root_of "$host")" 2>/dev/null)
		expect_eq '' "$left" "nothing is left on $host"
	done
}

mode() {
	note "mode $1"
	[ "$1" = tc ] || xdp_ready
	weft_load h1
	weft_load h2
	yaml "$1" '' | weft_apply h1 h2
	overlay_and_acl
	yaml "$1" '{name: all-of-a, apply_to: [port:a], chain: inspect}' | weft_apply h1 h2
	chain
	nothing_left
}

# Maps of another version become this one's on one host, and go back, with the flows in them.
OLD=$BUILD/upgrade/abi2/weft
versions() {
	local host flows
	note "versions of the maps"
	for host in h1 h2; do WEFT=$OLD weft_on $host load --host $host || die "load of version 2"; done
	yaml "$1" '' | WEFT=$OLD weft_apply h1 h2
	WEFT=$OLD tcp_ok h1.p0 10.0.1.2 5432
	WEFT=$OLD ping_ok h1.p0 fd00:1::2
	flows=$(WEFT=$OLD flows_of h1)
	expect_ok -t "there are flows" test -n "$flows"
	expect_ok weft_on h1 load
	expect_eq "$flows" "$(flows_of h1)" "version 4 has them"
	tcp_ok h1.p0 10.0.1.2 5432
	flows=$(flows_of h1)
	expect_ok weft_on h1 load --previous
	expect_eq "$flows" "$(WEFT=$OLD flows_of h1)" "version 2 has them"
	WEFT=$OLD tcp_ok h1.p0 10.0.1.2 5432
	WEFT=$OLD nothing_left
}

# TCP's alone: a ping's flow lives for 30 s, and an emulated machine may take longer.
flows_of() {
	weft_on "$1" -j ct show | jq -r '.[] | select(.protocol == "tcp") |
		"\(.protocol) \(.source):\(.source_port) \(.destination):\(.destination_port) \(.packets) \(.reply_packets)"' | LC_ALL=C sort
}

need_weft
topology
mode tc
mode xdp
[ ! -x "$OLD" ] || versions xdp
