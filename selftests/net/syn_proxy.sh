#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 600
#
# syn_proxy: real clients and servers through the SYN proxy: between hosts and on one, IPv4 and IPv6, with frames lost, and
# with a function on the server's wire. A flood of SYNs that keeps everybody out of a server without the proxy keeps nobody out
# with it, takes nothing from who is connected, and nothing from another tenant; when it ends the proxy stands aside.
. "$(dirname "$0")/../lib/lab.sh"
need nft

E=02:00:00:00:00:0e E4=10.0.1.5

lab() {
	lab_two_hosts
	workload_add h1 qa $A $A4/24,$A6/64
	workload_add h2 qb $B $B4/24,$B6/64
	silent_add h1 pe
	function_add h2 s0
	# The server has no cookies of its own, and room for 64 handshakes, each for a second.
	in_ns h2.pb sh -c 'cd /proc/sys/net && echo 0 > ipv4/tcp_syncookies && echo 0 > ipv4/tcp_synack_retries &&
		echo 64 > core/somaxconn && echo 4096 > ipv4/tcp_max_syn_backlog'
	echo_serve h2.pb 7
	echo_serve h2.qb 7
	LAB_WORKLOADS="h1.pa h1.pc h1.pe h1.qa h2.pb h2.qb"
}

LAB_FUNCTIONS='  one: {instances: {one1: {host: h2, device: s0}}}'

# configure PROXY [MORE OF RED]
eval "two_hosts_$(declare -f lab_yaml)"
lab_yaml() {
	two_hosts_lab_yaml
	lab_blue 'syn_proxy: auto'
}

configure() {
	lab_apply <<-YAML
	  e: {network: web, host: h1, device: pe, mac: "$E", addresses: [$E4]}
	options: {default: {in: allow, out: allow}, conntrack: {syn_proxy: $1}}
	${2:-}
	YAML
}

sent() { counter_get h2 tenants red:syn_cookies_sent; }
valid() { counter_get h2 tenants red:syn_cookies_valid; }

# talk TEXT SERVER CLIENT ADDRESS TALK [NAME=VALUE]...: through the proxy of the server's host.
talk() {
	local answer host=${2%.*} before
	before=$(counter_get $host tenants red:syn_cookies_valid)
	answer=$("$TOP/selftests/net/streams.py" "/run/netns/$(netns_of "$2")" "/run/netns/$(netns_of "$3")" "${@:4}" 2>&1)
	expect_eq ok "$answer" "$1"
	expect_eq true "$([ "$(counter_get $host tenants red:syn_cookies_valid)" -gt "$before" ] && echo true)" "by way of a cookie"
}

# What was dropped for its numbers or flags, on both hosts.
dropped() {
	local host sum=0 reason
	for host in h1 h2; do
		for reason in ct_tcp_window ct_tcp_state ct_invalid syn_cookie syn_proxy; do
			sum=$((sum + $(counter_get $host drops $reason)))
		done
	done
	echo $sum
}

talks() {
	local before
	configure always
	before=$(dropped)
	talk "between hosts" h2.pb h1.pa $B4 both size=3000000
	talk "between hosts, IPv6" h2.pb h1.pa $B6 both size=3000000
	talk "on one host" h1.pc h1.pa $C4 both size=3000000
	talk "on one host, IPv6" h1.pc h1.pa $C6 both size=3000000
	talk "a reader that lets the window close" h2.pb h1.pa $B4 slow
	expect_eq "$before" "$(dropped)" "nothing of it is outside its window, or of no flow"
	tcp_refused h1.pa $B4 9
	tcp_refused h1.pa $B6 9
}

# larger FILE FILTER TEXT: many frames are longer than a wire takes.
larger() {
	local n
	n=$(captured "$1" "($2) and greater 1515")
	expect_eq true "$([ "$n" -gt 20 ] && echo true)" "$3: $n"
}

bad_checksums() {
	local ns
	for ns in h1.pa h1.pc h2.pb; do in_ns $ns awk '/^Tcp: [0-9]/ { print $NF }' /proc/net/snmp; done | xargs
}

talks_of_all() {
	talk "$1, between hosts" h2.pb h1.pa $B4 both size=2000000
	talk "$1, between hosts, IPv6" h2.pb h1.pa $B6 both size=2000000
	talk "$1, on one host" h1.pc h1.pa $C4 both size=2000000
	talk "$1, on one host, IPv6" h1.pc h1.pa $C6 both size=2000000
}

