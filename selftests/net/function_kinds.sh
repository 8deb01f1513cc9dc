#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# function_kinds: whatever a function is made of. In the wire of h1.pa is, one after the other: a process with a packet socket
# (s0), one with an AF_XDP socket and one arm (x0) and with two (y0, y1), a Linux bridge between two arms (b0, b1), and a tap
# device that a process has open as a virtual machine has (v0; w0 with a virtio header). Each in TC and in XDP mode at its port;
# a TCP stream and pings pass it both ways, with the chain's tag and the PCP of the way, and nothing passes without it.
. "$(dirname "$0")/../lib/lab.sh"
need tcpdump curl jq ethtool

KINDS=${KINDS:-packet xsk xsk_two bridge tap tap_virtio}
SIZE=500000

LAB_FUNCTIONS='  packet: {instances: {i: {host: h1, device: s0}}}
  xsk: {instances: {i: {host: h1, device: x0}}}
  xsk_two: {instances: {i: {host: h1, devices: [y0, y1]}}}
  bridge: {instances: {i: {host: h1, devices: [b0, b1]}}}
  tap: {instances: {i: {host: h1, device: v0}}}
  tap_virtio: {instances: {i: {host: h1, device: w0}}}'

# configure FUNCTION [HOST]
configure() {
	LAB_HOSTS=${2:-h1} lab_apply <<-YAML
	options: {default: {in: allow, out: allow}}
	acl:
	  - {name: no, apply_to: [port:a], direction: in, priority: 50, protocol: udp, destination_port: 666, action: deny}
	chains:
	  inspect: {tag: 301, steps: [{function: $1}]}
	insert:
	  - {name: wire, apply_to: [port:a], chain: inspect}
	YAML
}

# --- the kinds: where each is, its first device on h1, and its beginning -----------------------------------------

declare -A WHERE=([packet]=h1.s0 [xsk]=h1.x0 [xsk_two]=h1.y0 [bridge]=h1.b0 [tap]=h1 [tap_virtio]=h1)
declare -A DEVICE=([packet]=s0 [xsk]=x0 [xsk_two]=y0 [bridge]=b0 [tap]=v0 [tap_virtio]=w0)

start_packet() { function_start h1.s0 "$TOOLS/content_filter" s0; }
start_xsk() { function_start h1.x0 "$TOOLS/xsk_echo" x0; }
start_xsk_two() { function_start h1.y0 "$TOOLS/xsk_echo" y0 y1; }
start_tap() { function_start h1 "$TOOLS/tap_echo" v0; }
start_tap_virtio() { function_start h1 "$TOOLS/tap_echo" -v w0; }
start_bridge() {
	in_ns h1.b0 ip link add br0 type bridge mcast_snooping 0
	in_ns h1.b0 ip link set b0 master br0
	in_ns h1.b0 ip link set b1 master br0
	in_ns h1.b0 ip link set br0 up arp off
	# The bridge keeps a tag beside the frame, and XDP does not see it there.
	offloads h1.b0 b0 txvlan off
	offloads h1.b0 b1 txvlan off
	FUNCTION_PID=
}

stop_function() {
	if [ -n "$FUNCTION_PID" ]; then bg_stop "$FUNCTION_PID"; else in_ns h1.b0 ip link del br0; fi
}

# --- what passes ------------------------------------------------------------------------------------------------------

