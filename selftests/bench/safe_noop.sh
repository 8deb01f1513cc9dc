#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# safe_noop: an apply that changes nothing, with 1,000 ports attached, in milliseconds: the median of several.
. "$(dirname "$0")/../lib/net.sh"
. "$(dirname "$0")/ports_lab.sh"
need_weft

PORTS=1000 ROUNDS=${ROUNDS:-9}

one() {
	local start=$EPOCHREALTIME
	"$WEFT" -n "$(netns_of m1)" -r "$(root_of m1)" apply "$STATE/ports.yaml" > "$STATE/output" 2>&1
	echo $(((${EPOCHREALTIME/./} - ${start/./}) / 1000))
	grep -q 'nothing to change' "$STATE/output" || { fail "not a noop"; show_output; }
}

ports_lab_host m1 71
ports_lab_devices m1 $PORTS
ports_lab_yaml m1 71 $PORTS > "$STATE/ports.yaml"
weft_load m1
expect_ok -t "apply of $PORTS ports" weft_on m1 apply "$STATE/ports.yaml"
expect_eq $PORTS "$(weft_on m1 -j status | jq '[.devices[] | select(.role == "port" and .state == "attached")] | length')" \
	"all of them are attached"
for ((i = 0; i < ROUNDS; i++)); do one; done > "$STATE/times"
echo "apply_noop_ms_1000_ports=$(sort -n "$STATE/times" | sed -n "$(((ROUNDS + 1) / 2))p")"
if [ -n "${LOOK:-}" ]; then
	strace -c "$WEFT" -n "$(netns_of m1)" -r "$(root_of m1)" apply "$STATE/ports.yaml" 2>&1 | head -20
	sh -c "$LOOK" safe_noop "$WEFT" -n "$(netns_of m1)" -r "$(root_of m1)" apply "$STATE/ports.yaml"
fi
