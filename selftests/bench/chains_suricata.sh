#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# chains_suricata.sh: what weft leaves of a TCP stream through Suricata. One Suricata, inline, with the rules and the
# configuration of examples/suricata and one policy for all. By two of its devices it is the function in the wire of a workload
# of weft, in tc mode; by two others it bridges two veths, whose other ends are two namespaces, and nothing else. There as well
# as there it gets finished checksums and cut frames, of the same MTU. One connection, to the inspected workload. In turns;
# each figure is a median, the ratios of pairs. All of it twice: as the kernel has it by default, where what comes after
# Suricata runs in Suricata's own threads; and as docs/SURICATA.md has it for throughput, with the devices that get what it sends
# in NAPI threads: the host's ends of weft's wires, and the veths' other ends.
#
#	suricata_stream_gbps_{bare,host,hosts}	by itself; between workloads of one host; between two hosts' workloads
#	suricata_stream_ratio			between two hosts over by itself
#	suricata_stream_ratio_one_host		on one host over by itself
#	suricata_plain_*			the same by the kernel's default
. "$(dirname "$0")/../lib/net.sh"
. "$(dirname "$0")/figures.sh"
need_weft
need jq
command -v suricata > /dev/null || skip "suricata is missing${NO_SURICATA:+: $NO_SURICATA}"

ROUNDS=${ROUNDS:-11} SECONDS_EACH=${SECONDS_EACH:-1}
MAC_A=02:00:00:00:00:0a MAC_B=02:00:00:00:00:0b MAC_C=02:00:00:00:00:0c
A4=10.0.1.1 B4=10.0.1.2 C4=10.0.1.3

# Its namespace is x2.ips0: the arms ips0 and ips1 are weft's, w0 and w1 those of the veths.
wires() {
	host_add x1 192.168.68.1/24
	host_add x2 192.168.68.2/24
	underlay_link x1 u0 x2 u0
	workload_add x1 pa $MAC_A $A4/24
	workload_add x2 pb $MAC_B $B4/24
	workload_add x2 pc $MAC_C $C4/24
	function_wire x2 ips0 ips1
	bare_end client w0 $MAC_A $A4
	bare_end server w1 $MAC_B $B4
}

# The end of a veth in a namespace of its own: it does what weft has the host's end of a function's wire do.
bare_end() {
	netns_add "$1"
	pair "$1" eth0 x2.ips0 "$2"
	in_ns x2.ips0 ip link set "$2" arp off
	in_ns "$1" ip link set eth0 address "$3" mtu "$WORKLOAD_MTU"
	addr_add "$1" eth0 "$4/24"
	offloads "$1" eth0 tx off tso off gso off
}

# The example's file, each of whose devices is there twice, in other clusters.
configuration() {
	sed -e '/^af-packet:/,/^#/d' -e '/^multi-detect:/,/^$/d' "$TOP/examples/suricata/suricata.yaml"
	sed -n '/^af-packet:/,/^#/p' "$TOP/examples/suricata/suricata.yaml" | grep -v '^#'
	sed -n '/^af-packet:/,/^#/p' "$TOP/examples/suricata/suricata.yaml" | grep -v '^#\|^af-packet' |
		sed 's/iface: ips/iface: w/; s/interface: ips/interface: w/; s/cluster-id: 9/cluster-id: 8/'
}

suricata_start() {
	mkdir "$STATE/log"
	configuration > "$STATE/suricata.yaml"
	bg in_ns x2.ips0 suricata -c "$STATE/suricata.yaml" -S "$TOP/examples/suricata/strict.rules" --af-packet -l "$STATE/log" \
		--set unix-command.enabled=no > "$STATE/suricata.log" 2>&1
	wait_for 60 grep -q 'Engine started' "$STATE/suricata.log" || die "no Suricata: $(cat "$STATE/suricata.log")"
}

configure() {
	weft_load x1
	weft_load x2
	weft_apply x1 x2 > /dev/null <<-YAML
	version: 1
	hosts:
	  x1: {vtep: 192.168.68.1, underlay: [u0], mode: tc}
	  x2: {vtep: 192.168.68.2, underlay: [u0], mode: tc}
	service_functions:
	  ips: {instances: {ips1: {host: x2, devices: [ips0, ips1]}}}
	tenants:
	  red:
	    options: {default: {in: allow, out: allow}}
	    networks: {web: {vni: 101, subnets: [10.0.1.0/24], mtu: $WORKLOAD_MTU}}
	    ports:
	      a: {network: web, host: x1, device: pa, mac: "$MAC_A", addresses: [$A4]}
	      b: {network: web, host: x2, device: pb, mac: "$MAC_B", addresses: [$B4]}
	      c: {network: web, host: x2, device: pc, mac: "$MAC_C", addresses: [$C4]}
	    chains: {inspect: {tag: 301, steps: [{function: ips}]}}
	    insert: [{name: wire, apply_to: [port:b], chain: inspect}]
	YAML
}

declare -A ENDS=([bare]="client server" [host]="x2.pc x2.pb" [hosts]="x1.pa x2.pb")

stream() {
	local ends=${ENDS[$1]}
	"$TOOLS/stream" --client-ns "$(netns_of "${ends% *}")" --server-ns "$(netns_of "${ends#* }")" --addr $B4 \
		--client-cpu 0 --server-cpu $(($(nproc) > 1)) --seconds "$SECONDS_EACH" --warmup 0.4 | sed -n 's/^gbps=//p'
}

# napi_threads NS DEVICE: a veth has NAPI where GRO is on.
napi_threads() {
	offloads "$1" "$2" gro on
	ip netns exec "$(netns_of "$1")" sh -c "echo 1 > /sys/class/net/$2/threaded" || die "no NAPI thread for $2"
}

threads_on() {
	napi_threads x2 ips0
	napi_threads x2 ips1
	napi_threads client eth0
	napi_threads server eth0
}

threads_off() {
	offloads x2 ips0 gro off
	offloads x2 ips1 gro off
	offloads client eth0 gro off
	offloads server eth0 gro off
}

measure() {
	local round x
	for ((round = 0; round < ROUNDS; round++)); do
		threads_off
		for x in bare host hosts; do sample "plain $x" "$(stream $x)"; done
		threads_on
		for x in bare host hosts; do sample "stream $x" "$(stream $x)"; done
	done
}

# figures NAME
figures() {
	local x
	for x in bare host hosts; do figure "suricata_$1_gbps_$x" "$(median "$1 $x")"; done
	ratio_figure "suricata_$1_ratio" "$1 hosts" "$1 bare"
	ratio_figure "suricata_$1_ratio_one_host" "$1 host" "$1 bare"
}

wires
suricata_start
configure
ping_ok client $B4
ping_ok x1.pa $B4
ping_ok x2.pc $B4
before=$(counter_get x2 steps red/inspect/ips:returned)
measure
expect_ok -t "the streams passed the function" test $(($(counter_get x2 steps red/inspect/ips:returned) - before)) -gt 100000
figures stream
figures plain
