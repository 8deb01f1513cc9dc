#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# safe_kill: apply, verbs and a batch killed at every one of their writes, in every transition of crash_lab.sh: how
# often something passed that both policies deny. A change that could not be completed afterwards fails the run.
. "$(dirname "$0")/../lib/crash_lab.sh"

crash_lab
every_transition "${POINTS_EACH:-all}" ${TRANSITION:-}
echo "apply_kill_points=$POINTS"
echo "apply_kill_leaks=$LEAKS"
