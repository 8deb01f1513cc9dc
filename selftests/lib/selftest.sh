#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# selftest.sh: the ground that the tests stand on: topologies, traffic, captures and teardown, without weft.

. "$(dirname "${BASH_SOURCE[0]}")/net.sh"

have() { command -v "$1" >/dev/null; }

routed_underlay() {
	host_add h1 192.168.50.1/24,fd50::1/64
	host_add h2 192.168.51.2/24,fd51::2/64
	underlay_routed h1 u0 h2 u0
	ping_ok h1 192.168.51.2
	ping_ok h1 fd51::2
	ping_fail h1 192.168.51.9
}

switched_underlay() {
	host_add h3 192.168.52.3/24
	host_add h4 192.168.52.4/24
	host_add h5 192.168.52.5/24
	underlay_bridge h3 u0 h4 u0 h5 u0
	ping_ok h3 192.168.52.4
	ping_ok h5 192.168.52.4
}

# While another namespace has the kernel busy with its devices, an address that has been added receives.
address_receives_at_once() {
	local n up
	workload_add h1 p4 02:00:00:00:00:0d
	netns_add crowd
	seq 500 | sed 's/.*/link add a& type veth peer name b&/' | in_ns crowd ip -batch -
	seq 500 | sed 's/.*/link set a& up\nlink set b& up/' | in_ns crowd ip -batch - &
	up=$!
	for n in 1 2 3 4 5; do
		addr_add h1.p4 eth0 fd00:2::$n/64
		expect_output fd00:2::$n in_ns h1.p4 ip -6 route show table local
	done
	wait $up
}

traffic() {
	capture_start h2 u0 "$STATE/traffic.pcap"
	echo_serve h2 80 81
	tcp_ok h1 192.168.51.2 80
	tcp_ok h1 fd51::2 81 --size 60000
	udp_ok h1 192.168.51.2 81 --count 5
	udp_ok h1 fd51::2 81 --sport 999
	tcp_refused h1 192.168.51.2 82
	udp_refused h1 fd51::2 82
	tcp_fail h1 192.168.51.99 80
	capture_stop
	have tshark && tshark_clean "$STATE/traffic.pcap" 20
	bg_stop "$ECHO_PID"
	tcp_refused h1 192.168.51.2 80
}

web() {
	have curl || return
	mkdir "$STATE/www"
	echo hello > "$STATE/www/page"
	http_serve h2 8080 "$STATE/www"
	expect_eq hello "$(http_get h1 'http://[fd51::2]:8080/page')" 'a web page over IPv6'
}

# Two workloads on one host, wired through a function by TC alone: all of one's frames go by it to the other.
function_between() {
	workload_add h1 p0 02:00:00:00:00:0a 10.0.1.1/24,fd00:1::1/64
	workload_add h1 p1 02:00:00:00:00:0b 10.0.1.2/24,fd00:1::2/64
	function_add h1 s0 s1
	function_reflect h1 p0 s0
	function_reflect h1 s1 p1
	function_reflect h1 p1 s1
	function_reflect h1 s0 p0
	ping_ok h1.p0 10.0.1.2
	ping_ok h1.p0 fd00:1::2
	expect_ok -t 'the function saw the frames' test "$(frames_seen h1.s0 s0)" -gt 6
	function_kill h1 s0 s1
	ping_fail h1.p0 10.0.1.2
	function_revive h1 s0 s1
	ping_ok h1.p0 10.0.1.2
}

# The content filter in the same place: what it must not pass does not pass, all else does, at speed.
content_filter() {
	have curl || return
	workload_add h1 p2 02:00:00:00:00:0c 10.0.2.1/24
	workload_add h1 p3 02:00:00:00:00:0d 10.0.2.2/24
	function_wire h1 f0 f1
	function_reflect h1 p2 f0
	function_reflect h1 f1 p3
	function_reflect h1 p3 f1
	function_reflect h1 f0 p2
	function_start h1.f0 "$TOOLS/content_filter" -p /etc/passwd f0 f1
	mkdir -p "$STATE/files/etc"
	echo harmless > "$STATE/files/page"
	echo secret > "$STATE/files/etc/passwd"
	http_serve h1.p3 80 "$STATE/files"
	expect_eq harmless "$(http_get h1.p2 http://10.0.2.2/page)" 'the filter passes a page'
	HTTP_TIMEOUT=1 expect_fail -t 'the filter stops an exploit' http_get h1.p2 http://10.0.2.2/etc/passwd
	expect_ok -t 'a stream through the filter' "$TOOLS/stream" --server-ns "$(netns_of h1.p3)" \
		--client-ns "$(netns_of h1.p2)" --addr 10.0.2.2 --seconds 0.5
	function_report
	expect_output 'untagged frames=[0-9]+ dropped=[1-9]' cat "$STATE/function.log"
}

