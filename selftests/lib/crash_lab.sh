# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2154
#
# crash_lab.sh: a change of policy, stopped and killed at each of its writes. To be sourced.
#
# Host h1, where the changes are made, has workloads behind p1 to p6 and three functions: s0 and s1 take frames and
# give none back, s2 gives them all back. Host h2 has workloads behind q1 and q2. Workload number N has MAC
# 02:00:00:00:00:0N and addresses 10.0.1.N and fd00:1::N; frames are made by hand, so a device may speak for any.
#
# A transition (transitions.sh) says what was, what shall be, and which frames tell the difference:
#	never	both policies deny it: it arrives at no moment, also after a kill
#	both	both allow it
#	old, new	one of them does

# shellcheck source=selftests/lib/net.sh
. "$(dirname "${BASH_SOURCE[0]}")/net.sh"
# shellcheck source=selftests/lib/transitions.sh
. "$(dirname "${BASH_SOURCE[0]}")/transitions.sh"

WAIT_MS=4	# for a frame that may not come
PRUNED_MAX=12	# files of the last ten states that a change takes away at its end
declare -i LEAKS=0 POINTS=0 BROKEN=0

crash_lab() {
	local n
	need_weft
	need python3 jq
	host_add h1 192.168.50.1/24
	host_add h2 192.168.50.2/24
	underlay_link h1 u0 h2 u0
	netns_add wl
	netns_add wr
	for n in wl wr; do in_ns $n sh -c 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6'; done
	for n in 1 2 3 4 5 6; do pair h1 p$n wl p$n; done
	for n in 1 2; do pair h2 q$n wr q$n; done
	function_wire h1 s0
	function_wire h1 s1
	function_add h1 s2
	weft_load h1
	weft_load h2
	mkfifo "$STATE/go" "$STATE/writes"
	coproc PROBES { exec python3 -S -E -B "$TOP/selftests/net/probes.py" 2>"$STATE/probes.log"; }
	disown "$PROBES_PID"
}

# The answer of probes.py, without "ok", in $ARRIVED.
ask() {
	local IFS=$'\t'
	printf '%s\n' "$*" >&"${PROBES[1]}"
	read -r ARRIVED <&"${PROBES[0]}" || die "probes.py is gone: $(cat "$STATE/probes.log")"
	[[ $ARRIVED == ok* ]] || die "probes.py: $*: $ARRIVED"
	ARRIVED=${ARRIVED#ok}
}

place_of() {
	case $1 in
	*/*) printf '/run/netns/%s\t%s' "$(netns_of "${1%/*}")" "${1#*/}" ;;
	q*) printf '/run/netns/%s\t%s' "$(netns_of wr)" "$1" ;;
	*) printf '/run/netns/%s\t%s' "$(netns_of wl)" "$1" ;;
	esac
}

# --- one transition ------------------------------------------------------------------------------------

# begin NAME: its configurations into files, its frames to probes.py.
begin() {
	local kind from to frame i=0
	FRAME=()
	OLD='' NEW='' OLD_FUNCTIONS='' NEW_FUNCTIONS='' OLD_MODE='' NEW_MODE='' OLD_WHOLE='' FRAMES='' BOTH=' ' ONLY_OLD=' ' ONLY_NEW=' ' NEVER=' '
	CHANGE=(apply --no-verify --prune --force "$STATE/new.yaml")
	before_begin() { :; }
	before_old() { :; }
	before_change() { :; }
	"transition_$1"
	before_begin
	{ head_yaml "$OLD_FUNCTIONS" "$OLD_MODE"; printf '%s\n' "$OLD"; } > "$STATE/old.yaml"
	[ -z "$OLD_WHOLE" ] || echo "$OLD_WHOLE" > "$STATE/old.yaml"
	{ head_yaml "$NEW_FUNCTIONS" "$NEW_MODE"; printf '%s\n' "$NEW"; } > "$STATE/new.yaml"
	ask clear
	while read -r kind from to frame; do
		[ -n "$kind" ] || continue
		i=$((i + 1))
		FRAME[$i]="$from to $to: $frame"
		ask add "$kind$i" "$(place_of "$from")" "$(place_of "$to")" "$frame"
		case $kind in
		both) BOTH+="$kind$i " ;;
		old) ONLY_OLD+="$kind$i " ;;
		new) ONLY_NEW+="$kind$i " ;;
		never) NEVER+="$kind$i " ;;
		*) die "$1: no such kind: $kind" ;;
		esac
	done <<< "$FRAMES"
	weft_quietly h2 apply --no-verify --prune --force "$STATE/old.yaml"
}

weft_quietly() { run_quietly weft_on "$@" || { show_output; die "weft $*"; }; }

sorted() { tr -s ' ' '\n' <<< "$*" | sort | tr '\n' ' '; }

# arrives TEXT NAMES: these frames arrive, and no other. What is slow gets more time.
arrives() {
	local ms
	for ms in 20 100 400; do
		ask probe $ms
		[ "$(sorted "$ARRIVED")" = "$(sorted "$2")" ] && return 0
	done
	BROKEN+=1
	fail "$1: arrived:$ARRIVED, expected:$2"
	weft_on h1 -j counters | jq -c '.drops | with_entries(select(.value > 0))'
	return 1
}

