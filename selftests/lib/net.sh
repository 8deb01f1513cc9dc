# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2054
#
# net.sh: hosts, workloads and functions for tests, out of network namespaces. To be sourced.
#
#	. "$(dirname "$0")/../lib/net.sh"
#	host_add h1 192.168.50.1/24
#	host_add h2 192.168.50.2/24
#	underlay_link h1 u0 h2 u0
#	workload_add h1 p0 02:00:00:00:00:0a 10.0.1.1/24,fd00:1::1/64     # namespace h1.p0, device eth0
#	workload_add h2 p0 02:00:00:00:00:0b 10.0.1.2/24,fd00:1::2/64     # namespace h2.p0
#	weft_load h1; weft_load h2
#	weft_apply h1 h2 <<-YAML ... YAML
#	ping_ok h1.p0 10.0.1.2
#
# Namespaces have short names here ("h1", "h1.p0"); outside they are "weft-<test>-<pid>.h1" (netns_of).
# Each host has its own bpffs root (root_of). The script's end prints RESULT; whatever ends the script, kill -9
# included, a watching process (reap.sh) then removes all that carries the test's name.
#
# Checksums: a veth hands on frames whose TCP or UDP checksum is unfinished (CHECKSUM_PARTIAL), since no wire
# follows. capture_start therefore uses tools/capture, which finishes exactly those checksums that the kernel
# says are unfinished, as a NIC would; a checksum that a program under test broke stays broken and is found.

set -u

