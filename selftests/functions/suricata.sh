#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# suricata: the lab of docs/SURICATA.md, on the very files of examples/suricata. Suricata inline on h2, in the wires of
# red's b and d under tag 301, whose policy blocks, and of blue's b under tag 302, whose policy only tells; red and blue
# have the same addresses. On h1 a bridge firewall in the wire of red's c. HTTP between the hosts, in both directions.
. "$(dirname "$0")/../lib/lab.sh"
command -v suricata > /dev/null || skip "suricata is missing${NO_SURICATA:+: $NO_SURICATA}"
need tcpdump tshark curl busybox nft
suricata -V | grep -qE 'version ([7-9]|[1-9][0-9])\.' || skip "suricata is older than 7: $(suricata -V)"

EXAMPLES=$STATE/suricata
SOCKET=$STATE/suricata.socket
EVE=$STATE/log/eve.json
D=02:00:00:00:00:0d D4=10.0.1.4 D6=fd00:1::4
SIZE=2000000
# Beside other tests all may take long; only what fails takes this long.
HTTP_TIMEOUT=20

lab() {
	cp -r "$TOP/examples/suricata" "$EXAMPLES"
	lab_two_hosts
	workload_add h2 pd $D $D4/24,$D6/64
	workload_add h1 qa $A $A4/24,$A6/64
	workload_add h2 qb $B $B4/24,$B6/64
	function_wire h2 ips0 ips1
	function_wire h1 fence0 fence1
	mkdir -p "$STATE/log" "$STATE/www/etc"
	echo hello > "$STATE/www/index.html"
	echo secrets > "$STATE/www/etc/passwd"
	echo shell > "$STATE/www/shell"
	echo 'bytes, THIS-IS-MALWARE, and bytes' > "$STATE/www/gift"
	head -c $SIZE /dev/urandom > "$STATE/www/film.bin"
	for ns in h1.pa h1.pc h1.qa h2.pb h2.qb; do http_serve $ns 80 "$STATE/www"; done
	http_serve h1.pc 8080 "$STATE/www"
	echo_serve h2.pb 81
	echo_serve h2.qb 81
}

suricata_start() {
	# Its rules are where it is started.
	cd "$EXAMPLES" || die "no $EXAMPLES"
	bg in_ns h2.ips0 suricata -c suricata.yaml --af-packet --reject-dev ips0 -l "$STATE/log" \
		--set unix-command.filename="$SOCKET" > "$STATE/suricata.log" 2>&1
	SURICATA_PID=$BG_PID
	cd - > /dev/null || die "no way back"
	wait_for 60 grep -q 'Engine started' "$STATE/suricata.log" || die "no Suricata: $(cat "$STATE/suricata.log")"
}

# A learning bridge would not know on which side a MAC is, where frames of one workload come by both arms.
fence_start() {
	local dev
	in_ns h1.fence0 ip link add br0 type bridge mcast_snooping 0
	for dev in fence0 fence1; do
		in_ns h1.fence0 ip link set $dev master br0
		in_ns h1.fence0 bridge link set dev $dev learning off flood on
	done
	in_ns h1.fence0 ip link set br0 up
	in_ns h1.fence0 nft -f "$EXAMPLES/fence.nft" || die "no bridge firewall"
}

fence_counted() { in_ns h1.fence0 nft -j list counter bridge fence "$1" | jq '.nftables[] | .counter? // empty | .packets'; }

# configure [SED SCRIPT]: the lab's file, in the present mode.
configure() {
	sed -e "s/underlay: \[u0\]/&, mode: $MODE/" -e "${1:-}" "$EXAMPLES/lab.yaml" > "$STATE/lab.yaml"
	for host in h1 h2; do
		run_quietly weft_on $host apply "$STATE/lab.yaml" || { show_output; die "apply on $host"; }
	done
}

url() { [[ $1 == *:* ]] && echo "http://[$1]/$2" || echo "http://$1/$2"; }

# gets NS ADDRESS PATH...: as they lie at the server.
gets() {
	local path
	for path in "${@:3}"; do
		http_get "$1" "$(url "$2" "$path")" > "$STATE/got" 2> "$STATE/why"
		cmp -s "$STATE/got" "$STATE/www/$path" && ok "$1 gets $path from $2" ||
			fail "$1 does not get $path from $2: $(cat "$STATE/why")"
	done
}

# status_of NS ADDRESS PATH [CURL OPTIONS]: of curl: 28 silence, 56 reset. Not even a part of the file may have come.
status_of() {
	local status
	HTTP_TIMEOUT=${PATIENCE:-1} http_get "$1" "$(url "$2" "$3")" "${@:4}" > "$STATE/got.$BASHPID" 2>/dev/null
	status=$?
	[ ! -s "$STATE/got.$BASHPID" ] || status="$status, with bytes"
	echo $status
}

