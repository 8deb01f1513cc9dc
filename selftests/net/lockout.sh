#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# lockout: an operator does not lose host h1 by using weft. Its underlay u0 carries the default route and a session to it,
# which lives through load, apply and unload; d0 carries another default route, e0 is in a bridge that has one, f0 leads to
# the peer of an SSH session; none of them becomes a port without --force. Foreign programs stay; ports in use stay.
. "$(dirname "$0")/../lib/net.sh"
need_weft
need bpftool jq

host_add h1 192.168.50.1/24
host_add h2 192.168.50.2/24
underlay_link h1 u0 h2 u0
netns_add far
# quiet DEVICE: h1's end of a wire behind which nobody says anything.
quiet() {
	in_ns h1 sh -c 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6'
	in_ns far sh -c 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6'
	pair h1 "$1" far "$1"
}
for device in d0 e0 f0 g0 k0; do quiet $device; done
addr_add h1 d0 10.1.0.1/24
addr_add h1 f0 10.3.0.1/24
in_ns h1 ip link add br0 type bridge
in_ns h1 ip link set e0 master br0
in_ns h1 ip link set br0 up
addr_add h1 br0 10.2.0.1/24
in_ns h1 ip route add default via 192.168.50.2 dev u0
in_ns h1 ip route add default via 10.1.0.2 dev d0 metric 100
in_ns h1 ip route add default via 10.2.0.2 dev br0 metric 200
root=$(root_of h1)

# with DEVICE [sf]: h1 with one port, or function, on it.
with() {
	cat <<-YAML
	version: 1
	hosts:
	  h1: {vtep: 192.168.50.1, underlay: [u0]}
	YAML
	[ "${2:-}" = sf ] && printf 'service_functions:\n  f: {instances: {one: {host: h1, device: %s}}}\n' "$1" && return
	cat <<-YAML
	tenants:
	  red:
	    networks:
	      web: {vni: 101, subnets: [10.0.1.0/24]}
	    ports:
	      w: {network: web, host: h1, device: $1, mac: "02:00:00:00:00:0a", addresses: [10.0.1.1]}
	YAML
}

apply() {
	with "$1" > "$STATE/lab.yaml"
	shift
	weft_on h1 apply "$@" "$STATE/lab.yaml"
}

programs_on() { in_ns h1 bpftool -j net show dev "$1" | jq -r '.[0].tc[] | "\(.kind) \(.name)"' | xargs; }

# --- a session to the host ---

echo_serve h1 2222
coproc SESSION { exec nsenter --net="/run/netns/$(netns_of h2)" nc 192.168.50.1 2222; }
disown "$SESSION_PID"

session_lives() {
	local answer=''
	echo "still there? $1" >&"${SESSION[1]}"
	read -r -t 3 answer <&"${SESSION[0]}"
	expect_eq "still there? $1" "$answer" "the session over u0 lives: $1"
}

session_lives "before"
weft_load h1
session_lives "loaded"

# --- what leads to the host ---

refused() {
	expect_refused "port red/w: device $1 carries $2.*--force" apply "$1"
	expect_refused "$2" apply "$1" --dry-run
	expect_eq 0 "$(weft_on h1 -j status | jq '.devices | length')" "and nothing was attached"
}

# What never leads to another machine is refused with --force too.
with lo port > "$STATE/lo.yaml"
expect_refused "port red/w: device lo is the host's loopback device" weft_on h1 apply "$STATE/lo.yaml"
expect_refused "loopback" weft_on h1 apply "$STATE/lo.yaml" --force
refused d0 "this host's default route"
refused e0 "this host's default route"
refused br0 "this host's default route"
with d0 sf > "$STATE/sf.yaml"
expect_refused "sf f/one: device d0 carries this host's default route" weft_on h1 apply "$STATE/sf.yaml"

export SSH_CONNECTION="10.3.0.2 50000 10.3.0.1 22"
refused f0 "the way to the other end of this SSH session"
unset SSH_CONNECTION
# sudo takes it from the environment of those that it starts, not from its own.
with f0 > "$STATE/lab.yaml"
expect_refused 'other end of this SSH session' env SSH_CONNECTION="10.3.0.2 50000 10.3.0.1 22" bash -c \
	"unset SSH_CONNECTION; \"\$@\"; exit \$?" sh "$WEFT" -n "$(netns_of h1)" -r "$root" apply "$STATE/lab.yaml"
