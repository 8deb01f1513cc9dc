#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# demo: two hosts, two tenants, one inspected wire, told as a story in about a minute.
#
#   demo.sh [--step] [--keep]     --step waits for Enter between the acts; --keep stays for a look around
#
# Each command is shown as one would type it on that machine, and each claim is checked: ✓ or ✗.
DEMO=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$DEMO/../lib/net.sh"
. "$DEMO/stage.sh"
. "$DEMO/pace.sh"

for option; do
	case $option in
	--step) STEP=1 ;;
	--keep) STAY=1 ;;
	*) die "no option $option: demo [--step] [--keep]" ;;
	esac
done
for tool in bpftool busybox curl ethtool jq nft pgrep tcpdump unshare; do
	command -v $tool >/dev/null || die "$tool is missing: \`./setup install\` installs it"
done

[ -x "$WEFT" ] || die "$WEFT is not built: \`make\` builds it"

demo_end() {
	local status=$?
	trap - EXIT
	[ -z "$STAY" ] || [ $status -gt 128 ] || stay
	env -u WEFT_TEST_ID "$REAP" clean "$TEST_ID"
	[ $status -eq 0 ] || [ $FAILS -gt 0 ] || fail "the demo ended early, with status $status"
	if [ $FAILS -gt 0 ]; then
		printf '\n%d of %d claims do not hold.\n' $FAILS $((OKS + FAILS))
		exit 1
	fi
	printf '\nAll %d claims hold; it took %d seconds.\n' $OKS $SECONDS
	exit 0
}
trap demo_end EXIT

LAB=$TOP/examples/lab.yaml
FDB=/sys/fs/bpf/weft/fdb

download_whole() { same "$(sha256sum < "$STATE/red/film.bin")" "$(sha256sum < "$STATE/film.bin")"; }
running() { kill -0 "$1" 2>/dev/null; }
until_gone() { wait_for "$2" not running "$1"; }
not() { ! "$@"; }
blocked() { refused && ! has secrets; }
dropped() { in_place h2 'weft -j counters' | jq -r '.drops.sf_down // 0 | if type == "object" then .packets else . end'; }

# --- the acts ----------------------------------------------------------------------------------------

act_weave() {
	act "Two hosts and two tenants"
	say "Each machine below is made of namespaces; the prompt tells which one it is." \
		"red and blue are two tenants with the very same addresses."
	cat <<-'PICTURE'

	  h1                                                   h2
	  red1   10.0.1.1 --+                                +-- 10.0.1.2   red2    a web shop
	  red3   10.0.1.3 --+-- 192.168.50.1 === 192.168.50.2 +
	  blue1  10.0.1.1 --+         VXLAN, UDP 4789        +-- 10.0.1.2   blue2   another web shop

	PICTURE
	cp "$LAB" "$STATE/lab.yaml"
	cd "$STATE" || die "no $STATE"
	for host in h1 h2; do readings $host > "$STATE/before.$host"; done
	for host in h1 h2; do
		run $host 'weft load'
		claim "the programs are loaded and pinned on $host" succeeded
	done
	run h1 'weft apply lab.yaml'
	claim 'h1 has taken its part of the file' succeeded
	run h2 'weft apply lab.yaml | tail -1'
	claim 'and h2, of the same file, has taken its own' succeeded
	run h1 'weft status'
	claim 'nothing is pending, and four devices are in use' \
		[ "$(grep -c ' attached ' <<< "$OUT") $(grep -c pending <<< "$OUT")" = '4 0' ]
}

act_tenants() {
	act "The same address, twice"
	run red1 'curl -s http://10.0.1.2/'
	claim "red's workload gets red's page" has 'the red shop'
	run blue1 'curl -s http://10.0.1.2/'
	claim "blue's workload gets blue's page, from the same address" has 'the blue shop'
	say "What looks like an exploit passes as well: the firewall allows port 80 and looks no deeper."
	run red1 'curl -s http://10.0.1.2/etc/passwd'
	claim 'the request for /etc/passwd succeeds' has 'secrets of red'
}

