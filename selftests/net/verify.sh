#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# verify: what `weft verify` and `weft status` find, one thing broken at a time on h1: a function, programs, links, maps,
# tables, the guard; and that they find nothing where nothing is broken. h1 has a and c, a's wire goes through one arm of
# s0, and another chain through the two arms t0 and t1; h2 has b.
. "$(dirname "$0")/../lib/lab.sh"
need bpftool jq python3

lab_two_hosts
function_add h1 s0
function_add h1 t0 t1
LAB_FUNCTIONS='  one: {instances: {one1: {host: h1, device: s0}}}
  two: {instances: {two1: {host: h1, devices: [t0, t1]}}}'
root=$(root_of h1)

configure() {
	lab_apply <<-YAML
	acl:
	  - {name: ping, direction: in, priority: 50, protocol: icmp, action: allow}
	  - {name: deny, direction: in, priority: 60, protocol: udp, action: deny}
	chains:
	  inspect: {tag: 301, steps: [{function: one}]}
	  other: {tag: 302, steps: [{function: two}]}
	insert:
	  - {name: wire, apply_to: [port:a], chain: inspect}
	YAML
}

# Called with arguments by the assertions.
# shellcheck disable=SC2120
verify() { weft_on h1 verify "$@"; }
status() { weft_on h1 status "$@"; }
# shellcheck disable=SC2120
apply() { weft_on h1 apply "$STATE/apply.yaml" "$@"; }
ahead() { in_ns h1 python3 "$TOP/selftests/lib/ahead.py" "$@"; }

# well [TEXT]: nothing is found, by neither.
well() {
	expect_status 0 verify
	expect_status 0 status
	[ -z "${1:-}" ] || grep -qE "$1" <(verify) && ok "and says: ${1:-nothing}" || fail "verify does not say: $1"
}

# finds REGEX: verify fails and says so, as text and as JSON.
finds() {
	run_quietly verify
	if [ $? -eq 4 ] && grep -qE "^wrong $1" "$STATE/output"; then
		ok "verify finds: $1"
	else
		fail "verify does not find: $1"
		show_output
	fi
	run_quietly weft_on h1 -j verify
	jq -e '.verified == false and (.findings | all(.object and .problem and .remedy))' "$STATE/output" >/dev/null ||
		fail "and has no JSON of it"
}

degraded() {
	run_quietly status
	[ $? -eq 4 ] && grep -qE "$1" "$STATE/output" && { ok "status says: $1"; return; }
	fail "status does not say: $1"
	show_output
}

# mended: the next apply leaves nothing to find.
mended() {
	expect_status 0 apply
	well
}

# --- all is well, and nobody notices the probes ---

untouched() {
	configure
	well 'probe chain red/inspect, function [a-z0-9]*, leaving: back'
	expect_eq 4 "$(weft_on h1 -j verify | jq '.chains | length')" "a probe came back from both chains, both ways"
	expect_status 0 weft_on h2 verify
	expect_counter_still h1 chains red/inspect:sent verify
	expect_counter_still h1 chains red/inspect:returned verify
	expect_counter_still h1 ports red/a:from_packets verify
	expect_counter_still h1 drops sf_probe verify
	expect_counter_moved h1 drops guard verify
	expect_counter_moved h1 drops spoofed_mac verify
	expect_eq '' "$(bpftool map dump pinned "$root/probes" | grep nonce)" "no question is left behind"
	expect_eq 1 "$(apply | grep -c 'nothing to change')" "an apply that changes nothing is verified too"
	ping_ok h1.pa $B4
}

# --- the function ---

# A function may not answer for the operator: only what was asked is believed, and only as it was asked.
forged() {
	local SEND_DEVICE=s0 ours="'02:77:65:66:74:02', '02:77:65:66:74:01'" body="b'tfew' + bytes(4) + b'question' + bytes(28)"
	expect_drop h1 sf_probe h1.s0 "eth($ours, vlan(301, $body, pcp=1, type=0x88b5))" "a probe that nobody sent"
	expect_drop h1 sf_probe h1.s0 "eth($ours, $body, type=0x88b5)" "one without its tag"
	expect_drop h1 sf_untagged h1.s0 "eth('$B', '02:77:65:66:74:01', $body, type=0x88b5)" "one to somebody else without a tag"
	expect_drop h1 sf_unknown h1.s0 "eth('$B', '02:77:65:66:74:01', vlan(301, $body, pcp=1, type=0x88b5))" \
		"one to somebody else"
	SEND_DEVICE=eth0
	expect_drop h1 spoofed_mac h1.pa "eth($ours, $body, type=0x88b5)" "a workload's"
	expect_drop h1 vlan_not_allowed h1.pa "eth($ours, vlan(301, $body, pcp=1, type=0x88b5))" "a workload's with a tag"
}

