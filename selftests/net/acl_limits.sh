#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# acl_limits: what reject answers, to whom it is silent, and that one tenant's flood of rejects and of logged packets takes
# nothing of another's; what `log` says, by name, and that what is not told is counted.
. "$(dirname "$0")/../lib/lab.sh"
need jq

R1=02:00:00:00:01:01 R2=02:00:00:00:01:02 B1=02:00:00:00:02:01 B2=02:00:00:00:02:02
need_weft
host_add h1 192.168.50.1/24
netns_add wire
pair h1 u0 wire u0
underlay_dev h1 u0
# Both tenants have the same addresses.
workload_add h1 r1 $R1 10.0.1.1/24,fd00:1::1/64
workload_add h1 r2 $R2 10.0.1.2/24,fd00:1::2/64
workload_add h1 b1 $B1 10.0.1.1/24,fd00:1::1/64
workload_add h1 b2 $B2 10.0.1.2/24,fd00:1::2/64
weft_load h1

tenant() {
	cat <<-YAML
	  $1:
	    networks: {net: {vni: $2, subnets: [10.0.1.0/24, "fd00:1::/64"]}}
	    ports:
	      one: {network: net, host: h1, device: ${1:0:1}1, mac: "$3", addresses: [10.0.1.1, "fd00:1::1"]}
	      two: {network: net, host: h1, device: ${1:0:1}2, mac: "$4", addresses: [10.0.1.2, "fd00:1::2"]}
	    acl:
	      - {name: no, direction: in, priority: 50, protocol: udp, destination_port: 500, action: reject}
	      - {name: no-tcp, direction: in, priority: 50, protocol: tcp, action: reject}
	      - {name: no-tcp-invalid, direction: out, priority: 50, protocol: tcp, stateless: true, action: allow}
	      - {name: no-rst, direction: in, priority: 60, protocol: tcp, conntrack_state: [invalid], action: reject}
	      - {name: no-ping, direction: in, priority: 50, protocol: icmp, action: reject}
	      - {name: told, direction: in, priority: 50, protocol: udp, destination_port: 510, action: allow, log: true}
	      - {name: told-no, direction: in, priority: 50, protocol: udp, destination_port: 511, action: deny, log: true}
	YAML
}

configure() {
	{
		printf 'version: 1\nhosts:\n  h1: {vtep: 192.168.50.1, underlay: [u0], mode: %s}\ntenants:\n' "$MODE"
		tenant red 101 $R1 $R2
		tenant blue 102 $B1 $B2
	} | weft_apply h1 > "$STATE/output"
}

# udp TENANT PORT [SPORT]
udp() {
	local from=$R1 to=$R2
	[ "$1" = red ] || { from=$B1; to=$B2; }
	echo "eth('$to', '$from', ip4('10.0.1.1', '10.0.1.2', udp(${3:-4444}, $2)))"
}

answered() { frames_seen "h1.$1" eth0; }
drops() { counter_get h1 drops "$1"; }

rejects() {
	local before limited t0
	udp_refused h1.r1 10.0.1.2 500
	udp_refused h1.r1 fd00:1::2 500
	tcp_refused h1.r1 10.0.1.2 80
	tcp_refused h1.b1 fd00:1::2 80
	# To these nobody gets an answer, and the sender no frame.
	before=$(answered r1)
	expect_drop h1 reject_silent h1.r1 "eth('$R2', '$R1', ip4('10.0.1.1', '10.0.1.2', tcp(4444, 80, RST)))" "a RST is not answered"
	expect_drop h1 reject_silent h1.r1 "eth('$R2', '$R1', ip4('10.0.1.1', '224.0.0.5', udp(4444, 500)))" "nor what goes to a group"
	expect_drop h1 reject_silent h1.r1 "eth('$R2', '$R1', ip4('10.0.1.1', '255.255.255.255', udp(4444, 500)))" "nor to everybody"
	expect_drop h1 reject_silent h1.r1 "eth('ff:ff:ff:ff:ff:ff', '$R1', ip4('10.0.1.1', '10.0.1.2', udp(4444, 500)))" "nor by a broadcast"
	expect_drop h1 reject_silent h1.r1 "eth('$R2', '$R1', ip6('fd00:1::1', 'ff02::1', udp(4444, 500)))" "nor to an IPv6 group"
	expect_eq "$before" "$(answered r1)" "and nothing came back"
	# 250 at once and 1000 a second, of 3000 as fast as they go.
	t0=$(now_ms)
	before=$(answered r1)
	limited=$(drops reject_limited)
	send h1.r1 "$(udp red 500)" 3000
	wait_for 1 all_told $((before + limited + 3000))
	limited=$(($(drops reject_limited) - limited))
	before=$(($(answered r1) - before))
	expect_eq 3000 $((limited + before)) "each is answered, or counted as not answered ($before, $limited)"
	[ $before -ge 250 ] && [ $before -le $((260 + $(now_ms) - t0)) ] ||
		fail "$before answers in $(($(now_ms) - t0)) ms"
	# Blue has all of its own, in the midst of red's flood.
	printf '%s\teth0\t1000\t0\t%s\n' "/run/netns/$(netns_of h1.r1)" "$(udp red 500)" |
		python3 -S -E "$TOP/selftests/net/frames.py" > "$STATE/flood" &
	for ((i = 0; i < 20; i++)); do echo_udp h1.b1 10.0.1.2 500 --sport $((6000 + i)) --timeout 5000; [ $? -eq 2 ] || fail "blue's reject $i is not answered"; done
	wait $!
	expect_eq ok "$(cat "$STATE/flood")" "red floods"
	ok "blue's rejects are answered while red floods"
	sleep 0.3
	udp_refused h1.r1 10.0.1.2 500
}

