#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# health: one function with two instances on h1, ips1 (s1) and ips2 (s2), in the wire of h1.pa, with the agent running. ips1
# becomes a silent black hole, its link goes down, its process is killed (victim.c): its flows move, the other's stay, and what
# was lost is told by name. Back up it gets new flows, and with `rebalance` its old ones. A killed agent is no dead function, and a
# function that dies without an agent is left all the same. At last ips1 alone, with a step that is closed and one that is open.
MODES=tc
. "$(dirname "$0")/../lib/lab.sh"
need jq chrt python3

FLOWS=24	# of one look. One in 50,000 has less than three for an instance
LOG=$STATE/agent.log

# configure REBALANCE INSTANCES [ON_FAILURE]
configure() {
	LAB_FUNCTIONS="  ips: {rebalance: $1, instances: {$2}}"
	lab_apply <<-YAML
	options: {default: {in: allow, out: allow}}
	acl:
	  - {name: no, direction: out, priority: 50, protocol: udp, destination_port: 666, action: deny}
	chains:
	  inspect: {tag: 301, steps: [{function: ips, on_failure: ${3:-closed}}]}
	insert:
	  - {name: wire, apply_to: [port:a], chain: inspect}
	YAML
}
ONE='ips1: {host: h1, device: s1}'
TWO='ips2: {host: h1, device: s2}'

# --- the function -----------------------------------------------------------------------------------------

declare -A VICTIM=()

# Whether it is dead shall be the test's decision, and not that of a machine that has no time for it.
victim_start() {
	[ -z "${VICTIM[$1]:-}" ] || bg_stop "${VICTIM[$1]}"
	bg in_ns "h1.s$1" chrt -f 1 "$TOOLS/victim" --dev "s$1" --name "$1" --kind "$2" > "$STATE/victim.$1" 2>&1
	VICTIM[$1]=$BG_PID
	wait_for 5 grep -q ready "$STATE/victim.$1" || die "no victim: $(cat "$STATE/victim.$1")"
}
dies() { kill -USR1 "${VICTIM[$1]}"; }
revives() { kill -USR2 "${VICTIM[$1]}"; }

# How `sf show` says it is: STATE HEALTH [REASON].
condition() { weft_on h1 -j sf show "ips/ips$1" | jq -r '[.state, .health, .reason // empty] | join(" ")'; }
condition_is() { [ "$(condition "$1")" = "$2" ]; }
becomes() {
	if wait_for 5 condition_is "$1" "$2"; then ok "ips$1 is $2"; else fail "ips$1 is $(condition "$1"), not $2"; fi
}

# --- the agent ----------------------------------------------------------------------------------------------

agent_start() {
	: > "$LOG"
	bg "$WEFT" -n "$(netns_of h1)" -r "$(root_of h1)" -j agent run >> "$LOG" 2>&1
	AGENT=$BG_PID
	wait_for 5 grep -q '"started"' "$LOG" || die "the agent does not start: $(cat "$LOG")"
}

# Its word means nothing a second after its death.
agent_kill() {
	kill -KILL "$AGENT"
	wait_gone "$AGENT"
	sleep 1.2
}

# events INSTANCE: its deaths, with their reasons, and returns since told_anew. Degraded may be who waits for a CPU.
events() {
	tail -n +$((TOLD + 1)) "$LOG" | jq -r --arg name "ips$1" \
		'select(.function == "ips" and .instance == $name) | [.event, .reason // empty] | join(" ")' |
		awk '$1 == "down" || ($1 == "up" && was == "down") { print; was = $1 }' | xargs
}
told_anew() { TOLD=$(wc -l < "$LOG"); }
told() { [ "$(events "$1")" = "$2" ]; }
tells() {
	if wait_for 3 told "$1" "$2"; then ok "the agent tells of ips$1: ${2:-nothing}"; else
		fail "the agent tells of ips$1: $(events "$1"), not ${2:-nothing}"; tail -n +$((TOLD + 1)) "$LOG" | jq -c .; fi
}

# --- flows --------------------------------------------------------------------------------------------------

# Known by their source port. A victim writes its name behind the number that a frame has of its look, and b tells both.
PORT=7777	# MARCH_PORT (march.h)
heard_by_b() {
	cat > "$STATE/heard.py" <<-'PY'
	import socket, struct, sys
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.bind(("", int(sys.argv[1])))
	print("ready", flush=True)
	while True:
	    data, (_, port) = s.recvfrom(2048)
	    print(struct.unpack("=Q", data[:8])[0], port, data[8], flush=True)
	PY
	bg in_ns h2.pb python3 -S -E "$STATE/heard.py" $PORT > "$STATE/heard"
	wait_for 5 grep -q ready "$STATE/heard" || die "nobody hears at b"
}

declare -i LOOK=0
# send_flows FIRST [COUNT [GAP_MS]]: a frame of each of FLOWS flows, or several.
send_flows() {
	LOOK+=1
	send h1.pa "[eth('$B', '$A', ip4('$A4', '$B4', struct.pack('!HHHH', i, $PORT, 40, 0) + struct.pack('=Q', $LOOK) + bytes(24),
		17)) for i in range($1, $1 + $FLOWS)]" "${2:-1}" "${3:-1}"
}

# heard [NAME]: the flows of the last look that have arrived at b, of that instance alone.
heard() { awk -v look=$LOOK -v name="${1:-}" '$1 == look && (name == "" || $3 == name) { print $2 }' "$STATE/heard" | sort -n | xargs; }
heard_all() { [ "$(heard | wc -w)" -ge $FLOWS ]; }

