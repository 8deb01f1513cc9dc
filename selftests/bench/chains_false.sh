#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# chains_false.sh: is a function that lives ever taken for dead? death_lab.sh with two instances (or, where several are refused
# yet, with one) and an open step, under all that two cores can carry, for MINUTES: frames of 4,096 flows from a to b and as
# many back, and the agent in between.
#
#	false_switches		frames that went round the function, or through another instance than the one before of their flow,
#				counted by changes; and drops by `sf_down`
#	false_minutes		for how long
#	false_pps		frames that arrived a second, both ways
. "$(dirname "$0")/../lib/net.sh"
. "$(dirname "$0")/death_lab.sh"
. "$(dirname "$0")/figures.sh"
need_weft
need jq

MINUTES=${MINUTES:-10} FLOWS=4096
SECONDS_ALL=$(awk -v m="$MINUTES" 'BEGIN { print m * 60 }')

death_lab 2 open or-one
note "$INSTANCES instances"
nic_like d1 pb
down=$(counter_get d1 drops sf_down) skipped=$(counter_get d1 steps red/inspect/ips:skipped)
"$TOOLS/sink" --netns "$(netns_of d1.pa)" --dev eth0 --seconds 0 > "$STATE/sink" &
sink=$!
wait_for 5 grep -q ready "$STATE/sink" || die "no sink"
"$TOOLS/flood" --netns "$(netns_of d1.pb)" --dev eth0 --src-mac $MAC_B --dst-mac $MAC_A --src-ip $B4 --dst-ip $A4 --flows $FLOWS \
	--seconds "$SECONDS_ALL" --cpu $((CORES > 1)) > "$STATE/flood" &
flood=$!
start=$(now_ms)
march --pps 0 --flows $FLOWS --seconds "$SECONDS_ALL" > "$STATE/march"
wait $flood
took=$(($(now_ms) - start))
kill $sink
wait $sink
IFS='= ' read -r _ sent _ received _ moves < "$STATE/march"
back=$(sed -n 's/^received=\([0-9]*\).*/\1/p' "$STATE/sink")
note "sent $sent, received $received and $back"
[ "$received" -gt $((took * 50)) ] || fail "that was no load: $received frames in $took ms"
figure false_switches $((moves + $(counter_get d1 drops sf_down) - down + $(counter_get d1 steps red/inspect/ips:skipped) - skipped))
figure false_minutes "$(awk -v ms="$took" 'BEGIN { printf "%.1f\n", ms / 60000 }')"
figure false_pps $(((received + back) * 1000 / took))
ok "measured"
