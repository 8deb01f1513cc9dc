#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# fragments: datagrams in pieces from a of h1 to b of h2, in any order, and with tricks. What arrives at b is what the
# kernel's own firewall (nf_conntrack, which defragments) lets into a namespace of its own with the same rules and the
# same addresses, out of the very same frames. docs/FRAGMENTS.md has the differences that are meant.
. "$(dirname "$0")/../lib/lab.sh"
need nft

lab_two_hosts
workload_add h1 pd 02:00:00:00:00:0d 10.0.1.1/24
workload_add h2 pe 02:00:00:00:00:0e 10.0.1.2/24
function_add h1 s0

PIECES=$TOP/selftests/lib/fragments.py
tool() { in_ns "$1" python3 -S -E "$PIECES" "${@:2}"; }

# configure [MAX_FRAGMENTS [TENANT LINES]]: with a tenant blue that has nothing to do with red.
configure() {
	LAB_FUNCTIONS='  one: {instances: {one1: {host: h1, device: s0}}}'
	{
		cat <<-YAML
		options:
		  default: {in: deny, out: allow}
		  conntrack: {max_fragments: ${1:-40}}
		acl:
		  - {name: udp, apply_to: [port:b], direction: in, priority: 50, protocol: udp, destination_port: 9000-9999, action: allow}
		  - {name: ping, direction: in, priority: 50, protocol: icmp, icmp_type: 8, action: allow}
		  - {name: ping6, direction: in, priority: 50, protocol: icmpv6, icmp_type: 128, action: allow}
		chains:
		  inspect: {tag: 301, steps: [{function: one}]}
		YAML
		[ -z "${2:-}" ] || printf '%s\n' "$2"
	} | lab_yaml > "$STATE/red.yaml"
	cat >> "$STATE/red.yaml" <<-YAML
	  blue:
	    networks: {net: {vni: 102, subnets: [10.0.1.0/24]}}
	    options: {default: {in: allow}}
	    ports:
	      d: {network: net, host: h1, device: pd, mac: "02:00:00:00:00:0d", addresses: [10.0.1.1]}
	      e: {network: net, host: h2, device: pe, mac: "02:00:00:00:00:0e", addresses: [10.0.1.2]}
	YAML
	for host in h1 h2; do
		run_quietly weft_on $host apply "$STATE/red.yaml" || { show_output; die "weft apply on $host"; }
	done
}

# listen NS: what arrives there is in $STATE/NS.got
listen() {
	bg in_ns "$1" python3 -S -E "$PIECES" listen >> "$STATE/$1.got"
	wait_for 5 grep -q ready "$STATE/$1.got" || die "nobody listens in $1"
}

# The judge's namespace has the addresses and the MAC of b, and the same rules in nftables.
judge_add() {
	netns_add j
	netns_add j.a
	pair j.a eth0 j eth0
	in_ns j ip link set eth0 address $B
	in_ns j.a ip link set eth0 address $A
	for ns in j j.a; do
		in_ns $ns ip link set eth0 up mtu 1450
	done
	in_ns j ip addr add $B4/24 dev eth0
	in_ns j ip addr add $B6/64 dev eth0 nodad
	in_ns j nft -f - <<-NFT
	table inet judge {
		chain in {
			type filter hook input priority 0; policy drop;
			ct state established accept
			udp dport 9000-9999 accept
		}
	}
	NFT
}

got() { grep -v ready "$STATE/$1.got" | sort; }

arrives() { [ "$(got "$1" | wc -l)" -ge "$2" ]; }

# compare FAMILY SEED COUNT CLASS...: sends both ways. ARRIVED and JUDGED: how many came.
compare() {
	local ends=$B4,$A4 ns
	[ "$1" = 4 ] || ends=$B6,$A6
	for ns in j h2.pb; do echo ready > "$STATE/$ns.got"; done
	for ns in j.a h1.pa; do tool $ns send "$@" $B,$A $ends > "$STATE/sent"; done
	tool h1 list "$@" $B,$A $ends | sort > "$STATE/honest"
	if [ "${EXPECTED:-}" = none ]; then sleep 0.5; else wait_for 1 arrives h2.pb "$(got j | wc -l)"; fi
	ARRIVED=$(got h2.pb | wc -l) JUDGED=$(got j | wc -l)
}

# The lists would be too long to read.
expect_none() { expect_eq "" "$(diff "$2" "$3" | grep "^$1" | head -n 5 | xargs)" "$4"; }

agree() {
	compare "$@"
	expect_none '[<>]' <(got j) <(got h2.pb) "IPv$1, $3 datagrams (${*:4}): $ARRIVED arrive, those that nf_conntrack passes"
	[ "$ARRIVED" -gt 10 ] || fail "only $ARRIVED arrive"
	[ "$ARRIVED" -lt "$3" ] || fail "all arrive"
}

# Some overlaps are none where the order is another; then what arrives is what was meant, and no byte of the other piece.
agree_honestly() {
	compare "$@"
	expect_none '<' <(got j) <(got h2.pb) "IPv$1, $3 datagrams (${*:4}): $ARRIVED arrive, all that nf_conntrack passes ($JUDGED)"
	expect_none '>' "$STATE/honest" <(got h2.pb) "and nothing is put together wrongly"
	[ "$JUDGED" -lt $(($(wc -l < "$STATE/honest") - 10)) ] || fail "no tricks at all"
}

