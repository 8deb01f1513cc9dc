# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
#
# figures.sh: samples of interleaved rounds, and the figures made of them. To be sourced.
#
#	sample NAME VALUE			one more of a round
#	median NAME				of its samples
#	figure NAME VALUE			prints NAME=VALUE
#	ratio_figure NAME SAMPLES SAMPLES	of two medians

declare -A SAMPLES=() FIGURE=()

sample() { SAMPLES[$1]+=" $2"; }

median() {
	tr ' ' '\n' <<< "${SAMPLES[$1]:-}" | grep . | sort -g | awk '
		{ v[NR] = $1 }
		END { if (NR) print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2; else print 0 }'
}

figure() {
	FIGURE[$1]=$2
	echo "$1=$2"
}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f\n", (b > 0 ? a / b : 0) }'; }

ratio_figure() { figure "$1" "$(ratio "$(median "$2")" "$(median "$3")")"; }
