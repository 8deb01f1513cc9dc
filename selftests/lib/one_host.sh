# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2154
#
# one_host.sh: what tests of one host's configuration stand on, besides net.sh. To be sourced instead of it.
#
#	one_host N		host h1 with N workloads: of the Nth the device is pN, the MAC 02:00:00:00:00:0N, the address 10.0.1.N
#	one_host_yaml		their configuration, as ports w1 to wN of tenant red; each line of stdin goes under the tenant,
#				two levels deep

# shellcheck source=selftests/lib/net.sh
. "$(dirname "${BASH_SOURCE[0]}")/net.sh"

one_host() {
	local n
	need_weft
	need jq
	ONE_HOST_PORTS=$1
	host_add h1 192.168.50.1/24
	netns_add wire
	pair h1 u0 wire u0
	underlay_dev h1 u0
	for ((n = 1; n <= $1; n++)); do workload_add h1 p$n 02:00:00:00:00:0$n 10.0.1.$n/24; done
}

one_host_yaml() {
	local n
	cat <<-YAML
	version: 1
	hosts:
	  h1: {vtep: 192.168.50.1, underlay: [u0]}
	tenants:
	  red:
	    networks:
	      web: {vni: 101, subnets: [10.0.1.0/24]}
	    ports:
	YAML
	for ((n = 1; n <= ONE_HOST_PORTS; n++)); do
		echo "      w$n: {network: web, host: h1, device: p$n, mac: \"02:00:00:00:00:0$n\", addresses: [10.0.1.$n]}"
	done
	sed 's/^/    /'
}
