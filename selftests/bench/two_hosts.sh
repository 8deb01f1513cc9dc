# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2154
#
# two_hosts.sh: two hosts with a workload each, under weft or under the kernel's own overlay, and floods between them. To be
# sourced after net.sh and kernel_overlay.sh.
#
# A variant is a letter: x weft in xdp mode, t weft in tc mode, k kernel, v veth. Its hosts are X1 and X2, their
# workloads X1.p0 and X2.p0.
#
#	kernel_up				the kernel's
#	weft_up LETTER THIRD_OCTET MODE [OPTIONS]	weft's
#	pps X FAMILY FLOWS [MORE FOR flood]	packets a second that a flood both ways delivers: in PPS_SECONDS, after
#						PPS_WARMUP seconds, between the workloads PPS_WORKLOAD

MAC_A=02:00:00:00:00:0a MAC_B=02:00:00:00:00:0b
A4=10.0.1.1 B4=10.0.1.2 A6=fd00:1::1 B6=fd00:1::2

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

# weft_up LETTER THIRD_OCTET MODE [CONNTRACK OPTIONS]: with conntrack tables for what they will hold, since a table larger than
# a core's cache costs every look-up.
weft_up() {
	local x=$1 net=$2 mode=$3 conntrack=${4:-max_flows: 65536} host
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
		      conntrack: {$conntrack}
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

has_weft() { [ -x "$WEFT" ]; }

# --- packets a second --------------------------------------------------------------------------------------

PPS_SECONDS=1 PPS_WARMUP= PPS_WORKLOAD=p0
PPS_BACK=(--swap)	# what the second direction's flood is told: the same flows, backwards

# flood_one X FROM TO FAMILY FLOWS CPU SECONDS [MORE FOR flood]
flood_one() {
	local x=$1 from=$2 to=$3 family=$4 flows=$5 cpu=$6 seconds=$7
	shift 7
	local -A mac=([1]=$MAC_A [2]=$MAC_B) a4=([1]=$A4 [2]=$B4) a6=([1]=$A6 [2]=$B6)
	local src=${a4[$from]} dst=${a4[$to]}
	[ "$family" = v6 ] && src=${a6[$from]} dst=${a6[$to]}
	"$TOOLS/flood" --netns "$(netns_of "$x$from.$PPS_WORKLOAD")" --dev eth0 --src-mac "${mac[$from]}" \
		--dst-mac "${mac[$to]}" --src-ip "$src" --dst-ip "$dst" --flows "$flows" --size 64 \
		--cpu "$cpu" --seconds "$seconds" "$@"
}

sink_one() {
	"$TOOLS/sink" --netns "$(netns_of "$1")" --dev eth0 --warmup "$2" --seconds $PPS_SECONDS
}

# pps X FAMILY FLOWS [MORE FOR flood]: delivered, both ways together.
pps() {
	local x=$1 family=$2 flows=$3 warmup=$PPS_WARMUP n end jobs=()
	shift 3
	[ -n "$warmup" ] || { [ "$flows" -gt 10000 ] && warmup=2.2 || warmup=0.6; }
	end=$(awk -v w=$warmup -v s=$PPS_SECONDS 'BEGIN { print w + s + 0.4 }')
	for n in 1 2; do
		sink_one "$x$n.$PPS_WORKLOAD" $warmup > "$STATE/sink.$n" &
		jobs+=($!)
	done
	wait_for 5 grep -q ready "$STATE/sink.1" || die "no sink"
	wait_for 5 grep -q ready "$STATE/sink.2" || die "no sink"
	flood_one "$x" 1 2 "$family" "$flows" 0 "$end" "$@" > "$STATE/flood.1" &
	jobs+=($!)
	flood_one "$x" 2 1 "$family" "$flows" $(($(nproc) > 1)) "$end" "$@" "${PPS_BACK[@]}" > "$STATE/flood.2" &
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

long() {
	case $1 in
	x) echo xdp ;;
	t) echo tc ;;
	k) echo kernel ;;
	v) echo veth ;;
	esac
}