# The numbers of segments change that are yet to be cut, and whose checksums are unfinished: first they arrive as they are,
# then the kernel finishes them on the wire and behind weft, and the receiver checks. Between hosts the SYN for the workload
# is longer than the ACK it is made of, and where no wire has taken the tunnel's mark off it, its unfinished checksum has moved
# (bpf/lib/ops_tc.h, op_resize); the workload, on this machine too, does not look at that, but capture does.
super_packets() {
	local ns dev before
	for ns in h1.pa h1.pc h2.pb; do capture_start $ns eth0 "$STATE/$ns"; done
	before=$(dropped)
	talks_of_all "super-packets"
	capture_stop
	for dev in "h1.pa $B" "h1.pa $C" "h1.pc $A" "h2.pb $A"; do
		larger "$STATE/${dev% *}" "ip and ether src ${dev#* }" "IPv4 super-packets arrive whole at ${dev% *}"
		larger "$STATE/${dev% *}" "ip6 and ether src ${dev#* }" "IPv6 ones too"
	done
	run_quietly tcpdump -Z root -r "$STATE/h2.pb" -w "$STATE/segments" "not (ether dst $B and (tcp[13] == 2 or ip6[53] == 2))"
	for ns in h1.pa h1.pc segments; do tshark_clean "$STATE/$ns" 100; done
	for dev in "h1 u0" "h2 u0" "h1 pa" "h1 pc" "h2 pb"; do offloads $dev tx off tso off gso off; done
	expect_eq "0 0 0" "$(bad_checksums)" "no checksum was wrong until now"
	capture_start h2.pb eth0 "$STATE/h2.pb"
	talks_of_all "cut by the kernel"
	capture_stop
	expect_captured 0 "$STATE/h2.pb" "ether src $A and greater 1515" "what arrives is cut"
	tshark_clean "$STATE/h2.pb" 1000
	expect_eq "0 0 0" "$(bad_checksums)" "no receiver has seen a wrong checksum"
	expect_eq "$before" "$(dropped)" "nothing of it is dropped for its numbers"
	for dev in "h1 u0" "h2 u0" "h1 pa" "h1 pc" "h2 pb"; do offloads $dev tx on tso on gso on; done
}

# Each end loses one frame in 50 that weft has delivered: acknowledgements are selective.
lossy() {
	local ns before
	for ns in h1.pa h2.pb; do
		in_ns $ns nft "table inet lose { chain i { type filter hook prerouting priority -300; tcp flags & (syn|fin) == 0 numgen random mod 50 0 drop; }; }"
	done
	before=$(counter_get h2 drops ct_tcp_window)
	talk "with frames lost" h2.pb h1.pa $B4 both size=1500000
	talk "with frames lost, IPv6" h2.pb h1.pa $B6 both size=1500000
	expect_eq "$before" "$(counter_get h2 drops ct_tcp_window)" "selective acknowledgements fit"
	for ns in h1.pa h2.pb; do in_ns $ns nft delete table inet lose; done
}

# The function is shown a handshake as if there were no proxy, and what comes after.
chained() {
	configure always "
chains:
  look: {tag: 301, steps: [{function: one}]}
insert:
  - {name: b, apply_to: [port:b], chain: look}"
	capture_start h2 s0 "$STATE/s0" tcp
	talk "through a function" h2.pb h1.pa $B4 both size=1000000
	talk "through a function, IPv6" h2.pb h1.pa $B6 both size=1000000
	capture_stop
}

arrived() { [ $(($(counter_get h2 tenants red:flows) + $(sent))) -ge "$1" ]; }

# flood: e sends SYNs, more than the tables hold, until $FLOOD_PID is stopped.
flood() {
	local before=$(($(counter_get h2 tenants red:flows) + $(sent)))
	printf '%s\t%s\t%s\t%s\t%s\n' "/run/netns/$(netns_of h1.pe)" eth0 100000 0 \
		"[eth('$B', '$E', ip4('$E4', '$B4', tcp(2000 + i, 7, SYN, seq=i))) for i in range(4000)]" > "$STATE/flood"
	bg sh -c "exec python3 -S -E '$TOP/selftests/net/frames.py' < '$STATE/flood'"
	FLOOD_PID=$BG_PID
	wait_for 20 arrived $((before + 2000)) || fail "the flood does not arrive"
}

half_open() { weft_on h2 -j ct show "$1" | jq '[.[] | select(.half_open)] | length'; }

# hold: a connection of its own, kept until hold_end.
hold() {
	rm -f "$STATE/go" "$STATE/said"
	mkfifo "$STATE/go" "$STATE/said"
	"$TOP/selftests/net/streams.py" "/run/netns/$(netns_of h2.pb)" "/run/netns/$(netns_of h1.pa)" $B4 hold \
		< "$STATE/go" > "$STATE/said" &
	exec 7> "$STATE/go" 8< "$STATE/said"
	read -r -t 10 _ <&8
}

hold_end() {
	local said
	echo >&7
	read -r -t 20 said <&8
	exec 7>&- 8<&-
	expect_eq ok "$said" "$1"
	wait $!
}

