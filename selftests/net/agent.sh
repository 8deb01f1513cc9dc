#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# agent: devices that come, go, come back under another ifindex or get the wanted name are bound without a command, and
# nothing else changes. Host h1 with tenant red: web1 (p0, there from the beginning), web2 (p9) and w1…w150 whose
# devices come later; host h2 with web3 (p0).
# timeout: 600
. "$(dirname "$0")/../lib/net.sh"
need_weft
need jq python3 bpftool

export WEFT_STATE_DIR=$STATE/state
MANY=120
LOG=$STATE/agent.log
M9=02:00:00:00:00:09

host_add h1 192.168.50.1/24
host_add h2 192.168.50.2/24
underlay_link h1 u0 h2 u0
workload_add h1 p0 02:00:00:00:00:0a 10.0.1.1/24
workload_add h2 p0 02:00:00:00:00:0b 10.0.1.3/24

configuration() {
	local i
	cat <<-YAML
	version: 1
	hosts:
	  h1: {vtep: 192.168.50.1, underlay: [u0]}
	  h2: {vtep: 192.168.50.2, underlay: [u0]}
	tenants:
	  red:
	    networks:
	      web: {vni: 101, subnets: [10.0.0.0/16]}
	    acl:
	      - {name: ping, direction: in, priority: 50, protocol: icmp, action: allow}
	    ports:
	      web1: {network: web, host: h1, device: p0, mac: "02:00:00:00:00:0a", addresses: [10.0.1.1]}
	      web2: {network: web, host: h1, device: p9, mac: "$M9", addresses: [10.0.1.9]}
	      web3: {network: web, host: h2, device: p0, mac: "02:00:00:00:00:0b", addresses: [10.0.1.3]}
	YAML
	for ((i = 1; i <= MANY; i++)); do
		printf '      w%d: {network: web, host: h1, device: m%d, mac: "02:00:00:00:01:%02x", addresses: [10.0.2.%d]}\n' \
			$i $i $i $i
	done
}

# agent_start [FLAGS]: its pid is in $AGENT.
agent_start() {
	: > "$LOG"
	"$WEFT" -n "$(netns_of h1)" -r "$(root_of h1)" "$@" agent run </dev/null >/dev/null 2>> "$LOG" & # appended, so that it may be emptied
	AGENT=$!
	wait_for 3 grep -q started "$LOG" || die "the agent does not start: $(cat "$LOG")"
}

# logged TEXT WHAT…: within five seconds.
logged() {
	if wait_for 5 grep -qE -- "$1" "$LOG"; then
		ok "${*:2}"
	else
		fail "${*:2}: nobody said '$1'"
		sed 's/^/    /' "$LOG"
	fi
}

port_state() { weft_on h1 -j port show "$1" | jq -r '.[].state'; }
state_is() { [ "$(port_state "$1")" = "$2" ]; }
becomes() { if wait_for "${3:-5}" state_is "$1" "$2"; then ok "$1 is $2"; else fail "$1 is $(port_state "$1"), not $2"; fi; }
pending() { weft_on h1 -j status | jq -r --arg d "$1" '[.pending[] | select(.device == $d)] | length'; }
ifindex() { in_ns h1 ip -j link show "$1" | jq '.[0].ifindex'; }
epoch() { bpftool -j map dump pinned "$(root_of h1)/tenant_slots" | jq '[.[].formatted.value.epoch] | add'; }
programs() { in_ns h1 bpftool -j net 2>/dev/null | jq '[.[].tc[], .[].xdp[]] | length'; }
in_h1() { in_ns h1 ip link "$@"; }
workload_gone() { in_ns h1 ip link del "$1"; ip netns del "$(netns_of "h1.$1")"; }

# --- before there is a root, and when it comes ---

agent_start
logged 'not loaded: waiting' "the agent waits for a root"
configuration > "$STATE/red.yaml"
weft_load h1
weft_load h2
for host in h1 h2; do expect_ok -t "apply on $host" weft_on $host apply "$STATE/red.yaml"; done
logged 'is loaded' "and sees it come"
ping_ok h1.p0 10.0.1.3

# --- one agent a root ---