all_told() { [ $(($(answered r1) + $(drops reject_limited))) -ge "$1" ]; }

# listen FILE ARGUMENTS…: a monitor whose output goes to FILE.
listen() {
	local file=$1
	shift
	"$WEFT" -n "$(netns_of h1)" -r "$(root_of h1)" "$@" > "$file" 2>&1 &
	LISTENER=$!
	wait_for 5 monitor_ready h1 || fail "the monitor does not start: $(cat "$file")"
}

logs() {
	local suppressed told
	listen "$STATE/log.json" -j monitor acl red --for 3s
	expect_refused "one runs for root" weft_on h1 monitor acl
	send h1.r1 "$(udp red 510 4001)"
	send h1.b1 "$(udp blue 510 4001)"
	send h1.r1 "$(udp red 511 4002)" 2
	send h1.r1 "$(udp red 510 4001)" 3
	wait $LISTENER
	expect_eq "$(printf '%s\n' 'red told in two allow udp 10.0.1.1 4001 10.0.1.2 510' 'red told-no in two deny udp 10.0.1.1 4002 10.0.1.2 511' \
		'red told-no in two deny udp 10.0.1.1 4002 10.0.1.2 511')" \
		"$(jq -r '"\(.tenant) \(.rule) \(.direction) \(.port) \(.action) \(.protocol) \(.source) \(.source_port) \(.destination) \(.destination_port)"' "$STATE/log.json")" \
		"each decision by name: a flow once, what is denied each time, one tenant's alone"
	expect_eq 1 "$(jq -rs --arg now "$(date -u +%Y-%m-%dT%H)" '[.[] | select(.time | startswith($now))] | if length == 3 then 1 else . end' "$STATE/log.json")" \
		"with the time of day"
	# A flood of what is logged: the rate, and the rest counted; blue's is told all the same.
	suppressed=$(counter_get h1 tenants red:logs_suppressed)
	listen "$STATE/log" -t monitor acl --for 4s
	send h1.r1 "$(udp red 511 4003)" 2000
	send h1.b1 "$(udp blue 510 4003)"
	wait $LISTENER
	told=$(grep -c ' red told-no ' "$STATE/log")
	suppressed=$(($(counter_get h1 tenants red:logs_suppressed) - suppressed))
	expect_eq 2000 $((told + suppressed)) "what is not told is counted ($told, $suppressed)"
	[ "$told" -ge 200 ] && [ "$told" -lt 1000 ] || fail "$told events of a flood were told"
	expect_eq 1 "$(grep -c '^[0-9T:.-]*Z blue told in port:two allow udp 10.0.1.1:4003 > 10.0.1.2:510$' "$STATE/log")" "blue's event is told beside red's flood"
	# Once a second.
	[ "$(awk '/^red: [0-9]+ events not told: more than/ { n += $2 } END { print n }' "$STATE/log")" = $suppressed ] && ok "and it is told how many were not" ||
		{ fail "the losses are not told"; tail -3 "$STATE/log"; }
	expect_eq 0 "$(weft_on h1 monitor acl --for 300ms | wc -l)" "a new monitor begins with now"
	send h1.b1 "$(udp blue 511 4005)"
	expect_eq "blue told-no" "$(weft_on h1 -j monitor acl blue --buffered --count 1 | jq -r '"\(.tenant) \(.rule)"')" "or with what is buffered"
	expect_refused "no such tenant" weft_on h1 monitor acl green --for 1s
	expect_refused "above 0" weft_on h1 monitor acl --count 0
}

# Nobody reads: the ring fills, and what has no room is counted, not waited for.
overrun() {
	local lost
	fill_ring
	lost=$(counter_get h1 tenants blue:logs_lost)
	expect_drop h1 acl_in h1.b1 "$(udp blue 511 4006)" "the packet is judged without its event"
	expect_eq $((lost + 1)) "$(counter_get h1 tenants blue:logs_lost)" "which is counted as lost"
	weft_on h1 monitor acl --buffered --for 300ms > /dev/null
	send h1.b1 "$(udp blue 511 4007)"
	expect_eq $((lost + 1)) "$(counter_get h1 tenants blue:logs_lost)" "and there is room again once it is read"
}

# As many events as there is room for, past the limits: a tenant's rate would need minutes. tenant_limits is cleared again and again.
fill_ring() {
	local i slot
	for ((i = 0; i < 80; i++)); do
		for slot in 00 01; do
			bpftool map update pinned "$(root_of h1)/tenant_limits" key hex $slot 00 00 00 value hex 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
		done
		send h1.b1 "$(udp blue 511 4008)" 200
	done
	bpftool map update pinned "$(root_of h1)/tenant_limits" key hex 01 00 00 00 value hex 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
}

run() {
	configure
	run_quietly weft_on h1 ct flush
	rejects
	logs
}
LAB_WORKLOADS="h1.r1 h1.r2 h1.b1 h1.b2" LAB_HOSTS=h1 each_mode run
overrun
