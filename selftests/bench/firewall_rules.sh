#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# firewall_rules.sh: what 100,000 rules of one tenant cost the command, from its start to its end.
#
#	acl_apply_100k_s		`apply` of a file with them, into an empty root
#	acl_commit_100k_s		`acl commit` of the same rules after another tool has changed a hundred of them
#	acl_one_change_100k_ms		`acl add` of one rule, the median of some
#	acl_verify_100k_s		`verify`
. "$(dirname "$0")/../lib/net.sh"
need_weft

RULES=${RULES:-100000} CHANGES=5

yaml() {
	cat <<-YAML
	version: 1
	hosts: {n: {vtep: 192.168.83.1, underlay: [u0]}}
	tenants:
	  red:
	    networks: {n: {vni: 101, subnets: [10.0.0.0/8]}}
	    ports: {a: {network: n, host: n, device: p0, mac: "02:00:00:00:00:0a", addresses: [10.0.1.1]}}
	    acl:
	YAML
	seq $RULES | awk 'BEGIN { srand(1) } {
		printf "      - {name: r%d, direction: in, priority: %d, protocol: tcp, source: [%d.%d.%d.%d/32], ", $1, $1 % 60000,
			11 + rand() * 180, rand() * 256, rand() * 256, rand() * 256
		printf "destination: [10.%d.%d.0/24], destination_port: %d, action: %s}\n", rand() * 256, rand() * 256,
			1 + rand() * 65000, (rand() < .5 ? "allow" : "deny")
	}'
}

# ms COMMAND...: how long it takes; it has to succeed.
ms() {
	local start=$EPOCHREALTIME
	run_quietly weft_on n "$@" || { fail "$*"; show_output; }
	echo $(((${EPOCHREALTIME/./} - ${start/./}) / 1000))
}
s() { ms "$@" | awk '{ printf "%.2f\n", $1 / 1000 }'; }

host_add n 192.168.83.1/24
netns_add n-wire
pair n u0 n-wire u0
underlay_dev n u0
workload_add n p0 02:00:00:00:00:0a 10.0.1.1/8
weft_load n
yaml > "$STATE/rules.yaml"
echo "acl_apply_100k_s=$(s apply "$STATE/rules.yaml")"
for i in $(seq 100); do "$TOOLS/owner" "$(root_of n)/tenants/red/rules" put "r$((i * 500))" "$i" || fail "no rule put"; done
echo "acl_commit_100k_s=$(s acl commit red)"
for i in $(seq $CHANGES); do
	ms acl add "red/new$i" direction in priority 77 protocol tcp destination_port "$i" action allow
done > "$STATE/times"
echo "acl_one_change_100k_ms=$(sort -n "$STATE/times" | sed -n "$(((CHANGES + 1) / 2))p")"
echo "acl_verify_100k_s=$(s verify)"
expect_eq $((RULES + CHANGES)) "$(weft_on n -j acl show | jq '[.. | objects | select(has("direction"))] | length')" "all rules are there"
