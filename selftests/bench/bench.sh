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

MAC_A=02:00:00:00:00:0a MAC_B=02:00:00:00:00:0b
A4=10.0.1.1 B4=10.0.1.2 A6=fd00:1::1 B6=fd00:1::2

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

# ratio_figure NAME SAMPLES SAMPLES: the median of the rounds' own ratios, since the machine's drift from round to round is
# in both samples of one.
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

# --- topologies -----------------------------------------------------------------------------------------

# Two hosts xA and xB for a letter, with an underlay and workloads.
two_hosts() {
	local x=$1 net=$2
	host_add "${x}1" "192.168.$net.1/24"
	host_add "${x}2" "192.168.$net.2/24"
	underlay_link "${x}1" u0 "${x}2" u0
	workload_add "${x}1" p0 $MAC_A "$A4/24,$A6/64"
	workload_add "${x}2" p0 $MAC_B "$B4/24,$B6/64"
}

veth_up() {
	netns_add v1.p0
	netns_add v2.p0
	pair v1.p0 eth0 v2.p0 eth0
	in_ns v1.p0 ip link set eth0 address $MAC_A mtu "$WORKLOAD_MTU"
	in_ns v2.p0 ip link set eth0 address $MAC_B mtu "$WORKLOAD_MTU"
	addr_add v1.p0 eth0 "$A4/24,$A6/64"
	addr_add v2.p0 eth0 "$B4/24,$B6/64"
}

kernel_up() {
	two_hosts k 61
	kernel_host k1 192.168.61.1 192.168.61.2 $MAC_A $A4 $A6
	kernel_host k2 192.168.61.2 192.168.61.1 $MAC_B $B4 $B6
}

# weft_up LETTER THIRD_OCTET MODE: with conntrack tables for what they will hold. A table's index has a place for each
# flow that it may hold, 16 bytes, and an index larger than a core's cache costs every look-up.
weft_up() {
	local x=$1 net=$2 mode=$3 host
	two_hosts "$x" "$net"
	for host in "${x}1" "${x}2"; do
		[ "$mode" = xdp ] && workload_xdp_ready "$host.p0"
		weft_load "$host"
	done
	weft_apply "${x}1" "${x}2" <<-YAML
		version: 1
		hosts:
		  ${x}1: {vtep: 192.168.$net.1, underlay: [u0], mode: $mode}
		  ${x}2: {vtep: 192.168.$net.2, underlay: [u0], mode: $mode}
		tenants:
		  red:
		    options:
		      default: {in: deny, out: allow}
		      conntrack: {max_flows: 65536}
		    networks:
		      web: {vni: 101, subnets: [10.0.1.0/24, "fd00:1::/64"], mtu: $WORKLOAD_MTU}
		    ports:
		      a: {network: web, host: ${x}1, device: p0, mac: "$MAC_A", addresses: [$A4, "$A6"]}
		      b: {network: web, host: ${x}2, device: p0, mac: "$MAC_B", addresses: [$B4, "$B6"]}
		    acl:
		      - {name: udp, direction: in, priority: 100, protocol: udp, destination_port: 1000-65535, action: allow}
		      - {name: tcp, direction: in, priority: 90, protocol: tcp, destination_port: 1000-65535, action: allow}
		      - {name: ping, direction: in, priority: 80, protocol: icmp, action: allow}
		      - {name: ping6, direction: in, priority: 70, protocol: icmpv6, action: allow}
	YAML
	# The first host sends by XDP once the other end of its cable takes that, which it does since the second's apply.
	[ "$mode" != xdp ] || weft_on "${x}1" apply "$STATE/apply.yaml" >/dev/null
}

# A variant is a letter: x weft in xdp mode, t weft in tc mode, k kernel, v veth.
has_weft() { [ -x "$WEFT" ]; }

# --- packets a second --------------------------------------------------------------------------------------

PPS_SECONDS=1

# flood_one X FROM TO FAMILY FLOWS CPU SECONDS [--swap]
flood_one() {
	local x=$1 from=$2 to=$3 family=$4 flows=$5 cpu=$6 seconds=$7
	shift 7
	local -A mac=([1]=$MAC_A [2]=$MAC_B) a4=([1]=$A4 [2]=$B4) a6=([1]=$A6 [2]=$B6)
	local src=${a4[$from]} dst=${a4[$to]}
	[ "$family" = v6 ] && src=${a6[$from]} dst=${a6[$to]}
	"$TOOLS/flood" --netns "$(netns_of "$x$from.p0")" --dev eth0 --src-mac "${mac[$from]}" \
		--dst-mac "${mac[$to]}" --src-ip "$src" --dst-ip "$dst" --flows "$flows" --size 64 \
		--cpu "$cpu" --seconds "$seconds" "$@"
}

sink_one() {
	"$TOOLS/sink" --netns "$(netns_of "$1")" --dev eth0 --warmup "$2" --seconds $PPS_SECONDS
}

# pps X FAMILY FLOWS: delivered, both ways together.
pps() {
	local x=$1 family=$2 flows=$3 warmup=0.6 end jobs=()
	[ "$flows" -gt 10000 ] && warmup=2.2
	end=$(awk -v w=$warmup -v s=$PPS_SECONDS 'BEGIN { print w + s + 0.4 }')
	for n in 1 2; do
		sink_one "$x$n.p0" $warmup > "$STATE/sink.$n" &
		jobs+=($!)
	done
	wait_for 5 grep -q ready "$STATE/sink.1" || die "no sink"
	wait_for 5 grep -q ready "$STATE/sink.2" || die "no sink"
	flood_one "$x" 1 2 "$family" "$flows" 0 "$end" > "$STATE/flood.1" &
	jobs+=($!)
	flood_one "$x" 2 1 "$family" "$flows" $(($(nproc) > 1)) "$end" --swap > "$STATE/flood.2" &
	jobs+=($!)
	wait "${jobs[@]}"
	cat "$STATE"/sink.[12] | sed -n 's/.* pps=//p' | awk '{ n += $1 } END { print n + 0 }'
}

# A frame redirected into a veth needs NAPI at the other end: without XDP there it is GRO.
napi() {
	local x=$1 state=$2
	[ "$x" = x ] && return
	offloads "${x}1" p0 gro "$state"
	offloads "${x}2" p0 gro "$state"
}

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

long() {
	case $1 in
	x) echo xdp ;;
	t) echo tc ;;
	k) echo kernel ;;
	v) echo veth ;;
	esac
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
