#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# chains_step.sh: what a function in the wire leaves of packets a second. chain_lab.sh in xdp mode, the functions
# reflectors in native XDP; 64-byte UDP both ways at once, a core for each direction, between workloads of which one has a
# chain of one function in its wire, which all packets pass, and between such without. In turns; medians.
#
#	chain_pps_none_{1flow,4k_flows}		packets a second delivered without the chain
#	chain_pps_1_{1flow,4k_flows}		and with it
#	chain_step_pps_ratio			of the two, for 4,096 flows
#	chain_step_pps_ratio_1flow		for one
. "$(dirname "$0")/../lib/net.sh"
. "$(dirname "$0")/two_hosts.sh"
. "$(dirname "$0")/chain_lab.sh"
. "$(dirname "$0")/figures.sh"
need_weft
need jq

ROUNDS=${ROUNDS:-7}
# frames that f0 was sent
sent() { counter_get x1 steps "one/inspect/f0:sent"; }

measure() {
	local round chain name flows before PPS_WORKLOAD
	for ((round = 0; round < ROUNDS; round++)); do
		for name in 1flow:1 4k_flows:4096; do
			for chain in none 1; do
				PPS_WORKLOAD=${CHAIN_WORKLOAD[$chain]}
				before=$(sent)
				sample "${chain}_${name%:*}" "$(pps x v4 "${name#*:}")"
				[ $(($(sent) - before)) -gt 100000 ] || [ $chain = none ] || fail "they do not pass the function"
			done
		done
	done
}

chain_lab x
measure
for name in 1flow 4k_flows; do
	for chain in none 1; do figure "chain_pps_${chain}_$name" "$(median "${chain}_$name")"; done
done
ratio_figure chain_step_pps_ratio 1_4k_flows none_4k_flows
ratio_figure chain_step_pps_ratio_1flow 1_1flow none_1flow
expect_eq 0 "$(counter_get x1 drops sf_down)" "the function was never taken for dead"
