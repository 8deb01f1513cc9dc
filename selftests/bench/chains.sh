#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# chains.sh: what functions in the wire cost, and what their deaths do: each chains_*.sh beside it in its turn, whose
# lines NAME=VALUE are printed.
#
#   chains.sh [--check] [NAME...]      NAME: step for chains_step.sh; default: all
#
# --check compares the figures with the targets; one that is missing is missed, if all were asked for. A part that
# fails, or cannot be measured, fails the whole. `false` takes ten minutes, or MINUTES of them.
set -u

# name, comparison, target. `lost`: no more than 10 ms of 100,000 packets a second.
TARGETS='
chain_step_pps_ratio >= 0.4
chain_added_ratio_1 <= 1.3
chain_added_ratio_4 <= 4.5
failopen_ms_max <= 20
failover_ms_p50 <= 10
failover_ms_max <= 20
failover_lost <= 1000
false_switches <= 0
maglev_disruption <= 0.01
nsh_stream_ratio >= 0.7
suricata_stream_ratio >= 0.9
'

. "$(dirname "${BASH_SOURCE[0]}")/parts.sh"
parts_main chains "$@"
