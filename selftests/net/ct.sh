#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# ct: what `weft ct` tells of flows and does to them: filters, flush, stat, and --follow, which tells a flow's life; what
# the agent gives back; that nobody pays for a follower who has died, and what is told when one is too slow.
. "$(dirname "$0")/../lib/lab.sh"

lab_two_hosts

# configure [CONNTRACK OPTIONS]
configure() {
	lab_apply <<-YAML
	options:
	  default: {in: deny, out: allow}
	  conntrack: {max_flows: ${MAX_FLOWS:-4096}${1:+, $1}}
	acl:
	  - {name: tcp, apply_to: [port:b], direction: in, priority: 50, protocol: tcp, destination_port: 7, action: allow}
	  - {name: udp, apply_to: [port:b], direction: in, priority: 50, protocol: udp, destination_port: [7, 9000-9999], action: allow}
	  - {name: ping, apply_to: [port:b], direction: in, priority: 50, protocol: icmp, icmp_type: 8, action: allow}
	  - {name: logged, apply_to: [port:c], direction: in, priority: 50, protocol: udp, destination_port: 53, log: true, action: deny}
	YAML
}

u4() { echo "eth('$B', '$A', ip4('$A4', '$B4', udp($1, ${2:-9000})))"; }
u4_many() { echo "[eth('$B', '$A', ip4('$A4', '$B4', udp($1 + i, 9000))) for i in range($2)]"; }

# seen KEY VALUE...: how many flows of red on h1 fit.
seen() { weft_on h1 -j ct show red "$@" | jq length; }
expect_seen() { expect_eq "$1" "$(seen "${@:2}")" "flows with ${*:2}"; }

# --- filters ---

filters() {
	weft_on h1 ct flush > /dev/null
	bg in_ns h1.pa "$TOOLS/echo" tcp $B4 7 --count 100000 --gap 20 --timeout 2000
	CLIENT=$BG_PID
	wait_for 3 eval '[ "$(seen state established)" = 1 ]'
	udp_ok h1.pa $B4 7 --sport 4001
	udp_ok h1.pa $B6 7 --sport 4002 2>/dev/null || true
	send h1.pa "$(u4 4003)"
	send h1.pa "$(u4 4004 9100)"
	ping_ok h1.pa $B4
	# A handshake that nobody answers: c is where nothing listens to it.
	send h1.pa "eth('$B', '$A', ip4('$A4', '10.0.1.77', tcp(4005, 7, SYN)))"
	expect_seen 1 protocol tcp state established
	expect_seen 1 protocol tcp source $A4 destination $B4 destination_port 7 half_open false
	expect_seen 1 half_open true
	expect_seen 1 half_open true state syn_sent destination 10.0.1.77
	expect_seen 0 proxied true
	expect_seen "$(seen)" proxied false
	expect_seen 1 protocol icmp
	expect_seen 1 protocol 1
	expect_seen 2 protocol udp state new source_port 4000-4999
	expect_seen 1 protocol udp state replied source 10.0.1.0/24
	expect_seen 1 protocol udp either_port 9100
	expect_seen 2 either_port 4003,4004
	expect_seen 0 source_port 9000
	expect_seen 2 protocol udp destination_port 9000-9100
	expect_seen "$(seen address 10.0.1.0/24)" address $A4
	expect_seen 0 address 10.0.2.0/24
	expect_seen 0 source $B4
	expect_seen "$(seen source $A4)" destination 10.0.1.0/24
	expect_seen "$(seen address 0.0.0.0/0)" port a direction out address 0.0.0.0/0
	expect_seen 0 port a direction in
	expect_seen 0 port c
	expect_eq "$(weft_on h2 -j ct show | jq length)" "$(weft_on h2 -j ct show direction in port b | jq length)" \
		"flows of h2 are to b"
	expect_eq "$(seen)" "$(seen network web)" "all are of one network"
	expect_seen "$(seen)" verdict allow
	expect_seen 0 verdict deny,reject
	expect_eq "$(weft_on h1 -j ct show protocol udp | jq length)" "$(seen protocol udp)" "a filter without a tenant"
	expect_output '^red/web udp 10.0.1.1:4003 > 10.0.1.2:9000 new allow packets 1/0 bytes [0-9]+/0 idle .*s left [0-9]+s$' \
		weft_on h1 ct show red source_port 4003
	expect_eq '"udp"' "$(weft_on h2 -j ct show red source_port 4003 | jq -c '.[].rule')" "the rule that let it in has a name"
	expect_eq "$(weft_on h1 -j ct show red protocol icmp | jq -cS 'map(del(.idle_s, .left_s))')" \
		"$(weft_on h1 -p ct show red protocol icmp | jq -cS 'map(del(.idle_s, .left_s))')" "-p prints the same"
	expect_eq '[]' "$(weft_on h1 -p ct show red port c)" "and of none an empty list"
}

