#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# bench.sh: the overlay's figures beside the kernel's own, all in one run on one machine.
#
#   bench.sh [--check] [--rounds N] [pps] [rr] [stream] [cut] [cost] [tenants]      default: all of them
#
# Two hosts joined by a veth, a workload on each; four times: weft in xdp mode, weft in tc mode, the kernel's vxlan +
# bridge + br_netfilter with nftables, and a plain veth without any overlay. Anti-spoof, ACL and conntrack are on
# in the first three. The same generator and the same sink serve all. Flows go both ways at once, a core
# for each direction. Rounds are interleaved, and each figure is the median of its rounds, each ratio that of the rounds'
# ratios: what disturbs the machine disturbs all variants. Prints name=value lines; --check compares them with the targets.
set -u

. "$(dirname "${BASH_SOURCE[0]}")/../lib/net.sh"
. "$(dirname "${BASH_SOURCE[0]}")/kernel_overlay.sh"
. "$(dirname "${BASH_SOURCE[0]}")/two_hosts.sh"
. "$(dirname "${BASH_SOURCE[0]}")/figures.sh"

ROUNDS=5
CHECK=
WANTED=()

# name, comparison, target
TARGETS='
overlay_pps_ratio_1flow >= 6
overlay_pps_ratio_4k_flows >= 5
overlay_pps_ratio_60k_flows >= 5
overlay_pps_ratio_60k_flows_v6 >= 4
overlay_tc_pps_ratio_60k_flows >= 1.3
tcp_stream_ratio_kernel >= 1.1
tcp_stream_ratio_veth >= 0.85
tcp_stream_cut_ratio_kernel >= 1.1
rr_ratio_kernel <= 0.8
rr_ratio_veth <= 1.35
tenants_5000_apply_s <= 60
tenant_idle_kb <= 64
'

# --- packets a second --------------------------------------------------------------------------------------

bench_pps() {
	local round x flows family name variants='k'
	has_weft && variants='x t k'
	for x in $variants; do napi "$x" on; done
	for ((round = 0; round < ROUNDS; round++)); do
		for name in 1flow:1:v4 4k_flows:4096:v4 60k_flows:60000:v4 60k_flows_v6:60000:v6; do
			IFS=: read -r name flows family <<< "$name"
			for x in $variants; do
				sample "pps_${x}_$name" "$(pps "$x" "$family" "$flows")"
			done
		done
	done
	for x in $variants; do napi "$x" off; done
	for name in 1flow 4k_flows 60k_flows 60k_flows_v6; do
		for x in $variants; do
			figure "pps_$(long "$x")_$name" "$(median "pps_${x}_$name")"
		done
		has_weft && ratio_figure "overlay_pps_ratio_$name" "pps_x_$name" "pps_k_$name"
	done
	has_weft && ratio_figure overlay_tc_pps_ratio_60k_flows pps_t_60k_flows pps_k_60k_flows
}

# --- round trips and streams ----------------------------------------------------------------------------------

rr() {
	"$TOOLS/pingpong" --server-ns "$(netns_of "${1}2.p0")" --client-ns "$(netns_of "${1}1.p0")" --addr $B4 \
		--cpu 0 --count 20000 | sed -n 's/^p50_us=\([0-9.]*\).*/\1/p'
}

stream() {
	"$TOOLS/stream" --server-ns "$(netns_of "${1}2.p0")" --client-ns "$(netns_of "${1}1.p0")" --addr $B4 \
		--client-cpu 0 --server-cpu $(($(nproc) > 1)) --seconds 1 --warmup 0.4 | sed -n 's/^gbps=//p'
}

tc_variants() { has_weft && echo "t $*" || echo "$*"; }

# measure WHAT PREFIX VARIANT...: interleaved rounds, then the medians.
measure() {
	local what=$1 prefix=$2 round x
	shift 2
	for ((round = 0; round < ROUNDS; round++)); do
		for x in "$@"; do sample "${prefix}_$x" "$($what "$x")"; done
	done
	for x in "$@"; do figure "${prefix}_$(long "$x")" "$(median "${prefix}_$x")"; done
}

# shellcheck disable=SC2046
bench_rr() {
	measure rr rr_us $(tc_variants k v)
	has_weft || return
	ratio_figure rr_ratio_kernel rr_us_t rr_us_k
	ratio_figure rr_ratio_veth rr_us_t rr_us_v
}

# A stream finds one of several steady states, and not always the same: more and shorter rounds than the others.
# shellcheck disable=SC2046
bench_stream() {
	local ROUNDS=$((ROUNDS * 2 + 1))
	measure stream tcp_stream_gbps $(tc_variants k v)
	has_weft || return
	ratio_figure tcp_stream_ratio_kernel tcp_stream_gbps_t tcp_stream_gbps_k
	ratio_figure tcp_stream_ratio_veth tcp_stream_gbps_t tcp_stream_gbps_v
}

# The underlay as a real wire: no frame above the MTU.
# shellcheck disable=SC2046
bench_cut() {
	local x ROUNDS=$((ROUNDS * 2 + 1))
	for x in $(tc_variants k); do
		underlay_cut "${x}1" u0
		underlay_cut "${x}2" u0
	done
	measure stream tcp_stream_cut_gbps $(tc_variants k)
	for x in $(tc_variants k); do
		offloads "${x}1" u0 tso on gso on gro off
		offloads "${x}2" u0 tso on gso on gro off
	done
	has_weft && ratio_figure tcp_stream_cut_ratio_kernel tcp_stream_cut_gbps_t tcp_stream_cut_gbps_k
}

# --- what a program costs -----------------------------------------------------------------------------------

