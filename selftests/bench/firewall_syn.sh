#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# firewall_syn.sh: how fast SYNs are answered in a server's name. A host in xdp mode whose tenant has `syn_proxy: always`, beside
# a host that does the same with what the kernel has: it routes, nftables lets nothing pass but the server's ports, leaves
# SYNs to them untracked and answers them by `synproxy`; a client's MAC and address are checked as anti-spoof does. On each
# a client and a server, in turns. The client sends SYNs of 65,536 connections as fast as one core can, which makes them, answers
# them and counts the answers: each is one that has arrived.
#
#	syn_answer_pps		SYN-ACKs that arrive at the client; the median of the rounds
#	syn_answer_kernel_pps	the same of the kernel's
#	syn_answer_ratio	of the two
. "$(dirname "$0")/../lib/net.sh"
. "$(dirname "$0")/figures.sh"
need_weft
need jq nft

ROUNDS=${ROUNDS:-3} WARMUP=1 SECONDS_EACH=2
MAC_E=02:00:00:00:00:0e MAC_V=02:00:00:00:00:0f
E4=10.0.1.5 V4=10.0.1.6 ROUTED_V4=10.0.2.6
# The first of as many ports as the SYNs of so many connections have.
FLOWS=65536 SIDE=256 FIRST=1024
PORTS=$FIRST-$((FIRST + SIDE - 1))

weft_lab() {
	host_add x1 192.168.64.1/24
	netns_add wire
	pair x1 u0 wire u0
	underlay_dev x1 u0
	workload_add x1 pe $MAC_E $E4/24
	workload_add x1 pv $MAC_V $V4/24
	workload_xdp_ready x1.pe
	workload_xdp_ready x1.pv
	weft_load x1
	weft_apply x1 <<-YAML
	version: 1
	hosts: {x1: {vtep: 192.168.64.1, underlay: [u0], mode: xdp}}
	tenants:
	  red:
	    options: {default: {in: deny, out: allow}, conntrack: {syn_proxy: always}}
	    networks: {web: {vni: 101, subnets: [10.0.1.0/24]}}
	    acl:
	      - {name: tcp, direction: in, priority: 90, protocol: tcp, destination_port: $PORTS, action: allow}
	      - {name: ping, direction: in, priority: 80, protocol: icmp, action: allow}
	    ports:
	      e: {network: web, host: x1, device: pe, mac: "$MAC_E", addresses: [$E4]}
	      v: {network: web, host: x1, device: pv, mac: "$MAC_V", addresses: [$V4]}
	YAML
	ping_ok x1.pe $V4
}

kernel_lab() {
	netns_add k1
	workload_add k1 pe $MAC_E $E4/24
	workload_add k1 pv $MAC_V $ROUTED_V4/24
	addr_add k1 pe 10.0.1.254/24
	addr_add k1 pv 10.0.2.254/24
	workload_gateway k1.pe 10.0.1.254
	workload_gateway k1.pv 10.0.2.254
	workload_xdp_ready k1.pe
	offloads k1 pe gro on
	in_ns k1 sh -c 'cd /proc/sys/net && echo 1 > ipv4/ip_forward && echo 0 > netfilter/nf_conntrack_tcp_loose'
	in_ns k1 nft -f - <<-NFT || die "no synproxy"
		table ip proxy {
			chain prerouting {
				type filter hook prerouting priority raw;
				iifname "pe" ether saddr != $MAC_E drop
				iifname "pe" ip saddr != $E4 drop
				tcp dport $PORTS tcp flags & (fin|syn|rst|ack) == syn notrack
			}
			chain forward {
				type filter hook forward priority 0; policy drop;
				tcp dport $PORTS ct state invalid,untracked synproxy mss 1410 wscale 7 sack-perm
				ct state established,related accept
				ct state new tcp dport $PORTS accept
				ct state new icmp type echo-request accept
			}
		}
	NFT
	ping_ok k1.pe $ROUTED_V4
}

# answered HOST TO-MAC TO: SYNs to the server, and the rate of answers.
answered() {
	local sink
	bg "$TOOLS/sink" --netns "$(netns_of "$1.pe")" --dev eth0 --warmup $WARMUP --seconds $SECONDS_EACH --proto 6 > "$STATE/sink"
	sink=$BG_PID
	wait_for 5 grep -q ready "$STATE/sink" || die "no sink"
	"$TOOLS/flood" --netns "$(netns_of "$1.pe")" --dev eth0 --src-mac $MAC_E --dst-mac "$2" --src-ip $E4 --dst-ip "$3" --tcp-syn --size 54 \
		--sport 1024 --dport $FIRST --flows $FLOWS --cpu 0 --seconds $((WARMUP + SECONDS_EACH + 1)) > "$STATE/syns"
	wait_gone "$sink"
	sample "$1" "$(sed -n 's/.* pps=//p' "$STATE/sink")"
	echo "# $1: $(sed -n 's/.* pps=//p' "$STATE/sink") answers a second to $(sed -n 's/.* pps=//p' "$STATE/syns") SYNs"
}

half_open() { weft_on x1 -j ct show red | jq '[.[] | select(.protocol == "tcp")] | length'; }

# A line a processor, in hexadecimal.
kernel_syns() {
	local line sum=0
	while read -r _ line _; do sum=$((sum + 16#$line)); done < <(in_ns k1 tail -n +2 /proc/net/stat/synproxy)
	echo $sum
}

weft_lab
kernel_lab
# A connection, so that it is known that what answers is a proxy that works.
for lab in "x1 $V4" "k1 $ROUTED_V4"; do
	echo_serve "${lab% *}.pv" $FIRST
	tcp_ok "${lab% *}.pe" "${lab#* }" $FIRST
	bg_stop "$ECHO_PID"
done
before=$(counter_get x1 tenants red:syn_cookies_sent) flows=$(half_open)
for ((round = 0; round < ROUNDS; round++)); do
	answered x1 $MAC_V $V4
	answered k1 "$(mac_of k1 pe)" $ROUTED_V4
done
expect_eq true "$([ $(($(counter_get x1 tenants red:syn_cookies_sent) - before)) -gt 100000 ] && echo true)" "what answers is the proxy"
expect_eq "$flows" "$(half_open)" "and it keeps no flow"
expect_eq true "$([ "$(kernel_syns)" -gt 100000 ] && echo true)" "and the kernel's answers too"
figure syn_answer_pps "$(median x1)"
figure syn_answer_kernel_pps "$(median k1)"
ratio_figure syn_answer_ratio x1 k1