expect_ok -t "without a session f0 is a device like any other" apply f0

# The underlay may carry all of that. What is a port already is not asked about again.
session_lives "applied"
in_ns h1 ip route add default via 10.3.0.2 dev f0 metric 300
expect_ok -t "a port on which a route was put later stays" apply f0

# Verbs ask too, and both take --force.
expect_refused "default route" weft_on h1 port set red/w device d0
expect_refused "default route" weft_on h1 -b <(echo 'port set red/w device d0')
expect_ok weft_on h1 -b <(echo 'port set red/w device d0 --force')
expect_ok weft_on h1 port set red/w device g0
expect_ok weft_on h1 port set red/w device d0 --force
expect_ok -t "nor is one that was forced" apply d0
expect_ok apply g0
expect_ok apply d0 --force
session_lives "with d0 as a port"

# --- programs of others ---

in_ns h1 bpftool net attach tcx_ingress pinned "$root/prog/underlay_tc" dev k0
expect_refused 'device k0: foreign TC program "underlay_tc" .*TCX.*--force' apply k0
expect_refused 'k0: foreign' apply k0 --dry-run
expect_ok apply k0 --force
expect_eq "tcx/ingress port_tc tcx/ingress underlay_tc tcx/egress guard_tc" "$(programs_on k0)" \
	"the foreign program stays, behind weft's"
expect_status 0 weft_on h1 verify
expect_ok -t "it was allowed once, and for all later applies" apply k0
expect_ok weft_on h1 load
expect_eq "tcx/ingress port_tc tcx/ingress underlay_tc tcx/egress guard_tc" "$(programs_on k0)" "and loads"
expect_ok apply g0
expect_eq "tcx/ingress underlay_tc" "$(programs_on k0)" "it is still there when weft has gone"
expect_refused 'k0: foreign' apply k0
in_ns h1 bpftool net detach tcx_ingress dev k0 2>/dev/null ||
	in_ns h1 python3 "$TOP/selftests/lib/ahead.py" detach k0 ingress "$root/prog/underlay_tc"

in_ns h1 tc qdisc add dev k0 clsact
in_ns h1 tc filter add dev k0 ingress bpf direct-action object-pinned "$root/prog/underlay_tc"
expect_refused 'k0: foreign TC program .*filter.*--force' apply k0
expect_ok apply k0 --force
expect_status 0 weft_on h1 verify
expect_eq 1 "$(in_ns h1 tc filter show dev k0 ingress | grep -c underlay_tc)" "a foreign filter stays"
expect_ok apply g0
in_ns h1 tc qdisc del dev k0 clsact

in_ns h1 ip link set dev k0 xdpgeneric pinned "$root/prog/underlay_xdp"
expect_refused 'k0: foreign XDP program' apply k0
expect_refused 'k0: foreign XDP program' apply k0 --force
expect_eq 1 "$(in_ns h1 ip link show k0 | grep -c prog/xdp)" "XDP of others is never replaced"
in_ns h1 ip link set dev k0 xdpgeneric off

# --- unload ---

session_lives "before unload"
expect_ok apply k0
expect_ok -t "a port without traffic is in nobody's use" weft_on h1 unload
session_lives "unloaded"
weft_load h1
in_ns far sh -c 'ip link set k0 address 02:00:00:00:00:0a; ip addr add 10.0.1.1/24 dev k0'
expect_ok apply k0
in_ns far ping -c 1 -W 0.3 10.0.1.2 >/dev/null
wait_for 3 eval '[ "$(counter_get h1 ports red/w:from_packets)" -gt 0 ] ||
	{ in_ns far arping -q -c 1 -I k0 10.0.1.2; in_ns far ping -b -c 1 -W 0.1 10.0.1.255; false; }'
expect_status 2 weft_on h1 unload
expect_refused 'unload: 1 port is in use .device k0.*--force' weft_on h1 unload
expect_eq "tcx/ingress port_tc tcx/egress guard_tc" "$(programs_on k0)" "and all is as it was"
expect_status 0 weft_on h1 verify
expect_ok weft_on h1 unload --force
session_lives "unloaded by force"
