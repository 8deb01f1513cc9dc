#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# firewall_flood.sh: what a SYN flood takes from those who are connected. Two hosts in xdp mode. Tenant red's e sends SYNs, each
# of another connection, through both hosts to v, which never answers: what it began is half open on both. Meanwhile
# packets of 4,096 flows that have been answered go from a to b, of red or of its neighbour blue, as fast as one core can. The
# same is measured while the generator's SYNs have a source address that is not e's, which anti-spoof drops: both in turns of a
# tenth of a second, since a machine's speed changes from one second to the next by more than a flood takes. The generator
# has a core and the packets another; the hosts' cable has a queue for each, as NICs have.
#
#	syn_flood_pps		the lowest rate of SYNs sent in any round
#	syn_flood_arrived_pps	SYNs that arrive at v
#	syn_flood_kept		packets of red that arrive, over those while the SYNs are dropped at once; the median of the rounds
#	syn_flood_neighbour	the same of blue
. "$(dirname "$0")/../lib/net.sh"
. "$(dirname "$0")/figures.sh"
need_weft
need jq

ROUNDS=${ROUNDS:-5} SYN_PPS=${SYN_PPS:-360000} WARMUP=1 SECONDS_EACH=4 TURN_MS=100
MAC_A=02:00:00:00:00:0a MAC_B=02:00:00:00:00:0b MAC_E=02:00:00:00:00:0e MAC_V=02:00:00:00:00:0f
A4=10.0.1.1 B4=10.0.1.2 E4=10.0.1.5 V4=10.0.1.6 NOT_E4=10.0.1.99
SINKS=()
CORE=$(($(nproc) > 1))

lab() {
	local ns
	host_add x1 192.168.64.1/24
	host_add x2 192.168.64.2/24
	underlay_link x1 u0 x2 u0
	workload_add x1 p0 $MAC_A $A4/24
	workload_add x2 p0 $MAC_B $B4/24
	workload_add x1 q0 $MAC_A $A4/24
	workload_add x2 q0 $MAC_B $B4/24
	workload_add x1 pe $MAC_E $E4/24
	workload_add x2 pv $MAC_V $V4/24
	for ns in x1.p0 x2.p0 x1.q0 x2.q0 x1.pe x2.pv; do workload_xdp_ready $ns; done
	for ns in x1 x2; do
		in_ns $ns ethtool -L u0 rx "$(nproc)" tx "$(nproc)" 2>/dev/null || note "the cable has one queue"
		weft_load $ns
	done
	tenants | weft_apply x1 x2
	# The first host sends by XDP once the other end of its cable takes that, which it does since the second's apply.
	weft_on x1 apply "$STATE/apply.yaml" > /dev/null
	ping_ok x1.p0 $B4
	ping_ok x1.q0 $B4
	ping_ok x1.pe $V4
}

tenants() {
	cat <<-YAML
	version: 1
	hosts:
	  x1: {vtep: 192.168.64.1, underlay: [u0], mode: xdp}
	  x2: {vtep: 192.168.64.2, underlay: [u0], mode: xdp}
	tenants:
	$(tenant red 101 p)
	      e: {network: web, host: x1, device: pe, mac: "$MAC_E", addresses: [$E4]}
	      v: {network: web, host: x2, device: pv, mac: "$MAC_V", addresses: [$V4]}
	$(tenant blue 102 q)
	YAML
}

# tenant NAME VNI DEVICES: with its ports last.
tenant() {
	cat <<-YAML
	  $1:
	    options: {default: {in: deny, out: allow}, conntrack: {max_flows: 65536, max_half_open: 16384}}
	    networks: {web: {vni: $2, subnets: [10.0.1.0/24]}}
	    acl:
	      - {name: udp, direction: in, priority: 100, protocol: udp, destination_port: 1000-65535, action: allow}
	      - {name: tcp, direction: in, priority: 90, protocol: tcp, destination_port: 1000-65535, action: allow}
	      - {name: ping, direction: in, priority: 80, protocol: icmp, action: allow}
	    ports:
	      a: {network: web, host: x1, device: ${3}0, mac: "$MAC_A", addresses: [$A4]}
	      b: {network: web, host: x2, device: ${3}0, mac: "$MAC_B", addresses: [$B4]}
	YAML
}

