#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# acl_edit: one rule of many is added, changed, replaced, deleted, without a look at the others; what packets meet, what
# is verified, counted, remembered and taken back is the same as after a look at all.
LAB_HOSTS=h2
. "$(dirname "$0")/../lib/lab.sh"

lab_two_hosts
{
	echo "acl:"
	for i in $(seq 40); do
		echo "  - {name: f$i, direction: in, priority: $((100 + i)), protocol: tcp, source: [10.7.$i.0/24], destination_port: $((i * 10)), action: allow}"
	done
	echo "  - {name: base, direction: in, priority: 50, protocol: udp, destination_port: 600, action: allow}"
} > "$STATE/rules"
LAB_HOSTS="h1 h2" lab_apply < "$STATE/rules"
echo_serve h2.pb 600 601 602

newest() { ls -t "$WEFT_STATE_DIR"/*-h2/state-*.json | head -1; }
head_of() { head -c 8 "$(newest)"; }
# edit COMMAND...: on h2, the short way; then all is as if all had been looked at.
edit() {
	expect_ok weft_on h2 acl "$@"
	expect_eq '{"base":' "$(head_of)" "acl $1: without a look at the others"
	expect_ok -t "acl $1: verified" weft_on h2 verify
	expect_eq 0 "$(weft_on h2 -j acl commit red | jq .writes)" "acl $1: nothing is left to do"
}

udp_ok h1.pa $B4 600
weft_on h2 save > "$STATE/before"
udp_fail h1.pa $B4 601
edit add red/more direction in priority 60 protocol udp destination_port 601 action allow
udp_ok h1.pa $B4 601
edit set red/more action deny priority 70
udp_fail h1.pa $B4 601
edit replace red/more direction in priority 60 protocol udp destination_port 600-602 action deny
udp_fail h1.pa $B4 600
expect_eq true "$(weft_on h2 -j -s acl show red/more | jq '[.. | .packets? // empty] | add > 0')" "its packets are counted"
edit del red/more
udp_ok h1.pa $B4 600
edit del red/base
udp_fail h1.pa $B4 600
edit add red/base direction in priority 50 protocol udp destination_port 600 action allow
udp_ok h1.pa $B4 600
weft_on h2 save > "$STATE/after"
if cmp -s "$STATE/before" "$STATE/after"; then ok "all is as it was"; else fail "something else changed"; fi

# What is wrong is refused as ever, and nothing is done.
expect_refused 'exists already' weft_on h2 acl add red/base direction in action allow
expect_refused 'does not exist' weft_on h2 acl set red/nobody action deny
expect_refused 'nowhere' weft_on h2 acl add red/bad direction in priority 5 source group:nowhere action allow

# Each is a state of the history, and can be taken back.
expect_output 'acl del red/base' weft_on h2 history
edit del red/base
edit set red/f1 action deny
expect_ok weft_on h2 rollback 2
weft_on h2 save > "$STATE/after"
if cmp -s "$STATE/before" "$STATE/after"; then ok "taken back"; else fail "taken back: something differs"; diff "$STATE/before" "$STATE/after" | head; fi
udp_ok h1.pa $B4 600

# What other tools wrote and nobody has committed is looked at as a whole.
expect_ok "$TOOLS/owner" "$(root_of h2)/tenants/red/rules" put f2 77
expect_ok weft_on h2 acl set red/f2 action deny
expect_eq 1 "$([ "$(head_of)" = '{"base":' ] && echo 0 || echo 1)" "after another tool's edit of that rule all are looked at"
expect_ok weft_on h2 verify
# Many rules edited so, and committed: those alone are read, and they are one state of the history.
weft_on h2 save > "$STATE/before"
owner() { "$TOOLS/owner" "$(root_of h2)/tenants/red/rules" "$@" || fail "owner $*"; }
owner put f3 78
owner del f4
owner put by-hand 79
expect_ok weft_on h2 acl commit red
expect_eq '{"base":' "$(head_of)" "acl commit: without a look at the others"
expect_ok -t "acl commit: verified" weft_on h2 verify
expect_eq 0 "$(weft_on h2 -j acl commit | jq .writes)" "acl commit: nothing is left to do"
expect_eq false "$(weft_on h2 -j acl check red port b direction in protocol tcp source 10.7.4.1 destination $B4 destination_port 40 | jq .passes)" "the deleted one is gone"
expect_eq true "$(weft_on h2 -j acl check red port b direction in protocol tcp source 10.7.5.1 destination $B4 destination_port 50 | jq .passes)" "the one beside it is not"
expect_output 'edits by other tools' weft_on h2 history
owner put wrong 80 not-a-prefix
expect_refused 'wrong' weft_on h2 acl commit red
owner del wrong
expect_ok weft_on h2 acl commit red
expect_ok weft_on h2 rollback 1
weft_on h2 save > "$STATE/after"
if cmp -s "$STATE/before" "$STATE/after"; then ok "taken back"; else fail "taken back: something differs"; diff "$STATE/before" "$STATE/after" | head; fi
# More than what may stand beside a tree makes a new one, and goes on.
for i in $(seq 40); do
	run_quietly weft_on h2 acl add "red/n$i" direction in priority 60 protocol udp destination_port $((1000 + i)) action allow ||
		fail "acl add red/n$i"
done
expect_ok weft_on h2 verify
expect_eq 81 "$(weft_on h2 -j acl show | jq '[.. | objects | select(has("direction"))] | length')" "all rules are there"