TOP=${TOP:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
BUILD=${BUILD:-$TOP/build}
TOOLS=$BUILD/tools
WEFT=${WEFT:-$BUILD/weft}
UNDERLAY_MTU=${UNDERLAY_MTU:-1500}
WORKLOAD_MTU=${WORKLOAD_MTU:-1450}

BPFFS=/sys/fs/bpf
REAP=$TOP/selftests/lib/reap.sh
TEST_NAME=$(basename "$0" | sed 's/\.[a-z]*$//; s/[^A-Za-z0-9_-]/_/g')
TEST_ID=$TEST_NAME-$$
STATE=/run/weft-test/$TEST_ID
export WEFT_STATE_DIR=$STATE/history

declare -A HOST_ADDR=()
declare -i OKS=0 FAILS=0
SKIPPED=
CAPTURES=()

# --- life and death ---------------------------------------------------------------------------------

bpffs_mount() {
	(
		flock 9
		mountpoint -q "$BPFFS" || mount -t bpf bpf "$BPFFS"
	) 9>/run/weft-test.lock
}

# bpffs_own MODE: from here on roots are in a bpffs of the test's own, mounted with that mode: a test of what users who
# are not root can reach must not depend on how this machine's is mounted.
bpffs_own() {
	BPFFS=$STATE/bpf$1
	chmod a+rx "$STATE"
	if mountpoint -q "$BPFFS" 2>/dev/null; then umount "$BPFFS" || die "$BPFFS is in use"; fi
	mkdir -p "$BPFFS"
	mount -t bpf -o "mode=$1" bpf "$BPFFS" || die "no bpffs at $BPFFS"
}

# A test that sets NO_NETWORK=1 before it sources this file has no use for namespaces.
#
# A kernel that has crashed with its network lock (RTNL) held never gives it back: whoever asks for it hangs and
# cannot be killed. This write only tries the lock, again and again, and can be. Without a crash the lock is merely
# busy, as while thousands of devices go.
network_is_locked_up() {
	local queue=/sys/class/net/lo/tx_queue_len i
	for ((i = 0; i < 18; i++)); do
		timeout 10 sh -c "echo $(cat $queue) > $queue" 2>/dev/null
		[ $? -eq 124 ] || return 1
		dmesg | grep -qE 'Oops|BUG: |general protection fault, ' && return 0
	done
	return 0
}

test_begin() {
	local reason=
	if [ "$(id -u)" -ne 0 ]; then
		reason="not root"
	elif [ -z "${NO_NETWORK:-}" ] && network_is_locked_up; then
		reason="this machine's kernel holds its network lock for ever since a crash (see dmesg): reboot it"
	fi
	if [ -n "$reason" ]; then
		echo "RESULT skip $reason"
		trap - EXIT
		exit 77
	fi
	mkdir -p "$STATE"
	"$REAP" start $$ > "$STATE/owner"
	bpffs_mount
	# Its own session and no inherited descriptors: neither a killed process group nor a closed pipe reaches it.
	setsid "$REAP" watch "$TEST_ID" $$ </dev/null >/dev/null 2>&1 &
	disown
	export WEFT_TEST_ID=$TEST_ID
}

test_end() {
	local status=$?
	trap - EXIT
	[ -z "${KEEP:-}" ] || keep_shell
	env -u WEFT_TEST_ID "$REAP" clean "$TEST_ID"
	if [ -n "$SKIPPED" ]; then
		echo "RESULT skip $SKIPPED"
		exit 77
	elif [ $FAILS -gt 0 ]; then
		echo "RESULT fail $FAILS of $((OKS + FAILS)) assertions"
		exit 1
	elif [ $status -ne 0 ]; then
		echo "RESULT fail the script ended with status $status"
		exit 1
	elif [ $OKS -eq 0 ]; then
		echo "RESULT fail nothing was asserted"
		exit 1
	fi
	echo "RESULT pass"
	exit 0
}

# KEEP=1 stops before the teardown, for a look around.
keep_shell() {
	echo "kept: namespaces weft-$TEST_ID.*, roots $BPFFS/weft-test-$TEST_ID-*; press Enter to remove them"
	read -r _ </dev/tty || true
}

# Runs a command (not a shell function, but for in_ns) in the background; the teardown kills it. Its pid is in $BG_PID.
bg() {
	if [ "$1" = in_ns ]; then
		nsenter --net="/run/netns/$(netns_of "$2")" "${@:3}" </dev/null &
	else
		"$@" </dev/null &
	fi
	BG_PID=$!
	disown "$BG_PID"
}

bg_stop() {
	kill "$1" 2>/dev/null
	wait_gone "$1"
}

wait_gone() {
	local i
	for ((i = 0; i < 100; i++)); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.05
	done
	kill -KILL "$1" 2>/dev/null
}

# wait_for SECONDS cmd...: until cmd succeeds. So long on an idle machine: a busy one is given WAIT_FACTOR times that, which
# takes time only where it fails.
WAIT_FACTOR=5
wait_for() {
	local end=$(($(now_ms) + ${1%.*} * 1000 * WAIT_FACTOR))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(now_ms)" -lt "$end" ] || return 1
		sleep 0.05
	done
}

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

# --- assertions -------------------------------------------------------------------------------------

ok() { OKS+=1; printf '✓ %s\n' "$*"; }
fail() { FAILS+=1; printf '✗ %s\n' "$*"; }
note() { printf '  %s\n' "$*"; }
die() { fail "$*"; exit 1; }

skip() {
	SKIPPED=$*
	exit 77
}

need() {
	local tool
	for tool in "$@"; do
		command -v "$tool" >/dev/null || skip "$tool is missing"
	done
}

# The output of a command is shown only when it did not do what was expected of it.
run_quietly() { "$@" > "$STATE/output" 2>&1; }
show_output() { sed 's/^/    /' "$STATE/output"; }

# expect_ok [-t TEXT] cmd...
expect_ok() {
	local text=''
	[ "$1" = -t ] && { text=$2; shift 2; }
	if run_quietly "$@"; then
		ok "${text:-$*}"
	else
		fail "${text:-$*} (status $?)"
		show_output
	fi
}

# expect_fail [-t TEXT] cmd...: refused, not crashed: a signal's status is a failure of the test.
expect_fail() {
	local text='' status
	[ "$1" = -t ] && { text=$2; shift 2; }
	run_quietly "$@"
	status=$?
	if [ $status -ne 0 ] && [ $status -lt 126 ]; then
		ok "${text:-fails: $*}"
	else
		fail "${text:-should fail: $*} (status $status)"
		show_output
	fi
}

# expect_status N cmd...
expect_status() {
	local want=$1 status
	shift
	run_quietly "$@"
	status=$?
	[ $status -eq "$want" ] && { ok "status $want: $*"; return; }
	fail "status $status instead of $want: $*"
	show_output
}

# expect_refused REGEX cmd...: fails, and says why.
expect_refused() {
	local regex=$1 status
	shift
	run_quietly "$@"
	status=$?
	if [ $status -eq 0 ] || [ $status -ge 126 ]; then
		fail "should be refused: $* (status $status)"
	elif ! grep -qiE -- "$regex" "$STATE/output"; then
		fail "refused, but without saying '$regex': $*"
	else
		ok "refused ($regex): $*"
		return
	fi
	show_output
}

# expect_output REGEX cmd...
expect_output() {
	local regex=$1
	shift
	if run_quietly "$@" && grep -qE -- "$regex" "$STATE/output"; then
		ok "'$regex' in: $*"
	else
		fail "no '$regex' in: $*"
		show_output
	fi
}

# expect_eq WANT GOT TEXT
expect_eq() {
	if [ "$1" = "$2" ]; then ok "$3"; else fail "$3: want '$1', got '$2'"; fi
}

# --- counters ---------------------------------------------------------------------------------------

# counter_get HOST drops REASON | HOST ports TENANT/PORT:FIELD | HOST networks TENANT/NETWORK:FIELD
# The one place that knows the form of `weft -j counters`.
counter_get() {
	weft_on "$1" -j counters 2>/dev/null | jq -r --arg kind "$2" --arg name "${3%%:*}" --arg field "${3#*:}" \
		'.[$kind][$name] // 0 | if type == "object" then .[$field] // 0 else . end'
}

# counter_after BEFORE HOST KIND NAME: what it is as soon as it is another. What cmd has sent may wait for a processor.
counter_after() {
	local end=$(($(now_ms) + 2000)) now
	while now=$(counter_get "${@:2}"); [ "$now" = "$1" ] && [ "$(now_ms)" -lt $end ]; do sleep 0.02; done
	echo "$now"
}

# expect_counter_moved HOST KIND NAME cmd...: the status of cmd does not matter.
expect_counter_moved() {
	local host=$1 kind=$2 name=$3 before after
	shift 3
	before=$(counter_get "$host" "$kind" "$name")
	run_quietly "$@"
	after=$(counter_after "$before" "$host" "$kind" "$name")
	if [ "${after:-0}" -gt "${before:-0}" ]; then
		ok "$host $kind $name moved ($before to $after): $*"
	else
		fail "$host $kind $name stayed at '$after': $*"
		weft_on "$host" -j counters 2>&1 | jq -c '.drops? // .' 2>/dev/null | sed 's/^/    /'
	fi
}

expect_counter_still() {
	local host=$1 kind=$2 name=$3 before after
	shift 3
	before=$(counter_get "$host" "$kind" "$name")
	run_quietly "$@"
	after=$(counter_get "$host" "$kind" "$name")
	expect_eq "${before:-0}" "${after:-0}" "$host $kind $name stays: $*"
}

# --- namespaces -------------------------------------------------------------------------------------

netns_of() { echo "weft-$TEST_ID.$1"; }
root_of() { echo "$BPFFS/weft-test-$TEST_ID-$1"; }

# `ip netns exec` would hide bpffs behind a fresh /sys: enter the network namespace alone.
in_ns() {
	local ns=$1
	shift
	nsenter --net="/run/netns/weft-$TEST_ID.$ns" "$@"
}

netns_add() {
	local ns
	ns=$(netns_of "$1")
	ip netns add "$ns" || die "no network namespace $ns"
	in_ns "$1" sh -c '
		echo 0 | tee /proc/sys/net/ipv6/conf/*/accept_dad /proc/sys/net/ipv6/conf/*/router_solicitations
		echo 0 | tee /proc/sys/net/ipv4/conf/*/rp_filter' >/dev/null
	in_ns "$1" ip link set lo up
}

# pair NS1 DEV1 NS2 DEV2: a veth pair, both ends up.
pair() {
	ip link add "$2" netns "$(netns_of "$1")" type veth peer name "$4" netns "$(netns_of "$3")" ||
		die "no veth pair $1:$2 - $3:$4"
	in_ns "$1" ip link set "$2" up
	in_ns "$3" ip link set "$4" up
}

# addr_add NS DEV ADDR/LEN[,ADDR/LEN...]: what is sent to them is received when this returns.
addr_add() {
	local a
	for a in ${3//,/ }; do
		case $a in
		*:*) in_ns "$1" ip addr add "$a" dev "$2" nodad ;;
		*) in_ns "$1" ip addr add "$a" dev "$2" ;;
		esac || die "no address $a on $1:$2"
	done
	for a in ${3//,/ }; do
		[[ $a != *:* ]] || wait_for 100 receives "$1" "$a" || die "$1:$2 still does not receive by $a"
	done
}

# receives NS ADDR6/LEN: an IPv6 address gets its local route from the work item that would start DAD, nodad or not. That
# queue is the whole machine's: where another test brings up thousands of devices, it takes up to 40 s after `ip addr add`.
# Until then what comes to the address is dropped, though it sends.
receives() { in_ns "$1" ip -6 route show table local "${2%/*}" | grep -q '^local '; }

offloads() {
	local ns=$1 dev=$2
	shift 2
	in_ns "$ns" ethtool -K "$dev" "$@" >/dev/null 2>&1
}

# --- hosts and the underlay ---------------------------------------------------------------------------

# host_add HOST ADDR/LEN[,ADDR6/LEN]: the addresses go to its first underlay device.
host_add() {
	netns_add "$1"
	HOST_ADDR[$1]=$2
}

underlay_dev() {
	in_ns "$1" ip link set "$2" mtu "$UNDERLAY_MTU"
	[ -z "${HOST_ADDR[$1]:-}" ] || addr_add "$1" "$2" "${HOST_ADDR[$1]}"
	HOST_ADDR[$1]=
}

# underlay_link H1 DEV1 H2 DEV2: a cable between two hosts.
underlay_link() {
	pair "$@"
	underlay_dev "$1" "$2"
	underlay_dev "$3" "$4"
}

# A NIC takes what XDP sends; a veth hands it on only where the other end has NAPI, which GRO gives it.
nic_like() { offloads "$1" "$2" gro on; }

# underlay_bridge H1 DEV1 H2 DEV2 H3 DEV3...: a switch.
underlay_bridge() {
	netns_add switch
	in_ns switch ip link add br0 type bridge mcast_snooping 0
	in_ns switch ip link set br0 up mtu "$UNDERLAY_MTU"
	while [ $# -gt 0 ]; do
		pair "$1" "$2" switch "$1"
		in_ns switch ip link set "$1" master br0 mtu "$UNDERLAY_MTU"
		nic_like switch "$1"
		underlay_dev "$1" "$2"
		shift 2
	done
}

# underlay_routed H1 DEV1 H2 DEV2...: a router between hosts of different subnets. It is the subnet's last
# address (x.y.z.254 of an IPv4 /24, ...::fe of an IPv6 prefix), and each host's default route.
underlay_routed() {
	local host dev addrs a gw
	netns_add router
	in_ns router sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'
	while [ $# -gt 0 ]; do
		host=$1 dev=$2
		shift 2
		addrs=${HOST_ADDR[$host]}
		pair "$host" "$dev" router "$host"
		in_ns router ip link set "$host" mtu "$UNDERLAY_MTU"
		nic_like router "$host"
		underlay_dev "$host" "$dev"
		for a in ${addrs//,/ }; do
			case $a in
			*:*) gw=${a%%/*}; gw=${gw%:*}:fe ;;
			*) gw=${a%.*}.254 ;;
			esac
			addr_add router "$host" "$gw/${a#*/}"
			in_ns "$host" ip route add default via "$gw" dev "$dev"
		done
	done
}