keeps_out() {
	local before
	configure off
	before=$(sent)
	bg in_ns h1.pc "$TOOLS/echo" tcp $B4 7 --count 1000 --gap 100 --timeout 2000
	OWN=$BG_PID
	sleep 0.3
	flood
	tcp_fail h1.pa $B4 7
	expect_eq "$before" "$(sent)" "no cookie where there is no proxy"
	bg_stop "$FLOOD_PID"
	expect_ok -t "who was connected before is so still" kill -0 "$OWN"
	bg_stop "$OWN"
}

# connected KEY VALUE...: the ports of connections to which they fit.
connected() { weft_on h2 -j ct show red state established "$@" | jq -r '.[].destination_port' | xargs; }

keeps_in() {
	local before
	configure auto
	run_quietly weft_on h2 ct flush red
	before=$(sent)
	tcp_ok h1.pa $B4 7 --count 3
	expect_eq "$before" "$(sent)" "without a flood no cookie is sent"
	bg in_ns h1.pc "$TOOLS/echo" tcp $B4 7 --count 1000 --gap 100 --timeout 2000
	OWN=$BG_PID
	# Of another tenant: under way, and so it stays.
	in_ns h2.qb nft "table inet deaf { chain i { type filter hook prerouting priority -300; tcp dport 999 drop; }; }"
	send h1.qa "[eth('$B', '$A', ip4('$A4', '$B4', tcp(3000 + i, 999, SYN))) for i in range(20)]"
	expect_eq 20 "$(half_open blue)" "blue has handshakes under way"
	flood
	expect_eq true "$([ "$(sent)" -gt $((before + 1000)) ] && echo true)" "SYNs of a flood get cookies"
	expect_eq true "$([ "$(half_open red)" -le 40 ] && echo true)" "and no place in the table of handshakes"
	before=$(valid)
	tcp_ok h1.pa $B4 7
	tcp_ok h1.pa $B6 7
	talk "data during the flood" h2.pb h1.pa $B4 both size=2000000
	talk "data during the flood, IPv6" h2.pb h1.pa $B6 both size=2000000
	tcp_ok h1.qa $B4 7
	hold
	expect_eq "7 80" "$(connected source $C4 proxied false) $(connected proxied true)" "who came by way of the proxy is told apart"
	expect_eq 0 "$(counter_get h2 tenants blue:syn_cookies_sent)" "blue's SYNs get none"
	bg_stop "$FLOOD_PID"
	expect_eq 20 "$(half_open blue)" "blue's handshakes are there still"
	expect_ok -t "who was connected before the flood is so still" kill -0 "$OWN"
	bg_stop "$OWN"
	in_ns h2.qb nft delete table inet deaf
	sleep 4.2
	before=$(sent)
	tcp_ok h1.pa $B4 7
	expect_eq "$before" "$(sent)" "after the flood the proxy stands aside"
	hold_end "a connection of the proxy goes on without pressure"
}

# The option goes, and comes back: who is connected by way of a cookie stays so; without such the table goes.
turned_off() {
	configure always
	hold
	expect_eq "$B4 established" "$(weft_on h2 -j ct show red proxied true state established | jq -r '.[] | select(.proxied) | "\(.destination) \(.state)"')" \
		"a connection of the proxy is told as such"
	expect_output "^red/web tcp $A4:[0-9]+ > $B4:80 established proxied allow packets " weft_on h2 ct show red proxied true
	expect_eq '[]' "$(weft_on h2 -j ct show red proxied false | jq -c 'map(select(.destination_port == 80))')" "and is not among others"
	expect_eq '[false]' "$(weft_on h1 -j ct show red state established destination_port 80 | jq -c 'map(.proxied)')" \
		"the client's host has no proxy"
	configure off
	expect_ok weft_on h2 verify
	sleep 0.5
	hold_end "a connection of the proxy outlives the option"
	run_quietly weft_on h2 ct flush red
}

# Somebody has cookies that nobody has given. (Between hosts the sender's own knows already that there is no flow.)
forge() {
	local before
	configure always
	before=$(counter_get h1 drops syn_cookie)
	send h1.pe "[eth('$C', '$E', ip4('$E4', '$C4', tcp(2000 + i, 7, ACK, seq=1, ack=i * 2654435761 % 4294967296))) for i in range(2000)]"
	wait_for 3 forged $((before + 2000))
	expect_eq $((before + 2000)) "$(counter_get h1 drops syn_cookie)" "guessed cookies are dropped and counted"
	expect_eq 0 "$(weft_on h1 -j ct show red | jq '[.[] | select(.destination == "'$C4'" and .source == "'$E4'")] | length')" \
		"and begin nothing"
}

forged() { [ "$(counter_get h1 drops syn_cookie)" -ge "$1" ]; }

run() {
	[ "$MODE" = xdp ] && function_xdp_ready h2.s0 s0
	keeps_in
	turned_off
	keeps_out
	forge
	talks
	[ "$MODE" = xdp ] || super_packets
	lossy
	chained
}

lab
each_mode run