# runs ROOT HOOK: "time count" of the programs pinned under names with HOOK in them.
runs() {
	local pin
	for pin in "$1"/prog/*"$2"*; do
		[ -e "$pin" ] && bpftool -j prog show pinned "$pin"
	done | jq -rs 'map([.run_time_ns // 0, .run_cnt // 0]) | transpose | map(add // 0) | join(" ")'
}

bench_cost() {
	local hook t0 n0 t1 n1 empty stats host
	has_weft || return
	bg "$TOOLS/flood" --stats > "$STATE/stats"
	stats=$BG_PID
	wait_for 5 grep -q ready "$STATE/stats" || die "no bpf_stats"
	empty=$("$TOOLS/flood" --empty | sed -n 's/^empty_ns=//p')
	figure program_ns_empty "$empty"
	for hook in port underlay; do
		host=x1
		[ $hook = underlay ] && host=x2
		read -r t0 n0 < <(runs "$(root_of $host)" $hook)
		pps x v4 4096 > /dev/null
		read -r t1 n1 < <(runs "$(root_of $host)" $hook)
		figure "program_ns_$hook" "$(awk -v t=$((t1 - t0)) -v n=$((n1 - n0)) -v e="$empty" \
			'BEGIN { printf "%.0f\n", n ? t / n - e : 0 }')"
	done
	bg_stop "$stats"
}

# --- many tenants -------------------------------------------------------------------------------------------

TENANTS=${TENANTS:-5000}

tenants_yaml() {
	awk -v n="$TENANTS" 'BEGIN {
		print "version: 1\nhosts:\n  m1: {vtep: 192.168.70.1, underlay: [u0]}\ntenants:"
		for (i = 1; i <= n; i++) {
			printf "  t%d:\n    networks:\n      net: {vni: %d, subnets: [10.0.1.0/24]}\n", i, i + 1000
			print "    ports:"
			for (p = 0; p < 2; p++) {
				name = p ? "b" : "a"
				printf "      %s: {network: net, host: m1, device: %s%d, ", name, name, i
				printf "mac: \"02:%02x:%02x:%02x:00:0%d\", ", i / 65536, i / 256 % 256, i % 256, p
				printf "addresses: [10.0.1.%d]}\n", p + 1
			}
			print "    acl:"
			print "      - {name: ping, direction: in, priority: 50, protocol: icmp, action: allow}"
		}
	}'
}

# Each tenant's two devices are the ends of one veth.
tenants_devices() {
	seq "$TENANTS" | awk '{ printf "link add a%d type veth peer name b%d\n", $1, $1 }' | in_ns m1 ip -batch -
	seq "$TENANTS" | awk '{ printf "link set a%d up\nlink set b%d up\n", $1, $1 }' | in_ns m1 ip -batch -
}

map_bytes() { bpftool -j map show | jq '[.[].bytes_memlock // 0] | add // 0'; }
free_kb() { awk '/^MemAvailable/ { print $2 }' /proc/meminfo; }

bench_tenants() {
	local start bytes kb
	has_weft || return
	host_add m1 192.168.70.1/24
	host_add m2 192.168.70.2/24
	underlay_link m1 u0 m2 u0
	tenants_devices
	tenants_yaml > "$STATE/tenants.yaml"
	weft_load m1
	bytes=$(map_bytes)
	kb=$(free_kb)
	start=$(now_ms)
	expect_ok -t "apply of $TENANTS tenants" weft_on m1 apply "$STATE/tenants.yaml"
	figure "tenants_${TENANTS}_apply_s" "$(ratio $(($(now_ms) - start)) 1000)"
	figure tenant_idle_kb "$(ratio $(($(map_bytes) - bytes)) $((TENANTS * 1024)))"
	expect_eq "$((TENANTS * 2))" "$(weft_on m1 -j status | jq '[.devices[] | select(.role == "port" and .state == "attached")] | length')" \
		"all their ports are attached"
	figure tenant_idle_kb_of_meminfo "$(ratio $((kb - $(free_kb))) "$TENANTS")"
}

# --- the run ------------------------------------------------------------------------------------------------

check_targets() {
	local name comparison target value
	while read -r name comparison target; do
		[ -n "$name" ] || continue
		value=${FIGURE[$name]:-}
		[ -n "$value" ] || continue
		if awk -v a="$value" -v b="$target" -v c="$comparison" \
			'BEGIN { exit !(c == ">=" ? a >= b : a <= b) }'; then
			ok "$name = $value ($comparison $target)"
		else
			fail "$name = $value, not $comparison $target"
		fi
	done <<< "$TARGETS"
}

wanted() { [[ " ${WANTED[*]} " == *" $1 "* ]]; }

while [ $# -gt 0 ]; do
	case $1 in
	--check) CHECK=1 ;;
	--rounds) ROUNDS=$2; shift ;;
	pps | rr | stream | cut | cost | tenants) WANTED+=("$1") ;;
	*) sed -n '6p' "$0"; exit 1 ;;
	esac
	shift
done
[ ${#WANTED[@]} -gt 0 ] || WANTED=(pps rr stream cut cost tenants)

veth_up
kernel_up
ping_ok v1.p0 $B4
ping_ok k1.p0 $B4
ping_ok k1.p0 $B6
if has_weft; then
	weft_up x 62 xdp
	weft_up t 63 tc
	for host in x1 t1; do
		ping_ok $host.p0 $B4
		ping_ok $host.p0 $B6
	done
else
	note "$WEFT is not built: its figures are left out"
fi
[ "$FAILS" -eq 0 ] || exit 1
for group in pps rr stream cut cost tenants; do
	wanted $group && "bench_$group"
done
[ -z "$CHECK" ] || check_targets
true