bad_filters() {
	expect_refused 'key .prot. is not known: did you mean' weft_on h1 ct show red prot tcp
	expect_refused 'key .protocol. has no value' weft_on h1 ct show red protocol
	expect_refused 'key .protocol. has no value' weft_on h1 ct flush protocol
	expect_refused 'key .address. has an empty value' weft_on h1 ct flush red address ''
	expect_refused 'key .state. has an empty value' weft_on h1 ct show protocol tcp state ''
	expect_refused 'no such tenant' weft_on h1 ct show blue
	expect_refused 'no such tenant' weft_on h1 ct flush blue protocol tcp
	expect_refused 'write a TENANT' weft_on h1 ct show red/web
	expect_refused 'tenant red has no port x: see' weft_on h1 ct show red port x
	expect_refused 'no tenant has a network x' weft_on h1 ct show network x
	expect_refused 'port b is on another host' weft_on h1 ct show red port b
	expect_refused 'is not a prefix' weft_on h1 ct flush red address 10.0.0
	expect_refused 'is not a port number' weft_on h1 ct flush red either_port 70000
	expect_refused 'state .opened.' weft_on h1 ct flush red state opened
	expect_refused 'count is of --follow' weft_on h1 ct show --count 3
	expect_refused '10m|number|duration' weft_on h1 ct show --follow --for never
	expect_status 1 weft_on h1 ct show red a b c
	expect_eq 1 "$(seen state established)" "nothing was flushed by what was refused"
}

# --- flush ---

flush() {
	expect_eq '{"flushed":1}' "$(weft_on h1 -j ct flush red protocol udp either_port 9100)" "flush says how many it were"
	expect_seen 0 either_port 9100
	expect_seen 1 source_port 4003
	expect_output '^0 flows forgotten$' weft_on h1 ct flush red protocol udp either_port 9100
	expect_output '^1 flows forgotten$' weft_on h1 ct flush red half_open true
	expect_seen 0 half_open true
	expect_output '^[1-9][0-9]* flows forgotten$' weft_on h1 ct flush red protocol udp
	expect_seen 0 protocol udp
	expect_seen 1 protocol icmp
	expect_seen 1 state established
	expect_ok -t "the connection goes on" kill -0 "$CLIENT"
	expect_output '^1 flows' weft_on h1 ct flush red protocol tcp
	# Its next segments are of no flow.
	expect_ok -t "and ends when it is flushed" wait_for 3 eval '[ "$(counter_get h1 drops ct_invalid)" -gt 0 ]'
	bg_stop "$CLIENT"
}

# --- stat ---

stat_of() { weft_on h1 -j ct stat red | jq -c "$1"; }

statistics() {
	local new
	weft_on h1 ct flush > /dev/null
	new=$(stat_of .tenants.red.counters.new)
	send h1.pa "$(u4_many 6000 10)"
	udp_ok h1.pa $B4 7 --sport 5999
	send h1.pa "eth('$B', '$A', ip4('$A4', '10.0.1.77', tcp(4006, 7, SYN)))"
	expect_eq '{"capacity":4096,"expired":0,"flows":11,"states":{"new":10,"replied":1}}' \
		"$(weft_on h1 -j ct stat red | jq -cS .tenants.red.tables.ct4)" "stat counts by table and state"
	expect_eq '[11,1,0]' "$(stat_of '.tenants.red | [.flows, .half_open, .expired]')" "and adds up"
	expect_eq $((new + 12)) "$(stat_of .tenants.red.counters.new)" "with what was made"
	expect_eq '{"capacity":64,"expired":0,"flows":1,"states":{"syn_sent":1}}' \
		"$(weft_on h1 -j ct stat red | jq -cS .tenants.red.tables.half4)" "handshakes apart"
	expect_eq '["ct_full","ct_invalid"]' "$(weft_on h1 -j ct stat | jq -c '[.drops | keys[] | select(. == "ct_full" or . == "ct_invalid")]')" \
		"of the whole host also what was dropped"
	expect_eq "$(weft_on h1 -j ct stat | jq '[.tenants[].flows] | add')" "$(weft_on h1 -j ct stat | jq .total.flows)" "and the total"
	expect_output '^red: flows 11, half-open 1, expired and not removed yet 0$' weft_on h1 ct stat red
	expect_output 'ct4 11 of 4096 .*new 10' weft_on h1 ct stat red
	expect_output '^total: ' weft_on h1 ct stat
	expect_refused 'no such tenant' weft_on h1 ct stat blue
}

# --- follow ---

LOG=$STATE/follow

