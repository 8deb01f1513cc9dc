#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# firewall_ct.sh: conntrack at size. Two hosts, a workload on each; weft in xdp mode beside the kernel's vxlan, bridge and
# br_netfilter with nf_conntrack, whose hash has a bucket a flow. UDP goes both ways at once, a core for each direction; rounds
# are interleaved, and each figure is of their medians.
#
#	ct_value_bytes_v4		what an IPv4 flow takes in its table, key included
#	ct_new_{xdp,kernel}_pps		new UDP flows a second: each packet begins one, on both hosts, and is delivered
#	ct_new_ratio			of the two
#	ct_established_{xdp,kernel}_1m_pps	packets a second of flows drawn from a million that are known on both hosts and
#					have been answered
#	ct_established_ratio_1m		of the two
. "$(dirname "$0")/../lib/net.sh"
. "$(dirname "$0")/kernel_overlay.sh"
. "$(dirname "$0")/two_hosts.sh"
. "$(dirname "$0")/figures.sh"
need_weft
need jq nft

ROUNDS=${ROUNDS:-5} LIVE=1000000
ROOM=2000000	# flows that a host of either has room for
# Most of these begin: ports are others in each run.
NEW=4000000 NEW_SIDE=2000

# How many flows the variant's host knows. Weft's live for two minutes, and none has been removed.
flows() {
	case $1 in
	k*) kernel_flows "$1" ;;
	*) weft_on "$1" -j counters | jq '.tenants.red | .flows - .reclaimed - .displaced' ;;
	esac
}

# --- the size -------------------------------------------------------------------------------------------

value_bytes() {
	local btf
	btf=$(bpftool -j map show pinned "$(root_of x1)/tenants/red/ct4" | jq .btf_id)
	bpftool -j btf dump id "$btf" | jq '.types[] | select(.name == "ct4_place") | .size'
}

# --- a million of flows -----------------------------------------------------------------------------------

# fill X: the flows are swept from both ends; a second sweep is for those whose first packet was lost.
fill() {
	local x=$1 n back=() jobs=() sinks=()
	for n in 1 2; do
		bg "$TOOLS/sink" --netns "$(netns_of "$x$n.p0")" --dev eth0 --seconds 0 > "$STATE/sink.$n"
		sinks+=("$BG_PID")
		wait_for 5 grep -q ready "$STATE/sink.$n" || die "no sink"
	done
	for n in 1 2; do
		flood_one "$x" $n $((3 - n)) v4 $LIVE $((n - 1)) 1 --count $LIVE "${back[@]}" > "$STATE/flood.$n" &
		jobs+=($!)
		back=(--swap)
	done
	wait "${jobs[@]}"
	for n in "${sinks[@]}"; do bg_stop "$n"; done
}

established() {
	local x host round PPS_WARMUP=0.5
	for x in x k; do
		for _ in 1 2 3 4; do
			[ "$(flows ${x}1)" -ge $LIVE ] && [ "$(flows ${x}2)" -ge $LIVE ] && break
			fill $x
		done
	done
	for ((round = 0; round < ROUNDS; round++)); do
		for x in x k; do
			sample established_$x "$(pps $x v4 $LIVE --random)"
		done
		echo "# round $round: ${SAMPLES[established_x]##* }, ${SAMPLES[established_k]##* } packets a second"
	done
	for host in x1 x2 k1 k2; do
		[ "$(flows $host)" -ge $((LIVE * 99 / 100)) ] || fail "$host knows only $(flows $host) flows"
	done
	figure ct_established_xdp_1m_pps "$(median established_x)"
	figure ct_established_kernel_1m_pps "$(median established_k)"
	ratio_figure ct_established_ratio_1m established_x established_k
}

# --- new flows ---------------------------------------------------------------------------------------------

# What is over goes in five seconds, by either's own means.
make_room() {
	local host
	for host in x1 x2; do
		run_quietly weft_on $host tenant set red conntrack.max_flows 4194304 || die "no larger table: $(cat "$STATE/output")"
		run_quietly weft_on $host tenant set red conntrack.timeouts.udp 5s || die "no timeout: $(cat "$STATE/output")"
	done
	for host in k1 k2; do
		in_ns $host sysctl -qw net.netfilter.nf_conntrack_udp_timeout=5
	done
}

# Beyond the sweep, flows would not be new.
all_are_new() {
	local n
	for n in 1 2; do
		[ "$(sed -n 's/^sent=\([0-9]*\).*/\1/p' "$STATE/flood.$n")" -lt $NEW ] || fail "the sweep was over: $(cat "$STATE/flood.$n")"
	done
}

new() {
	local x round PPS_WARMUP=0.3 PPS_SECONDS=0.5 PPS_BACK=()
	make_room
	for ((round = 0; round < ROUNDS; round++)); do
		for x in x k; do
			sample new_$x "$(pps $x v4 $NEW --sport $((1100 + NEW_SIDE * round)))"
			all_are_new
		done
		echo "# round $round: ${SAMPLES[new_x]##* }, ${SAMPLES[new_k]##* } new flows a second"
	done
	figure ct_new_xdp_pps "$(median new_x)"
	figure ct_new_kernel_pps "$(median new_k)"
	ratio_figure ct_new_ratio new_x new_k
}

weft_up x 62 xdp "max_flows: $ROOM"
kernel_up
ping_ok x1.p0 $B4
ping_ok k1.p0 $B4
kernel_conntrack_room $ROOM k1 k2
napi k on
figure ct_value_bytes_v4 "$(value_bytes)"
established
new
ok "measured"