# underlay_cut HOST DEV: as on a real wire, no frame above the MTU leaves.
underlay_cut() { offloads "$1" "$2" tso off gso off gro on; }

# --- workloads ----------------------------------------------------------------------------------------

# workload_add HOST DEV MAC [ADDR/LEN[,ADDR6/LEN]]: namespace HOST.DEV with eth0, whose other end is DEV on HOST.
workload_add() {
	local ns=$1.$2
	netns_add "$ns"
	pair "$1" "$2" "$ns" eth0
	in_ns "$ns" ip link set eth0 down
	in_ns "$ns" ip link set eth0 address "$3" mtu "$WORKLOAD_MTU"
	in_ns "$ns" ip link set eth0 up
	[ -z "${4:-}" ] || addr_add "$ns" eth0 "$4"
}

# workload_gateway NS ADDR[,ADDR6]
workload_gateway() {
	local a
	for a in ${2//,/ }; do
		in_ns "$1" ip route add default via "$a" dev eth0
	done
}

# What a workload behind native XDP needs: finished checksums, cut segments, and NAPI so that redirects arrive.
workload_xdp_ready() { offloads "$1" eth0 tx off tso off gso off gro on; }

# --- service functions ------------------------------------------------------------------------------

# function_wire HOST DEV [DEV2]: the devices only: namespace HOST.DEV with DEV (and DEV2) in it, no addresses.
function_wire() {
	local host=$1 ns=$1.$2 dev
	netns_add "$ns"
	shift
	for dev in "$@"; do
		in_ns "$ns" sh -c 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6'
		pair "$host" "$dev" "$ns" "$dev"
		in_ns "$ns" ip link set "$dev" arp off
	done
}

# function_add HOST DEV [DEV2]: a function that lets everything pass: one arm reflects, two arms connect.
# Tag and PCP come back as they came.
function_add() {
	function_wire "$@"
	function_reflect "$1.$2" "$2" "${3:-$2}"
	[ -z "${3:-}" ] || function_reflect "$1.$2" "$3" "$2"
}

function_reflect() {
	in_ns "$1" tc qdisc add dev "$2" ingress
	in_ns "$1" tc filter add dev "$2" ingress protocol all u32 match u32 0 0 \
		action mirred egress redirect dev "$3" || die "no reflection on $1:$2"
}

# As workloads: a frame that XDP redirects to a function needs NAPI there.
function_xdp_ready() { offloads "$1" "$2" gro on; }

# function_kill HOST DEV [DEV2]: it goes deaf: frames enter and do not come back.
function_kill() {
	local ns=$1.$2 dev
	shift
	for dev in "$@"; do
		in_ns "$ns" tc qdisc del dev "$dev" ingress
	done
}

function_revive() {
	function_reflect "$1.$2" "$2" "${3:-$2}"
	[ -z "${3:-}" ] || function_reflect "$1.$2" "$3" "$2"
}

# function_start NS cmd...: one of the examples (content_filter, reflector), which print "ready" and, on SIGUSR1,
# a line for each VLAN ID and PCP that they have seen, into $STATE/function.log.
function_start() {
	local ns=$1
	shift
	: > "$STATE/function.log"
	bg in_ns "$ns" "$@" >> "$STATE/function.log" 2>&1
	FUNCTION_PID=$BG_PID
	wait_for 5 grep -q ready "$STATE/function.log" || die "no function in $ns: $(cat "$STATE/function.log")"
}

# function_report: its latest counters, on stdout too.
function_report() {
	echo ready > "$STATE/function.log"
	kill -USR1 "$FUNCTION_PID"
	wait_for 3 grep -q frames= "$STATE/function.log"
	grep frames= "$STATE/function.log"
}

mac_of() { in_ns "$1" ip -j link show "$2" | jq -r '.[0].address'; }

# frames_seen NS DEV: frames that have arrived at a device.
frames_seen() { in_ns "$1" ip -j -s link show "$2" | jq '.[0].stats64.rx.packets'; }

# --- weft ---------------------------------------------------------------------------------------------

weft_on() {
	local host=$1
	shift
	"$WEFT" -n "$(netns_of "$host")" -r "$(root_of "$host")" "$@"
}

weft_load() {
	local host=$1
	shift
	weft_on "$host" load --host "$host" "$@" || die "weft load on $host"
}

# weft_apply HOST... < YAML: the same text on each host.
weft_apply() {
	local host
	cat > "$STATE/apply.yaml"
	for host in "$@"; do
		weft_on "$host" apply "$STATE/apply.yaml" || die "weft apply on $host"
	done
}

# monitor_ready HOST: a `monitor acl` there is told of what comes from now on. It holds its lock.
monitor_ready() {
	local lock
	lock=$WEFT_STATE_DIR/$(root_of "$1" | tr / ,)/monitor.lock
	[ -e "$lock" ] && grep -q ":$(command stat -c %i "$lock") " /proc/locks
}

need_weft() { [ -x "$WEFT" ] || skip "$WEFT is not built"; }

# --- traffic ------------------------------------------------------------------------------------------

# can_ping NS ADDR: silent. The asserting forms follow.
can_ping() { in_ns "$1" ping -n -c 3 -i 0.1 -W 1 -q "$2" >/dev/null 2>&1; }
cannot_ping() { ! in_ns "$1" ping -n -c 2 -i 0.1 -W 0.5 -q "$2" >/dev/null 2>&1; }

ping_ok() { if can_ping "$@"; then ok "$1 pings $2"; else fail "$1 does not reach $2 by ping"; fi; }
ping_fail() { if cannot_ping "$@"; then ok "$1 cannot ping $2"; else fail "$1 reaches $2 by ping"; fi; }

# echo_serve NS PORT...: TCP and UDP, IPv4 and IPv6; what comes in is sent back.
echo_serve() {
	local ns=$1 log
	shift
	log=$STATE/echo.$ns.$1
	bg in_ns "$ns" "$TOOLS/echo" serve "$@" > "$log" 2>&1
	ECHO_PID=$BG_PID
	wait_for 5 grep -q ready "$log" || die "no echo server in $ns: $(cat "$log")"
}

# An exchange with an echo server: status 0 answered, 1 silence, 2 refused (RST or ICMP error), 3 usage.
echo_tcp() { in_ns "$1" "$TOOLS/echo" tcp "${@:2}" 2>/dev/null; }
echo_udp() { in_ns "$1" "$TOOLS/echo" udp "${@:2}" 2>/dev/null; }

expect_echo() {
	local want=$1 what=$2 text=$3 status
	shift 3
	"echo_$what" "$@"
	status=$?
	if [ $status -eq "$want" ]; then
		ok "$what $1 to $2 port $3 $text"
	else
		fail "$what $1 to $2 port $3 should be $text (status $status)"
	fi
}

# NS ADDR PORT [--sport N] [--size BYTES] [--timeout MS] [--count N]
tcp_ok() { expect_echo 0 tcp answered "$@"; }
tcp_fail() { expect_echo 1 tcp silent "$@" --timeout 600; }
tcp_refused() { expect_echo 2 tcp refused "$@"; }
udp_ok() { expect_echo 0 udp answered "$@"; }
udp_fail() { expect_echo 1 udp silent "$@" --timeout 600; }
udp_refused() { expect_echo 2 udp refused "$@"; }

# http_serve NS PORT DIRECTORY
http_serve() {
	bg in_ns "$1" busybox httpd -f -p "[::]:$2" -h "$3"
	HTTP_PID=$BG_PID
	wait_for 5 in_ns "$1" curl -s -o /dev/null "http://[::1]:$2/" || die "no web server in $1"
}

# http_get NS URL [curl arguments]: the page on stdout.
http_get() {
	local ns=$1
	shift
	in_ns "$ns" curl -gsS --fail --max-time "${HTTP_TIMEOUT:-3}" "$@"
}

# --- captures -----------------------------------------------------------------------------------------

# capture_start NS DEV FILE
capture_start() {
	local log=$STATE/capture.${#CAPTURES[@]}
	bg in_ns "$1" "$TOOLS/capture" "$2" "$3" > "$log" 2>&1
	CAPTURES+=("$BG_PID")
	wait_for 5 grep -q ready "$log" || die "no capture on $1:$2: $(cat "$log")"
}

# capture_stop: all of them, their files complete.
capture_stop() {
	local pid
	sleep 0.2
	for pid in ${CAPTURES[@]+"${CAPTURES[@]}"}; do
		bg_stop "$pid"
	done
	CAPTURES=()
}

# What a stream carries is no frame of ours: in random bytes HTTP's dissector finds malformed headers now and then.
TSHARK_OPTIONS=(-o tcp.desegment_tcp_streams:FALSE -n -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE -o tcp.check_checksum:TRUE
	-d udp.port==4789,vxlan --disable-protocol http)

# tshark_fields FILE FILTER FIELD...: one line a frame.
tshark_fields() {
	local file=$1 filter=$2 field fields=()
	shift 2
	for field in "$@"; do fields+=(-e "$field"); done
	tshark -r "$file" "${TSHARK_OPTIONS[@]}" -Y "$filter" -T fields "${fields[@]}" 2>/dev/null
}

tshark_count() { tshark -r "$1" "${TSHARK_OPTIONS[@]}" -Y "$2" 2>/dev/null | wc -l; }

# A TCP checksum of 0xffff where it should be 0 is 0 in the other spelling, which NAT in the kernel writes now and then
# (RFC 1624); tshark knows it apart.
# The segment that an ICMP error quotes may have an unfinished checksum: it was quoted before any wire.
TSHARK_BAD='_ws.malformed || (_ws.expert.severity == error && !(icmp || icmpv6)) || ip.checksum.status == Bad ||
	(((tcp.checksum.status == Bad && !tcp.checksum.ffff) || udp.checksum.status == Bad) && !(icmp || icmpv6)) ||
	icmp.checksum.status == Bad || icmpv6.checksum.status == Bad'

# tshark_clean FILE [MINIMUM]: every frame dissects, every checksum is right, and there are frames at all.
tshark_clean() {
	local frames bad
	need tshark
	frames=$(tshark_count "$1" frame)
	bad=$(tshark_count "$1" "$TSHARK_BAD")
	if [ "$frames" -lt "${2:-1}" ]; then
		fail "only $frames frames in $1"
	elif [ "$bad" -gt 0 ]; then
		fail "$bad of $frames frames in $1 do not dissect cleanly"
		tshark -r "$1" "${TSHARK_OPTIONS[@]}" -Y "$TSHARK_BAD" 2>/dev/null | head -5 | sed 's/^/    /'
		tshark_fields "$1" "$TSHARK_BAD" frame.number tcp.checksum tcp.checksum.status udp.checksum.status ip.checksum.status \
			_ws.malformed _ws.expert.message | head -5 | sed 's/^/    /'
	else
		ok "$frames frames dissect cleanly, checksums included"
	fi
}

trap test_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
test_begin
