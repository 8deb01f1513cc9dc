#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# judge: what packets are told, by the programs' own classifier, against a scan of the rules one after the other: sets
# like ClassBench's, sets as tenants write them, and sets that are meant to explode, which are told right or refused.
NO_NETWORK=1
. "$(dirname "$0")/../lib/net.sh"

CLASSIFY=$TOOLS/classify
[ -x "$CLASSIFY" ] || die "$CLASSIFY is not built"

# judge KINDS SIZES LOOKUPS
judge() {
	local status=0
	"$CLASSIFY" judge "$@" > "$STATE/judged" 2> "$STATE/differ" || status=$?
	cat "$STATE/judged" >> "$STATE/all"
	if [ $status = 0 ]; then
		ok "$1, $2 rules: no difference"
	else
		fail "$1, $2 rules: status $status"
		cat "$STATE/judged" "$STATE/differ"
	fi
}

judge acl,fw,ipc,weft 10 20000
judge acl,fw,ipc,weft 1000 8000
judge acl,fw,ipc 10000 800
judge lengths,nested,ranges 10,100,1000,10000 500

lookups=$(awk '/look-ups/ { for (i = 1; i < NF; i++) if ($(i + 1) == "look-ups,") n += $i } END { print n + 0 }' "$STATE/all")
if [ "$lookups" -ge 200000 ]; then ok "$lookups look-ups"; else fail "only $lookups look-ups"; fi
expect_ok grep -q 'nested.*refused: .*the bound is' "$STATE/all"
expect_ok grep -q 'ranges.*refused: .*the bound is' "$STATE/all"
expect_eq 0 "$(grep -cE '^# (acl|fw|ipc),.*refused' "$STATE/all")" "what is like ClassBench is not refused"
