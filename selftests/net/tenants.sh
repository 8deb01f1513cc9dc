#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 600
#
# tenants: 5,000 tenants on one host, with a network, two ports and a rule each, and the same addresses in all. The
# ports are real devices. Three tenants, first, middle and last, have workloads: each reaches its own and nobody else's.
. "$(dirname "$0")/../lib/net.sh"
need_weft
need jq

TENANTS=${TENANTS:-5000}
SEEN="1 $((TENANTS / 2)) $TENANTS"

is_seen() { [[ " $SEEN " == *" $1 "* ]]; }

mac() { printf '02:%02x:%02x:%02x:00:%02x' $(($1 >> 16)) $(($1 >> 8 & 255)) $(($1 & 255)) "$2"; }

# The devices of a tenant without workloads are the two ends of one veth. All is IPv4 here: ten thousand devices with
# IPv6 would give the kernel, and whoever else of this machine waits for an address, half a minute of work.
devices() {
	local t
	in_ns h1 sh -c 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6'
	for t in $SEEN; do
		workload_add h1 "a$t" "$(mac "$t" 1)" 10.0.1.1/24
		workload_add h1 "b$t" "$(mac "$t" 2)" 10.0.1.2/24
	done
	seq "$TENANTS" | grep -vxE "${SEEN// /|}" > "$STATE/others"
	sed 's/.*/link add a& type veth peer name b&/' "$STATE/others" | in_ns h1 ip -batch -
	sed 's/.*/link set a& up\nlink set b& up/' "$STATE/others" | in_ns h1 ip -batch -
}

configuration() {
	awk -v n="$TENANTS" 'BEGIN {
		print "version: 1\nhosts:\n  h1: {vtep: 192.168.50.1, underlay: [u0]}\ntenants:"
		for (t = 1; t <= n; t++) {
			printf "  t%d:\n    networks:\n      net: {vni: %d, subnets: [10.0.1.0/24]}\n    ports:\n", t, t + 1000
			for (p = 1; p <= 2; p++) {
				printf "      w%d: {network: net, host: h1, device: %s%d, ", p, p == 1 ? "a" : "b", t
				printf "mac: \"02:%02x:%02x:%02x:00:%02x\", ", t / 65536, t / 256 % 256, t % 256, p
				printf "addresses: [10.0.1.%d]}\n", p
			}
			print "    acl:"
			print "      - {name: ping, direction: in, priority: 50, protocol: icmp, action: allow}"
		}
	}'
}

devices_in() { weft_on h1 -j status | jq "[.devices[] | select(.role == \"port\" and .state == \"$1\")] | length"; }
# Another root of this machine may be in a hurry just now.
relaxed() { [ ! -e /run/weft.rcu_expedited ] && [ "$(cat /sys/kernel/rcu_expedited)" = "$hurry" ]; }
links_in() { in_ns h1 ip -o link | wc -l; }

host_add h1 192.168.50.1/24
host_add h2 192.168.50.2/24
underlay_link h1 u0 h2 u0
devices
before=$(links_in)
wait_for 60 test ! -e /run/weft.rcu_expedited
hurry=$(cat /sys/kernel/rcu_expedited)
configuration > "$STATE/tenants.yaml"
weft_load h1
expect_ok -t "apply of $TENANTS tenants" weft_on h1 apply "$STATE/tenants.yaml"
expect_eq $((TENANTS * 2)) "$(devices_in attached)" "all ports are attached"
expect_ok -t "the kernel's grace periods are as they were" wait_for 60 relaxed

for t in $SEEN; do
	ping_ok "h1.a$t" 10.0.1.2
	expect_counter_moved h1 ports "t$t/w2:to_packets" can_ping "h1.a$t" 10.0.1.2
done

# One tenant's server goes: nobody else answers in its place, and the others do not notice.
in_ns "h1.b$TENANTS" ip link set eth0 down
ping_fail "h1.a$TENANTS" 10.0.1.2
ping_ok h1.a1 10.0.1.2

# One more tenant's policy changes nobody else's.
expect_output 'nothing to change' weft_on h1 apply "$STATE/tenants.yaml"
expect_ok weft_on h1 acl del t1/ping
expect_counter_moved h1 drops acl_in ping_fail h1.a1 10.0.1.2
ping_ok "h1.a$((TENANTS / 2))" 10.0.1.2

# Killed while it attaches, weft leaves the kernel in a hurry; the next one takes that back.
expect_ok weft_on h1 unload --force
expect_eq "$before" "$(links_in)" "unload leaves the devices that were there, and no other"
weft_load h1
bg "$WEFT" -n "$(netns_of h1)" -r "$(root_of h1)" apply "$STATE/tenants.yaml" >/dev/null 2>&1
if wait_for 60 test -s /run/weft.rcu_expedited; then
	kill -KILL "$BG_PID"
	wait_gone "$BG_PID"
	expect_ok -t "apply after a kill" weft_on h1 apply "$STATE/tenants.yaml"
	expect_eq $((TENANTS * 2)) "$(devices_in attached)" "all ports are attached"
	expect_ok -t "the kernel's grace periods are as they were" wait_for 60 relaxed
else
	fail "weft never asked for expedited grace periods"
fi
expect_ok weft_on h1 unload
