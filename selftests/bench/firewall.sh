#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# firewall.sh: conntrack and rules at size, beside the kernel's own: each firewall_*.sh beside it in its turn, whose
# lines NAME=VALUE are printed.
#
#   firewall.sh [--check] [NAME...]      NAME: acl for firewall_acl.sh; default: all
#
# --check compares the figures with the targets; one that is missing is missed, if all were asked for. A part that
# fails fails the whole.
set -u

# name, comparison, target
TARGETS='
acl_flatness_10k <= 2
acl_flatness_100k <= 4
acl_tse_ratio <= 4
acl_vs_nft_10k >= 2
acl_commit_100k_s <= 2
acl_one_change_100k_ms <= 50
ct_value_bytes_v4 <= 128
ct_new_ratio >= 3
ct_established_ratio_1m >= 5
syn_flood_pps >= 300000
syn_flood_kept >= 0.9
syn_flood_neighbour >= 0.95
'

. "$(dirname "${BASH_SOURCE[0]}")/parts.sh"
parts_main firewall "$@"
