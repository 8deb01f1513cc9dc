#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# chains_added.sh: what a chain adds to a round trip. The hosts of chain_lab.sh, in xdp mode with reflectors in native XDP,
# and in tc mode, as veths are by default, with reflectors at TC. One byte over TCP and back between two hosts' workloads, both
# ends on one core, without a chain, with one of one function and with one of four in the wire: on its way there and on its
# way back each passes all of them. Beside it the same reflector at the end of a bare veth: such a segment to it and back.
# In turns; medians of the rounds.
#
#	chain_rr_us_{none,1,4}		round trips, in xdp mode
#	reflector_rr_us			of the reflector by itself
#	chain_added_us_{1,4}		what the chains add
#	chain_added_ratio_{1,4}		over the reflector's
#	chain_tc_*, reflector_tc_*	the same in tc mode
. "$(dirname "$0")/../lib/net.sh"
. "$(dirname "$0")/two_hosts.sh"
. "$(dirname "$0")/chain_lab.sh"
. "$(dirname "$0")/figures.sh"
need_weft
need jq

ROUNDS=${ROUNDS:-9} COUNT=${COUNT:-10000}

# What XDP_TX sends back over a veth arrives only where there is XDP too.
bare_lab() {
	netns_add "${1}bare"
	netns_add "${1}bare.b0"
	pair "${1}bare" b0 "${1}bare.b0" b0
	[ "$1" = t ] || bg "$TOOLS/sink" --netns "$(netns_of "${1}bare")" --dev b0 --seconds 0 --proto 255 > /dev/null
	reflector "$1" "${1}bare.b0" b0
}

p50() { sed -n 's/^p50_us=\([0-9.]*\).*/\1/p'; }

# rr X CHAIN
rr() {
	local dev=${CHAIN_WORKLOAD[$2]}
	"$TOOLS/pingpong" --server-ns "$(netns_of "${1}2.$dev")" --client-ns "$(netns_of "${1}1.$dev")" --addr $B4 \
		--cpu 0 --count "$COUNT" | p50
}

bare() { "$TOOLS/pingpong" --client-ns "$(netns_of "${1}bare")" --dev b0 --cpu 0 --count "$COUNT" | p50; }

minus() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f\n", a - b }'; }

measure() {
	local round x chain
	for ((round = 0; round < ROUNDS; round++)); do
		for x in x t; do
			sample "$x bare" "$(bare $x)"
			for chain in none 1 4; do sample "$x $chain" "$(rr $x $chain)"; done
			for chain in 1 4; do
				sample "$x added_$chain" "$(minus "${SAMPLES[$x $chain]##* }" "${SAMPLES[$x none]##* }")"
			done
		done
	done
}

# figures X INFIX
figures() {
	local chain
	figure "reflector_$2rr_us" "$(median "$1 bare")"
	for chain in none 1 4; do figure "chain_$2rr_us_$chain" "$(median "$1 $chain")"; done
	for chain in 1 4; do
		figure "chain_$2added_us_$chain" "$(median "$1 added_$chain")"
		ratio_figure "chain_$2added_ratio_$chain" "$1 added_$chain" "$1 bare"
	done
}

# frames that the fourth function of four gave back
returned() { counter_get "${1}1" steps four/inspect/f3:returned; }

declare -A before=()
for x in x t; do
	chain_lab $x
	bare_lab $x
	before[$x]=$(returned $x)
done
measure
for x in x t; do
	expect_ok -t "every byte passed every function, both ways" \
		test $(($(returned $x) - before[$x])) -ge $((2 * ROUNDS * COUNT))
done
figures x ''
figures t tc_