to_old() {
	before_old
	# Each look begins flows, and their tables are small.
	weft_quietly h1 ct flush
	weft_quietly h2 ct flush
	weft_quietly h1 apply --no-verify --prune --force "$STATE/old.yaml"
	arrives "$1: before" "$BOTH$ONLY_OLD"
	before_change
}

# look TEXT: what neither policy allows must not arrive; what both allow may be missing: counted in $CUT.
look() {
	local name
	ask probe $WAIT_MS
	for name in $ARRIVED; do
		[[ $NEVER == *" $name "* ]] || continue
		LEAKS+=1
		fail "$1: $name arrives: ${FRAME[${name//[a-z]/}]}"
	done
	for name in $BOTH; do
		[[ " $ARRIVED " == *" $name "* ]] || { CUT+=1; return; }
	done
}

# Entries of the maps by their number, and who is where by name.
picture() {
	"$TOOLS/mapcount" "$(root_of h1)"
	weft_on h1 save
	weft_on h1 -j fdb show
	weft_on h1 -j neigh show
	# That a function is deaf is noticed after a second, if the look comes so late.
	weft_on h1 -j status | jq -S '{devices, pending, bypassed, degraded, interrupted} | del(.. | .ifindex?) |
		.degraded |= map(select(.problem | contains("has returned nothing") | not))'
}

# step NAME: looks before each write, with the command stopped there. Leaves the number of writes in $WRITES.
step() {
	local line killat status=
	local -i CUT=0
	to_old "$1"
	WRITES=0
	"$TOOLS/killat" -o "$STATE/change" step "$WEFT" -n "$(netns_of h1)" -r "$(root_of h1)" "${CHANGE[@]}" \
		< "$STATE/go" > "$STATE/writes" &
	killat=$!
	exec 8>"$STATE/go" 7<"$STATE/writes"
	while read -r line <&7; do
		[[ $line == end* ]] && { status=${line#end }; break; }
		WRITES=${line%% *}
		look "$1: before write $line"
		echo >&8
	done
	exec 7<&- 8>&-
	wait $killat
	POINTS+=$WRITES
	[ "$status" = 0 ] || { BROKEN+=1; fail "$1: the change fails: $(cat "$STATE/change")"; }
	arrives "$1: after" "$BOTH$ONLY_NEW"
	picture > "$STATE/untouched"
	ok "$1: stopped at each of $WRITES writes: nothing arrives that both policies deny; $CUT times one that both allow did not"
}

# The command again makes of what a killed one left what an untouched one makes.
repair() {
	run_quietly weft_on h1 "${CHANGE[@]}" || { BROKEN+=1; fail "$1: not repaired"; show_output; return 1; }
	arrives "$1: repaired" "$BOTH$ONLY_NEW"
	run_quietly weft_on h1 diff --prune "$STATE/new.yaml" || { BROKEN+=1; fail "$1: differs after the repair"; show_output; }
	run_quietly weft_on h1 apply --no-verify --prune --force "$STATE/new.yaml"
	grep -q 'nothing to change' "$STATE/output" || { BROKEN+=1; fail "$1: the repair was not whole"; show_output; }
	picture > "$STATE/repaired"
	run_quietly diff "$STATE/untouched" "$STATE/repaired" || { BROKEN+=1; fail "$1: other maps than without a kill"; show_output; }
}

# kill_at NAME before|after N
kill_at() {
	local at="$1: killed $2 write $3" what
	local -i CUT=0
	to_old "$at"
	what=$("$TOOLS/killat" "$2" "$3" "$WEFT" -n "$(netns_of h1)" -r "$(root_of h1)" "${CHANGE[@]}") || {
		# How many files of old states go at the end depends on how many were kept: none at first, then one or two states'.
		[ $((WRITES - $3)) -lt $PRUNED_MAX ] || { BROKEN+=1; fail "$at: it ended before"; }
		arrives "$at, which it had not" "$BOTH$ONLY_NEW"
		return
	}
	POINTS+=1
	look "$at ($what)"
	# Not only forwards: what is half new can be made old again, too.
	[ $(($3 % 3)) -ne 0 ] || to_old "$at ($what): and back"
	repair "$at ($what)"
}

# --- all of them -----------------------------------------------------------------------------------------

# The writes at which transition number $1, of $2 writes, is killed: $3 of them, others in each transition, or all.
chosen() {
	local -i i
	[ "$3" != all ] || { seq "$2"; return; }
	for ((i = 0; i < $3; i++)); do
		echo $((($1 * 7 + i * $2 / $3) % $2 + 1))
	done
}

# every_transition N|all [NAME...]
every_transition() {
	local each=$1 name at how turn=0 kills
	shift
	for name in "${@:-${TRANSITIONS[@]}}"; do
		turn=$((turn + 1)) kills=0
		begin "$name"
		step "$name"
		[ "$WRITES" -gt 3 ] || { fail "$name: only $WRITES writes were seen"; continue; }
		for at in $(chosen $turn "$WRITES" "$each"); do
			how=before
			[ $((at % 2)) -eq 1 ] && how=after
			kill_at "$name" $how "$at"
			kills=$((kills + 1))
		done
		[ "$BROKEN" -gt 0 ] || ok "$name: killed at $kills of them, and completed by the next"
	done
}
