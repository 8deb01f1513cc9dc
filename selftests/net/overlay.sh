#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# overlay: red and blue have workloads with the same MACs and addresses on hosts h1 and h2. Each reaches its
# own tenant's and never the other's; v4 and v6; ARP and ND are answered at the port.
. "$(dirname "$0")/../lib/net.sh"
need_weft

host_add h1 192.168.50.1/24
host_add h2 192.168.50.2/24
underlay_link h1 u0 h2 u0
for tenant in red blue; do
	workload_add h1 "${tenant}1" 02:00:00:00:00:0a 10.0.1.1/24,fd00:1::1/64
	workload_add h1 "${tenant}3" 02:00:00:00:00:0c 10.0.1.3/24,fd00:1::3/64
	workload_add h2 "${tenant}2" 02:00:00:00:00:0b 10.0.1.2/24,fd00:1::2/64
done

configuration() {
	cat <<-YAML
	version: 1
	hosts:
	  h1: {vtep: 192.168.50.1, underlay: [u0], mode: $1}
	  h2: {vtep: 192.168.50.2, underlay: [u0], mode: $1}
	tenants:
	YAML
	for tenant in red blue; do
		cat <<-YAML
		  $tenant:
		    networks:
		      web: {vni: $([ $tenant = red ] && echo 101 || echo 102), subnets: [10.0.1.0/24, "fd00:1::/64"]}
		    ports:
		      w1: {network: web, host: h1, device: ${tenant}1, mac: "02:00:00:00:00:0a", addresses: [10.0.1.1, "fd00:1::1"]}
		      w2: {network: web, host: h2, device: ${tenant}2, mac: "02:00:00:00:00:0b", addresses: [10.0.1.2, "fd00:1::2"]}
		      w3: {network: web, host: h1, device: ${tenant}3, mac: "02:00:00:00:00:0c", addresses: [10.0.1.3, "fd00:1::3"]}
		    acl:
		      - {name: ping, direction: in, priority: 50, protocol: icmp, action: allow}
		      - {name: ping6, direction: in, priority: 50, protocol: icmpv6, action: allow}
		      - {name: echo, direction: in, priority: 50, protocol: tcp, destination_port: 7, action: allow}
		      - {name: echo-udp, direction: in, priority: 50, protocol: udp, destination_port: 7, action: allow}
		YAML
	done
}

weft_load h1
weft_load h2
configuration "${MODE:-tc}" | weft_apply h1 h2

ping_ok h1.red1 10.0.1.2
ping_ok h1.red1 10.0.1.3
ping_ok h1.blue1 10.0.1.2
ping_ok h2.red2 fd00:1::1
ping_ok h1.blue1 fd00:1::3

# The same five-tuple in both tenants at once: each is answered by its own.
echo_serve h2.red2 7
echo_serve h2.blue2 7
echo_serve h1.red3 7
tcp_ok h1.red1 10.0.1.2 7 --sport 40001
tcp_ok h1.blue1 10.0.1.2 7 --sport 40001
udp_ok h1.red1 10.0.1.2 7 --sport 40001
udp_ok h1.blue1 10.0.1.2 7 --sport 40001
tcp_ok h1.red1 fd00:1::2 7
udp_ok h1.red1 fd00:1::2 7
tcp_ok h1.red1 10.0.1.3 7
expect_counter_moved h1 drops acl_in tcp_fail h1.red1 10.0.1.3 9
expect_counter_moved h2 drops acl_in tcp_fail h1.red1 10.0.1.2 9

# blue2 goes away: blue is silent, although red's workload has the same addresses.
in_ns h2.blue2 ip link set eth0 down
tcp_fail h1.blue1 10.0.1.2 7
tcp_ok h1.red1 10.0.1.2 7

# Nobody has the address: nothing is flooded, and the drop has a name.
expect_counter_moved h1 drops neigh_unknown ping_fail h1.red1 10.0.1.77
