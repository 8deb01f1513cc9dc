#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 600
#
# attacks: what a workload that has been taken over tries against connections and tables. a of h1 and b of h2 are connected
# and stay so; e of h1 attacks. Tenant blue has the same addresses, and half-open connections and questions of its own,
# which nothing that red does may touch. Forged segments carry the numbers of a real connection, or not.
. "$(dirname "$0")/../lib/lab.sh"
need tcpdump jq

E=02:00:00:00:00:0e E4=10.0.1.5 E6=fd00:1::5
V=02:00:00:00:00:0f V4=10.0.1.6 V6=fd00:1::6

lab_two_hosts
silent_add h1 pe
silent_add h2 pv
silent_add h1 qa
silent_add h2 qb
LAB_WORKLOADS="h1.pa h1.pc h2.pb h1.pe h2.pv h1.qa h2.qb"

eval "red_$(declare -f lab_yaml)"
lab_yaml() {
	red_lab_yaml
	# What blue waits for outlasts the test on the slowest machine.
	lab_blue 'max_flows: 128, max_half_open: 64, timeouts: {udp: 1h, tcp_syn: 1h, tcp_syn_recv: 1h}'
}

# b lets in what is meant for its server alone; v lets in all.
configure() {
	lab_apply <<-YAML
	  e: {network: web, host: h1, device: pe, mac: "$E", addresses: [$E4, "$E6"]}
	  v: {network: web, host: h2, device: pv, mac: "$V", addresses: [$V4, "$V6"]}
	options:
	  default: {in: deny, out: allow}
	  conntrack: {max_flows: 256, max_half_open: 64}
	acl:
	- {name: server, apply_to: [port:b], direction: in, priority: 50, protocol: tcp, destination_port: [7, 80], action: allow}
	- {name: udp, apply_to: [port:b], direction: in, priority: 50, protocol: udp, destination_port: 7, action: allow}
	- {name: all, apply_to: [port:v], direction: in, priority: 50, action: allow}
	YAML
}

drops() { weft_on "$1" -j counters | jq ".drops.$2"; }
drops_are() { [ "$(drops "$1" "$2")" -ge "$3" ]; }

# expect_drops N HOST REASON NS FRAMES TEXT: so many, and all for that reason. A veth whose receiver has no processor for a
# while loses what comes too fast, so there is a millisecond between them.
expect_drops() {
	local before
	before=$(drops "$2" "$3")
	send "$4" "$5" 1 1
	wait_for 3 drops_are "$2" "$3" $((before + $1))
	expect_eq $((before + $1)) "$(drops "$2" "$3")" "$6: $1 times $3"
}

# flows HOST TENANT FILTER: how many.
flows() { weft_on "$1" -j ct show "$2" | jq "[.[] | select($3)] | length"; }

# --- who is connected --------------------------------------------------------------------------------------

# connected: connections and questions of a that are answered ten times a second, until disconnected says whether all were.
connected() {
	local address
	CLIENTS=()
	for address in $B4 $B6; do
		nsenter --net="/run/netns/$(netns_of h1.pa)" "$TOOLS/echo" tcp $address 7 --count 60 --gap 100 --timeout 2000 </dev/null >/dev/null &
		CLIENTS+=($!)
		nsenter --net="/run/netns/$(netns_of h1.pa)" "$TOOLS/echo" udp $address 7 --count 60 --gap 100 --timeout 2000 </dev/null >/dev/null &
		CLIENTS+=($!)
	done
	sleep 0.3
}

disconnected() {
	local pid answered=0
	for pid in "${CLIENTS[@]}"; do wait "$pid" && answered=$((answered + 1)); done
	expect_eq 4 $answered "who was connected has been answered to the end, each of 60 times: $1"
}

# blue_waits: blue has half-open connections, and questions that nobody has answered.
blue_waits() {
	send h1.qa "[eth('$B', '$A', ip4('$A4', '$B4', tcp(3000 + i, 80, SYN))) for i in range(16)] +
		[eth('$B', '$A', ip6('$A6', '$B6', tcp(3000 + i, 80, SYN))) for i in range(16)] +
		[eth('$B', '$A', ip4('$A4', '$B4', udp(4000 + i, 53, b'?'))) for i in range(50)]"
	BLUE="32 half-open 50 questions 32 half-open 50 questions"
	blue_is_untouched "so far"
}
blue() {
	local host
	for host in h1 h2; do
		echo "$(flows $host blue .half_open) half-open $(flows $host blue '.protocol == "udp"') questions"
	done | xargs
}
blue_is_untouched() { expect_eq "$BLUE" "$(blue)" "nothing of blue's is touched: $1"; }

# --- scans --------------------------------------------------------------------------------------------------