act_insert() {
	local download dump
	act "A security function goes into the wire, under a running download"
	say "The function is a small program with an inspection device and no address: it drops TCP" \
		"segments that contain \"/etc/passwd\", and passes all else on as it came."
	start filter 'content_filter -p /etc/passwd s0' filter.log
	wait_for 5 grep -q ready "$STATE/filter.log" || die "no filter: $(<"$STATE/filter.log")"
	start filter 'tcpdump -i s0 -e -n -q -t -l' tcpdump.log
	wait_for 5 grep -q listening "$STATE/tcpdump.log" || die "no tcpdump"
	dump=$STARTED
	start red1 'curl -s --limit-rate 2M -o film.bin http://10.0.1.2/film.bin' download.log
	download=$STARTED
	wait_for 5 test -s "$STATE/film.bin"
	run h2 "sed 's/^#+//' lab.yaml > inspected.yaml"
	run h2 'weft diff inspected.yaml'
	claim '`diff` tells what would change, with exit code 3' [ "$STATUS" -eq 3 ]
	run h1 'weft apply inspected.yaml | tail -1'
	claim 'applied on h1' succeeded
	run h2 'weft apply inspected.yaml'
	claim 'and on h2, where the function is' succeeded
	claim 'the download is still running' running "$download"
	run red1 'curl -s --max-time 2 http://10.0.1.2/etc/passwd'
	claim 'the same request is now blocked' blocked
	run blue1 'curl -s http://10.0.1.2/etc/passwd'
	claim "blue's wire is not inspected, and nothing changed there" has 'secrets of blue'
	until_gone "$download" 20
	claim 'the download came to its end, with the right checksum' download_whole
	act_insert_frames "$dump"
}

# What tcpdump saw: the tags are the whole agreement between weft and a function.
act_insert_frames() {
	in_place filter 'pkill tcpdump'
	until_gone "$1" 3
	OUT=$(<"$STATE/tcpdump.log")
	say "What tcpdump saw at the filter's device, one frame of each kind:"
	for pcp in 2 1; do
		grep -m1 "vlan 301, p $pcp, .*tcp [1-9]" "$STATE/tcpdump.log" | indented
	done
	claim 'VLAN 301 and PCP 2: towards the protected workload' has 'vlan 301, p 2'
	claim 'VLAN 301 and PCP 1: leaving it' has 'vlan 301, p 1'
	claim 'and nothing that is not tagged so' not has '^[0-9a-f:]+ > .*(ethertype [^8]|vlan 301, p [^12])'
}

act_kill() {
	local before after
	act "The function dies"
	before=$(dropped)
	run filter 'pkill -KILL content_filter'
	say "The chain says \`on_failure: closed\`, so nothing passes uninspected."
	run red1 'curl -sS --max-time 2 http://10.0.1.2/'
	claim 'closed: red gets nothing' refused
	run red1 'ping -q -n -i 0.02 -c 100 -W 0.1 10.0.1.2 | grep transmitted'
	run h2 "weft counters | grep -o 'sf_down *[0-9]*'"
	after=$(dropped)
	claim "the drops have a name and a counter: sf_down, $before before and $after now" [ "${after:-0}" -gt "${before:-0}" ]
	say "In an emergency the operator goes round the function:"
	run h2 'weft chain set red/inspect bypass on'
	run red1 'curl -s --max-time 3 http://10.0.1.2/'
	claim 'bypass restores the traffic' has 'the red shop'
	run h2 'weft status | grep -i bypass'
	claim 'and `status` does not let anybody forget it' has red/inspect
}

act_nobody() {
	act "Nobody is at home"
	say "weft is a command, not a daemon. All that carries packets is pinned in the kernel:"
	for host in h1 h2; do
		run $host 'pkill -KILL weft; ps -e -o comm='
		claim "no weft process runs on $host" not has weft
	done
	run red1 'curl -s http://10.0.1.2/'
	claim 'and traffic flows on' has 'the red shop'
}

