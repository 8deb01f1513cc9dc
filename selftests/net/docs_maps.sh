#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# docs_maps: every bpftool line of maps/README.md works on a live root; entries put in with bpftool carry
# traffic; the pinned programs carry traffic when ip and tc attach them. Hosts h1 and h2, tenant red with
# web1 on h1 and web2 on h2, and web3, web4 on h1 for XDP.
. "$(dirname "$0")/../lib/net.sh"
need_weft
need bpftool jq tc

host_add h1 192.168.50.1/24
host_add h2 192.168.50.2/24
underlay_link h1 u0 h2 u0
workload_add h1 p0 02:00:00:00:00:0a 10.0.1.1/24,fd00:1::1/64
workload_add h1 p3 02:00:00:00:00:0c 10.0.1.3/24
workload_add h1 p4 02:00:00:00:00:0d 10.0.1.4/24
workload_add h2 p0 02:00:00:00:00:0b 10.0.1.2/24,fd00:1::2/64
function_add h1 s0
for w in h1.p3 h1.p4; do workload_xdp_ready $w; done

# web2 is configured where $1 is not "without"; the chain is in the wire of web1 where $2 is "chain".
configuration() {
	cat <<-YAML
	version: 1
	hosts:
	  h1: {vtep: 192.168.50.1, underlay: [u0]}
	  h2: {vtep: 192.168.50.2, underlay: [u0]}
	service_functions:
	  ips: {instances: {ips1: {host: h1, device: s0}}}
	tenants:
	  red:
	    networks:
	      web: {vni: 101, subnets: [10.0.1.0/24, "fd00:1::/64"]}
	    ports:
	      web1: {network: web, host: h1, device: p0, mac: "02:00:00:00:00:0a", addresses: [10.0.1.1, "fd00:1::1"]}
	      web3: {network: web, host: h1, device: p3, mode: xdp, mac: "02:00:00:00:00:0c", addresses: [10.0.1.3]}
	      web4: {network: web, host: h1, device: p4, mode: xdp, mac: "02:00:00:00:00:0d", addresses: [10.0.1.4]}
	YAML
	[ "$1" = without ] || cat <<-YAML
	      web2: {network: web, host: h2, device: p0, mac: "02:00:00:00:00:0b", addresses: [10.0.1.2, "fd00:1::2"]}
	YAML
	cat <<-YAML
	    options: {conntrack: {syn_proxy: auto}}
	    acl:
	      - {name: ping, direction: in, priority: 50, protocol: icmp, action: allow}
	      - {name: ping6, direction: in, priority: 50, protocol: icmpv6, action: allow}
	      - {name: echo, direction: in, priority: 50, protocol: tcp, destination_port: 7, action: allow}
	    chains:
	      inspect: {tag: 301, steps: [{function: ips}]}
	YAML
	[ "${2:-}" != chain ] || cat <<-YAML
	    insert:
	      - {name: all-of-web1, apply_to: [port:web1], chain: inspect}
	YAML
}

weft_load h1
weft_load h2
configuration with chain | weft_apply h1 h2
root=$(root_of h1)
ping_ok h1.p0 10.0.1.2
ping_ok h1.p0 fd00:1::2

# --- every line of the reference ---

# In the host's own namespace, as its user would: bpftool wants to name the devices of links.
lines=0
while read -r line; do
	lines=$((lines + 1))
	expect_ok -t "README: $line" in_ns h1 bash -c "${line//\/sys\/fs\/bpf\/weft/$root}"
done < <(grep '^bpftool ' "$TOP/maps/README.md")
if [ $lines -ge 30 ]; then ok "$lines lines"; else fail "only $lines lines in maps/README.md"; fi

# What is pinned is described, and what is described is pinned.
described=$(sed -n 's/^### //p' "$TOP/maps/README.md" | sed 's|tenants/&lt;tenant&gt;/||' | tr -d ' ' |
	tr ',' '\n' | sort -u | xargs)
pinned=$({ find "$root" -maxdepth 1 -type f; find "$root/tenants/red" -type f; } |
	xargs -n 1 basename | sort -u | xargs)
expect_eq "$pinned" "$described" "maps/README.md describes the maps that there are"

# What it says of each map's type and size is so.
types() { bpftool -j map show pinned "$root/$1" | jq -r '"\(.type) \(.max_entries)"'; }
while read -r name type; do
	expect_eq "$type" "$(types "$name")" "$name is $type"
