#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# underlay: h1 and h2 in different subnets behind a router, h1 in tc and h2 in xdp mode. The way is the kernel's to find: a
# route that changes is followed, a host without one is a counted drop, and what is no tunnel of ours passes untouched.
. "$(dirname "$0")/../lib/net.sh"
need_weft

host_add h1 192.168.51.1/24
host_add h2 192.168.52.1/24
underlay_routed h1 u0 h2 u0
workload_add h1 p0 02:00:00:00:00:0a 10.0.1.1/24,fd00:1::1/64
workload_add h2 p0 02:00:00:00:00:0b 10.0.1.2/24,fd00:1::2/64
workload_xdp_ready h2.p0

weft_load h1
weft_load h2
weft_apply h1 h2 <<-YAML
	version: 1
	hosts:
	  h1: {vtep: 192.168.51.1, underlay: [u0], mode: tc}
	  h2: {vtep: 192.168.52.1, underlay: [u0], mode: xdp}
	tenants:
	  red:
	    networks:
	      web: {vni: 101, subnets: [10.0.1.0/24, "fd00:1::/64"]}
	    ports:
	      w1: {network: web, host: h1, device: p0, mac: "02:00:00:00:00:0a", addresses: [10.0.1.1, "fd00:1::1"]}
	      w2: {network: web, host: h2, device: p0, mac: "02:00:00:00:00:0b", addresses: [10.0.1.2, "fd00:1::2"]}
	    acl:
	      - {name: ping, direction: in, priority: 50, protocol: icmp, action: allow}
	      - {name: ping6, direction: in, priority: 50, protocol: icmpv6, action: allow}
	YAML

ping_ok h1.p0 10.0.1.2
ping_ok h2.p0 10.0.1.1
ping_ok h1.p0 fd00:1::2

# The hosts' own traffic is none of weft's business.
ping_ok h1 192.168.52.1

# A next hop is asked for again within a second: without a route the drop has a name, and with it traffic is back.
in_ns h1 ip route del default
sleep 1.2
expect_counter_moved h1 drops no_route ping_fail h1.p0 10.0.1.2
in_ns h1 ip route add default via 192.168.51.254
ping_ok h1.p0 10.0.1.2

# XDP on an underlay whose other end is a veth without NAPI would lose what it sends: TC sends, and status says why.
offloads router h2 gro off
weft_on h2 apply "$STATE/apply.yaml" >/dev/null
expect_output 'u0 .*would be lost' weft_on h2 status
sleep 2.2	# XDP goes by an answer of the FIB for so long
ping_ok h1.p0 10.0.1.2
ping_ok h2.p0 fd00:1::1
nic_like router h2
weft_on h2 apply "$STATE/apply.yaml" >/dev/null
expect_fail -t "and no more once it has" sh -c "'$WEFT' -n $(netns_of h2) -r $(root_of h2) status | grep 'would be lost'"
ping_ok h1.p0 10.0.1.2
