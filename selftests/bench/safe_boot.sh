#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 300
#
# safe_boot: how long a host is without its network after a boot. Host h1 has the devices of 1,000 ports of ten tenants
# and a directory of files as /etc/weft would be; nothing is loaded. From the beginning of `weft load` until the first
# packet of a workload is answered by one on host h2, which is up. The worst of three runs:
#
#	boot_to_traffic_s=N
. "$(dirname "$0")/../lib/net.sh"
need_weft
need python3

export WEFT_STATE_DIR=$STATE/state
TENANTS=10 PORTS=100 RUNS=3
DIR=$STATE/etc

mac() { printf '02:00:00:%02x:%02x:0a' "$1" "$2"; }

# Tenant 1 has a workload behind its port 1, and its port 0 on the other host; the other devices are veths to nowhere.
devices() {
	local t p
	workload_add h1 d1_1 "$(mac 1 1)" 10.0.0.1/16
	workload_add h2 d1_0 "$(mac 1 0)" 10.0.1.0/16
	for ((t = 1; t <= TENANTS; t++)); do
		for ((p = 1; p <= PORTS; p++)); do
			[ "$t.$p" = 1.1 ] || echo "link add d${t}_$p type veth peer name e${t}_$p"
		done
	done | in_ns h1 ip -batch -
	# Whoever asks for a neighbour asks again after a second: too coarse here.
	in_ns h1.d1_1 ip neigh replace 10.0.1.0 lladdr "$(mac 1 0)" dev eth0
	in_ns h2.d1_0 ip neigh replace 10.0.0.1 lladdr "$(mac 1 1)" dev eth0
}

port() { # TENANT PORT HOST ADDRESS
	printf '      p%d: {network: net, host: %s, device: d%d_%d, mac: "%s", addresses: [%s]}\n' \
		"$2" "$3" "$1" "$2" "$(mac "$1" "$2")" "$4"
}

files() {
	local t p
	mkdir -p "$DIR"
	cat > "$DIR/00-hosts.yaml" <<-YAML
	version: 1
	hosts:
	  h1: {vtep: 192.168.50.1, underlay: [u0]}
	  h2: {vtep: 192.168.50.2, underlay: [u0]}
	YAML
	for ((t = 1; t <= TENANTS; t++)); do
		{
			printf 'version: 1\ntenants:\n  t%d:\n    networks:\n      net: {vni: %d, subnets: [10.0.0.0/16]}\n' $t $t
			echo '    acl:'
			echo '      - {name: ping, direction: in, priority: 50, protocol: icmp, action: allow}'
			echo '    ports:'
			[ $t -gt 1 ] || port 1 0 h2 10.0.1.0
			for ((p = 1; p <= PORTS; p++)); do port $t $p h1 10.0.0.$p; done
		} > "$DIR/t$t.yaml"
	done
}

# The first answer's time of day, of a ping that asked every 10 ms from before the boot on.
run() {
	local begun answered
	in_ns h1.d1_1 ping -D -n -i 0.01 -W 1 10.0.1.0 > "$STATE/ping" 2>/dev/null &
	local pinging=$!
	sleep 0.2
	! grep -q 'bytes from' "$STATE/ping" || die "there is traffic before anything is loaded"
	begun=$EPOCHREALTIME
	weft_on h1 load >/dev/null 2>&1 || die "weft load"
	weft_on h1 apply "$DIR" >/dev/null 2>&1 || die "weft apply"
	wait_for 10 grep -q 'bytes from' "$STATE/ping" || die "no traffic"
	kill $pinging
	wait $pinging 2>/dev/null
	answered=$(sed -n 's/^\[\([0-9.]*\)\].*bytes from.*/\1/p' "$STATE/ping" | head -1)
	[ "$(weft_on h1 -j status | grep -o '"state":"attached"' | wc -l)" -eq $((TENANTS * PORTS + 1)) ] ||
		die "not every device is attached"
	weft_on h1 unload --force >/dev/null 2>&1 || die "weft unload"
	python3 -c "print('%.2f' % ($answered - $begun))" >> "$STATE/times"
}

host_add h1 192.168.50.1/24
host_add h2 192.168.50.2/24
underlay_link h1 u0 h2 u0
devices
files
weft_load h2
weft_on h2 apply "$DIR" >/dev/null || die "apply on h2"
for ((i = 0; i < RUNS; i++)); do run; done
worst=$(sort -n "$STATE/times" | tail -1)
echo "boot_to_traffic_s=$worst"
expect_ok -t "traffic within 5 seconds of the boot ($(xargs < "$STATE/times"))" python3 -c "exit(not $worst <= 5)"
