#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# safe.sh: what it costs and risks to use weft: each safe_*.sh beside it in its turn, whose lines NAME=VALUE are
# printed.
#
#   safe.sh [--check] [NAME...]      NAME: kill for safe_kill.sh; default: all
#
# --check compares the figures with the targets; one that is missing is missed, if all were asked for. A part that
# fails fails the whole.
set -u

# name, comparison, target
TARGETS='
upgrade_lost <= 0
upgrade_flows_lost <= 0
apply_kill_leaks <= 0
confirm_revert_ms <= 500
verify_s_1000_ports <= 5
apply_noop_ms_1000_ports <= 300
boot_to_traffic_s <= 5
'

. "$(dirname "${BASH_SOURCE[0]}")/parts.sh"
parts_main safe "$@"
