# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2154
#
# ports_lab.sh: one host with very many ports, for benches. To be sourced after net.sh.
#
#	ports_lab_host HOST THIRD_OCTET     a host 192.168.N.1 with underlay u0, whose other end is a namespace of its own
#	ports_lab_devices HOST N            N devices v1 to vN, up: both ends of N/2 veth pairs
#	ports_lab_yaml HOST THIRD_OCTET N   the configuration: N ports in tenants of 100, each tenant a network and a rule

ports_lab_host() {
	host_add "$1" "192.168.$2.1/24"
	netns_add "$1-wire"
	pair "$1" u0 "$1-wire" u0
	underlay_dev "$1" u0
}

# Devices of one namespace: what leaves one end comes in at the other, so two ports are behind one pair.
ports_lab_devices() {
	in_ns "$1" sh -c 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6'
	seq 2 2 "$2" | awk '{ printf "link add v%d type veth peer name v%d\n", $1 - 1, $1 }' | in_ns "$1" ip -batch -
	seq "$2" | awk '{ printf "link set v%d up\n", $1 }' | in_ns "$1" ip -batch -
}

ports_lab_yaml() {
	cat <<-YAML
	version: 1
	hosts:
	  $1: {vtep: 192.168.$2.1, underlay: [u0]}
	tenants:
	YAML
	seq "$3" | awk -v host="$1" '
		{ t = int(($1 - 1) / 100) }
		$1 % 100 == 1 {
			printf "  t%d:\n    networks: {n: {vni: %d}}\n", t, 1000 + t
			printf "    acl: [{name: ping, direction: in, priority: 50, protocol: icmp, action: allow}]\n    ports:\n"
		}
		{ printf "      p%d: {network: n, host: %s, device: v%d, mac: \"02:00:00:00:%02x:%02x\", addresses: [10.0.%d.%d]}\n",
			$1, host, $1, int($1 / 256), $1 % 256, int($1 / 256), $1 % 256 }'
}
