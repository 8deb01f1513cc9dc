#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# upgrade: other builds of weft, whose maps are of the same version, are loaded over a loaded one while workloads on two
# hosts talk (lib/upgrade.sh): no packet is lost and no flow, and counters go on, also when a map grows; and back again.
. "$(dirname "$0")/../lib/upgrade.sh"

same_version() {
	local drops denied
	denied=$(counter_get h2 drops acl_in)
	udp_fail h1.pa $B4 9
	drops=$(counter_get h2 drops acl_in)
	expect_eq $((denied + 1)) "$drops" "a drop is counted before"
	expect_load "the same build again" "$WEFT"
	expect_load "a build with more in it" "$NEXT"
	expect_eq "4 $("$NEXT" -j version | jq -r .build)" "$(label h1)" "the root says which build it has"
	expect_eq "$("$WEFT" -j version | jq -r .build)" "$(with "$NEXT" h1 -j status | jq -r .loaded.previous)" "and which it keeps"
	expect_eq "$drops" "$(WEFT=$NEXT counter_get h2 drops acl_in)" "counters went along"
	udp_fail h1.pa $B4 9
	expect_eq $((drops + 1)) "$(WEFT=$NEXT counter_get h2 drops acl_in)" "and count on"
	expect_refused 'has room for' weft_on h1 load
	expect_load "the build before" "$NEXT" --previous
	expect_eq $((drops + 1)) "$(counter_get h2 drops acl_in)" "counters came back"
	expect_eq "4 $("$WEFT" -j version | jq -r .build)" "$(label h1)" "the root has the build before"
	expect_programs
	expect_refused 'not kept' weft_on h1 load --build 0.0-nothing
	expect_ok -t "a build by its name" weft_on h1 load --build "$("$NEXT" -j version | jq -r .build)"
	expect_ok -t "that one runs already" weft_on h1 load --build "$("$NEXT" -j version | jq -r .build)"
	expect_eq "4 $("$NEXT" -j version | jq -r .build)" "$(label h1)" "the root has it"
	expect_ok -t "and the other" with "$NEXT" h1 load --build "$("$WEFT" -j version | jq -r .build)"
	expect_programs
}

run() {
	configure
	churn_begin
	sleep 0.3
	churn_end "without a load"
	same_version
}
each_mode run
