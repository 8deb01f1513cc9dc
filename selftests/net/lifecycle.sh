#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# lifecycle: load, apply, apply again, load again under traffic, kill -9 at any moment, unload: nothing is lost on the way
# and nothing is left at the end. Foreign programs are named and stay.
# timeout: 600
. "$(dirname "$0")/../lib/net.sh"
need_weft

host_add h1 192.168.50.1/24
host_add h2 192.168.50.2/24
underlay_link h1 u0 h2 u0
workload_add h1 p0 02:00:00:00:00:0a 10.0.1.1/24
workload_add h1 p1 02:00:00:00:00:0c 10.0.1.3/24
workload_add h2 p0 02:00:00:00:00:0b 10.0.1.2/24

configuration() {
	cat <<-YAML
	version: 1
	hosts:
	  h1: {vtep: 192.168.50.1, underlay: [u0]}
	  h2: {vtep: 192.168.50.2, underlay: [u0]}
	tenants:
	  red:
	    networks:
	      web: {vni: ${1:-101}, subnets: [10.0.1.0/24]}
	    ports:
	      w1: {network: web, host: h1, device: p0, mac: "02:00:00:00:00:0a", addresses: [10.0.1.1]}
	      w2: {network: web, host: h2, device: p0, mac: "02:00:00:00:00:0b", addresses: [10.0.1.2]}
	      w3: {network: web, host: h1, device: p1, mac: "02:00:00:00:00:0c", addresses: [10.0.1.3]}
	    acl:
	      - {name: ping, direction: in, priority: 50, protocol: icmp, action: allow}
	      - {name: echo, direction: in, priority: 50, protocol: tcp, destination_port: 7, action: allow}
	YAML
}

# What the host looks like from outside; counters and times left out.
picture() {
	in_ns "$1" ip -j link show | jq -c '.[] | {ifname, mtu, xdp}'
	in_ns "$1" tc qdisc show
	for device in u0 p0; do in_ns "$1" ethtool -k $device; done
	in_ns "$1" bpftool net show 2>/dev/null
}

# The tunnel device takes only VNIs that it was told, of which there are none.
filtered() { in_ns "$1" ip -d link show weft-vxlan | grep -qw vnifilter; }

picture h1 > "$STATE/before"
configuration > "$STATE/lab.yaml"
weft_load h1
weft_load h2
expect_ok -t "apply" weft_on h1 apply "$STATE/lab.yaml"
expect_ok -t "apply on the other host" weft_on h2 apply "$STATE/lab.yaml"
ping_ok h1.p0 10.0.1.2

# Once more changes nothing, nor does what save prints, nor a file with one bad line.
expect_output 'nothing to change' weft_on h1 apply "$STATE/lab.yaml"
weft_on h1 save > "$STATE/saved.yaml"
expect_output 'nothing to change' weft_on h1 apply "$STATE/saved.yaml"
sed 's/vni: 101/vni: 99999999/' "$STATE/lab.yaml" > "$STATE/bad.yaml"
expect_refused '16777215' weft_on h1 apply "$STATE/bad.yaml"
expect_status 3 weft_on h1 diff <(configuration 102)
expect_status 0 weft_on h1 diff "$STATE/lab.yaml"

# A second load renews the programs under a flow, which lives on.
echo_serve h2.p0 7
tcp_ok h1.p0 10.0.1.2 7 --sport 40001
in_ns h1.p0 ping -q -i 0.02 -c 150 -W 1 10.0.1.2 > "$STATE/ping" 2>&1 &
pinging=$!
sleep 0.3
expect_ok -t "load again" weft_on h1 load --host h1
wait $pinging
lost=$(sed -n 's/.* \([0-9]*\)% packet loss.*/\1/p' "$STATE/ping")
expect_eq 0 "$lost" "no ping is lost while programs are replaced"

# One writer at a time: the lock of the root is the directory's own.
(
	flock 9
	expect_refused 'lock|another' weft_on h1 apply "$STATE/lab.yaml"
	expect_ok -t "a reader does not wait" weft_on h1 status
) 9< "$(root_of h1)"

# Killed at any moment, apply is finished by the next one.
sed 's/priority: 50, protocol: tcp/priority: 51, protocol: tcp/; s/addresses: \[10.0.1.3\]/addresses: [10.0.1.4]/' \
	"$STATE/lab.yaml" > "$STATE/other.yaml"
for after in 0.005 0.01 0.02 0.03 0.05 0.08; do
	for file in other lab; do
		timeout -s KILL $after "$WEFT" -n "$(netns_of h1)" -r "$(root_of h1)" apply "$STATE/$file.yaml" >/dev/null 2>&1
	done
