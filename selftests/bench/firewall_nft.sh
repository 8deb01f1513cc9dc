#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# firewall_nft.sh: new flows a second with 10,000 rules, beside nftables with the same rules as a concatenated set with
# ranges. One host, two workloads in one network; the generator sends UDP from one to the other, and nearly each of its
# packets begins a flow, with addresses and ports drawn over all rules. weft in xdp mode; the kernel's bridge with
# br_netfilter and nf_conntrack. Each at the load that suits it best. What no rule allows is dropped by both; flows that were made are counted.
#
#	acl_vs_nft_10k		weft's new flows a second over nftables', the median of the rounds
. "$(dirname "$0")/../lib/net.sh"
. "$(dirname "$0")/kernel_overlay.sh"
need_weft

RULES=10000 SECONDS_EACH=0.4 ROUNDS=3
# Offered packets a second, the last as fast as the generator can: what is overrun does less than it could.
LOADS="50000 100000 200000 400000 800000 0"
MAC_A=02:00:00:00:00:0a MAC_B=02:00:00:00:00:0b
A4=10.20.0.1

# A line a rule: destination, first and last port. 4,096 prefixes, three ranges of ports for most of them.
rules() {
	seq 0 $((RULES - 1)) | awk '{
		p = $1 % 4096
		printf "10.30.%d.%d/28 %d %d\n", int(p / 16), p % 16 * 16, 1000 + 700 * int($1 / 4096), 1699 + 700 * int($1 / 4096)
	}'
}

weft_yaml() {
	cat <<-YAML
	version: 1
	hosts: {w: {vtep: 192.168.81.1, underlay: [u0], mode: xdp}}
	tenants:
	  red:
	    options: {default: {in: allow, out: deny}, conntrack: {max_flows: 4194304}}
	    networks: {n: {vni: 101}}
	    ports:
	      a: {network: n, host: w, device: p0, mac: "$MAC_A", addresses: [$A4]}
	      b: {network: n, host: w, device: p1, mac: "$MAC_B", addresses: [10.30.0.1]}
	    acl:
	YAML
	rules | awk -v a=$A4 '{
		printf "      - {name: r%d, apply_to: [port:a], direction: out, priority: %d, protocol: udp, source: [%s/32], ", NR, 1 + NR % 60000, a
		printf "destination: [%s], destination_port: %d-%d, action: allow}\n", $1, $2, $3
	}'
}

kernel_nft() {
	cat <<-NFT
	table bridge antispoof {
		chain prerouting {
			type filter hook prerouting priority -300; policy accept;
			iifname "p0" ether saddr != $MAC_A drop
			iifname "p0" ether type ip ip saddr != $A4 drop
		}
	}
	table inet acl {
		set rules {
			type ipv4_addr . ipv4_addr . inet_service
			flags interval
			elements = { $(rules | awk -v a=$A4 '{ printf "%s%s . %s . %d-%d", (NR > 1 ? ", " : ""), a, $1, $2, $3 }') }
		}
		chain forward {
			type filter hook forward priority 0; policy drop;
			ct state established,related accept
			ct state invalid drop
			meta l4proto udp ct state new ip saddr . ip daddr . udp dport @rules accept
		}
	}
	NFT
}

two_workloads() {
	host_add "$1" "192.168.$2.1/24"
	netns_add "$1-wire"
	pair "$1" u0 "$1-wire" u0
	underlay_dev "$1" u0
	workload_add "$1" p0 $MAC_A $A4/16
	workload_add "$1" p1 $MAC_B 10.30.0.1/16
	workload_xdp_ready "$1.p0"
	workload_xdp_ready "$1.p1"
	offloads "$1" p0 gro on
}

weft_up() {
	two_workloads w 81
	weft_load w
	weft_yaml > "$STATE/weft.yaml"
	expect_ok -t "apply of $RULES rules" weft_on w apply "$STATE/weft.yaml"
}

kernel_up() {
	two_workloads k 82
	in_ns k ip link add br0 mtu "$WORKLOAD_MTU" type bridge mcast_snooping 0
	in_ns k ip link set p0 up master br0
	in_ns k ip link set p1 up master br0
	in_ns k ip link set br0 up
	in_ns k sysctl -qw net.bridge.bridge-nf-call-iptables=1 || die "no br_netfilter"
	kernel_nft > "$STATE/rules.nft"
	in_ns k nft -f "$STATE/rules.nft" || die "no nftables policy"
	sysctl -qw net.netfilter.nf_conntrack_max=16777216 net.netfilter.nf_conntrack_buckets=4194304 2>/dev/null
	in_ns k sysctl -qw net.netfilter.nf_conntrack_max=16777216 2>/dev/null
	# The bridge learns where the receiver is.
	in_ns k.p1 ping -c 1 -W 1 10.30.0.2 > /dev/null 2>&1
}

weft_flows() { weft_on w -j counters | jq '[.. | .flows? // empty | numbers] | add // 0'; }
kernel_flows() { in_ns k cat /proc/sys/net/netfilter/nf_conntrack_count; }

# new_flows HOST FLOWS PORTS LOAD: a second. PORTS are others in each run, for the dice fall alike in each.
new_flows() {
	local host=$1 count=$2 before after pace=()
	[ "$4" = 0 ] || pace=(--pps "$4")
	before=$($count)
	"$TOOLS/flood" --netns "$(netns_of "$host.p0")" --dev eth0 --src-mac $MAC_A --dst-mac $MAC_B --src-ip $A4 \
		--dst-ip 10.30.0.0 --dsts 65536 --sport $((1024 + 1900 * $3)) --dport 1000 --flows 3600000 --random --size 64 \
		--cpu 0 --seconds $SECONDS_EACH "${pace[@]}" > "$STATE/flood.$host" || fail "flood: $(cat "$STATE/flood.$host")"
	after=$($count)
	awk -v n=$((after - before)) -v s=$SECONDS_EACH 'BEGIN { printf "%.0f\n", n / s }'
}

# most HOST FLOWS ROUND: of all loads
most() {
	local i=0 load
	for load in $LOADS; do
		new_flows "$1" "$2" $(($3 * 6 + i)) "$load"
		i=$((i + 1))
	done | tee -a "$STATE/$1.$3" | sort -g | tail -1
}

saved=$(sysctl -n net.netfilter.nf_conntrack_max net.netfilter.nf_conntrack_buckets 2>/dev/null | xargs)
restore() { set -- $saved; [ $# = 2 ] && sysctl -qw net.netfilter.nf_conntrack_max="$1" net.netfilter.nf_conntrack_buckets="$2"; }
weft_up
kernel_up
for ((i = 0; i < ROUNDS; i++)); do
	w=$(most w weft_flows $i) k=$(most k kernel_flows $i)
	echo "# round $i: weft $w, nftables $k new flows a second ($(xargs < "$STATE/w.$i"); $(xargs < "$STATE/k.$i"))"
	[ "${k:-0}" -gt 0 ] && [ "${w:-0}" -gt 0 ] || { fail "no flows"; continue; }
	awk -v w="$w" -v k="$k" 'BEGIN { printf "%.2f\n", w / k }' >> "$STATE/ratios"
done
restore
echo "acl_vs_nft_10k=$(sort -g "$STATE/ratios" | sed -n "$(((ROUNDS + 1) / 2))p")"
