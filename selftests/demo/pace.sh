# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# pace.sh: packets a second through weft and through the kernel's own overlay. Sourced after net.sh. The bench
# (selftests/bench) measures in earnest; this is a glance of a few seconds.

. "$TOP/selftests/bench/kernel_overlay.sh"

PACE_A=02:00:00:00:00:0a PACE_B=02:00:00:00:00:0b
PACE_FLOWS=1000
PACE_KERNEL=0 PACE_WEFT=0 PACE_MODE=tc

# pace_pair LETTER OCTET: hosts such as k1 and k2 with a workload each.
pace_pair() {
	local n
	for n in 1 2; do host_add "$1$n" "192.168.$2.$n/24"; done
	underlay_link "${1}1" u0 "${1}2" u0
	workload_add "${1}1" p0 $PACE_A 10.0.1.1/24,fd00:1::1/64
	workload_add "${1}2" p0 $PACE_B 10.0.1.2/24,fd00:1::2/64
}

pace_build() {
	local host
	pace_pair k 61
	kernel_host k1 192.168.61.1 192.168.61.2 $PACE_A 10.0.1.1 fd00:1::1
	kernel_host k2 192.168.61.2 192.168.61.1 $PACE_B 10.0.1.2 fd00:1::2
	# A frame that the generator redirects into a veth needs NAPI at the other end.
	offloads k1 p0 gro on
	pace_pair x 62
	for host in x1 x2; do
		workload_xdp_ready $host.p0
		offloads $host p0 gro on
		nic_like $host u0
		weft_load $host >/dev/null
	done
	weft_apply x1 x2 <<-YAML >/dev/null
		version: 1
		hosts:
		  x1: {vtep: 192.168.62.1, underlay: [u0], mode: xdp}
		  x2: {vtep: 192.168.62.2, underlay: [u0], mode: xdp}
		tenants:
		  red:
		    networks:
		      web: {vni: 101, subnets: [10.0.1.0/24, "fd00:1::/64"]}
		    ports:
		      a: {network: web, host: x1, device: p0, mac: "$PACE_A", addresses: [10.0.1.1, "fd00:1::1"]}
		      b: {network: web, host: x2, device: p0, mac: "$PACE_B", addresses: [10.0.1.2, "fd00:1::2"]}
		    acl:
		      - {name: udp, direction: in, priority: 100, protocol: udp, destination_port: 1000-65535, action: allow}
		      - {name: ping, direction: in, priority: 90, protocol: icmp, action: allow}
	YAML
	# What the kernel or the driver cannot do in XDP, weft does in TC: say which it was.
	weft_on x1 -j status | jq -e '[.devices[] | select(.hooks | index("xdp"))] | length == 2' >/dev/null && PACE_MODE=xdp
	can_ping x1.p0 10.0.1.2 || die "no way through weft's overlay"
	can_ping k1.p0 10.0.1.2 || die "no way through the kernel's overlay"
}

# pace_one LETTER: packets a second that arrive.
pace_one() {
	local sink
	"$TOOLS/sink" --netns "$(netns_of "${1}2.p0")" --dev eth0 --warmup 0.6 --seconds 1.2 > "$STATE/sink" &
	sink=$!
	wait_for 5 grep -q ready "$STATE/sink" || die "no sink"
	"$TOOLS/flood" --netns "$(netns_of "${1}1.p0")" --dev eth0 --src-mac $PACE_A --dst-mac $PACE_B \
		--src-ip 10.0.1.1 --dst-ip 10.0.1.2 --flows $PACE_FLOWS --size 64 --seconds 2 >/dev/null
	wait $sink
	sed -n 's/.* pps=//p' "$STATE/sink"
}

# The best of two each, in turn: other work on the machine only ever takes away.
pace_measure() {
	local round pps
	for round in 1 2; do
		pps=$(pace_one k)
		[ "${pps%.*}" -le "$PACE_KERNEL" ] || PACE_KERNEL=${pps%.*}
		pps=$(pace_one x)
		[ "${pps%.*}" -le "$PACE_WEFT" ] || PACE_WEFT=${pps%.*}
	done
}

pace_end() {
	local host
	for host in x1 x2; do weft_on $host unload --force >/dev/null; done
}

pace_ratio() { awk -v a="$PACE_WEFT" -v b="$PACE_KERNEL" 'BEGIN { printf "%.1f\n", b ? a / b : 0 }'; }
