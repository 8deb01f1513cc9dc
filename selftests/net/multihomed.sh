#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# multihomed: h1 and h2 have two cables between them, and their tunnel endpoints on the loopback device. Tunnel packets go
# where the routes say and are taken from either cable; a cable that is not among the underlay devices carries none.
. "$(dirname "$0")/../lib/lab.sh"

HOST_A=192.0.2.1 HOST_B=192.0.2.2

lab() {
	local n
	lab_two_hosts
	for n in 1 2; do in_ns h$n ip addr add 192.0.2.$n/32 dev lo; done
	pair h1 u1 h2 u1
	for n in 1 2; do
		in_ns h$n ip link set u1 mtu "$UNDERLAY_MTU"
		addr_add h$n u1 192.168.51.$n/24
	done
}

# way HOST DEVICE: the route to the other host's endpoint.
way() {
	local other=$((3 - ${1#h})) net=192.168.50
	[ "$2" = u1 ] && net=192.168.51
	in_ns "$1" ip route replace 192.0.2.$other via $net.$other dev "$2"
}

configure() {
	LAB_H1="$HOST_A, underlay: [${1:-u0, u1}]" LAB_H2="$HOST_B, underlay: [u0, u1]"
	lab_apply <<-YAML
	acl:
	  - {name: ping, direction: in, priority: 50, protocol: icmp, action: allow}
	  - {name: ping6, direction: in, priority: 50, protocol: icmpv6, action: allow}
	YAML
}

# Routes are asked for again after a second, and XDP goes by what TC was told for another.
follow() { sleep 2.2; }

# pings_use DEVICE OTHER: XDP takes frames before a capture sees them, so the other end's counters tell.
pings_use() {
	local used other
	used=$(frames_seen h2 "$1") other=$(frames_seen h2 "$2")
	ping_ok h1.pa $B4
	ping_ok h2.pb $A6
	used=$(($(frames_seen h2 "$1") - used)) other=$(($(frames_seen h2 "$2") - other))
	[ $used -ge 6 ] && ok "the tunnel's packets take $1" || fail "of six tunnel packets $used take $1"
	# Neighbours ask after each other now and then.
	[ $other -lt 6 ] && ok "and not $2" || fail "$other frames take $2"
}

run() {
	configure
	way h1 u0
	way h2 u0
	follow
	pings_use u0 u1
	way h1 u1
	way h2 u1
	follow
	pings_use u1 u0

	# There and back by different cables.
	way h2 u0
	follow
	ping_ok h1.pa $B4
	ping_ok h2.pb $A6

	# The host's own traffic between the endpoints is none of weft's business.
	ping_ok h1 $HOST_B
}

lab
each_mode run

# What comes by a cable that is no underlay device reaches the host's stack, where nobody takes it for a workload's.
MODE=tc
configure u0
follow
ping_ok h2.pb $A4
way h2 u1
follow
expect_counter_still h1 ports red/a:to_packets ping_fail h2.pb $A4