# follow_start [ARGUMENTS]: of h1, as JSON; returns when the kernel tells.
follow_start() {
	: > "$LOG"
	"$WEFT" -j -n "$(netns_of h1)" -r "$(root_of h1)" ct show --follow "$@" < /dev/null > "$LOG" 2>> "$LOG" &
	FOLLOWER=$!
	disown "$FOLLOWER"
	wait_for 3 followed || fail "nobody follows: $(cat "$LOG")"
}

followed() { [ "$(bpftool -j map dump pinned "$(root_of h1)/flow_watch" | jq '.[0].formatted.value.until')" != 0 ]; }
told() { jq -c "select($1)" "$LOG" 2>/dev/null; }
# tells FILTER TEXT: within some seconds.
tells() {
	if wait_for "${3:-3}" eval "told '$1' | grep -q ."; then ok "$2"; else
		fail "$2: nothing is told with $1"
		tail -n 20 "$LOG" | sed 's/^/    /'
	fi
}

follow() {
	local p=7001
	# Neither end's kernel shall know of the other mode's connections.
	[ "$MODE" = tc ] || p=17001
	weft_on h1 ct flush > /dev/null
	weft_on h2 ct flush > /dev/null
	follow_start
	tcp_ok h1.pa $B4 7 --sport $p
	tells ".event == \"closed\" and .source_port == $p" "a connection is told"
	expect_eq 'new syn_sent established established closed time_wait' \
		"$(told ".source_port == $p" | jq -r '"\(.event) \(.state)"' | xargs)" "its life, in order"
	expect_eq '{"destination":"10.0.1.2","network":"red/web","protocol":"tcp","rule":null,"source":"10.0.1.1","tenant":"red"}' \
		"$(told ".source_port == $p and .event == \"established\"" | jq -cS '{tenant, network, protocol, source, destination, rule}')" \
		"with names"
	udp_ok h1.pa $B4 7 --sport $((p + 1))
	tells ".event == \"replied\" and .source_port == $((p + 1))" "a reply is told"
	expect_eq 'new 0 0 replied 1 1' "$(told ".source_port == $((p + 1))" |
		jq -r '"\(.event) \(.packets) \(.reply_packets)"' | head -n 2 | xargs)" "once"
	send h1.pa "eth('$B', '$A', ip6('$A6', '$B6', udp($((p + 2)), 9000)))"
	tells '.event == "new" and .source == "fd00:1::1" and .destination_port == 9000' "IPv6 is told"
	expect_ok weft_on h1 ct flush red protocol udp source_port $((p + 1))-$((p + 2))
	tells ".event == \"destroyed\" and .reason == \"flushed\" and .source_port == $((p + 1)) and .reply_packets == 1" "a flush is told"
	tells '.event == "destroyed" and .reason == "flushed" and .source == "fd00:1::1"' "of IPv6 too"
	# Ports that are used anew while the old connection is still known.
	tcp_ok h1.pa $B4 7 --sport $p
	tells ".event == \"destroyed\" and .reason == \"replaced\" and .source_port == $p" "a connection that another one takes the place of"
	expect_eq "" "$(told '.time == null' | head -n 1)" "each has its time"
	expect_refused 'one runs for root' weft_on h1 ct show --follow --for 1s
	bg_stop "$FOLLOWER"
	expect_ok -t "one who ends says so" eval '! followed'
}

follow_filtered() {
	follow_start red protocol udp destination_port 9100 --count 2
	send h1.pa "$(u4 7101 9000)"
	send h1.pa "$(u4 7102 9100)"
	send h1.pa "$(u4 7103 9101)"
	send h1.pa "$(u4 7104 9100)"
	expect_ok -t "--count ends it" wait_gone "$FOLLOWER"
	expect_eq "7102 7104" "$(jq -r .source_port "$LOG" | xargs)" "what fits alone is told"
	expect_output '^[0-9T:.-]+Z new red/web udp 10.0.1.1:7105 > 10.0.1.2:9000 new allow packets 0/0 bytes 0/0$' \
		text_of 7105
}

# A line of text, of a flow that begins meanwhile.
text_of() {
	weft_on h1 -t ct show --follow source_port "$1" --count 1 --for 30s &
	wait_for 3 followed
	sleep 0.3
	send h1.pa "$(u4 "$1")"
	wait $!
}