dead() {
	function_kill h1 s0
	finds 'chain red/inspect: .*tag 301, leaving the workload, did not come back from function one/one1'
	finds 'chain red/inspect: .*towards the workload'
	expect_eq 0 "$(verify | grep -c 'wrong chain red/other')" "the other chain's function answers"
	run_quietly apply
	expect_eq 4 $? "apply exits with 4"
	grep -q '^not verified: chain red/inspect: ' "$STATE/output" && ok "and says why" || { fail "without saying why"; show_output; }
	expect_eq false "$(weft_on h1 -j apply "$STATE/apply.yaml" | jq .verify.verified)" "in JSON too"
	expect_status 0 apply --no-verify
	expect_status 0 weft_on h1 chain set red/inspect bypass on
	well 'note chain red/inspect: bypassed'
	expect_status 0 weft_on h1 chain set red/inspect bypass off
	# The watch: frames of a workload that do not come back.
	send h1.pa "eth('$B', '$A', ip4('$A4', '$B4', udp(999, 999)))" 8
	sleep 1.1
	degraded 'degraded chain red/inspect: function one/one1 has returned nothing'
	function_revive h1 s0
	wait_for 5 can_ping h1.pa $B4
	well
}

down() {
	in_ns h1 ip link set t1 down
	finds 'chain red/other: device t1 of function two/two1 is down'
	in_ns h1 ip link set t1 up
	well
}

# --- programs and links ---

programs() {
	local hook
	for hook in ingress egress; do
		ahead attach pc $hook "$root/prog/sf_tc"
		finds "device pc: foreign program \"sf_tc\" .* ahead of weft's at $hook"
		degraded 'degraded device pc: foreign program'
		ahead detach pc $hook "$root/prog/sf_tc"
	done
	well
	in_ns h1 ip link set dev pc xdpgeneric pinned "$root/prog/port_xdp"
	finds 'device pc: foreign XDP program "port_xdp"'
	in_ns h1 ip link set dev pc xdpgeneric off
	well
	ahead update "$root/link/pc:tc" "$root/prog/guard_tc"
	finds 'device pc: runs program "guard_tc" .* not the pinned port_tc'
	expect_status 0 weft_on h1 load
	well
	rm "$root/prog/port_tc"
	finds 'device pc: the pin of port_tc, its program at ingress, is gone'
	expect_status 0 weft_on h1 load
	well
	rm "$root/link/pc:tc"
	wait_for 5 eval '[ "$(in_ns h1 bpftool -j net show dev pc | jq ".[0].tc | length")" = 1 ]'
	finds "device pc: weft's program is not attached at ingress"
	degraded 'device pc .*damaged'
	mended
	rm "$root/link/pc:guard"
	wait_for 5 eval '[ "$(in_ns h1 bpftool -j net show dev pc | jq ".[0].tc | length")" = 1 ]'
	finds "device pc: weft's program is not attached at egress"
	mended
}

# What leads to other hosts.
tunnels() {
	in_ns h1 ip link set weft-vxlan down
	finds 'device weft-vxlan: weft.s tunnel device is missing or down'
	degraded 'device weft-vxlan'
	expect_status 4 apply
	expect_status 0 weft_on h1 load
	well
	in_ns h1 ip addr del 192.168.50.1/24 dev u0
	finds 'host h1: its tunnel endpoint 192.168.50.1 is no address of this machine'
	degraded 'host h1: its tunnel endpoint'
	in_ns h1 ip addr add 192.168.50.1/24 dev u0
	in_ns h1 ip link set u0 mtu 1499
	finds 'configuration: network red/web: mtu 1450 and 50 bytes of tunnel do not fit'
	in_ns h1 ip link set u0 mtu 1500
	well
	in_ns h1 ip link set u0 down
	finds 'device u0: is down: nothing reaches other hosts'
	in_ns h1 ip link set u0 up
	in_ns h1 ip link set pc down
	well 'note device pc: is down: nothing reaches port red/c'
	in_ns h1 ip link set pc up
	ping_ok h1.pa $B4
}

# Something else in the guard's place lets pass what nobody vetted.
guard() {
	ahead update "$root/link/pc:guard" "$root/prog/underlay_tc"
	finds 'device pc: a frame that weft did not vet left by it'
	expect_status 0 weft_on h1 load
	well
}

# --- maps ---