fdb_value() { in_place h1 "bpftool -j map lookup pinned $FDB key $1" | jq -r '.value | map(ltrimstr("0x")) | join(" ")'; }
arrived() { wait_for 3 grep -q 'echo request' "$STATE/red3.log"; }

act_by_hand() {
	local server='hex 65 00 00 00 02 00 00 00 00 0b 00 00' spare='hex 65 00 00 00 02 00 00 00 00 0c 00 00' old new
	act "The maps are the interface"
	say "The forwarding table is a map from VNI (0x65 = 101) and MAC to a port or a host. Any tool may edit" \
		"it: here the server's MAC gets the entry that the spare workload red3 has."
	old=$(fdb_value "$server")
	new=$(fdb_value "$spare")
	claim 'both have an entry, and not the same' [ "${old:-$new}" != "$new" ]
	start red3 'tcpdump -i eth0 -e -n -q -t -l icmp' red3.log
	wait_for 5 grep -q listening "$STATE/red3.log"
	run h1 "bpftool map update pinned $FDB"$' \\\n'"        key $server value hex $new"
	claim 'bpftool wrote the entry' succeeded
	run red1 'ping -n -c 1 -W 1 10.0.1.2 | grep transmitted'
	arrived
	say "And tcpdump at red3 says:"
	grep -m1 'echo request' "$STATE/red3.log" | indented
	claim 'the packet for 10.0.1.2 went to red3 instead' grep -q 'echo request' "$STATE/red3.log"
	in_place red3 'pkill tcpdump'
	say "Put back as it was:"
	run h1 "bpftool map update pinned $FDB"$' \\\n'"        key $server value hex $old"
	run red1 'ping -n -c 1 -W 1 10.0.1.2 | grep transmitted'
	claim 'it reaches the server again' has '1 received'
}

act_pace() {
	act "Packets a second, beside the kernel's own overlay"
	say "64-byte UDP in one direction, anti-spoof, firewall and connection tracking on in both. The kernel has" \
		"vxlan, a bridge, and nftables by br_netfilter. Same generator, same sink."
	echo
	pace_build
	pace_measure
	pace_end
	printf '    the kernel:    %9d packets/s delivered\n    weft, mode %-3s %9d packets/s delivered\n\n' \
		"$PACE_KERNEL" "$PACE_MODE:" "$PACE_WEFT"
	claim "weft delivers $(pace_ratio) times as many" [ "$PACE_WEFT" -gt "$PACE_KERNEL" ]
}

act_unload() {
	local host
	act "As if it had never been there"
	say "What \`ip\`, \`tc\`, \`ethtool\` and \`bpftool net\` said on each host before the first command is kept."
	readings h1 > "$STATE/with.h1"
	claim 'with weft they say something else' not cmp "$STATE/before.h1" "$STATE/with.h1"
	for host in h1 h2; do
		run $host 'weft unload --force'
		claim "unloaded on $host" succeeded
		readings $host > "$STATE/after.$host"
		run $host "diff before.$host after.$host && echo no difference"
		claim "every line on $host reads as before" has '^no difference$'
		run $host 'ls /sys/fs/bpf | grep weft'
		claim 'and no pin is left' [ -z "$OUT" ]
	done
}

farewell() {
	printf '\n%sYour own lab%s\n\n' "$BOLD" "$PLAIN"
	cat <<-'TEXT'
	examples/lab.yaml is the whole configuration of what you have seen. For machines of your own, edit
	  hosts             vtep: each machine's address in the underlay; underlay: the device that has it
	  tenants … ports   device: the host's end of the workload's wire (veth, tap); its MAC and addresses
	  tenants … acl     what may come in
	  #+ lines          take the #+ away for a function; device: where it is plugged in
	then, on each machine: `weft load`, `weft apply lab.yaml`, and `weft status` for what is missing.
	TEXT
}

stage_build
stage_serve
act_weave
act_tenants
act_insert
act_kill
act_nobody
act_by_hand
act_pace
if [ -n "$STAY" ]; then stay; STAY=; fi
act_unload
farewell
exit 0
