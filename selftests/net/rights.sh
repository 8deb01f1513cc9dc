#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# rights: host h1 with tenant red. Which capabilities the command needs and keeps: the few that it needs are enough,
# for root and for another user; without one it says which; a running command has no other. The members of one group
# read what there is and change nothing, not even by holding the lock.
. "$(dirname "$0")/../lib/net.sh"
need_weft
need jq setpriv flock

U=61001 G=61002
bpffs_own 1777
export WEFT_STATE_DIR=$STATE/lib
mkdir -m 1777 "$WEFT_STATE_DIR"
cp "$WEFT" "$STATE/weft"

host_add h1 192.168.50.1/24
netns_add wire
pair h1 u0 wire u0
underlay_dev h1 u0
workload_add h1 p0 02:00:00:00:00:0a 10.0.1.1/24
workload_add h1 p1 02:00:00:00:00:0b 10.0.1.2/24
cat > "$STATE/lab.yaml" <<-YAML
	version: 1
	hosts:
	  h1: {vtep: 192.168.50.1, underlay: [u0]}
	tenants:
	  red:
	    networks: {web: {vni: 101, subnets: [10.0.1.0/24]}}
	    ports:
	      a: {network: web, host: h1, device: p0, mac: "02:00:00:00:00:0a", addresses: [10.0.1.1]}
	      b: {network: web, host: h1, device: p1, mac: "02:00:00:00:00:0b", addresses: [10.0.1.2]}
	    acl:
	      - {name: ping, direction: in, priority: 50, protocol: icmp, action: allow}
YAML
chmod a+r "$STATE/lab.yaml"

