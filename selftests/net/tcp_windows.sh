#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 200
#
# tcp_windows: real TCP between two hosts, over a switch that loses frames, by readers that let the window close, after
# silence, from ports used anew, with data on the SYN: none of its segments is outside a window. What somebody makes up is.
. "$(dirname "$0")/../lib/lab.sh"
need nft python3

lab() {
	need_weft
	host_add h1 192.168.50.1/24
	host_add h2 192.168.50.2/24
	underlay_bridge h1 u0 h2 u0
	workload_add h1 pa $A $A4/24,$A6/64
	workload_add h1 pc $C $C4/24,$C6/64
	workload_add h2 pb $B $B4/24,$B6/64
	in_ns h1.pa sh -c 'echo 3 > /proc/sys/net/ipv4/tcp_fastopen'
	in_ns h2.pb sh -c 'echo 3 > /proc/sys/net/ipv4/tcp_fastopen'
	weft_load h1
	weft_load h2
}

# losing N cmd...: while the switch loses one frame in N, and the workloads as many of what weft delivered.
losing() {
	local ns
	in_ns switch nft "table bridge lose { chain f { type filter hook forward priority 0; numgen random mod $1 0 drop; }; }" ||
		skip "this kernel's nftables cannot lose frames"
	for ns in h1.pa h2.pb; do
		in_ns $ns nft "table inet lose { chain i { type filter hook prerouting priority -300; numgen random mod $1 0 drop; }; }"
	done
	"${@:2}"
	in_ns switch nft delete table bridge lose
	for ns in h1.pa h2.pb; do in_ns $ns nft delete table inet lose; done
}

spaces() { echo "/run/netns/$(netns_of h2.pb) /run/netns/$(netns_of h1.pa)"; }

# talk TEXT ADDRESS TALK [NAME=VALUE]...
talk() {
	local answer before
	before=$(dropped)
	# shellcheck disable=SC2046
	answer=$("$TOP/selftests/net/streams.py" $(spaces) "${@:2}" 2>&1)
	expect_eq ok "$answer" "$1"
	[ "$before" = "$(dropped)" ] || note "$1: from $before to $(dropped)"
}

# What was dropped for its numbers or flags, on both hosts, by reason.
dropped() {
	local host
	for host in h1 h2; do
		printf '%s:%s ' $host "$(weft_on $host -j counters | jq -c '.drops | {ct_tcp_window, ct_tcp_state, ct_invalid}')"
	done
}

# And how many.
dropped_all() { dropped | grep -oE '[0-9]+[,}]' | tr -d ',}' | awk '{ n += $1 } END { print n }'; }

talks() {
	talk "$1: both ways at once, then one way closed" $B4 both size=$2
	talk "$1: the same in IPv6" $B6 both size=$2
}

# hold cmd...: while a connection from $PORT is held open, which must live.
hold() {
	local said
	rm -f "$STATE/go" "$STATE/said"
	mkfifo "$STATE/go" "$STATE/said"
	# shellcheck disable=SC2046
	"$TOP/selftests/net/streams.py" $(spaces) $B4 hold < "$STATE/go" > "$STATE/said" &
	exec 7> "$STATE/go" 8< "$STATE/said"
	read -r -t 10 PORT <&8
	"$@"
	echo >&7
	read -r -t 20 said <&8
	exec 7>&- 8<&-
	expect_eq ok "$said" "the connection lives"
	wait
}

forge() { expect_drop h1 "$1" h1.pa "eth('$B', '$A', ip4('$A4', '$B4', tcp($PORT, 80, $2, seq=$3, ack=$4)))" "$5"; }

# Somebody who does not see the connection writes into it.
blind() {
	forge ct_tcp_window RST 12345 0 "a blind RST"
	forge ct_tcp_window 'RST | ACK' 0xa2345678 9 "another"
	forge ct_tcp_window ACK 12345 678 "blind data"
	forge bad_l4 'SYN | FIN' 1 1 "flags that cannot be"
	expect_drop h2 icmp_unrelated h2.pb \
		"eth('$A', '$B', ip4('$B4', '$A4', icmp(3, 1, 0, 0, ip4('$A4', '$B4', tcp($PORT, 80, ACK, seq=12345)))))" \
		"a blind ICMP error"
}

run() {
	local before
	lab_apply <<-YAML
	options: {default: {in: allow, out: allow}}
	YAML
	before=$(dropped_all)
	talks "as it is" 10000000
	losing 100 talks "one frame in 100 lost, at each of three places" 1500000
	talk "a reader that lets the window close" $B4 slow
	losing 30 talk "and loses one in 30" $B6 slow
	talk "silence, with keep-alives" $B4 idle
	talk "a port used again and again" $B4 reuse
	talk "data on the SYN" $B4 fastopen
	if [ "$MODE" = tc ]; then
		underlay_cut h1 u0
		underlay_cut h2 u0
		talks "cut on the wire" 5000000
		losing 200 talks "cut, with one in 200 lost" 1500000
	fi
	# Of tens of thousands. What a late copy of a segment, or a segment of the port's connection before, meets is not its window any
	# more; a defect loses runs of them.
	before=$(($(dropped_all) - before))
	expect_ok -t "next to nothing of all that was outside its window, or of no flow ($before)" test "$before" -le 2
	hold blind
	lab_apply <<-YAML
	options: {default: {in: allow, out: allow}, conntrack: {liberal: true}}
	YAML
	hold liberal
}

liberal() {
	local before
	before=$(counter_get h1 drops ct_tcp_window)
	expect_counter_moved h1 tenants red:tcp_outside send h1.pa \
		"eth('$B', '$A', ip4('$A4', '$B4', tcp($PORT, 80, ACK, seq=12345, ack=678)))"
	expect_eq "$before" "$(counter_get h1 drops ct_tcp_window)" "liberal: it is not dropped"
}

lab
each_mode run