# The agent ends what has expired, and says so; a full table is told once a second, and the agent logs it.
agent() {
	local full
	configure 'max_half_open: 64, timeouts: {udp: 2s, udp_replied: 2s, tcp_syn: 2s}'
	weft_on h1 ct flush > /dev/null
	"$WEFT" -n "$(netns_of h1)" -r "$(root_of h1)" agent run < /dev/null > /dev/null 2> "$STATE/agent" &
	AGENT=$!
	disown "$AGENT"
	wait_for 3 grep -q started "$STATE/agent" || die "the agent does not start"
	follow_start
	send h1.pa "$(u4_many 7200 50)"
	send h1.pa "eth('$B', '$A', ip6('$A6', '$B6', udp(7203, 9000)))"
	send h1.pa "eth('$B', '$A', ip4('$A4', '10.0.1.77', tcp(7204, 7, SYN)))"
	tells '.event == "destroyed" and .reason == "expired" and .source_port == 7204' "the agent ends a handshake that nobody answers" 25
	tells '.event == "destroyed" and .reason == "expired" and .source == "fd00:1::1"' "and an IPv6 flow" 25
	expect_eq 50 "$(told '.event == "destroyed" and .reason == "expired" and .source_port >= 7200 and .source == "10.0.1.1" and .protocol == "udp"' | grep -c .)" \
		"each that has expired is told, once"
	expect_eq '[0,0,0]' "$(stat_of '.tenants.red | [.flows, .half_open, .expired]')" "and their places are free"
	bg_stop "$FOLLOWER"
}

# What is picked up in the middle of a connection never gives way to another.
full() {
	local packets
	MAX_FLOWS=64 configure 'max_half_open: 64, loose: true'
	weft_on h2 tenant set red conntrack.max_flows 4096 > /dev/null
	weft_on h1 ct flush > /dev/null
	follow_start red
	# Forty more than the table has places for, at most.
	send h1.pa "[eth('$B', '$A', ip4('$A4', '$B4', tcp(20000 + i, 7, ACK))) for i in range(120)]"
	tells '.event == "full"' "a full table is an event"
	packets=$(stat_of .tenants.red.counters.full)
	expect_eq true "$([ "$packets" -ge 40 ] && echo true)" "each packet that found no room is counted: $packets"
	expect_eq true "$([ "$(told '.event == "full"' | grep -c .)" -le 4 ] && echo true)" "but few are told"
	weft_on h1 ct flush > /dev/null
	send h1.pa "$(u4_many 8000 100)"
	tells '.event == "destroyed" and .reason == "displaced" and .destination_port == 9000' "flows that give way are told"
	expect_ok -t "the agent has said that it is full" wait_for 15 grep -q 'tenant red: its flow table is full: [0-9]* packets' "$STATE/agent"
	bg_stop "$FOLLOWER"
	bg_stop "$AGENT"
}

# --- a follower who dies, one who is too slow ---

dead() {
	configure
	follow_start
	kill -KILL "$FOLLOWER"
	sleep 3.5
	send h1.pa "$(u4 7301)"
	: > "$LOG"
	weft_on h1 -j ct show --follow --buffered --for 300ms > "$LOG"
	expect_eq "" "$(told '.source_port == 7301')" "nothing is told for one who has been killed"
	weft_on h1 -j ct show --follow --buffered --for 30s --count 1 > "$LOG" &
	wait_for 3 followed
	sleep 0.3
	send h1.pa "$(u4 7302)"
	wait $!
	expect_eq 7302 "$(jq -r .source_port "$LOG" | xargs)" "the next one is told"
}

slow() {
	local lost lines made
	MAX_FLOWS=20000 configure
	weft_on h1 ct flush > /dev/null
	follow_start red
	offloads h1 pa gro on
	kill -STOP "$FOLLOWER"
	made=$(stat_of .tenants.red.counters.new)
	expect_ok -t "a flood of flows" "$TOOLS/flood" --netns "$(netns_of h1.pa)" --dev eth0 --src-mac $A --dst-mac $B --src-ip $A4 --dst-ip $B4 \
		--count 10000 --flows 10000
	# The log of rules has a ring of its own.
	weft_on h1 -j monitor acl --count 1 --for 30s > "$STATE/acl" &
	wait_for 3 monitor_ready h1
	send h1.pa "eth('$C', '$A', ip4('$A4', '$C4', udp(7400, 53)))"
	wait $!
	expect_eq logged "$(jq -r .rule "$STATE/acl")" "a flood of flows does not silence the log of rules"
	kill -CONT "$FOLLOWER"
	tells '.event == "events_lost" and .tenant == "red"' "what was lost is told"
	made=$(($(stat_of .tenants.red.counters.new) - made))
	lost=$(told '.event == "events_lost"' | jq -s 'map(.count) | add // 0')
	lines=$(told '.event == "new"' | grep -c .)
	expect_eq true "$([ "$made" -gt 7000 ] && echo true)" "$made flows began"
	expect_eq $made $((lost + lines)) "$lines told and $lost lost are all"
	bg_stop "$FOLLOWER"
	expect_output 'events_lost [1-9]' weft_on h1 ct stat red
}

followed_in_each_mode() {
	configure
	follow
}

echo_serve h2.pb 7
configure
filters
bad_filters
flush
statistics
follow_filtered
agent
full
dead
slow
each_mode followed_in_each_mode