# with UID CAPS ROOT weft-arguments: in the host's namespace, with no other capabilities than these ("" for none).
with() {
	local uid=$1 caps=-all root=$3 as=()
	[ -z "$2" ] || caps=-all,+${2//,/,+}
	if [ "$uid" = 0 ]; then
		as=(--bounding-set "$caps" --inh-caps "$caps")
	else
		as=(--reuid "$uid" --regid "$uid" --clear-groups --inh-caps "$caps" --ambient-caps "$caps")
	fi
	shift 3
	in_ns h1 setpriv "${as[@]}" "$STATE/weft" -r "$root" "$@"
}

# --- what is enough, and what is missing ---

mkdir "$(root_of own)"
chown $U "$(root_of own)"
life() {
	local uid=$1 root=$2 line
	for line in 'load --host h1' "apply $STATE/lab.yaml" 'acl add red/web direction in priority 5 protocol tcp action allow' \
		'tenant set red conntrack.max_flows 2048' 'ct show' 'ct flush red' status save counters; do
		# shellcheck disable=SC2086
		expect_ok -t "user $uid with cap_bpf,cap_net_admin,cap_perfmon,cap_net_raw: weft ${line%% /*}" \
			with "$uid" bpf,net_admin,perfmon,net_raw "$root" $line
	done
	ping_ok h1.p0 10.0.1.2
	# Idempotent too: what is in use is found without CAP_SYS_ADMIN.
	expect_ok with "$uid" bpf,net_admin "$root" acl del red/web
	expect_ok with "$uid" bpf,net_admin "$root" tenant set red conntrack.max_flows ''
	expect_output '^nothing to change' with "$uid" bpf,net_admin,net_raw "$root" apply "$STATE/lab.yaml"
	expect_status 4 with "$uid" bpf,net_admin "$root" apply "$STATE/lab.yaml"
	expect_refused CAP_NET_RAW with "$uid" bpf,net_admin "$root" verify
	expect_ok -t "user $uid: verify" with "$uid" bpf,net_admin,net_raw "$root" verify
	expect_eq true "$(with "$uid" bpf,net_admin,perfmon "$root" -j status | jq '[.devices[].state == "attached"] | all')" \
		"user $uid: all devices are attached"
	expect_ok -t "user $uid: unload" with "$uid" bpf,net_admin "$root" unload --force
}
life 0 "$(root_of h1)"
life $U "$(root_of own)/r"

expect_refused 'load: user 0 lacks cap_perfmon: run as root' with 0 bpf,net_admin "$(root_of h1)" load
expect_refused 'lacks cap_net_admin' with 0 bpf,perfmon "$(root_of h1)" load
expect_refused "load: user $U lacks cap_bpf" with $U net_admin,perfmon "$(root_of own)/r" load
expect_refused 'check-host: user 0 lacks cap_sys_admin' with 0 bpf,net_admin "$(root_of h1)" check-host
WEFT_GROUP=$G weft_load h1
expect_ok weft_on h1 apply "$STATE/lab.yaml"
for line in "apply $STATE/lab.yaml" 'acl commit' 'tenant del red' unload; do
	# shellcheck disable=SC2086
	expect_refused 'lacks cap_bpf: run as root|lacks cap_net_admin,cap_bpf' with 0 '' "$(root_of h1)" $line
done
expect_refused 'cap_sys_admin is missing' with 0 bpf,net_admin "$(root_of h1)" -n "/run/netns/$(netns_of h1)" status
expect_status 0 weft_on h1 diff "$STATE/lab.yaml"

# --- what a running command keeps ---

# keeps EFFECTIVE PERMITTED weft-arguments: looked at while it waits for its file, a pipe.
keeps() {
	local want="$1 $2" got
	shift 2
	mkfifo "$STATE/pipe"
	bg "$WEFT" -n "$(netns_of h1)" -r "$(root_of h1)" "$@" "$STATE/pipe" > "$STATE/output" 2>&1
	exec 7> "$STATE/pipe"
	got=$(sed -n 's/^Cap\(Eff\|Prm\):\t0*//p' "/proc/$BG_PID/status" | tac | xargs)
	cat "$STATE/lab.yaml" >&7
	exec 7>&-
	wait_gone "$BG_PID"
	rm "$STATE/pipe"
	expect_eq "$want" "$got" "weft $* keeps these capabilities only"
}
keeps 8000001004 8000001004 diff    # dac_read_search net_admin bpf
# And chown dac_override fowner; sys_nice and perfmon to revert; net_raw for probes; sys_admin aside.
keeps c00080300f c000a0300f apply
keeps c00080300f c000a0300f -b

# --- who may read ---

member() { in_ns h1 setpriv --reuid $U --regid $U --groups $G --inh-caps=-all "$STATE/weft" -r "$(root_of h1)" "$@"; }
stranger() { in_ns h1 setpriv --reuid $U --regid $U --clear-groups --inh-caps=-all "$STATE/weft" -r "$(root_of h1)" "$@"; }
mode_of() { stat -c '%a %u %g' "$1"; }

can_ping h1.p0 10.0.1.2
expect_eq "1777 0 0" "$(mode_of "$BPFFS")" "a bpffs that is open to all stays as it is"
expect_eq "710 0 $G" "$(mode_of "$(root_of h1)")" "the root lets the group pass"
expect_eq "640 0 $G" "$(mode_of "$(root_of h1)/tenants/red/ct4")" "its maps may be read by the group"
expect_eq "600 0 0" "$(mode_of "$(root_of h1)/early")" "but for the one with workloads' frames in it"
expect_eq "600 0 0" "$(mode_of "$(root_of h1)/prog/port_tc")" "its programs may not"
expect_eq "$(weft_on h1 save)" "$(member save)" "a member saves what root saves"
expect_output 'icmp' member ct show red
expect_output '"red/a"' member -j counters
expect_output 'device p0 .*unknown; only root' member status
expect_status 0 member diff "$STATE/lab.yaml"
for line in 'port show' 'fdb show' 'neigh show' 'acl show red/ping'; do
	# shellcheck disable=SC2086
	expect_ok -t "a member: weft $line" member $line
done
for line in "apply $STATE/lab.yaml" 'ct flush' 'tenant del red' unload; do
	# shellcheck disable=SC2086
	expect_refused 'lacks cap_net_admin,cap_bpf' member $line
	# shellcheck disable=SC2086
	expect_status 2 member $line
done
for line in status save 'ct show' "diff $STATE/lab.yaml"; do
	# shellcheck disable=SC2086
	expect_refused "Permission denied: $(root_of h1) lets only root and the group $G pass.*member of the group" stranger $line
done

# Neither by the maps themselves, nor by the lock that writers wait for.
as_member() { setpriv --reuid $U --regid $U --groups $G --inh-caps=-all "$@"; }
cp "$TOOLS/owner" "$STATE/owner-tool"
for map in config drops ports tenants/red/ct4 tenants/red/rules; do
	expect_ok -t "a member reads $map" as_member "$STATE/owner-tool" "$(root_of h1)/$map" read
	expect_status 1 as_member "$STATE/owner-tool" "$(root_of h1)/$map" write
done
expect_status 1 as_member "$STATE/owner-tool" "$(root_of h1)/prog/port_tc" read
expect_fail -t "a member cannot hold the root's lock" as_member flock -n "$(root_of h1)" true
expect_status 0 weft_on h1 diff "$STATE/lab.yaml"
ping_ok h1.p0 10.0.1.2
expect_ok weft_on h1 unload --force

# --- through a bpffs as systemd mounts it, and other doors ---

# reached TEXT: the member is let in.
reached() { expect_ok -t "$1: a member reads" member save; }

bpffs_own 0700
weft_load h1
expect_eq "1700 0 0" "$(mode_of "$BPFFS")" "without a group bpffs stays closed"
expect_refused "Permission denied: $BPFFS \(mode 1700\) lets you not pass: .*chmod o.x $BPFFS" member status
chmod o+x "$BPFFS"
expect_refused "Permission denied: $(root_of h1) lets only its owner in: .*make a group weft" member status
chmod o-x "$BPFFS"
WEFT_GROUP=$G expect_ok weft_load h1
expect_eq "1710 0 $G" "$(mode_of "$BPFFS")" "load lets the group pass to the root, and nobody else"
reached "bpffs of mode 0700"
expect_refused "Permission denied: $BPFFS lets only root and the group $G pass" stranger status
expect_fail -t "nor does a member list it" as_member ls "$BPFFS"
expect_ok weft_on h1 unload

# Closed doors that are not load's to open: it says so, and is done all the same.
for door in 0750 0711; do
	bpffs_own $door
	WEFT_GROUP=$G weft_load h1 2> "$STATE/note"
	expect_eq "1${door#0} 0 0" "$(mode_of "$BPFFS")" "bpffs of mode $door stays as it is"
	if [ $door = 0711 ]; then
		expect_eq "" "$(cat "$STATE/note")" "and lets all pass: nothing to say"
	else
		expect_output "group that may read root .* cannot pass $BPFFS .mode 1750.: .chmod o.x $BPFFS" cat "$STATE/note"
		chmod o+x "$BPFFS"
	fi
	reached "bpffs of mode $door"
	expect_ok weft_on h1 unload
done