# fetch NS ADDRESS
fetch() { expect_eq "$SUM" "$(http_get "$1" "http://$2/data" | sha256sum)" "$1 gets $SIZE bytes whole from $2"; }

pings() { in_ns "$1" ping -n -c 3 -i 0.01 -W 1 -q "$2" >/dev/null 2>&1 && ok "$1 pings $2" || fail "$1 does not reach $2 by ping"; }

traffic() {
	pings h1.pa $B4
	pings h2.pb $A6
	fetch h1.pa $B4
	fetch h2.pb "[$A6]"
}

refused() { weft_on h1 -j counters | jq -c '.drops | [.sf_unknown, .sf_untagged, .sf_no_flow, .sf_probe, .spoofed_mac]'; }
step_field() { counter_get h1 steps "red/inspect/$1:$2"; }

# What AF_XDP takes and sends no capture in its namespace sees.
may_capture() { [[ $1 != xsk* ]]; }

# by_mac DEVICE: in a capture, what a sends has PCP 1, and what goes to it PCP 2. A probe has MACs of its own.
by_mac() {
	expect_captured 0 "$STATE/$1" "not vlan 301" "nothing comes without the tag"
	expect_captured 0 "$STATE/$1" "ether src $A and (not vlan 301 or ether[14:2] != 0x212d)" "what a sends has tag 301 and PCP 1"
	expect_captured 0 "$STATE/$1" "ether dst $A and (not vlan 301 or ether[14:2] != 0x412d)" "what goes to it 301 and PCP 2"
	[ "$(captured "$STATE/$1" "ether src $A or ether dst $A")" -gt 100 ] && ok "of many frames" || fail "of no frames"
}

# XDP sees the frame that comes back, and TC does not: a veth counts what was redirected, and a capture on a tap sees nothing.
by_xdp() {
	local redirected seen
	expect_output "${DEVICE[$1]} .*attached.*xdp" weft_on h1 status
	if [ "$1" = tap ]; then
		seen=$(captured "$STATE/v0" "ether src $A or ether dst $A")
		[ "$seen" -lt 50 ] && ok "XDP takes what it gets and gives back: $seen frames went by TC" || fail "$seen frames went by TC"
		return
	fi
	redirected=$(in_ns h1 ethtool -S "${DEVICE[$1]}" | sed -n 's/.*rx_queue_0_xdp_redirect: //p')
	[ "${redirected:-0}" -gt 100 ] && ok "XDP takes what comes back: $redirected frames" || fail "XDP took $redirected frames"
}

# What a function says that it has seen. Untagged are MLD of h1's, before weft has the device, and weft's own question whether XDP
# gets there: so they are counted.
tags() { sed -n 's/^\(vid=.*\) frames=.*/\1/p' <<< "$1" | xargs; }
untagged() { sed -n 's/^untagged frames=\([0-9]*\).*/\1/p' <<< "$1"; }

kind() {
	local report before sent returned refused
	note "$1, $MODE"
	"start_$1"
	configure "$1"
	! may_capture "$1" || capture_start "${WHERE[$1]}" "${DEVICE[$1]}" "$STATE/${DEVICE[$1]}"
	[ -z "$FUNCTION_PID" ] || before=$(untagged "$(function_report)")
	sent=$(step_field "$1" sent) returned=$(step_field "$1" returned) refused=$(refused)
	traffic
	capture_stop
	! may_capture "$1" || [ "$MODE $1" = "xdp tap" ] || by_mac "${DEVICE[$1]}"
	if [ -n "$FUNCTION_PID" ]; then
		report=$(function_report)
		expect_eq "vid=301 pcp=1 dei=0 vid=301 pcp=2 dei=0" "$(tags "$report")" "it sees the tag with both PCPs, and no other tag"
		expect_eq "$before" "$(untagged "$report")" "and nothing without one"
	fi
	expect_eq "$refused" "$(refused)" "nothing that it gives back is refused"
	if [ "$MODE" = xdp ]; then
		expect_eq $(($(step_field "$1" sent) - sent)) $(($(step_field "$1" returned) - returned)) "all that it got came back"
		by_xdp "$1"
	fi
	expect_drop h1 acl_in h2.pb "eth('$A', '$B', ip4('$B4', '$A4', udp(999, 666)))" "what is denied never gets there"
	stop_function
	echo_udp h1.pa $B4 7 --timeout 150
	expect_eq 1 $? "without it nothing passes"
}

run() {
	local kind
	configure packet h2
	for kind in $KINDS; do
		# XDP loses the checksums that it leaves unfinished, so such a tap is TC's.
		[ "$MODE" = xdp ] && [ "$kind" = tap_virtio ] || kind "$kind"
	done
}

lab_two_hosts
function_wire h1 s0
function_wire h1 x0
function_wire h1 y0 y1
function_wire h1 b0 b1
for device in s0 b0 b1; do function_xdp_ready "h1.${device/b1/b0}" $device; done
mkdir "$STATE/www"
head -c $SIZE /dev/urandom > "$STATE/www/data"
SUM=$(sha256sum < "$STATE/www/data")
for ns in h1.pa h2.pb; do http_serve $ns 80 "$STATE/www"; done
echo_serve h2.pb 7
each_mode run
