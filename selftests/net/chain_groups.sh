#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# chain_groups: on h1, a chain in the wires of a group: h1.pa is in it, h1.pc is not, until it comes into the group; and
# who goes out of the group is without the chain. The function is a reflector on h1.s0.
. "$(dirname "$0")/../lib/lab.sh"

lab_two_hosts
function_add h1 s0
LAB_FUNCTIONS='  one: {instances: {one1: {host: h1, device: s0}}}'

# Pings of both go through the function, or not, as told for each: moved or still.
inspected() {
	expect_counter_$1 h1 chains red/inspect:returned ping_ok h1.pa $B4
	expect_counter_$2 h1 chains red/inspect:returned ping_ok h1.pc $B4
}

run() {
	[ "$MODE" = tc ] || function_xdp_ready h1.s0 s0
	lab_apply <<-YAML
	options: {default: {in: allow, out: allow}}
	groups: {seen: {ports: [a]}, nets: {prefixes: [10.0.1.0/24]}}
	chains: {inspect: {tag: 301, steps: [{function: one}]}}
	insert: [{name: wires, apply_to: [group:seen], chain: inspect}]
	YAML
	inspected moved still
	expect_ok -t "c comes into the group" weft_on h1 group set red/seen ports a,c
	inspected moved moved
	expect_ok -t "a goes" weft_on h1 group set red/seen ports c
	inspected still moved
	refused=$(weft_on h1 insert set red/wires apply_to group:nets 2>&1) && fail "prefixes have no wires" ||
		expect_eq "weft: tenants/red/insert/wires: apply_to names group:nets, a group of prefixes: name ports or a group of ports" \
			"$refused" "prefixes have no wires"
	weft_on h1 group del red/seen >/dev/null 2>&1 && fail "the group is in use" || ok "the group is in use"
	inspected still moved
	function_kill h1 s0
	ping_fail h1.pc $B4
	ping_ok h1.pa $B4
	function_revive h1 s0
}

each_mode run
