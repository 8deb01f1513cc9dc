#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 300
#
# chain_instances: one function with three instances on h1, ips1 (s0) and ips2 (v0) with one arm, ips3 (t0, t1) with two, in
# the wire of red's a and, with another tag, of blue's a, which has the same addresses. Flows spread and stay, both ways
# through the same instance; one is added, drained, taken away; `chain trace` knows before where they go.
. "$(dirname "$0")/../lib/lab.sh"
need tcpdump

lab_two_hosts
workload_add h1 qa $A $A4/24,$A6/64
workload_add h2 qb $B $B4/24,$B6/64
function_add h1 s0
function_add h1 v0
function_add h1 t0 t1
echo_serve h2.pb 7
echo_serve h2.qb 7

ONE='ips1: {host: h1, device: s0}'
TWO='ips2: {host: h1, device: v0}'
THREE='ips3: {host: h1, devices: [t0, t1]}'

# configure INSTANCES [KEYS]: of the function; in the wire of a of both tenants.
configure() {
	LAB_FUNCTIONS="  ips: {${2:-rebalance: false}, instances: {$1}}"
	lab_yaml > "$STATE/lab.yaml" <<-YAML
	options: {default: {in: allow, out: allow}, conntrack: {max_flows: 1024, timeouts: {udp: 10m}}}
	chains:
	  inspect: {tag: 301, steps: ips}
	insert:
	  - {name: wire, apply_to: [port:a], chain: inspect}
	YAML
	lab_blue "max_flows: 1024" >> "$STATE/lab.yaml"
	cat >> "$STATE/lab.yaml" <<-YAML
	    chains:
	      inspect: {tag: 302, steps: ips}
	    insert:
	      - {name: wire, apply_to: [port:a], chain: inspect}
	YAML
	for host in h1 h2; do
		run_quietly weft_on $host apply "$STATE/lab.yaml" || { show_output; die "weft apply on $host"; }
	done
}

watch() {
	capture_start h1.s0 s0 "$STATE/ips1"
	capture_start h1.v0 v0 "$STATE/ips2"
	capture_start h1.t0 t0 "$STATE/ips3"
}

# Flows are known by their source port. The echo server answers, and a's kernel tells the answer that nobody wants it.
flow_frame() { echo "eth('$B', '$A', ip4('$A4', '$B4', udp($1, 7)))"; }
flows() {
	local port
	for ((port = $2; port <= $3; port++)); do send "$1" "$(flow_frame $port)"; done
}

# at INSTANCE [FILTER]: which flows it has seen, each once.
at() {
	tcpdump -Z root -nr "$STATE/$1" "vlan and ${2:-udp}" 2>/dev/null |
		grep -oE '10\.0\.1\.1\.[0-9]+' | cut -d. -f5 | sort -un | xargs
}
number() { wc -w <<< "$*"; }

