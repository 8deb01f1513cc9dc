#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# groups: of ports and of prefixes, on either side of a rule and in apply_to, put together by commands while traffic runs;
# with so many rules that they are a tree, which a change of members leaves alone.
. "$(dirname "$0")/../lib/lab.sh"

lab_two_hosts
on_both() { expect_ok weft_on h1 "$@"; run_quietly weft_on h2 "$@" || fail "$* on h2"; }
map_id() { bpftool -j map show pinned "$(root_of h2)/tenants/red/$1" | jq .id; }
udp() { "$1" h1.pa $B4 "$2"; }

echo_serve h2.pb 600 601 602 603 606

# Forty rules of no group besides, so that they are no small set.
{
	cat <<-YAML
	groups:
	  friends: {ports: [c]}
	  lan: {prefixes: [10.9.0.0/16]}
	  served: {ports: [b]}
	  closed: {ports: [b]}
	acl:
	  - {name: from-ports, direction: in, priority: 60, protocol: udp, destination_port: 600, source: [group:friends], action: allow}
	  - {name: from-prefixes, direction: in, priority: 60, protocol: udp, destination_port: 601, source: [group:lan], action: allow}
	  - {name: at-ports, apply_to: [group:served], direction: in, priority: 60, protocol: udp, destination_port: 602, action: allow}
	  - {name: to-ports, direction: out, priority: 60, protocol: udp, destination_port: 603, destination: [group:closed], action: deny}
	  - {name: base, direction: in, priority: 50, protocol: udp, destination_port: 603, action: allow}
	YAML
	for i in $(seq 40); do
		echo "  - {name: f$i, direction: in, priority: $((100 + i)), protocol: tcp, source: [10.7.$i.0/24], destination_port: $((i * 10)), action: allow}"
	done
} | lab_apply
tree=$(map_id acl_tree) index=$(map_id acl_index)
[ -n "$tree" ] || die "the rules have no tree"

udp udp_fail 600
udp udp_fail 601
udp udp_ok 602
udp udp_fail 603

# Members come and go. The tree stays; each time it is another index.
on_both group set red/friends ports a,c
udp udp_ok 600
on_both group set red/lan prefixes 10.9.0.0/16,10.0.1.0/31
udp udp_ok 601
on_both group set red/served ports c
udp udp_fail 602
on_both group set red/closed ports c
udp udp_ok 603
on_both group set red/friends ports c
udp udp_fail 600
expect_eq "$tree" "$(map_id acl_tree)" "the tree is the one it was"
if [ "$index" != "$(map_id acl_index)" ]; then ok "the index is another"; else fail "the index is the one it was"; fi
expect_ok weft_on h2 verify

# A rule goes beside the tree, and what it replaces is void in it.
expect_ok weft_on h2 acl set red/from-ports destination_port 605
expect_ok weft_on h2 acl add red/more direction in priority 60 protocol udp destination_port 606 action allow
expect_ok weft_on h2 acl del red/base
udp udp_ok 606
udp udp_fail 603
expect_eq "$tree" "$(map_id acl_tree)" "the tree is the one it was"
expect_ok weft_on h2 verify

# References are checked, in both directions.
expect_refused 'friends' weft_on h2 group del red/friends
expect_refused 'nobody' weft_on h2 group set red/friends ports nobody
expect_ok weft_on h2 group add red/new prefixes 192.0.2.0/24
expect_output 'new' weft_on h2 group show red/new
expect_ok weft_on h2 group del red/new

# Other hands in the compiled maps are found, and put right.
# shellcheck disable=SC2046 # a word a byte
expect_ok -t "a cell of the tree is overwritten" bpftool map update pinned "$(root_of h2)/tenants/red/acl_tree" \
	key hex 02 00 00 00 value hex $(yes 00 | head -64)
expect_status 4 weft_on h2 verify
expect_ok weft_on h2 acl commit red
expect_ok weft_on h2 verify
udp udp_ok 606
