#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# firewall_acl.sh: what rules cost a flow's first packet, by their number and by their kind. Sets are like ClassBench's:
# acl, fw and ipc, IPv4 and IPv6; a figure is the mean of the six. The programs' own code
# runs over 65,536 packets whose addresses and ports are drawn over the whole set, in one run of a program; what the
# loop costs by itself is taken off. The judge compares ten million answers with a scan of the rules.
#
#	acl_ns_N		a flow's first packet once it is parsed: classified, and a flow made
#	acl_classify_ns_N	the classification alone
#	acl_flatness_N		acl_ns_N over acl_ns_10
#	acl_flatness_N_worst	the same of the kind and family for which it is worst
#	acl_tse_ratio		the same for sets that are meant to explode, of those that are not refused; 0: all are
NO_NETWORK=1
. "$(dirname "$0")/../lib/net.sh"

CLASSIFY=$TOOLS/classify
KINDS="acl fw ipc"
ROUNDS=3
[ -x "$CLASSIFY" ] || die "$CLASSIFY is not built"

declare -A NS=()

# measure VERB KIND FAMILY SIZE: the least of a few rounds, into NS; 1 if the set is refused.
measure() {
	local key="$*" line ns
	for _ in $(seq $ROUNDS); do
		line=$("$CLASSIFY" "$@") || { fail "$key: $line"; return 1; }
		case $line in
		refused*) NS[$key]=$line; return 1 ;;
		esac
		ns=${line#ns=} ns=${ns%% *}
		NS[$key]=$(awk -v a="${NS[$key]:-1e9}" -v b="$ns" 'BEGIN { print a < b ? a : b }')
	done
}

# mean VERB SIZE, worst VERB SIZE: over kinds and families; the latter of ratios to 10 rules.
mean() {
	local kind family
	for kind in $KINDS; do
		for family in 4 6; do echo "${NS[$1 $kind $family $2]}"; done
	done | awk '{ s += $1 } END { printf "%.0f\n", s / NR }'
}

worst() {
	local kind family
	for kind in $KINDS; do
		for family in 4 6; do echo "${NS[$1 $kind $family $2]} ${NS[$1 $kind $family 10]}"; done
	done | awk '{ r = $1 / $2; if (r > m) m = r } END { printf "%.2f\n", m }'
}

for size in 10:10 1000:1k 10000:10k 100000:100k; do
	for kind in $KINDS; do
		for family in 4 6; do
			measure admit "$kind" $family "${size%:*}" || fail "$kind, IPv$family, ${size%:*} rules: refused"
			measure time "$kind" $family "${size%:*}"
		done
	done
	echo "acl_ns_${size#*:}=$(mean admit "${size%:*}")"
	echo "acl_classify_ns_${size#*:}=$(mean time "${size%:*}")"
done
for size in 10000:10k 100000:100k; do
	echo "$(mean admit "${size%:*}") $(mean admit 10)" | awk -v n="${size#*:}" '{ printf "acl_flatness_%s=%.2f\n", n, $1 / $2 }'
	echo "acl_flatness_${size#*:}_worst=$(worst admit "${size%:*}")"
done

# Explosions, at the sizes that attackers can afford.
tse=0 refused=0
for kind in nested lengths ranges; do
	for size in 100 1000 10000; do
		if measure admit $kind 4 $size; then
			tse=$(awk -v a="${NS[admit $kind 4 $size]}" -v b="$(mean admit 10)" -v t="$tse" \
				'BEGIN { r = a / b; printf "%.2f\n", (r > t ? r : t) }')
		elif [[ ${NS[admit $kind 4 $size]} == *bound* ]]; then
			refused=$((refused + 1))
			echo "# $kind, $size rules: ${NS[admit $kind 4 $size]}"
		else
			fail "$kind, $size rules: refused without a bound"
		fi
	done
done
echo "acl_tse_ratio=$tse"
echo "acl_tse_refused=$refused"

judge() {
	run_quietly "$CLASSIFY" judge "$@" && { sed -n '/look-ups/s/.* \([0-9]*\) look-ups.*/\1/p' "$STATE/output" >> "$STATE/lookups"; return; }
	fail "judge $*"
	tail -n 5 "$STATE/output"
}
judge acl,fw,ipc,weft 10 800000
judge acl,fw,ipc,weft 1000 450000
judge acl,fw,ipc 10000 40000
judge acl,fw,ipc 100000 2000
echo "acl_judged=$(awk '{ s += $1 } END { print s }' "$STATE/lookups")"
ok "measured"
