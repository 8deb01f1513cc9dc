#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# firewall_sweep: what the agent's passes through a flow table cost with a million flows in it, and what the commands take
# for that table. name=value:
#   ct_sweep_core_percent          of a core, over SECONDS, while all flows live
#   ct_sweep_expiry_core_percent   the same while a million expire and are removed
#   ct_show_filtered_1m_s  ct_show_1m_s  ct_show_json_1m_s  ct_stat_1m_s  ct_flush_1m_s   and ct_show_1m_mb, its memory
. "$(dirname "$0")/../lib/lab.sh"

FLOWS=1000000 SECONDS_OF=${SECONDS_OF:-45}
lab_two_hosts
offloads h1 pa gro on

# configure UDP-TIMEOUT
configure() {
	lab_apply <<-YAML
	options:
	  default: {in: deny, out: allow}
	  conntrack: {max_flows: 1200000, timeouts: {udp: $1}}
	YAML
}

enough() { [ "$live" -gt $((FLOWS * 95 / 100)) ]; }

# Flows leave for h2, which lets none in. What the device's queue has no room for is lost: as often as it takes.
fill() {
	local try
	for try in 1 2 3 4 5; do
		"$TOOLS/flood" --netns "$(netns_of h1.pa)" --dev eth0 --src-mac $A --dst-mac $B --src-ip $A4 --dst-ip $B4 \
			--flows $FLOWS --count $((2 * FLOWS)) > /dev/null
		live=$(weft_on h1 -j ct stat red | jq .tenants.red.flows)
		! enough || return 0
	done
}

# Hundredths of a second of CPU that the agent has had.
agent_ticks() { awk '{print $14 + $15}' "/proc/$AGENT/stat"; }

# measured NAME: of a core, over SECONDS_OF.
measured() {
	local before
	before=$(agent_ticks)
	sleep "$SECONDS_OF"
	awk -v name="$1" -v ticks=$(($(agent_ticks) - before)) -v s="$SECONDS_OF" \
		'BEGIN { printf "%s=%.2f\n", name, ticks / s }'
}

# timed NAME ARGUMENTS: seconds.
timed() {
	local name=$1 start=$EPOCHREALTIME
	shift
	weft_on h1 "$@" > /dev/null
	awk -v name="$name" -v us=$((${EPOCHREALTIME/./} - ${start/./})) 'BEGIN { printf "%s=%.2f\n", name, us / 1e6 }'
}

configure 1h
fill
expect_ok -t "$live flows live" enough
"$WEFT" -n "$(netns_of h1)" -r "$(root_of h1)" agent run < /dev/null > /dev/null 2>&1 &
AGENT=$!
disown "$AGENT"
sleep 2
measured ct_sweep_core_percent
expect_eq "$live" "$(weft_on h1 -j ct stat red | jq .tenants.red.flows)" "none of them was removed"
timed ct_stat_1m_s ct stat red
timed ct_show_filtered_1m_s ct show red either_port 20000
timed ct_show_1m_s ct show red
timed ct_show_json_1m_s -j ct show red
"$WEFT" -n "$(netns_of h1)" -r "$(root_of h1)" ct show red > /dev/null &
shown=$!
peak=0
while read -r kb < <(awk '/VmHWM/ {print $2}' "/proc/$shown/status" 2>/dev/null); do peak=$kb; sleep 0.05; done
echo "ct_show_1m_mb=$((peak / 1024))"
configure 5s
measured ct_sweep_expiry_core_percent
expect_eq 0 "$(weft_on h1 -j ct stat red | jq '.tenants.red | .flows + .expired')" "all of them are"
configure 1h
fill
timed ct_flush_1m_s ct flush red
