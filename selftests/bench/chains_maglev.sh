#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# chains_maglev.sh: whose flows move when one of ten instances dies. 20,000 flows, a frame of each; then the device of one
# instance goes down, and a frame of each goes once more; then all flows are forgotten, and a frame of each is its flow's first.
#
#	maglev_disruption	share of the flows of the nine that live which moved to another of them: the larger of the two
#	maglev_established	while they were known
#	maglev_new		when they were chosen anew
#	maglev_largest		the largest instance's flows over a tenth of all, while all lived
. "$(dirname "$0")/../lib/net.sh"
. "$(dirname "$0")/death_lab.sh"
. "$(dirname "$0")/figures.sh"
need_weft
need jq

FLOWS=20000 DEAD=4

# sweep NAME TIMES: so many frames of each flow, and through whom the last one came.
sweep() {
	march --pps 20000 --flows $FLOWS --count $((FLOWS * $2)) --flow-file "$STATE/$1" > "$STATE/count"
	[ "$(grep -cvx 0 "$STATE/$1")" -ge $((FLOWS * 99 / 100)) ] || fail "$1: too few arrived: $(cat "$STATE/count")"
}

# moved NAME: of those that were not with the dead one.
moved() {
	paste "$STATE/before" "$STATE/$1" | awk -v dead=$DEAD \
		'$1 && $2 && $1 != dead { n++; moved += $1 != $2 } END { printf "%.5f\n", n ? moved / n : 1 }'
}

death_lab 10 closed
victims link
sweep before 1
kill -USR1 "${VICTIM[$DEAD]}"
# Those of the dead one have moved by the end.
sweep established 4
expect_eq 0 "$(grep -cx $DEAD "$STATE/established")" "nothing comes through the dead one"
expect_ok weft_on d1 ct flush red
sweep new 1
figure maglev_established "$(moved established)"
figure maglev_new "$(moved new)"
figure maglev_disruption "$(printf '%s\n' "${FIGURE[maglev_established]}" "${FIGURE[maglev_new]}" | sort -g | tail -n 1)"
figure maglev_largest "$(sort "$STATE/before" | uniq -c | sort -n | awk -v all=$FLOWS 'END { printf "%.3f\n", $1 / (all / 10) }')"
