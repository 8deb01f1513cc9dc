#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 600
#
# crash: apply, a verb or a batch, stopped before each of its writes, and killed at some of them, lets nothing pass
# that both the old and the new policy deny; the same command then completes what the killed one began.
# Topology: selftests/lib/crash_lab.sh. TRANSITION=NAME for one alone, POINTS_EACH=all for a kill at every write.
. "$(dirname "$0")/../lib/crash_lab.sh"

crash_lab
every_transition "${POINTS_EACH:-1}" ${TRANSITION:-}
expect_eq 0 "$LEAKS" "nothing leaks at any of $POINTS moments"