# look FIRST: a frame of each of these flows, all of which arrive; through whom is in $AT1 and $AT2.
look() {
	send_flows "$1"
	wait_for 2 heard_all
	expect_eq "$(all "$1")" "$(heard)" "$FLOWS flows from port $1 on arrive"
	AT1=$(heard 1) AT2=$(heard 2)
}

all() { seq "$1" $(($1 + FLOWS - 1)) | xargs; }
several() { if [ "$(wc -w <<< "$2")" -ge 3 ]; then ok "$1: $(wc -w <<< "$2")"; else fail "$1: only '$2'"; fi; }

# Connections of a are answered ten times a second, whatever happens meanwhile, until `connected` says whether all were.
connect() {
	local i
	CLIENTS=()
	for i in 1 2 3 4 5 6; do
		nsenter --net="/run/netns/$(netns_of h1.pa)" "$TOOLS/echo" tcp $B4 7 --count 8 --gap 100 --timeout 3000 </dev/null >/dev/null 2>&1 &
		CLIENTS+=($!)
	done
	sleep 0.2
}
connected() {
	local pid answered=0
	for pid in "${CLIENTS[@]}"; do wait "$pid" && answered=$((answered + 1)); done
	expect_eq 6 $answered "$1: connections of both go on"
}

# --- with the agent ------------------------------------------------------------------------------------------

# death KIND REASON FIRST [MEANWHILE [REBALANCE]]: MEANWHILE is what it is called between its death and its return.
death() {
	local mine others
	note "$1"
	victim_start 1 "$1"
	becomes 1 "up up"
	look "$3"
	several "flows at ips1" "$AT1"
	several "and at ips2" "$AT2"
	mine=$AT1 others=$AT2
	connect
	told_anew
	dies 1
	becomes 1 "up down $2"
	becomes 2 "up up"
	look "$3"
	expect_eq "" "$AT1" "what is dead gets nothing"
	expect_eq "$(all "$3")" "$AT2" "its flows are at the other one"
	connected "$1"
	tells 1 "down $2"
	revives 1
	becomes 1 "up up"
	tells 1 "down $2${4:+ $4} up"
	tells 2 ""
	look "$3"
	expect_eq "" "$AT1" "back up, it does not get its flows back"
	look $(($3 + 100))
	several "but new ones" "$AT1"
	[ -n "${5:-}" ] || return
	configure true "$ONE, $TWO"
	look "$3"
	expect_eq "$mine" "$AT1" "with rebalance they are back"
	expect_eq "$others" "$AT2" "and the other's where they were"
}

# --- without one ----------------------------------------------------------------------------------------------

# The last that an agent says is not for ever, be it good or bad.
agent_dies() {
	local mine
	note "the agent is killed"
	agent_kill
	becomes 1 "up up"
	becomes 2 "up up"
	look 7001
	several "flows at ips1" "$AT1"
	several "and at ips2" "$AT2"
	mine=$AT1
	look 7001
	expect_eq "$mine" "$AT1" "no flow moves"
	# Nobody says it: who sends finds out, and loses a few frames.
	dies 1
	send_flows 7001 2 2
	becomes 1 "up down silence"
	look 7001
	expect_eq "$(all 7001)" "$AT2" "a function that dies meanwhile is left all the same"
	agent_start
	becomes 1 "up down probes"
	agent_kill
	revives 1
	back_by_itself
	agent_start
	becomes 1 "up up"
	tells 1 ""
}

# New flows are what it is tried with, one a second.
tried() {
	TRY=$((TRY + 100))
	send_flows $TRY
	condition_is 1 "up up"
}
back_by_itself() {
	TRY=20001
	wait_for 5 tried && ok "what a dead agent called down is back up" || fail "what a dead agent called down stays $(condition 1)"
	look $((TRY + 100))
	several "and gets new flows" "$AT1"
}

# --- a step without another instance ----------------------------------------------------------------------------

step_field() { counter_get h1 steps "red/inspect/ips:$1"; }
# counted BEFORE cmd...: it says as many more as there were flows.
counted() { expect_eq $(($1 + FLOWS)) "$(counter_after "$1" h1 "${@:2}")" "each is counted: ${*:2}"; }

alone() {
	local dropped skipped arrived
	note "alone, $1"
	configure false "$ONE" "$1"
	becomes 1 "up up"
	dies 1
	becomes 1 "up down probes"
	dropped=$(counter_get h1 drops sf_down) skipped=$(step_field skipped)
	send_flows 9001
	if [ "$1" = closed ]; then
		counted "$dropped" drops sf_down
		expect_eq "$skipped " "$(step_field skipped) $(heard)" "and none goes round it"
	else
		counted "$skipped" steps red/inspect/ips:skipped
		wait_for 2 heard_all
		expect_eq "$dropped $(all 9001)" "$(counter_get h1 drops sf_down) $(heard 0)" "and all arrive, through nobody"
		expect_drop h1 acl_out h1.pa "eth('$B', '$A', ip4('$A4', '$B4', udp(9001, 666)))" "what is denied is so without the function too"
	fi
	expect_ok -t "status tells" eval "weft_on h1 status | grep -q 'ips/ips1 is down'"
	revives 1
	becomes 1 "up up"
	look 9001
}

lab_two_hosts
function_wire h1 s1
function_wire h1 s2
victim_start 1 hole
victim_start 2 hole
echo_serve h2.pb 7
heard_by_b
configure false "$ONE, $TWO"
agent_start
LAB_HOSTS=h1
death hole probes 5001
# With its link it is not yet believed to be alive.
death link link 5201 "down probes"
death process probes 5401 "" rebalance
configure false "$ONE, $TWO"
victim_start 1 hole
agent_dies
alone closed
alone open