done
expect_ok -t "apply after all those deaths" weft_on h1 apply "$STATE/lab.yaml"
ping_ok h1.p0 10.0.1.2
ping_ok h1.p0 10.0.1.3
tcp_ok h1.p0 10.0.1.2 7
tcp_fail h1.p0 10.0.1.2 9

# From another namespace, where devices have the same names, nothing of this root is touched.
elsewhere() { "$WEFT" -n "$(netns_of h2)" -r "$(root_of h1)" "$@"; }
expect_refused 'belongs to network namespace' elsewhere apply "$STATE/lab.yaml"
expect_refused 'belongs to network namespace' elsewhere acl add red/q direction in priority 3 protocol udp action allow
expect_refused 'belongs to network namespace' elsewhere unload
ping_ok h1.p0 10.0.1.2

# Nobody else's pins are taken for a root, which unload would remove.
others=$BPFFS/weft-test-$TEST_ID-others
mkdir -p "$others/sub"
bpftool map create "$others/sub/m" type array key 4 value 4 entries 1 name others
for verb in load unload; do
	expect_refused 'no root of weft' "$WEFT" -n "$(netns_of h2)" -r "$others" $verb
	expect_refused 'in another root' "$WEFT" -n "$(netns_of h2)" -r "$(root_of h1)/tenants" $verb
done
expect_ok test -e "$others/sub/m"
rm -r "$others"

# Rules that overlap so much that no tree divides them: refused, and nothing changes.
awk 'BEGIN {
	print "version: 1\ntenants:\n  big:\n    networks: {n: {vni: 4000}}\n    ports:"
	print "      p: {network: n, host: h1, device: dx, mac: \"02:00:00:00:11:11\"}\n    acl:"
	for (i = 1; i <= 6000; i++)
		printf "      - {name: r%d, direction: in, priority: %d, protocol: tcp, source_port: %d-%d, destination_port: %d-%d, action: allow}\n",
			i, i, i * 7919 % 30000, i * 7919 % 30000 + 30000, i * 104729 % 30000, i * 104729 % 30000 + 30000
}' > "$STATE/big.yaml"
expect_refused 'the bound is [0-9]+' weft_on h1 apply "$STATE/big.yaml"
ping_ok h1.p0 10.0.1.2

# A device with a foreign program is named and refused, and nothing else changes.
workload_add h1 p9 02:00:00:00:00:0d 10.0.1.9/24
in_ns h1 tc qdisc add dev p9 clsact
in_ns h1 tc filter add dev p9 ingress bpf direct-action object-pinned "$(root_of h1)/prog/guard_tc"
sed '/w3:/a\      w9: {network: web, host: h1, device: p9, mac: "02:00:00:00:00:0d", addresses: [10.0.1.9]}' \
	"$STATE/lab.yaml" > "$STATE/foreign.yaml"
expect_refused 'p9.*foreign' weft_on h1 apply --dry-run "$STATE/foreign.yaml"
expect_refused 'p9.*foreign' weft_on h1 apply "$STATE/foreign.yaml"
ping_ok h1.p0 10.0.1.2
in_ns h1 ip link del p9

# Nor is the loopback device anybody's wire.
for change in 's/device: p0,/device: lo,/' 's/underlay: \[u0\]/underlay: [lo]/'; do
	sed "$change" "$STATE/lab.yaml" > "$STATE/lo.yaml"
	expect_refused 'device lo is the host.s loopback device' weft_on h1 apply --dry-run "$STATE/lo.yaml"
done

# The tunnel device of an older build would decapsulate what weft passes up: load replaces it, and nothing is lost.
mac=$(mac_of h1 weft-vxlan)
in_ns h1 ip link del weft-vxlan
in_ns h1 ip link add weft-vxlan address "$mac" type vxlan external dstport 4789
expect_fail -t "an older tunnel device has no filter" filtered h1
bg in_ns h1.p0 ping -n -q -i 0.02 -c 200 -W 1 10.0.1.2 > "$STATE/ping"
pinging=$BG_PID
expect_counter_still h1 drops no_route weft_load h1
wait_gone "$pinging"
expect_ok -t "load has made it anew" filtered h1
expect_eq 200 "$(awk '/received/ {print $4}' "$STATE/ping")" "no ping is lost meanwhile"

expect_refused 'unload: [23] ports are in use' weft_on h1 unload
ping_ok h1.p0 10.0.1.2
expect_ok -t "unload" weft_on h1 unload --force
picture h1 > "$STATE/after"
if diff "$STATE/before" "$STATE/after" > "$STATE/difference"; then
	ok "nothing is left behind"
else
	fail "left behind:"
	cat "$STATE/difference"
fi
[ ! -e "$(root_of h1)" ] && ok "nor in bpffs" || fail "pins are left: $(ls "$(root_of h1)")"
expect_refused 'load' weft_on h1 apply "$STATE/lab.yaml"
