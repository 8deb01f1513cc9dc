# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2154
#
# lab.sh: what most net tests stand on, besides net.sh. To be sourced instead of it.
#
#	lab_two_hosts: hosts h1 and h2, and the tenant red with one network (VNI 101) and three workloads:
#	    h1.pa 10.0.1.1 fd00:1::1     h1.pc 10.0.1.3 fd00:1::3     h2.pb 10.0.1.2 fd00:1::2
#	lab_yaml: the configuration; each line of stdin goes under the tenant, two levels deep. LAB_H1 and LAB_H2 are the
#	    hosts' endpoint and devices, "VTEP, underlay: [DEVICES]"
#	each_mode FUNCTION: calls it once for tc and once for xdp (MODES=xdp for one of them alone)

# shellcheck source=selftests/lib/net.sh
. "$(dirname "${BASH_SOURCE[0]}")/net.sh"

MODES=${MODES:-tc xdp}
MODE=${MODES%% *}

A=02:00:00:00:00:0a A4=10.0.1.1 A6=fd00:1::1
B=02:00:00:00:00:0b B4=10.0.1.2 B6=fd00:1::2
C=02:00:00:00:00:0c C4=10.0.1.3 C6=fd00:1::3

lab_two_hosts() {
	need_weft
	need python3 jq
	host_add h1 192.168.50.1/24
	host_add h2 192.168.50.2/24
	underlay_link h1 u0 h2 u0
	workload_add h1 pa $A $A4/24,$A6/64
	workload_add h1 pc $C $C4/24,$C6/64
	workload_add h2 pb $B $B4/24,$B6/64
	weft_load h1
	weft_load h2
}

lab_yaml() {
	cat <<-YAML
	version: 1
	hosts:
	  h1: {vtep: ${LAB_H1:-192.168.50.1, underlay: [u0]}, mode: $MODE}
	  h2: {vtep: ${LAB_H2:-192.168.50.2, underlay: [u0]}, mode: $MODE}
	YAML
	[ -z "${LAB_FUNCTIONS:-}" ] || printf 'service_functions:\n%s\n' "$LAB_FUNCTIONS"
	cat <<-YAML
	tenants:
	  red:
	    networks:
	      web: {vni: 101, subnets: [10.0.1.0/24, "fd00:1::/64"]}
	    ports:
	      a: {network: web, host: h1, device: pa, mac: "$A", addresses: [$A4, "$A6"]}
	      b: {network: web, host: h2, device: pb, mac: "$B", addresses: [$B4, "$B6"]}
	      c: {network: web, host: h1, device: pc, mac: "$C", addresses: [$C4, "$C6"]}
	YAML
	sed 's/^/    /'
}

# lab_blue [CONNTRACK OPTIONS]: for who adds to lab_yaml: another tenant with red's MACs and addresses, behind qa and qb.
lab_blue() {
	cat <<-YAML
	  blue:
	    networks:
	      web: {vni: 102, subnets: [10.0.1.0/24, "fd00:1::/64"]}
	    ports:
	      a: {network: web, host: h1, device: qa, mac: "$A", addresses: [$A4, "$A6"]}
	      b: {network: web, host: h2, device: qb, mac: "$B", addresses: [$B4, "$B6"]}
	    options: {default: {in: allow, out: allow}, conntrack: {${1:-}}}
	YAML
}

# silent_add HOST DEV: a workload without addresses, whose kernel neither asks nor answers.
silent_add() {
	netns_add "$1.$2"
	in_ns "$1.$2" sh -c 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6'
	pair "$1" "$2" "$1.$2" eth0
	in_ns "$1.$2" ip link set eth0 arp off
}

# lab_apply < TENANT LINES: on both hosts, quietly.
lab_apply() {
	local host
	lab_yaml > "$STATE/apply.yaml"
	for host in ${LAB_HOSTS:-h1 h2}; do
		run_quietly weft_on "$host" apply "$STATE/apply.yaml" || { show_output; die "weft apply on $host"; }
	done
}

each_mode() {
	local ns
	for MODE in $MODES; do
		note "mode $MODE"
		if [ "$MODE" = xdp ]; then
			for ns in ${LAB_WORKLOADS:-h1.pa h1.pc h2.pb}; do workload_xdp_ready "$ns"; done
			for ns in ${LAB_HOSTS:-h1 h2}; do nic_like "$ns" u0; done
		fi
		"$@"
	done
}

# send NS FRAME [COUNT [GAP_MS]]: see frames.py; the frame is sent when this returns. SEND_DEVICE: other than eth0.
send() {
	local answer
	if [ -z "${FRAMES_PID:-}" ]; then
		coproc FRAMES { exec python3 -S -E "$TOP/selftests/net/frames.py"; }
		disown "$FRAMES_PID"
	fi
	printf '%s\t%s\t%s\t%s\t%s\n' "/run/netns/$(netns_of "$1")" "${SEND_DEVICE:-eth0}" "${3:-1}" "${4:-0}" \
		"${2//[$'\t\n']/}" >&"${FRAMES[1]}"
	read -r answer <&"${FRAMES[0]}"
	[ "$answer" = ok ] || fail "not sent from $1: $2: $answer"
}

# expect_drop HOST REASON NS FRAME TEXT: the frame moves that counter, by one.
expect_drop() {
	local before
	before=$(counter_get "$1" drops "$2")
	send "$3" "$4"
	expect_eq $((before + 1)) "$(counter_after "$before" "$1" drops "$2")" "$5: $2"
}

# captured FILE FILTER...: how many frames, by a tcpdump filter. A complete file has passed capture_stop.
captured() {
	local file=$1 frames
	shift
	if frames=$(tcpdump -Z root -nr "$file" "$@" 2>/dev/null); then
		printf '%s' "$frames" | grep -c .
	else
		echo unreadable
	fi
}

# expect_captured N FILE FILTER TEXT
expect_captured() { expect_eq "$1" "$(captured "$2" "$3")" "$4"; }