# What the kernel takes and weft does not, by its own reason. See docs/FRAGMENTS.md.
differ() {
	local reason=$1 before
	shift
	before=$(counter_get h1 drops "$reason")
	EXPECTED=none compare "$@"
	if [ "$JUDGED" -gt 5 ] && [ "$ARRIVED" -eq 0 ]; then
		ok "IPv$1, ${*:4}: the kernel takes $JUDGED, weft none"
	else
		fail "IPv$1, ${*:4}: the kernel takes $JUDGED, weft $ARRIVED"
	fi
	expect_eq true "$([ "$(counter_get h1 drops "$reason")" -gt "$before" ] && echo true)" "dropped as $reason"
}

# big FROM TO ADDRESS...: pings and UDP that the kernels cut and put together.
big() {
	local address family
	for address in "${@:3}"; do
		family=4
		[[ $address != *:* ]] || family=6
		expect_ok -t "$1 pings $address with 20000 bytes" in_ns "$1" ping -n -c 5 -i 0.05 -W 1 -s 20000 "$address"
		echo ready > "$STATE/$2.got"
		tool "$1" whole $family 50 20000 "$address"
		wait_for 2 arrives "$2" 50
		expect_eq 50 "$(got "$2" | wc -l)" "UDP of 20 kB from $1 to $address: all arrive"
	done
}

honest() {
	local family
	configure
	in_ns h1.pa ping -n -c 1 -W 1 $B4 > /dev/null
	big h1.pa h2.pb $B4 $B6
	# The kernel has room for some thousand, too.
	configure 4096
	for family in 4 6; do
		agree $family $((seed += 1)) 100 in shuffled backwards duplicates
		agree_honestly $family $((seed += 1)) 100 overlap missing
		agree_honestly $family $((seed += 1)) 100 in shuffled backwards duplicates overlap missing
		[ "$MODE" = tc ] || continue
		differ fragment_scattered $family $((seed += 1)) 20 scattered
		differ fragment_early $family $((seed += 1)) 20 far_backwards
	done
}

# told HOST KIND NAME N: the counter has come so far.
told() { [ "$(counter_get "$1" "$2" "$3")" -ge "$4" ]; }

# Each piece counts, and once, also those that waited, and those that are denied.
counted() {
	local family ends pieces closed from to denied
	for family in 4 6; do
		ends=$B4,$A4
		[ $family = 4 ] || ends=$B6,$A6
		from=$(counter_get h1 ports red/a:from_packets)
		to=$(counter_get h2 ports red/b:to_packets)
		denied=$(counter_get h2 drops acl_in)
		read -r pieces closed < <(tool h1.pa send $family $((seed += 1)) 10 backwards $B,$A $ends)
		wait_for 1 told h2 drops acl_in $((denied + closed))
		from=$(($(counter_get h1 ports red/a:from_packets) - from))
		to=$(($(counter_get h2 ports red/b:to_packets) - to))
		denied=$(($(counter_get h2 drops acl_in) - denied))
		[ "$closed" -gt 5 ] && [ "$pieces" -gt 10 ] || fail "only $pieces and $closed pieces"
		expect_eq "$((pieces + closed)) $pieces $closed" "$from $to $denied" \
			"IPv$family: a sends, b gets, and its rules deny as many pieces as were sent"
	done
}

# Through the function on a's wire and back, both ways.
function_on_the_wire() {
	local sent
	configure 4096 'insert:
  - {name: wire, apply_to: [port:a], chain: inspect}'
	in_ns h1.pa ping -n -c 1 -W 1 $B4 > /dev/null
	big h1.pa h2.pb $B4 $B6
	agree 4 $((seed += 1)) 60 in shuffled backwards duplicates
	sent=$(counter_get h1 chains red/inspect:sent)
	[ "$sent" -gt 1000 ] && ok "$sent pieces went through the function" || fail "only $sent went through the function"
	expect_eq "$sent" "$(counter_get h1 chains red/inspect:returned)" "and each came back"
	expect_ok -t "b pings a through it" in_ns h2.pb ping -n -c 3 -i 0.05 -W 1 -s 8000 $A4
	configure
}

# A flood of red's fills red's table and places alone: blue's datagrams pass, also reordered ones; red's own pass.
flooded() {
	local kind pid
	for kind in first later both; do
		bg in_ns h1.pc python3 -S -E "$PIECES" flood 4 1 $kind $B,$C $B4,$C4 > "$STATE/flood"
		pid=$BG_PID
		sleep 0.3
		echo ready > "$STATE/h2.pe.got"
		tool h1.pd send 4 $((seed += 1)) 60 in shuffled duplicates \
			02:00:00:00:00:0e,02:00:00:00:00:0d 10.0.1.2,10.0.1.1 > /dev/null
		wait_for 1 arrives h2.pe 60
		expect_eq "60 of 60" "$(got h2.pe | wc -l) of 60" "blue's datagrams arrive while red floods ($kind)"
		echo ready > "$STATE/h2.pb.got"
		tool h1.pa whole 4 30 20000 $B4
		sleep 0.3
		note "red's own during its flood ($kind): $(got h2.pb | wc -l) of 30; $(weft_on h1 -j counters | jq -c .fragments)"
		expect_eq true "$(weft_on h1 -j counters | jq '.fragments | .red.datagrams > 10 and .blue.datagrams < 10')" \
			"the command shows whose table is full"
		wait_gone $pid
		[ "$(cat "$STATE/flood")" -gt 2000 ] || fail "no flood: $(cat "$STATE/flood")"
	done
}

seed=0
judge_add
for ns in j h2.pb h2.pe; do listen $ns; done
both() {
	honest
	counted
	function_on_the_wire
}
LAB_WORKLOADS="h1.pa h1.pc h2.pb h1.pd h2.pe"
each_mode both
MODE=tc
configure
flooded