# silent NS ADDRESS PATH...: begun, all at once, since each takes as long as patience lasts; all_silent says how they end.
SILENT=()
silent() {
	local path
	for path in "${@:3}"; do
		status_of "$1" "$2" "$path" > "$STATE/silent.${#SILENT[@]}" &
		SILENT+=("$!:$1 hears nothing of $path from $2")
	done
}

all_silent() {
	local i
	for i in "${!SILENT[@]}"; do
		wait "${SILENT[i]%%:*}"
		expect_eq 28 "$(cat "$STATE/silent.$i")" "${SILENT[i]#*:}"
	done
	SILENT=()
}

# While a function gives little back, a SYN may be lost to the watch over it, and is sent again.
reset() { expect_eq 56 "$(PATIENCE=20 status_of "$@")" "$1 is reset when it asks $2 for $3"; }

# --- what is tested ---------------------------------------------------------------------------------

# talks NS [OPTIONS]: a connection to port 81 of b that says something each 50 ms, until it is asked how it ended.
talks() {
	rm -f "$STATE/talk"
	bg in_ns "$1" sh -c "$TOOLS/echo tcp $B4 81 --gap 50 --timeout 20000 ${*:2} >/dev/null 2>&1; echo \$? > $STATE/talk"
	sleep 0.2
}

talk_ended() {
	wait_for 30 test -s "$STATE/talk"
	expect_eq "$1" "$(cat "$STATE/talk")" "$2"
}

# Without the chains nothing is inspected, and a connection from that time is ended when they come.
before() {
	configure '/insert:/,/chain: fenced/d; /chain: lenient/d; /insert:$/d'
	gets h1.pa $B4 etc/passwd shell gift
	talks h1.pa --count 1000
	configure
	talk_ended 2 "what is older than the chain is reset, since its beginning was not inspected"
}

verified() { expect_ok -t "weft's probes pass the function of $1, by both tags" weft_on $1 verify; }

# By both families, and from both hosts: towards the inspected workload, and leaving it.
passes() {
	local tenant
	for tenant in p q; do
		gets h1.${tenant}a $B4 index.html film.bin
		gets h1.${tenant}a $B6 index.html film.bin
		gets h2.${tenant}b $A4 index.html film.bin
		gets h2.${tenant}b $A6 index.html film.bin
		ping_ok h1.${tenant}a $B4
		ping_ok h2.${tenant}b $A6
	done
}

blocks() {
	silent h1.pa $B4 etc/passwd gift
	silent h1.pa $B6 etc/passwd gift
	silent h2.pb $A4 etc/passwd gift
	silent h2.pb $A6 etc/passwd gift
	all_silent
	reset h1.pa $B4 shell
	reset h1.pa $B6 shell
	reset h2.pb $A4 shell
	reset h2.pb $A6 shell
	gets h1.qa $B4 etc/passwd gift shell
	gets h1.qa $B6 etc/passwd gift shell
	gets h2.qb $A4 etc/passwd gift shell
	gets h2.qb $A6 etc/passwd gift shell
}

# First packets: towards b their flow is known, and they are refused in its name. (In IPv4 Suricata 7.0.10 makes ICMP errors
# with a wrong checksum, which nobody takes.) What leaves b begins its flow after the function, so nobody is told.
refuses() {
	tcp_refused h1.pa $B4 23
	tcp_refused h1.pa $B6 23
	udp_refused h1.pa $B6 69
	tcp_fail h2.pb $A4 23
	udp_fail h2.pb $A6 69
}

# One five-tuple in two tenants at the same time: what becomes of red's does not touch blue's.
same_flow_twice() {
	talks h1.qa --count 30 --sport 41000
	reset h1.pa $B4 shell --local-port 41000 --connect-to "::$B4:81"
	talk_ended 0 "blue's connection goes on beside it, by the same ports"
}

# expect_eve TEXT JQ FILTER: such an event comes. expect_no_eve: none has.
eve_has() { [ "$(jq -s "map(select($1)) | length" "$EVE")" -gt 0 ]; }
expect_eve() { wait_for 20 eve_has "$2" && ok "eve.json: $1" || fail "eve.json: no $1"; }
expect_no_eve() { eve_has "$2" && fail "eve.json: $1" || ok "eve.json: no $1"; }

tells() {
	local sid
	for sid in 1000001 1000002 1000003; do
		expect_eve "drop of $sid, tag 301" ".event_type == \"drop\" and .vlan == [301] and .alert.signature_id == $sid"
		expect_eve "$sid let pass, tag 302" \
			".vlan == [302] and .alert.action == \"allowed\" and .alert.signature_id == $sid"
	done
	expect_eve "drop of what b sends" ".event_type == \"drop\" and .src_ip == \"$B4\" and .direction == \"to_server\""
	expect_eve "drop of what goes to b" ".event_type == \"drop\" and .dest_ip == \"$B4\" and .direction == \"to_server\""
	expect_no_eve "drop with tag 302" '.event_type == "drop" and .vlan != [301]'
	expect_no_eve "verdict of another tenant than the tag's" '.tenant_id != .vlan[0]'
	expect_no_eve "bad checksum" '.drop.reason? // "" | test("checksum|decode")'
}