expect_refused "as process $AGENT" weft_on h1 agent run
expect_status 2 weft_on h1 agent run
expect_refused 'belongs to network namespace' "$WEFT" -n "$(netns_of h2)" -r "$(root_of h1)" agent run

# --- it comes, goes, and comes again as another ---

becomes red/web2 pending
ping_fail h2.p0 10.0.1.9
# Every command makes the agent look. What follows is to come from the devices' own events, so no command is run meanwhile.
sleep 2.5
workload_add h1 p9 $M9 10.0.1.9/24
old=$(ifindex p9)
logged "port red/web2: device p9 \(ifindex $old\) has come" "a device that comes is attached"
workload_gone p9
logged "device p9 \(ifindex $old\) has gone" "one that goes is unbound"
workload_add h1 p9 $M9 10.0.1.9/24
[ "$(ifindex p9)" != "$old" ] || fail "the same ifindex: nothing is tested"
logged "device p9 \(ifindex $(ifindex p9)\) has come" "and attached when it is another"
in_h1 set p9 name q9
logged "device p9 \(ifindex $(ifindex q9)\) has gone" "one that gets another name is unbound"
: > "$LOG"
in_h1 set q9 name p9
logged "device p9 \(ifindex $(ifindex p9)\) has come" "and attached when it has the wanted name again"
becomes red/web2 bound
ping_ok h2.p0 10.0.1.9
ping_ok h1.p9 10.0.1.1
echo_serve h1.p9 7
expect_counter_moved h1 drops acl_in tcp_fail h2.p0 10.0.1.9 7
workload_gone p9
becomes red/web2 pending
expect_eq 1 "$(pending p9)" "status says pending of one that has gone"
workload_add h1 p9 $M9 10.0.1.9/24
becomes red/web2 bound
ping_ok h2.p0 10.0.1.9

# --- names ---

old=$(ifindex p9)
in_h1 set p9 name q9
logged "device p9 \(ifindex $old\) has gone" "renamed, it is unbound"
expect_eq pending "$(port_state red/web2)" "and its port pending"
expect_counter_moved h1 drops unknown_port cannot_ping h1.p9 10.0.1.3
in_h1 set q9 name p9
becomes red/web2 bound
workload_gone p9
becomes red/web2 pending
workload_add h1 other $M9 10.0.1.9/24
becomes red/web2 pending
in_h1 set other name p9
becomes red/web2 bound
expect_ok -t "the workload of the renamed device is reached" can_ping h2.p0 10.0.1.9

# --- one that cannot be taken keeps nobody waiting ---

in_h1 del p9
ip netns del "$(netns_of h1.other)"
becomes red/web2 pending
in_h1 add z9 type veth peer name z9x
in_ns h1 tc qdisc add dev z9 clsact
in_ns h1 tc filter add dev z9 ingress bpf direct-action object-pinned "$(root_of h1)/prog/guard_tc"
in_h1 set z9 name p9
in_h1 add m1 type veth peer name m1x
logged 'p9.*foreign' "a device with a foreign program is refused"
becomes red/w1 bound
becomes red/web2 pending
in_ns h1 tc qdisc del dev p9 clsact
becomes red/web2 bound 10
in_h1 del p9

# --- thousands at once are a few looks, also beside an apply ---

before=$(epoch)
seq 2 $MANY | sed 's/.*/link add m& type veth peer name x&/' | in_ns h1 ip -batch - &
sleep 0.3
expect_ok -t "apply while devices come" weft_on h1 apply "$STATE/red.yaml"
wait $!
all_bound() { [ "$(weft_on h1 -j port show red | jq '[.[] | select(.state == "bound")] | length')" -eq $((MANY + 1)) ]; }
if wait_for 10 all_bound; then ok "$MANY devices are bound"; else fail "not all of $MANY devices are bound"; fi
looks=$(($(epoch) - before))
if [ $looks -ge 1 ] && [ $looks -le 15 ]; then ok "in $looks looks"; else fail "it took $looks looks"; fi
expect_output 'nothing to change' weft_on h1 apply "$STATE/red.yaml"
ping_ok h1.p0 10.0.1.3

# --- it dies, and nobody notices ---