hex() { od -An -tx1 -v | tr -s ' \n' ' '; }
zeroes() { head -c "$1" /dev/zero | hex; }
le32() { printf '%02x %02x %02x %02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24)); }

# shellcheck disable=SC2046
maps() {
	local ifindex
	ifindex=$(in_ns h1 cat /sys/class/net/pc/ifindex 2>/dev/null || in_ns h1 ip -j link show pc | jq '.[0].ifindex')
	bpftool map delete pinned "$root/ports" key hex $(le32 "$ifindex") 0 0 0 0
	finds 'map ports: 1 entries are missing'
	finds "port red/c: a spoofed frame was dropped, but not as this port's"
	mended
	bpftool map update pinned "$root/fdb" key hex 65 0 0 0 02 0 0 0 0 0x0b 0 0 value hex 01 01 0 0 0 0 0 0
	finds 'map fdb: 1 entries are missing or not as configured.*VNI 101, 02:00:00:00:00:0b'
	mended
	expect_status 0 weft_on h1 fdb add red/web/02:00:00:00:00:77 host h2
	well
	expect_output 'by hand 1 entries' weft_on h1 status
	expect_status 0 weft_on h1 fdb del red/web/02:00:00:00:00:77
}

# shellcheck disable=SC2046
tables() {
	local size key
	size=$(bpftool -j map show pinned "$root/tenants/red/acl" | jq .bytes_value)
	bpftool map update pinned "$root/tenants/red/acl" key hex 0 0 0 0 value hex $(zeroes "$size")
	finds 'tenant red, map acl: is not what the rules compile to'
	expect_status 0 weft_on h1 acl commit
	well
	# With the rules edited and nobody told, packets still meet the old ones.
	key=$( (printf deny; head -c 28 /dev/zero) | hex)
	bpftool map delete pinned "$root/tenants/red/rules" key hex $key
	finds 'tenant red, map acl: is not (what the rules compile to|of the configured size)'
	mended
	rm "$root/tenants/red/ct4"
	finds 'tenant red, map ct4: the one in use is not the one that is pinned'
	mended
}

# --- what was applied, and what came after ---

story() {
	local path
	expect_eq "$(sha256sum < "$STATE/apply.yaml" | cut -d' ' -f1)" "$(weft_on h1 -j status | jq -r .applied.hash)" \
		"status has the hash of the file"
	expect_output "applied $STATE/apply.yaml .*; 0 local changes since" weft_on h1 status
	expect_status 0 weft_on h1 acl add red/more direction in priority 3 protocol udp action allow
	expect_status 0 weft_on h1 acl set red/ping priority 51
	expect_output '; 2 local changes since' weft_on h1 status
	expect_output '^\+ tenants/red/acl/more' weft_on h1 -d status
	expect_output '"build":"0\.1-[0-9a-f]{12}"' weft_on h1 -j status
	mended
	expect_output '; 0 local changes since' weft_on h1 status
	# Going back is an apply too, without a file.
	expect_status 0 weft_on h1 acl del red/deny
	expect_status 0 weft_on h1 rollback
	expect_output 'applied a former state \(rollback\) by .*; 0 local changes since' weft_on h1 status
	expect_status 0 apply
	# What is pending is no fault.
	expect_status 0 weft_on h1 port add red/late network web host h1 device none0 mac 02:00:00:00:00:44
	well 'note port red/late: device none0 is not there: pending'
	expect_output 'pending port red/late: .*weft port bind' weft_on h1 status
	mended
	# A change that was cut off.
	path=$( (printf .interrupted; head -c 84 /dev/zero) | hex)
	# shellcheck disable=SC2046,SC2086
	bpftool map update pinned "$root/config" key hex $path value hex $(zeroes 12) 01 00 $(zeroes 842)
	finds 'configuration: a change was cut off'
	degraded 'interrupted: .*apply again'
	mended
	# The state directory outlives a root; what it says of another load is not believed.
	expect_status 0 weft_on h1 unload --force
	weft_load h1
	expect_output 'applied nothing since the load' weft_on h1 status
	well
}

# Below 6.6 the programs are filters, among which the order is that of their priorities.
clsact() {
	expect_status 0 weft_on h1 unload --force
	weft_load h1 --clsact
	configure
	well
	in_ns h1 tc filter add dev pc ingress pref 40 bpf direct-action object-pinned "$root/prog/sf_tc"
	well
	in_ns h1 tc filter add dev pc ingress pref 5 bpf direct-action object-pinned "$root/prog/sf_tc"
	finds 'device pc: a foreign filter .bpf, pref 5. is ahead of weft.s at ingress'
	in_ns h1 tc filter del dev pc ingress pref 5
	in_ns h1 tc filter del dev pc ingress pref 40
	in_ns h1 tc filter del dev pc egress
	finds 'device pc: weft.s program is not attached at egress'
	mended
}

for MODE in $MODES; do
	note "mode $MODE"
	if [ "$MODE" = xdp ]; then
		for ns in h1.pa h1.pc h2.pb; do workload_xdp_ready $ns; done
		for ns in h1 h2; do nic_like $ns u0; done
		for arm in s0 t0 t1; do function_xdp_ready "h1.${arm/t1/t0}" $arm; done
		configure
	fi
	untouched
	forged
done
MODE=tc
configure
dead
down
programs
tunnels
guard
maps
tables
story
clsact