# What the function gets is as on a wire: tcpdump writes it as it is, not finished (net.sh on checksums).
at_function() {
	local file=$STATE/ips0.pcap
	bg in_ns h2.ips0 tcpdump -Z root -U --immediate-mode -B 32768 -i ips0 -w "$file" 2>"$STATE/tcpdump.log"
	wait_for 5 grep -q listening "$STATE/tcpdump.log" || die "no tcpdump"
	gets h1.pa $B4 film.bin
	gets h2.qb $A6 film.bin
	reset h1.pa $B4 shell
	reset h1.pa $B6 shell
	sleep 0.2
	bg_stop "$BG_PID"
	tshark_clean "$file" 1000
	expect_captured 0 "$file" "greater 1469" "no frame is longer than a workload's MTU allows, with a tag"
	expect_captured 0 "$file" "ether[12:2] != 0x8100 or (ether[14:2] & 0xfff != 301 and ether[14:2] & 0xfff != 302)" \
		"nothing comes without one of the two tags"
	expect_captured 4 "$file" "ether[14:2] = 301 and ((ether[16:2] = 0x0800 and ether[51] & 4 != 0) or ether[71] & 4 != 0)" \
		"two RSTs for each rejected connection, by one arm and with PCP 0"
}

# b and d are behind the one function, on one host: it sees each frame twice, leaving and then towards.
both_ends() {
	gets h2.pd $B4 index.html film.bin
	gets h2.pd $B6 index.html
	silent h2.pd $B4 etc/passwd
	all_silent
	reset h2.pd $B4 shell
}

# c is behind the bridge firewall; what it asks b for passes both functions.
fence() {
	local refused
	refused=$(fence_counted refused)
	gets h1.pa $C4 index.html etc/passwd
	gets h2.pb $C6 index.html film.bin
	expect_eq 28 "$(status_of h2.pb $C4 index.html --connect-to "::$C4:8080")" "port 8080 of c is fenced"
	expect_eq 28 "$(status_of h1.pa "$C6" index.html --connect-to "::[$C6]:8080")" "by IPv6 too"
	[ "$(fence_counted refused)" -gt "$refused" ] && ok "nftables has counted that" || fail "nftables has refused nothing"
	gets h1.pc $B4 index.html film.bin
	silent h1.pc $B6 etc/passwd gift
	all_silent
	reset h1.pc $B4 shell
}

reload() { expect_output '"OK"' timeout 60 suricatasc "$SOCKET" -c "reload-tenant $1"; }

# Another policy for blue, while it has a connection.
reloads() {
	talks h1.qa --count 40
	cp "$EXAMPLES/strict.rules" "$EXAMPLES/lenient.rules"
	reload 302
	reset h1.qa $B4 shell
	talk_ended 0 "a reload of rules ends no connection"
	cp "$TOP/examples/suricata/lenient.rules" "$EXAMPLES"
	reload 302
	gets h1.qa $B4 shell
}

# Closed: without Suricata nothing passes. Back again, what is new does.
dies() {
	kill -KILL "$SURICATA_PID"
	wait_gone "$SURICATA_PID"
	silent h1.pa $B4 index.html
	silent h1.qa $B4 index.html
	all_silent
	sleep 0.3
	expect_counter_moved h2 drops sf_down ping_fail h1.pa $B4
	gets h1.pa $C4 index.html
	suricata_start
	wait_for 20 can_ping h1.pa $B4
	gets h1.pa $B4 index.html
	gets h1.qa $B4 index.html
	reset h1.pa $B4 shell
}

run_tc() {
	before
	verified h1
	verified h2
	passes
	blocks
	refuses
	same_flow_twice
	tells
	at_function
	both_ends
	fence
	reloads
	expect_eq 0 "$(counter_get h2 drops sf_unknown)" "all that came from Suricata was believed"
	dies
}

run_xdp() {
	configure
	gets h1.pa $B4 index.html film.bin
	gets h2.qb $A4 film.bin etc/passwd
	silent h1.pa $B4 etc/passwd
	all_silent
	reset h1.pa $B6 shell
	reset h2.pb $A4 shell
	gets h1.pc $B4 index.html
	expect_eq 28 "$(status_of h2.pb $C4 index.html --connect-to "::$C4:8080")" "port 8080 of c is fenced"
}

run() { "run_$MODE"; }

lab
fence_start
suricata_start
LAB_WORKLOADS="h1.pa h1.pc h1.qa h2.pb h2.pd h2.qb"
each_mode run
