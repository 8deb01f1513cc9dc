#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# safe_confirm.sh: how long after its deadline an unconfirmed change is gone, seen by packets: of a tenant with 1,000 ports,
# two of them here, a change of 100 ports that also stops ping. Prints confirm_revert_ms=N, the worst of five.
set -u

. "$(dirname "${BASH_SOURCE[0]}")/../lib/net.sh"
need_weft
need jq

PORTS=1000
ROUNDS=5

# configuration ping-ACTION LAST-OCTETS: the addresses of 100 ports end in that.
configuration() {
	awk -v n=$PORTS -v action="$1" -v octet="$2" 'BEGIN {
		print "version: 1\nhosts:\n  h1: {vtep: 192.168.50.1, underlay: [u0]}\n  h2: {vtep: 192.168.50.2, underlay: [u0]}"
		print "tenants:\n  red:\n    networks: {net: {vni: 7}}\n    ports:"
		for (p = 1; p <= n; p++)
			printf "      w%d: {network: net, host: %s, device: p%d, mac: \"02:00:00:00:%02x:%02x\", addresses: [10.%d.%d.%d]}\n",
				p, p <= 2 ? "h1" : "h2", p, p / 256, p % 256, p <= 2 ? 0 : 1, p <= 2 ? 1 : p / 10, p <= 2 ? p : p % 10 ? p % 10 : octet
		printf "    acl:\n      - {name: ping, direction: in, priority: 50, protocol: icmp, action: %s}\n", action
	}'
}

# The first answer at or after the deadline, in milliseconds after it. -D prints when each came.
first_answer() {
	awk -v d="$1" -F'[][]' '/bytes from/ && $2 * 1000 >= d { printf "%d\n", $2 * 1000 - d + 1; exit }' "$STATE/ping"
}

round() {
	local deadline ms
	deadline=$(weft_on h1 -j apply "$STATE/bad.yaml" --confirm 2s | jq .unconfirmed.deadline_ms)
	ping_fail h1.p1 10.0.1.2
	bg in_ns h1.p1 ping -n -D -i 0.005 -w 5 10.0.1.2 > "$STATE/ping"
	wait_for 6 eval '[ -n "$(first_answer '"$deadline"')" ]'
	bg_stop "$BG_PID"
	ms=$(first_answer "$deadline")
	expect_eq 0 "$(awk -v d="$deadline" -F'[][]' '/bytes from/ && $2 * 1000 < d' "$STATE/ping" | wc -l)" "no answer before the deadline"
	note "taken back ${ms:-not within 3000} ms after the deadline"
	echo "${ms:-3000}" >> "$STATE/times"
	wait_for 3 eval 'weft_on h1 -j status | jq -e ".unconfirmed == null"'
}

host_add h1 192.168.50.1/24
netns_add wire
pair h1 u0 wire u0
underlay_dev h1 u0
workload_add h1 p1 02:00:00:00:00:01 10.0.1.1/24
workload_add h1 p2 02:00:00:00:00:02 10.0.1.2/24
configuration allow 200 > "$STATE/good.yaml"
configuration deny 201 > "$STATE/bad.yaml"
weft_load h1
expect_ok -t "apply of $PORTS ports" weft_on h1 apply "$STATE/good.yaml"
ping_ok h1.p1 10.0.1.2
for ((i = 0; i < ROUNDS; i++)); do round; done
worst=$(sort -n "$STATE/times" | tail -1)
echo "confirm_revert_ms=$worst"
expect_ok -t "within 500 ms" test "$worst" -le 500