# A TCP checksum of 0xffff is right where it should be 0, and nowhere else.
checksum_ffff() {
	have tshark || return
	printf '000000 %s\n' "$(sed 's/../& /g' <<< "00000000000000000000000008004500002a00010000400664cb0a0001010a00010203e807d0000000010000000150100064ffff00008db2")" | text2pcap -q - "$STATE/right.pcap" 2>/dev/null
	printf '000000 %s\n' "$(sed 's/../& /g' <<< "00000000000000000000000008004500002a00010000400664cb0a0001010a00010203e807d0000000010000000150100064ffff00006162")" | text2pcap -q - "$STATE/wrong.pcap" 2>/dev/null
	expect_eq 0 "$(tshark_count "$STATE/right.pcap" "$TSHARK_BAD")" "a checksum of 0xffff that stands for 0 is right"
	expect_eq 1 "$(tshark_count "$STATE/wrong.pcap" "$TSHARK_BAD")" "another one of 0xffff is not"
}

# Every kind of frame that flood makes, its checksums seen by tshark and its number by sink.
flooding() {
	local kind
	local ends=(--netns "$(netns_of h1.p0)" --dev eth0 --src-mac 02:00:00:00:00:0a --dst-mac 02:00:00:00:00:0b)
	local v4=(--src-ip 10.0.1.1 --dst-ip 10.0.1.2) v6=(--src-ip fd00:1::1 --dst-ip fd00:1::2)
	have tshark || return
	offloads h1 p0 gro on
	capture_start h1 p0 "$STATE/flood.pcap"
	for kind in '' --udp-check --tcp-syn '--proto 47' '--size 1400 --udp-check' \
		'--srcs 100 --dsts 300 --udp-check --swap'; do
		# shellcheck disable=SC2086
		expect_ok "$TOOLS/flood" "${ends[@]}" "${v4[@]}" --count 100 --flows 50 $kind
		# shellcheck disable=SC2086
		expect_ok "$TOOLS/flood" "${ends[@]}" "${v6[@]}" --count 100 --flows 50 $kind
	done
	capture_stop
	tshark_clean "$STATE/flood.pcap" 1200
	"$TOOLS/sink" --netns "$(netns_of h1.p1)" --dev eth0 --seconds 1 > "$STATE/sink" &
	wait_for 3 grep -q ready "$STATE/sink"
	"$TOOLS/flood" "${ends[@]}" "${v4[@]}" --count 640 --flows 50 > /dev/null
	wait $!
	expect_eq 640 "$(sed -n 's/received=\([0-9]*\).*/\1/p' "$STATE/sink")" 'sink counts what flood sends'
}

# A test that is killed leaves nothing behind: the watcher cleans.
killed() {
	local id
	cat > "$STATE/victim.sh" <<-'VICTIM'
		. "$LIB/net.sh"
		host_add h1 192.168.50.1/24
		mkdir "$(root_of h1)"
		echo "$TEST_ID"
		kill -9 $$
	VICTIM
	id=$(LIB=$TOP/selftests/lib env -u WEFT_TEST_ID bash "$STATE/victim.sh" 2>/dev/null)
	expect_ok -t "a killed test is cleaned up" wait_for 5 gone "$id"
}

# A function of a test takes the place of a program of its name, in what it sources too: net.sh and lab.sh must call none
# by a name that a test has given to something else.
commands_called() {
	sed 's/^[[:space:]]*#.*//' "$TOP"/selftests/lib/{net,lab}.sh |
		grep -oE '(^|[|;&(!]|\b(if|then|do|else|until|while))[[:space:]]*[a-z_]+' | grep -oE '[a-z_]+$' | sort -u
}

functions_of_tests() { cat "$TOP"/selftests/{net,functions}/*.sh | grep -oE '^[a-z_]+\(\)' | tr -d '()' | sort -u; }

programs_are_called() {
	local name taken=
	for name in $(comm -12 <(commands_called) <(functions_of_tests)); do
		[ -z "$(type -P "$name")" ] || taken+=" $name"
	done
	expect_eq "" "$taken" "no test's function takes the place of a program that net.sh or lab.sh calls"
}

gone() {
	local path
	[ -n "$1" ] || return
	for path in "/run/netns/weft-$1.h1" "$BPFFS/weft-test-$1-h1" "/run/weft-test/$1"; do
		[ ! -e "$path" ] || return
	done
}

routed_underlay
switched_underlay
address_receives_at_once
traffic
web
function_between
content_filter
flooding
checksum_ffff
programs_are_called
killed