workload_add h1 p9 $M9 10.0.1.9/24
becomes red/web2 bound
in_ns h2.p0 ping -q -i 0.02 -c 60 -W 1 10.0.1.9 > "$STATE/ping" 2>&1 &
pinging=$!
kill -KILL "$AGENT"
wait "$AGENT" 2>/dev/null
wait $pinging
expect_eq 0 "$(sed -n 's/.* \([0-9]*\)% packet loss.*/\1/p' "$STATE/ping")" "no ping is lost when the agent is killed"
workload_gone p9
workload_add h1 p9 $M9 10.0.1.9/24
expect_eq "1 pending" "$(pending p9) $(port_state red/web2)" "without an agent a device that came back is pending"
expect_ok -t "port bind takes it, under its new ifindex" weft_on h1 port bind red/web2
ping_ok h2.p0 10.0.1.9
workload_gone p9
workload_add h1 p9 $M9 10.0.1.9/24
agent_start -j
becomes red/web2 bound
ping_ok h2.p0 10.0.1.9
expect_ok -t "each line of -j is JSON" jq -es 'all(.[]; .event and .time and .text)' "$LOG"
expect_eq p9 "$(jq -r 'select(.event == "attached" and .object == "port red/web2") | .device' "$LOG")" \
	"its keys tell which device"

# --- the root goes and comes ---

expect_ok weft_on h1 unload --force
wait_for 10 grep -q '"waiting"' "$LOG" && ok "the agent waits when the root is unloaded" || fail "the agent does not see unload"
expect_eq 0 "$(programs)" "and nothing of it stays"
weft_load h1
expect_ok weft_on h1 apply "$STATE/red.yaml"
workload_gone p9
becomes red/web2 pending
workload_add h1 p9 $M9 10.0.1.9/24
becomes red/web2 bound
ping_ok h2.p0 10.0.1.9

# --- what awaits confirmation ---

# The processes of this host's root that wait: the agent is not one of them.
waiting() {
	local pid
	for pid in $(pgrep -x weft-confirm); do
		{ tr '\0' ' ' < "/proc/$pid/cmdline"; } 2>/dev/null | grep -qF -- "$(root_of h1) " && echo "$pid"
	done
}
sed 's/name: ping, direction: in, priority: 50/name: ping, direction: in, priority: 51/' "$STATE/red.yaml" > "$STATE/other.yaml"
expect_ok weft_on h1 apply --confirm 10s "$STATE/other.yaml"
# Whatever has looked at the root by now; from here on no command does, which would see to it as well.
sleep 2.5
killed=$(waiting)
kill -KILL $killed
kill -HUP "$AGENT"
another() { [ -n "$(waiting)" ] && [ "$(waiting)" != "$killed" ]; }
if wait_for 5 another; then ok "the agent starts the killed process again"; else fail "nobody waits for the confirmation"; fi
expect_ok -t "which takes the change back" wait_for 10 eval '[ -z "$(waiting)" ]'
expect_status 0 weft_on h1 diff "$STATE/red.yaml"

kill -TERM "$AGENT"
wait "$AGENT"
expect_eq 0 $? "SIGTERM ends it with status 0"
ping_ok h2.p0 10.0.1.9

# --- systemd ---

cat > "$STATE/listen.py" <<'PY'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    print(s.recv(4096).decode().replace("\n", " "), flush=True)
PY
bg python3 "$STATE/listen.py" "$STATE/notify" > "$STATE/said"
wait_for 3 test -S "$STATE/notify"
export NOTIFY_SOCKET=$STATE/notify WATCHDOG_USEC=400000
agent_start
unset NOTIFY_SOCKET WATCHDOG_USEC
said() { if wait_for 5 grep -qE "$1" "$STATE/said"; then ok "systemd hears $1"; else fail "systemd hears no $1"; fi; }
said '^READY=1$'
said "^STATUS=$((MANY + 3)) devices attached, 0 pending"
said '^WATCHDOG=1$'
: > "$STATE/said"
kill -HUP "$AGENT"
said '^RELOADING=1 MONOTONIC_USEC=[0-9]+$'
said '^READY=1$'
kill -INT "$AGENT"
said '^STOPPING=1$'