done <<-LIST
	hosts array 4096
	vteps hash 8192
	ports hash 32768
	port_slots array 32768
	networks hash 16384
	fdb hash 131072
	neigh hash 262144
	flood hash 131072
	chains array 4096
	sf hash 65536
	tenant_slots array 8192
	ct4 array_of_maps 8192
	config hash 131072
	devices hash 32768
LIST

# --- entries by hand ---

bump() { weft_on h1 epoch bump red; }
hand() { bpftool map "$1" pinned "$root/$2" key hex $3 ${4:+value hex $4}; }

# h1 alone forgets web2: nobody answers for 10.0.1.2 there, and its MAC is nowhere.
configuration without | weft_apply h1
in_ns h1.p0 ip neigh flush dev eth0
expect_counter_moved h1 drops neigh_unknown ping_fail h1.p0 10.0.1.2
in_ns h1.p0 ip neigh flush dev eth0
slot=$(bpftool -j map dump pinned "$root/vteps" |
	jq '.[].formatted | select(.key.address[0:4] == [192, 168, 50, 2]) | .value.host')
neigh_key='65 00 00 00 04 00 00 00 0a 00 01 02 00 00 00 00 00 00 00 00 00 00 00 00'
fdb_key='65 00 00 00 02 00 00 00 00 0b 00 00'
expect_ok -t "an entry of neigh by hand" hand update neigh "$neigh_key" '02 00 00 00 00 0b 00 00'
ping_fail h1.p0 10.0.1.2
expect_ok -t "an entry of fdb by hand" \
	hand update fdb "$fdb_key" "02 00 00 00 $(printf '%02x' "$slot") 00 00 00"
bump
ping_ok h1.p0 10.0.1.2
expect_output 'manual' weft_on h1 fdb show red/web
expect_counter_moved h2 ports red/web2:to_packets can_ping h1.p0 10.0.1.2

# apply keeps what was put in by hand, and does not call it a difference.
configuration without > "$STATE/without.yaml"
expect_output 'nothing to change' weft_on h1 apply "$STATE/without.yaml"
ping_ok h1.p0 10.0.1.2
expect_ok -t "the entry of fdb goes by hand" hand delete fdb "$fdb_key"
bump
ping_fail h1.p0 10.0.1.2
expect_ok -t "the entry of neigh goes by hand" hand delete neigh "$neigh_key"

# --- programs by hand ---

configuration with | weft_apply h1
in_ns h1.p0 ip neigh flush dev eth0
ping_ok h1.p0 10.0.1.2

# The kernel detaches a link whose pin is gone a little later, from a work queue.
has_programs() { in_ns h1 bpftool net | grep -q "^$1("; }
detach_by_hand() {
	local device
	for device; do rm "$root/link/$device":*; done
	for device; do
		wait_for 5 eval "! has_programs $device" || fail "programs stay on $device although their links are gone"
	done
}

# TC: weft's own attachments are taken away, and tc puts the same programs in.
detach_by_hand p0 u0
ping_fail h1.p0 10.0.1.2
for device in p0 u0; do in_ns h1 tc qdisc add dev $device clsact; done
expect_ok in_ns h1 tc filter add dev p0 ingress bpf direct-action pinned "$root/prog/port_tc"
expect_ok in_ns h1 tc filter add dev p0 egress bpf direct-action pinned "$root/prog/guard_tc"
expect_ok in_ns h1 tc filter add dev u0 ingress bpf direct-action pinned "$root/prog/underlay_tc"
ping_ok h1.p0 10.0.1.2
ping_ok h2.p0 10.0.1.1
expect_counter_moved h1 drops guard in_ns h1 ping -c 1 -W 1 -b -I p0 255.255.255.255

# XDP, and nothing but XDP: neighbours are known, so that nothing is left to TC.
static_neighbours() {
	in_ns h1.p3 ip neigh replace 10.0.1.4 lladdr 02:00:00:00:00:0d dev eth0
	in_ns h1.p4 ip neigh replace 10.0.1.3 lladdr 02:00:00:00:00:0c dev eth0
}
static_neighbours
ping_ok h1.p3 10.0.1.4
detach_by_hand p3 p4
ping_fail h1.p3 10.0.1.4
for device in p3 p4; do
	expect_ok in_ns h1 ip link set dev $device xdp pinned "$root/prog/port_xdp"
done
ping_ok h1.p3 10.0.1.4

# Without them nothing passes; then weft takes its place again.
for device in p3 p4; do in_ns h1 ip link set dev $device xdp off; done
ping_fail h1.p3 10.0.1.4
for device in p0 u0; do in_ns h1 tc qdisc del dev $device clsact; done
configuration with | weft_apply h1
ping_ok h1.p3 10.0.1.4
ping_ok h1.p0 10.0.1.2
