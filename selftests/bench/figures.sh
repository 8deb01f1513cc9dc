# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
#
# figures.sh: samples of interleaved rounds, and the figures made of them. To be sourced.
#
#	sample NAME VALUE			one more of a round
#	median NAME				of its samples
#	figure NAME VALUE			prints NAME=VALUE
#	ratio_figure NAME SAMPLES SAMPLES	the median of the rounds' own ratios

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

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f\n", (b > 0 ? a / b : 0) }'; }

# The machine's drift from round to round is in both samples of one.
ratio_figure() {
	local -a over under
	local i

	read -ra over <<< "${SAMPLES[$2]:-}"
	read -ra under <<< "${SAMPLES[$3]:-}"
	for ((i = 0; i < ${#over[@]}; i++)); do
		sample "ratio $1" "$(ratio "${over[i]}" "${under[i]:-0}")"
	done
	figure "$1" "$(median "ratio $1")"
}