# seen FIRST LAST: after the capture: each flow at one instance, and where, into $place[PORT].
declare -A place
seen() {
	local instance port twice=
	place=()
	for instance in ips1 ips2 ips3; do
		for port in $(at $instance); do
			[ "$port" -ge "$1" ] && [ "$port" -le "$2" ] || continue
			[ -z "${place[$port]:-}" ] || twice+=" $port"
			place[$port]=$instance
		done
	done
	expect_eq "" "$twice" "flows $1 to $2: no instance sees what another one has"
	expect_eq $(($2 - $1 + 1)) ${#place[@]} "all of them are seen"
}

# instance_get NAME FIELD: of `sf show -s`.
instance_get() { weft_on h1 -s -j sf show ips/$1 | jq -r ".$2"; }

# Both ways: as many frames towards a as there were flows, at the same instance.
spread() {
	local instance leaving towards
	local -A given
	for instance in $1; do given[$instance]=$(instance_get $instance statistics.flows); done
	watch
	flows h1.pa $FIRST $((FIRST + 39))
	capture_stop
	seen $FIRST $((FIRST + 39))
	for instance in $1; do
		leaving=$(at $instance "ether[14:2] == 0x212d and udp")
		towards=$(tcpdump -Z root -nr "$STATE/$instance" "ether[14:2] == 0x412d and vlan and udp" 2>/dev/null |
			grep -oE '10\.0\.1\.1\.[0-9]+' | cut -d. -f5 | sort -un | xargs)
		expect_eq "$leaving" "$towards" "$instance sees both ways of its flows"
		[ "$(number $leaving)" -ge 4 ] && ok "$instance has $(number $leaving) of 40 flows" ||
			fail "$instance has $(number $leaving) of 40 flows"
		expect_eq "$(number $leaving)" "$(instance_get $instance statistics.live)" "which sf show counts"
		expect_eq "$(number $leaving)" "$(($(instance_get $instance statistics.flows) - given[$instance]))" "as given to it"
	done
	expect_eq "$(counter_get h1 steps red/inspect/ips:sent)" "$(counter_get h1 steps red/inspect/ips:returned)" "all came back"
}

# stay: the same flows once more, where they were.
stay() {
	local port moved=0
	local -A before
	for port in "${!place[@]}"; do before[$port]=${place[$port]}; done
	watch
	flows h1.pa $FIRST $((FIRST + 39))
	capture_stop
	seen $FIRST $((FIRST + 39))
	for port in "${!before[@]}"; do
		[ "${before[$port]}" = "${place[$port]:-}" ] || moved=$((moved + 1))
	done
	expect_eq "${2:-0}" $moved "$1: flows that move"
}

trace() {
	weft_on h1 -j chain trace red/inspect a protocol udp destination $B4 source_port "$1" destination_port 7
}

# counted: all that a trace might move, if it moved anything.
counted() {
	weft_on h1 -j counters
	weft_on h1 -s -j sf show
	weft_on h1 -j ct stat
	bpftool -j map dump pinned "$(root_of h1)/sf_flows" | jq -S 'map(.formatted.key, .formatted.value | del(.seen))'
}

# Known flows, and flows that nobody has seen yet.
traced() {
	local port wrong=
	counted > "$STATE/before"
	for port in $((FIRST)) $((FIRST + 1)) $((FIRST + 2)) $((FIRST + 3)) $(seq $((FIRST + 1000)) $((FIRST + 1005))); do
		expected=$(trace $port | jq -r '[.way[], .answer[] | select(.hop == "function").instance] | unique | join(" ")')
		echo "$port $expected" >> "$STATE/expected.$MODE"
		[ "$port" -ge $((FIRST + 1000)) ] || [ "$expected" = "${place[$port]}" ] || wrong+=" $port"
	done
	counted > "$STATE/after"
	expect_ok -t "a trace moves nothing" cmp "$STATE/before" "$STATE/after"
	expect_eq "" "$wrong" "it knows where flows are"
	expect_eq has "$(trace $FIRST | jq -r '.way[] | select(.hop == "function").choice')" "of one that is known it says so"
	expect_eq new "$(trace $((FIRST + 1000)) | jq -r '.way[] | select(.hop == "function").choice')" "and of one that is not"
	watch
	flows h1.pa $((FIRST + 1000)) $((FIRST + 1005))
	capture_stop
	seen $((FIRST + 1000)) $((FIRST + 1005))
	wrong=
	while read -r port expected; do
		[ "$port" -lt $((FIRST + 1000)) ] || [ "$expected" = "${place[$port]}" ] || wrong+=" $port"
	done < "$STATE/expected.$MODE"
	expect_eq "" "$wrong" "and where they will go"
	expect_output 'h1 > h2: tunnel, VNI 101' weft_on h1 chain trace red/inspect a protocol udp destination $B4 destination_port 7
	expect_output 'step 1 of red/inspect, tag 301 PCP 2: ips/ips' weft_on h1 chain trace red/inspect a protocol icmp source $B4
	expect_output 'one of ips/ips1 weight 1, ips/ips2 weight 1' weft_on h1 chain trace red/inspect a
	expect_refused 'is not on its wire, none is' weft_on h1 chain trace red/inspect c
	expect_refused 'neither its source nor its destination' weft_on h1 chain trace red/inspect a protocol icmp source $C4 destination $B4
}

# A third one: what is known stays, and of what is new it gets its part, in proportion to its weight.
added() {
	expect_ok weft_on h1 sf add ips/ips3 host h1 devices t0,t1
	[ "$MODE" = tc ] || expect_ok weft_on h1 apply --no-verify "$STATE/three.yaml"
	flows h1.pa $FIRST $((FIRST + 39))
	watch
	flows h1.pa $FIRST $((FIRST + 39))
	capture_stop
	seen $FIRST $((FIRST + 39))
	expect_eq "" "$(at ips3)" "a new instance gets no flow that there was"
	expect_ok weft_on h1 sf set ips/ips3 weight 8
	watch
	flows h1.pa $((FIRST + 2000)) $((FIRST + 2039))
	capture_stop
	seen $((FIRST + 2000)) $((FIRST + 2039))
	# shellcheck disable=SC2046
	count=$(number $(at ips3))
	[ "$count" -ge 20 ] && ok "it gets $count of 40 new ones with a weight of 8 in 10" ||
		fail "it gets $count of 40 new ones with a weight of 8 in 10"
	expect_output 'ips/ips3 {host: h1, devices: \[t0, t1\], weight: 8} state up health up' weft_on h1 sf show
}

# drain_begins INSTANCE [--wait TIME]: and is waited for in the background.
drain_begins() {
	: > "$STATE/drain.log"
	bg "$WEFT" -n "$(netns_of h1)" -r "$(root_of h1)" sf drain "ips/$1" "${@:2}" > "$STATE/drain.log" 2>&1
	DRAIN_PID=$BG_PID
	wait_for 5 grep -q 'left, for at most' "$STATE/drain.log" || fail "sf drain says nothing"
}
drain_has_ended() { wait_for 10 eval "! kill -0 $DRAIN_PID 2>/dev/null"; }

# ips1 drains: nothing new, while its own stay; the command is killed, and at the end they go all the same.
drained() {
	local port at_one left
	configure "$ONE, $TWO, $THREE"
	watch
	flows h1.pa 7001 7020
	capture_stop
	seen 7001 7020
	at_one=$(at ips1)
	left=$(instance_get ips1 statistics.live)
	[ "$(number $at_one)" -ge 1 ] || fail "ips1 has none of 20 flows"
	drain_begins ips1 --wait 2m
	expect_eq "sf ips/ips1: $left flows left" "$(sed -n 's/, for at most.*//p' "$STATE/drain.log" | head -1)" "sf drain says how many flows are left"
	expect_eq draining "$(instance_get ips1 state)" "sf show says that it drains"
	expect_ok -t "and for how long" test "$(instance_get ips1 drain.left_s)" -le 120
	watch
	flows h1.pa 7001 7020
	flows h1.pa 7101 7120
	capture_stop
	expect_eq "$at_one" "$(at ips1)" "its own flows stay, and it gets no new one"
	kill -9 "$DRAIN_PID"
	drain_begins ips1 --wait 5s
	kill -9 "$DRAIN_PID"
	wait_for 15 eval '[ "$(instance_get ips1 state)" = drained ]' || fail "the drain does not end"
	watch
	flows h1.pa 7001 7020
	capture_stop
	expect_eq "" "$(at ips1)" "at the end they go elsewhere, though the command is dead"
	seen 7001 7020
	expect_ok -t "they are counted there as moved" test "$(instance_get ips2 statistics.moved)" -gt 0
	expect_ok weft_on h1 sf drain ips/ips1 --wait 0s
	expect_refused 'is down, and has no flows' weft_on h1 sf drain ips/ips1
	expect_ok weft_on h1 sf undrain ips/ips1
	expect_eq up "$(instance_get ips1 state)" "it is up again"
}

# It ends when there is no flow, and at the end of its time says in the configuration what has come true.
drain_ends() {
	drain_begins ips2
	expect_ok weft_on h1 ct flush
	expect_ok -t "it ends with the last flow" drain_has_ended
	expect_output 'is drained: it has no flow any more' cat "$STATE/drain.log"
	expect_eq draining "$(instance_get ips2 state)" "and the instance still gets no new one"
	expect_ok weft_on h1 sf undrain ips/ips2
	flows h1.pa 7201 7240
	weft_on h1 -j -d sf drain ips/ips2 --wait 2s > "$STATE/drain.json" 2>/dev/null
	expect_eq "down true true" "$(jq -r '"\(.admin) \(.others) \(.left == (.flows | length) and .left > 0)"' "$STATE/drain.json")" \
		"at the end of its time it is down, and its flows go to others"
	expect_eq down "$(instance_get ips2 state)" "as sf show says"
	drain_begins ips1
	expect_ok weft_on h1 sf undrain ips/ips1
	drain_has_ended || fail "it waits although somebody has ended the drain"
	expect_output 'somebody has changed it meanwhile' cat "$STATE/drain.log"
	expect_ok weft_on h1 sf undrain ips/ips2
}

# Who takes the last one away has to mean it.
last_one() {
	expect_ok weft_on h1 sf set ips/ips1 admin down
	expect_ok weft_on h1 sf set ips/ips3 admin down
	expect_refused 'no instance on host h1 would be up, and chain [a-z]*/inspect needs one there.*is dropped' weft_on h1 sf set ips/ips2 admin down
	expect_refused 'repeat with --force' weft_on h1 sf drain ips/ips2
	expect_refused 'no instance on host h1 would be up' weft_on h1 sf del ips/ips2
	expect_ok weft_on h1 sf drain ips/ips2 --wait 0s --force
	expect_drop h1 sf_down h1.pa "$(flow_frame 7301)" "without any"
	expect_ok -t "status says so" eval 'weft_on h1 status | grep -q "all instances of function ips here are down or drained.*is dropped"'
	for instance in ips1 ips2 ips3; do expect_ok weft_on h1 sf undrain ips/$instance; done
	udp_ok h1.pa $B4 7
}

# Its flows are not lost: they go on through the others.
removed() {
	local before
	flows h1.pa 7301 7340
	before=$(($(instance_get ips1 statistics.moved) + $(instance_get ips2 statistics.moved)))
	expect_ok weft_on h1 sf del ips/ips3
	watch
	flows h1.pa 7301 7340
	capture_stop
	seen 7301 7340
	expect_eq "" "$(at ips3)" "what is removed gets nothing"
	[ $(($(instance_get ips1 statistics.moved) + $(instance_get ips2 statistics.moved))) -gt "$before" ] &&
		ok "its flows have moved to the others" || fail "none of its flows has moved"
	expect_ok weft_on h1 sf del ips/ips2
	expect_refused 'no instance on host h1 would be up|names sf ips, which does not exist' weft_on h1 sf del ips/ips1
}

# blue has the same addresses behind the same instances; the tag tells them apart.
tenants() {
	local instance tag SEND_DEVICE
	watch
	flows h1.pa 8001 8012
	flows h1.qa 8001 8012
	capture_stop
	for tag in 301 302; do
		expect_eq 12 "$(for instance in ips1 ips2 ips3; do
			tcpdump -Z root -nr "$STATE/$instance" "vlan $tag and udp" 2>/dev/null | grep -oE '10\.0\.1\.1\.[0-9]+'
		done | sort -u | wc -l)" "each flow of tag $tag passes"
	done
	udp_ok h1.qa $B4 7
	expect_eq 12 "$(weft_on h1 -j ct show blue source $A4 source_port 8001-8012 protocol udp | jq length)" "blue's flows are blue's"
	SEND_DEVICE=s0
	expect_drop h1 sf_unknown h1.s0 "eth('$B', '$C', vlan(302, ip4('$C4', '$B4', udp(9, 9)), pcp=1))" \
		"with blue's tag, a workload of red's"
	expect_drop h1 sf_no_flow h1.s0 "eth('$A', '$B', vlan(302, ip4('$B4', '$A4', udp(999, 8001)), pcp=2))" \
		"with blue's tag, what is no flow of blue's"
	expect_drop h1 sf_unknown h1.s0 "eth('$B', '$A', vlan(303, ip4('$A4', '$B4', udp(9, 9)), pcp=1))" "nobody's tag"
	SEND_DEVICE=t0
	expect_drop h1 sf_unknown h1.t0 "eth('$B', '$A', vlan(301, ip4('$A4', '$B4', udp(9, 9)), pcp=1))" \
		"from where leaving frames enter"
}

run() {
	# Flows that the other mode did not have.
	FIRST=$([ "$MODE" = tc ] && echo 5001 || echo 15001)
	if [ "$MODE" = xdp ]; then
		for device in s0 v0; do function_xdp_ready h1.$device $device; done
		for device in t0 t1; do function_xdp_ready h1.t0 $device; done
		for ns in h1.qa h2.qb; do workload_xdp_ready $ns; done
	fi
	configure "$ONE, $TWO, $THREE"
	cp "$STATE/lab.yaml" "$STATE/three.yaml"
	configure "$ONE, $TWO"
	weft_on h1 ct flush >/dev/null
	spread "ips1 ips2"
	stay "nothing has changed"
	traced
	added
	tenants
}
each_mode run
drained
drain_ends
last_one
removed
