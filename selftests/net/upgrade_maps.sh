#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# upgrade_maps: maps of version 1 become maps of version 2 under traffic (lib/upgrade.sh), and version 1 again: no packet is
# lost and no flow, be it in use or idle; and none if the load is killed on the way, at whatever moment.
# timeout: 240
. "$(dirname "$0")/../lib/upgrade.sh"

# A flow of which no packet passes while maps change: a asks b, and only the flow lets b's answer in.
idle_question() { send h1.pa "eth('$B', '$A', ip4('$A4', '$B4', udp(4444, 9000)))"; }
idle_answer() {
	local before
	before=$(counter_get h1 ports red/a:to_packets)
	send h2.pb "eth('$A', '$B', ip4('$B4', '$A4', udp(9000, ${1:-4444})))"
	sleep 0.1
	echo $(($(counter_get h1 ports red/a:to_packets) - before))
}

expect_idle() {
	expect_eq 1 "$(idle_answer)" "$1: an idle flow lives on"
	expect_eq 0 "$(idle_answer 4445)" "$1: what is of no flow stays out"
}

version_1() {
	local host
	for host in h1 h2; do
		weft_on $host unload --force
		with "$OLD" $host load --host $host || die "load of version 1"
	done
	WEFT=$OLD configure
	expect_eq 1 "$(label h1 | cut -d' ' -f1)" "a root of version 1"
	WEFT=$OLD tcp_ok h1.pa $B4 7
	WEFT=$OLD idle_question
	WEFT=$OLD expect_idle "version 1"
	expect_refused 'weft load' weft_on h1 save
}

there_and_back() {
	local ours
	ours=$("$WEFT" -j version | jq -r .build)
	# Who may not ask the kernel for the tables in use would lose their flows, and so changes nothing.
	expect_refused 'without cap_sys_admin' in_ns h1 setpriv --bounding-set -sys_admin "$WEFT" -r "$(root_of h1)" load
	expect_eq 1 "$(label h1 | cut -d' ' -f1)" "the root is of version 1 still"
	expect_load "from version 1 to 2" "$WEFT"
	expect_eq "2 $ours" "$(label h1)" "the root is of version 2"
	expect_programs
	expect_idle "version 2"
	expect_output 'nothing to change' weft_on h1 apply "$STATE/apply.yaml"
	tcp_ok h1.pa $B4 7
	udp_fail h1.pa $B4 9

	# The build before can do nothing with this root; the one that knows both puts it back.
	expect_refused 'version 2' with "$OLD" h1 load
	expect_refused 'version 2' with "$OLD" h1 status
	expect_load "back to version 1" "$WEFT" --previous
	expect_eq 1 "$(label h1 | cut -d' ' -f1)" "the root is of version 1 again"
	WEFT=$OLD expect_programs
	WEFT=$OLD expect_idle "version 1"
	expect_output 'nothing to change' with "$OLD" h1 apply "$STATE/apply.yaml"
	expect_load "to version 2 with the programs that were kept" "$WEFT" --previous
	expect_eq "2 $ours" "$(label h1)" "the root is of version 2 again"
	expect_idle "version 2"
}

# Each load ends what the one before it has begun, or undoes it, and then changes the version once more, if it lives.
killed() {
	local after n=0
	churn_begin
	for after in 02 04 06 08 10 12 14 16 18 20 24 28 32 36 40; do
		(timeout -s KILL 0.$after "$WEFT" -n "$(netns_of h1)" -r "$(root_of h1)" load --previous) > /dev/null 2>&1 ||
			n=$((n + 1))
	done
	expect_ok -t "$n loads were killed" test $n -ge 3
	expect_ok -t "the next one ends it" weft_on h1 load
	churn_end "loads killed"
	expect_programs
	expect_idle "after all those deaths"
	expect_output 'nothing to change' weft_on h1 apply "$STATE/apply.yaml"
}

run() {
	version_1
	there_and_back
	killed
	tcp_ok h1.pa $B4 7
	tcp_fail h1.pa $B4 9
}
each_mode run
