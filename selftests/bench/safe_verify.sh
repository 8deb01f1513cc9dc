#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# safe_verify.sh: how long `weft verify` takes on a host with 1,000 ports of 50 tenants and a function in ten wires.
# Prints verify_s_1000_ports=N, the median of five; and, with -d, what it adds to an `apply` that changes nothing.
set -u

. "$(dirname "${BASH_SOURCE[0]}")/../lib/net.sh"
need_weft
need jq

TENANTS=50
PORTS=20	# of each
ROUNDS=5

configuration() {
	awk -v n="$TENANTS" -v m="$PORTS" 'BEGIN {
		print "version: 1\nhosts:\n  h1: {vtep: 192.168.50.1, underlay: [u0]}"
		print "service_functions:\n  ips: {instances: {one: {host: h1, device: s0}}}\ntenants:"
		for (t = 1; t <= n; t++) {
			printf "  t%d:\n    networks:\n      net: {vni: %d, subnets: [10.0.1.0/24]}\n    ports:\n", t, t + 1000
			for (p = 1; p <= m; p++) {
				printf "      w%d: {network: net, host: h1, device: p%d, ", p, (t - 1) * m + p
				printf "mac: \"02:00:00:00:%02x:%02x\", addresses: [10.0.1.%d]}\n", t, p, p
			}
			print "    acl:"
			for (r = 1; r <= 20; r++)
				printf "      - {name: r%d, direction: in, priority: %d, protocol: tcp, destination_port: %d, action: allow}\n", r, r, r
			if (t <= 10) {
				printf "    chains:\n      inspect: {tag: %d, steps: [{function: ips}]}\n", 300 + t
				print "    insert:\n      - {name: wire, apply_to: [port:w1], chain: inspect}"
			}
		}
	}'
}

# The other ends of the ports' devices need nobody behind them.
devices() {
	netns_add crowd
	seq $((TENANTS * PORTS)) | sed "s/.*/link add p& type veth peer name q& netns $(netns_of crowd)/" |
		in_ns h1 ip -batch -
	seq $((TENANTS * PORTS)) | sed 's/.*/link set p& up/' | in_ns h1 ip -batch -
}

# median_ms cmd...
median_ms() {
	local i start
	for ((i = 0; i < ROUNDS; i++)); do
		start=$(now_ms)
		"$@" > "$STATE/output" 2>&1 || { cat "$STATE/output" >&2; die "$*"; }
		echo $(($(now_ms) - start))
	done > "$STATE/times"
	sort -n "$STATE/times" | sed -n "$(((ROUNDS + 1) / 2))p"
}

host_add h1 192.168.50.1/24
host_add h2 192.168.50.2/24
underlay_link h1 u0 h2 u0
devices
function_add h1 s0
configuration > "$STATE/ports.yaml"
weft_load h1
weft_on h1 apply "$STATE/ports.yaml" > /dev/null || die "apply"
looked_at=$(weft_on h1 -j verify | jq '.checked.devices')
[ "$looked_at" -eq $((TENANTS * PORTS + 2)) ] || die "verify looked at $looked_at devices"
ms=$(median_ms weft_on h1 verify)
if [ "${1:-}" = -d ]; then
	note "a verify takes $ms ms"
	note "an idle apply takes $(median_ms weft_on h1 apply --no-verify "$STATE/ports.yaml") ms without it"
	note "and $(median_ms weft_on h1 apply "$STATE/ports.yaml") ms with it"
fi
ok "verified $ROUNDS times"
echo "verify_s_1000_ports=$(awk -v ms="$ms" 'BEGIN { printf "%.3f", ms / 1000 }')"
