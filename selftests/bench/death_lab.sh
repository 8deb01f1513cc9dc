# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2154
#
# death_lab.sh: one host d1 in tc mode, with its agent; workloads a and b, and in the wire of a one function of several
# instances s1, s2, ..., each in a namespace of its own, a victim that has its number for a name (victim.c). To be sourced after
# net.sh.
#
#	death_lab N open|closed [or-one]	the host with N instances; where the command refuses so many yet it skips, or
#						goes on with one
#	victims hole|link|process		starts them, in place of what was there; their pids are in VICTIM[1..N]
#	march [OPTIONS]				numbered frames from a to b (march.c)
#	deaths PREFIX				the first instance dies DEATHS times in each of the ways KINDS; the figures
#						PREFIX_{ms_KIND,ms}_{p50,max}, PREFIX_lost, the most that one death cost,
#						and PREFIX_pps, at how many frames a second

MAC_A=02:00:00:00:00:0a MAC_B=02:00:00:00:00:0b
A4=10.0.1.1 B4=10.0.1.2
CORES=$(nproc)
INSTANCES=0
declare -A VICTIM=()
DEATHS=${DEATHS:-50} PPS=${PPS:-100000} KINDS=${KINDS:-hole link process}

death_yaml() {
	local i
	cat <<-YAML
	version: 1
	hosts: {d1: {vtep: 192.168.67.1, underlay: [u0]}}
	service_functions:
	  ips:
	    instances:
	YAML
	for ((i = 1; i <= INSTANCES; i++)); do echo "      ips$i: {host: d1, device: s$i}"; done
	cat <<-YAML
	tenants:
	  red:
	    options: {default: {in: allow, out: allow}, conntrack: {max_flows: 262144}}
	    networks: {web: {vni: 101, subnets: [10.0.1.0/24]}}
	    ports:
	      a: {network: web, host: d1, device: pa, mac: "$MAC_A", addresses: [$A4]}
	      b: {network: web, host: d1, device: pb, mac: "$MAC_B", addresses: [$B4]}
	    chains: {inspect: {tag: 301, steps: [{function: ips, on_failure: $1}]}}
	    insert: [{name: wire, apply_to: [port:a], chain: inspect}]
	YAML
}

death_apply() {
	death_yaml "$1" > "$STATE/apply.yaml"
	run_quietly weft_on d1 apply "$STATE/apply.yaml"
}

death_lab() {
	local i
	INSTANCES=$1
	host_add d1 192.168.67.1/24
	netns_add wire
	pair d1 u0 wire u0
	underlay_dev d1 u0
	workload_add d1 pa $MAC_A $A4/24
	workload_add d1 pb $MAC_B $B4/24
	# What is made of live frames arrives only where there is NAPI.
	nic_like d1 pa
	for ((i = 1; i <= INSTANCES; i++)); do
		function_wire d1 "s$i"
		nic_like "d1.s$i" "s$i"
	done
	weft_load d1
	victims hole
	if ! death_apply "$2"; then
		grep -q 'not supported yet' "$STATE/output" || { show_output; die "weft apply on d1"; }
		[ "${3:-}" = or-one ] || skip "$(grep -m1 'not supported yet' "$STATE/output")"
		INSTANCES=1
		death_apply "$2" || { show_output; die "weft apply on d1"; }
	fi
	bg "$WEFT" -n "$(netns_of d1)" -r "$(root_of d1)" agent run > "$STATE/agent.log" 2>&1
	ping_ok d1.pa $B4
}

victims() {
	local i
	for ((i = 1; i <= INSTANCES; i++)); do
		[ -z "${VICTIM[$i]:-}" ] || bg_stop "${VICTIM[$i]}"
		bg "$TOOLS/victim" --netns "$(netns_of "d1.s$i")" --dev "s$i" --name $i --kind "$1" > "$STATE/victim.$i" 2>&1
		VICTIM[$i]=$BG_PID
		wait_for 5 grep -q ready "$STATE/victim.$i" || die "no victim: $(cat "$STATE/victim.$i")"
	done
}

march() {
	"$TOOLS/march" --from-ns "$(netns_of d1.pa)" --to-ns "$(netns_of d1.pb)" --dev eth0 --src-mac $MAC_A --dst-mac $MAC_B \
		--src-ip $A4 --dst-ip $B4 --cpu 0 "$@"
}

largest() { tr ' ' '\n' <<< "${SAMPLES[$1]:-}" | grep . | sort -g | tail -n 1; }

deaths() {
	local kind gap lost pps
	for kind in $KINDS; do
		victims "$kind"
		while IFS='= ' read -r _ gap _ lost _ pps; do
			sample "$kind" "$gap"
			sample all "$gap"
			sample lost "$lost"
			sample pps "$pps"
		done < <(march --pps "$PPS" --deaths "$DEATHS" --victim "${VICTIM[1]}" --name 1)
		[ "$(wc -w <<< "${SAMPLES[$kind]:-}")" -eq "$DEATHS" ] || fail "$kind: only $(wc -w <<< "${SAMPLES[$kind]:-}") deaths"
		figure "$1_ms_${kind}_p50" "$(median "$kind")"
		figure "$1_ms_${kind}_max" "$(largest "$kind")"
	done
	figure "$1_ms_p50" "$(median all)"
	figure "$1_ms_max" "$(largest all)"
	figure "$1_lost" "$(largest lost)"
	figure "$1_pps" "$(median pps)"
}