# scan FLAGS N FAMILY: of b's ports from 1000 on. What SYNs have begun, in this mode or the other, is asked by nothing else.
scan() {
	local port=998
	[ "$1" != SYN ] || port=90${#MODE}
	if [ "$3" = 4 ]; then
		echo "[eth('$B', '$E', ip4('$E4', '$B4', tcp($port, 1000 + i, $1))) for i in range($2)]"
	else
		echo "[eth('$B', '$E', ip6('$E6', '$B6', tcp($port, 1000 + i, $1))) for i in range($2)]"
	fi
}

scans() {
	local family before made
	before=$(flows h1 red true)
	capture_start h2.pb eth0 "$STATE/b"
	for family in 4 6; do
		made=$(counter_get h1 tenants red:flows)
		expect_drops 300 h2 acl_in h1.pe "$(scan SYN 300 $family)" "IPv$family, a SYN scan of ports that are denied"
		expect_eq $((made + 300)) "$(counter_get h1 tenants red:flows)" "where it comes from it is 300 connections, none judged yet"
		expect_drops 100 h1 bad_l4 h1.pe "$(scan FIN 100 $family)" "a FIN scan"
		expect_drops 100 h1 bad_l4 h1.pe "$(scan 0 100 $family)" "a null scan"
		expect_drops 100 h1 bad_l4 h1.pe "$(scan 'FIN | PSH | URG' 100 $family)" "a Christmas scan"
		expect_drops 100 h1 ct_invalid h1.pe "$(scan ACK 100 $family)" "an ACK scan"
		expect_drops 100 h1 ct_invalid h1.pe "$(scan 'FIN | ACK' 100 $family)" "a Maimon scan"
		expect_drops 100 h1 ct_invalid h1.pe "$(scan 'SYN | ACK' 100 $family)" "a SYN-ACK scan"
		expect_drops 100 h1 ct_invalid h1.pe "$(scan RST 100 $family)" "an inverse scan"
	done
	expect_drops 300 h2 acl_in h1.pe \
		"[eth('$B', '$E', ip4('$E4', '$B4', udp(999, 1000 + i))) for i in range(300)]" "a UDP scan"
	capture_stop
	expect_captured 0 "$STATE/b" "ether src $E" "b hears nothing of all that"
	expect_eq 0 "$(flows h2 red "(.source == \"$E4\" or .source == \"$E6\") and (.destination == \"$B4\" or .destination == \"$B6\")")" \
		"and its host keeps nothing"
	expect_eq true "$([ "$(flows h1 red .half_open)" -le 128 ] && echo true)" "where it comes from the half-open tables are no fuller than made"
}

# --- floods -------------------------------------------------------------------------------------------------

# To v, which lets in all and answers nothing: both hosts' tables are filled.
syn_flood() {
	local host before full made arrived port=100
	# Of those of the other mode some may be there still.
	[ "$MODE" = tc ] || port=200
	full="$(drops h1 ct_full) $(drops h2 ct_full)"
	before=$(counter_get h2 ports red/v:to_packets)
	made=$(counter_get h2 tenants red:flows)
	send h1.pe "[eth('$V', '$E', ip4('$E4', '$V4', tcp(1024 + i % 5000, $port + i // 5000, SYN, seq=i))) for i in range(10000)] +
		[eth('$V', '$E', ip6('$E6', '$V6', tcp(1024 + i, $port, SYN, seq=i))) for i in range(2000)]"
	wait_for 1 arrived_since "$before" 12000
	arrived=$(($(counter_get h2 ports red/v:to_packets) - before))
	expect_eq true "$([ $arrived -gt 10000 ] && echo true)" "$arrived of 12000 SYNs arrive"
	expect_eq $arrived $(($(counter_get h2 tenants red:flows) - made)) "each is counted as a connection"
	for host in h1 h2; do
		expect_eq "true" "$([ "$(flows $host red .half_open)" -le 128 ] && echo true)" "$host: half-open ones have no more places than they had"
	done
	expect_eq "$full" "$(drops h1 ct_full) $(drops h2 ct_full)" "nobody is refused for want of room"
	tcp_ok h1.pc $B4 7
	tcp_ok h1.pc $B6 7
}
arrived_since() { [ "$(counter_get h2 ports red/v:to_packets)" -ge $(($1 + $2)) ]; }

# Questions that nobody answers push out each other.
udp_flood() {
	local host before
	declare -A was=([h1]=$(counter_get h1 tenants red:displaced) [h2]=$(counter_get h2 tenants red:displaced))
	before=$(counter_get h2 ports red/v:to_packets)
	send h1.pe "[eth('$V', '$E', ip4('$E4', '$V4', udp(1024 + i, 53, b'?'))) for i in range(2000)] +
		[eth('$V', '$E', ip6('$E6', '$V6', udp(1024 + i, 53, b'?'))) for i in range(2000)]"
	wait_for 1 arrived_since "$before" 4000
	for host in h1 h2; do
		expect_eq true "$([ $(($(counter_get $host tenants red:displaced) - was[$host])) -gt 3000 ] && echo true)" \
			"$host: most of 4000 questions have given way to later ones, and are counted"
	done
	udp_ok h1.pc $B4 7
	tcp_ok h1.pc $B6 7
}

floods() {
	connected
	blue_waits
	scans
	blue_is_untouched "by scans"
	syn_flood
	blue_is_untouched "by a SYN flood"
	udp_flood
	blue_is_untouched "by a UDP flood"
	disconnected "through scans and floods"
}

# --- injection ---------------------------------------------------------------------------------------------

# hold WANT ADDRESS cmd...: while a connection is open, which then says what is wanted, "ok" if it lives. PORT is a's; SENT
# and ANSWERED are the next numbers of a and of b.
hold() {
	local said
	rm -f "$STATE/go" "$STATE/said"
	mkfifo "$STATE/go" "$STATE/said"
	capture_start h1.pa eth0 "$STATE/hold"
	"$TOP/selftests/net/streams.py" "/run/netns/$(netns_of h2.pb)" "/run/netns/$(netns_of h1.pa)" "$2" hold \
		< "$STATE/go" > "$STATE/said" 2>/dev/null &
	exec 7> "$STATE/go" 8< "$STATE/said"
	read -r -t 10 PORT <&8
	capture_stop
	SENT=$(number_after "src port $PORT" 'S')
	ANSWERED=$(number_after "dst port $PORT" 'S\.')
	"${@:3}"
	echo >&7
	read -r -t 20 said <&8
	exec 7>&- 8<&-
	expect_eq "$1" "${said%%: *}" "what becomes of the connection"
	wait
}

# number_after FILTER FLAGS: the one after that of the first such segment.
number_after() {
	tcpdump -Z root -nSr "$STATE/hold" "tcp and $1" 2>/dev/null | grep -m 1 "Flags \[$2\]" |
		awk '{ sub(/.* seq /, ""); printf "%.0f\n", ($0 + 1) % 4294967296 }'
}

# forged FAMILY FROM FLAGS SEQ ACK: from a, or from b with ports turned round.
forged() {
	local from=$A to=$B from_ip=A to_ip=B ports="$PORT, 80"
	[ "$2" = a ] || { from=$B to=$A from_ip=B to_ip=A ports="80, $PORT"; }
	from_ip=$from_ip$1 to_ip=$to_ip$1
	echo "eth('$to', '$from', ip$1('${!from_ip}', '${!to_ip}', tcp($ports, $3, seq=$(($4 & 0xffffffff)), ack=$(($5 & 0xffffffff)))))"
}

# outside FAMILY FROM REASON FLAGS SEQ ACK TEXT
outside() {
	local host=h1 ns=h1.pa
	[ "$2" = a ] || { host=h2 ns=h2.pb; }
	expect_drop $host "$3" $ns "$(forged "$1" "$2" "$4" "$5" "$6")" "$7"
}

# inside FAMILY FROM FLAGS SEQ ACK TEXT: it gets there, and does no harm.
inside() {
	local ns=h1.pa
	[ "$2" = a ] || ns=h2.pb
	send $ns "$(forged "$1" "$2" "$3" "$4" "$5")"
	sleep 0.05
	expect_eq 2 "$(established)" "$6: both hosts hold it for established"
}

established() {
	local host
	for host in h1 h2; do
		weft_on $host -j ct show red | jq -c ".[] | select(.source_port == $PORT and (.half_open | not) and .state == \"established\")"
	done | grep -c .
}

is_over() { [ "$(established)" = 0 ]; }

injection() {
	local far=$((SENT + 0x50000000))
	outside "$1" a ct_tcp_window RST $far 0 "a RST far outside the window"
	outside "$1" a ct_tcp_window RST $((SENT - 1000)) 0 "a RST before it"
	outside "$1" a ct_tcp_window ACK $far $ANSWERED "data far outside the window"
	outside "$1" a ct_tcp_window ACK $SENT $((ANSWERED + 1)) "an acknowledgement of what b has not sent"
	outside "$1" a ct_tcp_window ACK $SENT $((ANSWERED - 0x10000000)) "a blind acknowledgement"
	outside "$1" b ct_tcp_window 'RST | ACK' $((ANSWERED + 0x50000000)) $SENT "b: a RST far outside the window"
	outside "$1" b ct_tcp_state SYN $ANSWERED 0 "b: a SYN"
	outside "$1" b ct_tcp_window 'SYN | ACK' $((ANSWERED + 0x50000000)) $SENT "b: a SYN-ACK far outside the window"
	inside "$1" a RST $((SENT + 100)) 0 "a RST in the window, but for its number"
	inside "$1" b RST $((ANSWERED + 100)) 0 "b: a RST in the window, but for its number"
	inside "$1" a SYN $((SENT + 100)) 0 "a SYN in the window"
	inside "$1" a SYN $far 0 "a SYN outside it"
}

# The number alone ends a connection: who knows it is an end of it.
exact() {
	inside 4 a RST $((SENT + 1)) 0 "a RST that misses by one"
	send h1.pa "$(forged 4 a RST "$SENT" 0)"
	wait_for 2 is_over
	expect_eq 0 "$(established)" "a RST of the very number ends it on both hosts"
}

run() {
	configure
	floods
	hold ok $B4 injection 4
	hold ok $B6 injection 6
	hold hold $B4 exact
}
echo_serve h2.pb 7
each_mode run
