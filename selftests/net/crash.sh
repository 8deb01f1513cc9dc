#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 240
#
# crash: apply, a verb or a batch, stopped before each of its writes, and killed at some of them, lets nothing pass
# that both the old and the new policy deny; the same command then completes what the killed one began.
# Topology: selftests/lib/crash_lab.sh. TRANSITION=NAME for one alone, POINTS_EACH=all for a kill at every write.
. "$(dirname "$0")/../lib/crash_lab.sh"

# Kills a transition at so many writes: others in each transition, so that all parts of a change are met.
POINTS_EACH=${POINTS_EACH:-1}

# The writes at which the transition number $1, of $2 writes, is killed.
chosen() {
	local -i i
	[ "$POINTS_EACH" != all ] || { seq "$2"; return; }
	for ((i = 0; i < POINTS_EACH; i++)); do
		echo $((($1 * 7 + i * $2 / POINTS_EACH) % $2 + 1))
	done
}

crash_lab
turn=0
for name in ${TRANSITION:-"${TRANSITIONS[@]}"}; do
	turn=$((turn + 1))
	begin "$name"
	step "$name"
	[ "$WRITES" -gt 3 ] || { fail "$name: only $WRITES writes were seen"; continue; }
	for at in $(chosen $turn "$WRITES"); do
		how=before
		[ $((at % 2)) -eq 1 ] && how=after
		kill_at "$name" $how "$at"
	done
	[ "$BROKEN" -gt 0 ] || ok "$name: killed at $(chosen $turn "$WRITES" | wc -l) of them, and completed by the next"
done
expect_eq 0 "$LEAKS" "nothing leaks at any of $POINTS moments"