# sink NS PROTOCOL SECONDS_BEFORE SECONDS
sink() {
	bg "$TOOLS/sink" --netns "$(netns_of "$1")" --dev eth0 --warmup "$3" --seconds "$4" --proto "$2" --turns $TURN_MS > "$STATE/sink.$1"
	SINKS+=("$BG_PID")
	wait_for 5 grep -q ready "$STATE/sink.$1" || die "no sink in $1"
}

sinks_end() {
	local pid
	for pid in "${SINKS[@]}"; do bg_stop "$pid"; done
	SINKS=()
}

# stream DEVICE FROM: STREAM is what sends the flows of a and b, from either.
stream() {
	local to=$((3 - $2))
	local -A mac=([1]=$MAC_A [2]=$MAC_B) ip=([1]=$A4 [2]=$B4)
	STREAM=("$TOOLS/flood" --netns "$(netns_of "x$2.$1")" --dev eth0 --src-mac "${mac[$2]}" --dst-mac "${mac[$to]}"
		--src-ip "${ip[$2]}" --dst-ip "${ip[$to]}" --flows 4096 --size 64 --cpu "$CORE")
}

# Each flow in both directions.
connect() {
	sink "x2.$1" 17 0 0
	sink "x1.$1" 17 0 0
	stream "$1" 1
	"${STREAM[@]}" --seconds 0.4 > /dev/null
	stream "$1" 2
	"${STREAM[@]}" --seconds 0.4 --swap > /dev/null
	sinks_end
}

# rate NS even|odd
rate() { sed -n "s/.*$2_pps=\([0-9]*\).*/\1/p" "$STATE/sink.$1"; }

# attack NAME DEVICE: what of that tenant arrives in even turns, in which SYNs come from e, and in odd ones.
attack() {
	local jobs=()
	sink "x2.$2" 17 $WARMUP $SECONDS_EACH
	sink x2.pv 6 $WARMUP $SECONDS_EACH
	stream "$2" 1
	"${STREAM[@]}" --seconds $((WARMUP + SECONDS_EACH + 1)) > /dev/null &
	jobs+=($!)
	"$TOOLS/flood" --netns "$(netns_of x1.pe)" --dev eth0 --src-mac $MAC_E --dst-mac $MAC_V --src-ip $E4 --dst-ip $V4 --tcp-syn \
		--sport 1024 --dport 1024 --flows 4000000 --pps "$SYN_PPS" --turns $TURN_MS --turn-src $NOT_E4 --cpu 0 \
		--seconds $((WARMUP + SECONDS_EACH + 1)) > "$STATE/syns" &
	jobs+=($!)
	wait "${jobs[@]}"
	sinks_end
	sample "$1" "$(ratio "$(rate "x2.$2" even)" "$(rate "x2.$2" odd)")"
	sample syns "$(sed -n 's/.* pps=//p' "$STATE/syns")"
	sample arrived "$(rate x2.pv even)"
	sample arrived_odd "$(rate x2.pv odd)"
	echo "# $1: $(rate "x2.$2" even) of $(rate "x2.$2" odd); $(rate x2.pv even) SYNs arrive"
}

lost() { weft_on "$1" -j counters | jq '[.drops.ct_full, ([.tenants[] | .displaced, .reclaimed] | add)] | add'; }

lab
connect p0
connect q0
pushed="$(lost x1) $(lost x2)"
for ((round = 0; round < ROUNDS; round++)); do
	attack red p0
	attack blue q0
done
expect_eq "$pushed" "$(lost x1) $(lost x2)" "no flow was pushed out, and none had no room"
figure syn_flood_pps "$(tr ' ' '\n' <<< "${SAMPLES[syns]}" | grep . | sort -g | head -n 1)"
figure syn_flood_arrived_pps "$(median arrived)"
expect_eq true "$(awk -v n="$(median arrived_odd)" -v all="$(median arrived)" 'BEGIN { print (n < all / 20 ? "true" : n) }')" \
	"what anti-spoof drops does not arrive"
figure syn_flood_kept "$(median red)"
figure syn_flood_neighbour "$(median blue)"
