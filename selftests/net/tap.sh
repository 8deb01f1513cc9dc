#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# tap: workload a is a virtual machine on h1, behind a tap with all of virtio's offloads: it hands over unfinished
# checksums and super-packets, and takes them. b is on h2, c on h1. What the VM sends and gets arrives whole, also where
# the underlay cuts to its MTU, and through a function, which gets finished and cut frames alone; what is forged or
# denied does not arrive. With its offloads it stays on TC, whatever is asked for; at the end it takes another tap, which
# gives it none, and is on XDP.
# timeout: 600
. "$(dirname "$0")/../lib/lab.sh"
# shellcheck source=selftests/kernels/guest.sh
. "$TOP/selftests/kernels/guest.sh"
need_weft
need_guest
need tcpdump tshark curl jq ethtool

# A tap is TC's: XDP does not get to see what a checksum still lacks (CHECKSUM_PARTIAL), nor how a super-packet is to
# be cut, and a frame that it sends on has lost both.
MODE=tc
MB=3
BIG=1600		# no frame of one segment is as long, tunnel and tag included
LEAVING=0x212d		# PCP 1 << 13 | 301
TOWARDS=0x412d		# PCP 2 << 13 | 301

# What goes over port 80 is random: no dissector is to find a meaning in it.
TSHARK_OPTIONS+=(-d "tcp.port==80,data")

# --- the virtual machine ------------------------------------------------------------------------------

# It runs what comes in by its second serial line: "ID COMMAND". The answer's last line is "end ID STATUS".
VM_INIT='#!/bin/busybox sh
export PATH=/bin:/sbin HOME=/
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for m in $(cat /modules/order); do insmod /modules/$m.ko || echo "module $m did not load"; done
echo 0 | tee /proc/sys/net/ipv6/conf/*/accept_dad /proc/sys/net/ipv6/conf/*/router_solicitations
ip link set lo up
ip link set eth0 up
for a in $(sed "s/.*addresses=\([^ ]*\).*/\1/; y/,/ /" /proc/cmdline); do ip addr add $a dev eth0; done
exec 3<>/dev/ttyS1
stty raw -echo <&3
echo ready >&3
while read -r id command <&3; do
	/bin/sh -c "$command" </dev/null >/answer 2>&1
	status=$?
	cat /answer >&3
	echo "end $id $status" >&3
done
poweroff -f'

vm_image() {
	image_begin "$STATE/image"
	add_module virtio_pci virtio_net
	add_command sh ping curl ethtool
	add_program "$TOOLS/echo"
	cp -r "$STATE/www" "$IMAGE/www"
	image_end "$STATE/initramfs" <<< "$VM_INIT"
}

# The taps are there before the VM, pa its wire and px a spare one. pa's offloads are what the guest's driver asks for; px
# can have none.
vm_start() {
	fetch_kernel bookworm
	vm_image
	in_ns h1 ip tuntap add dev pa mode tap vnet_hdr || skip "no tap devices here"
	in_ns h1 ip tuntap add dev px mode tap
	in_ns h1 ip link set pa up
	in_ns h1 ip link set px up
	mkfifo "$STATE/line.in" "$STATE/line.out"
	guest_command "$STATE/initramfs" "addresses=$A4/24,$A6/64"
	bg in_ns h1 "${GUEST[@]}" -m 256M -serial "file:$STATE/console" -serial "pipe:$STATE/line" \
		-netdev tap,id=wire,ifname=pa,script=no,downscript=no,vhost=off \
		-device "virtio-net-pci,netdev=wire,mac=$A,host_mtu=$WORKLOAD_MTU,romfile=" \
		-netdev tap,id=spare,ifname=px,script=no,downscript=no,vhost=off,vnet_hdr=off \
		-device "virtio-net-pci,netdev=spare,host_mtu=$WORKLOAD_MTU,romfile=" > "$STATE/qemu" 2>&1
	# Read-write, so that neither end waits for qemu to open the other.
	exec {VM_IN}<> "$STATE/line.in" {VM_OUT}<> "$STATE/line.out"
}

vm_ready() {
	local line
	if ! read -r -t 100 line <&"$VM_OUT"; then
		die "the VM did not come up: $(tail -n 3 "$STATE/qemu" "$STATE/console")"
	fi
	expect_eq ready "$line" "the VM is up after $(vm cut -d. -f1 /proc/uptime) s, with Linux $(vm uname -r)"
}

# vm COMMAND: a line for the VM's shell. Its output and its status; 124: no answer.
vm() {
	local id=$EPOCHREALTIME line
	printf '%s %s\n' "$id" "$*" >&"$VM_IN"
	while read -r -t 40 line <&"$VM_OUT"; do
		case $line in
		"end $id "*) return "${line##* }" ;;
		*) printf '%s\n' "$line" ;;
		esac
	done
	return 124
}

# "vm" may stand where the name of a namespace does.
eval "real_$(declare -f in_ns)"
in_ns() {
	if [ "$1" = vm ]; then
		shift
		vm "${@@Q}"
	else
		real_in_ns "$@"
	fi
}

# --- the lab --------------------------------------------------------------------------------------------

# configure < MORE TENANT LINES
configure() {
	lab_apply <<-YAML
	acl:
	  - {name: ping, direction: in, priority: 50, protocol: icmp, action: allow}
	  - {name: ping6, direction: in, priority: 50, protocol: icmpv6, action: allow}
	  - {name: echo, direction: in, priority: 50, protocol: tcp, destination_port: 7, action: allow}
	  - {name: echo-udp, direction: in, priority: 50, protocol: udp, destination_port: 7, action: allow}
	  - {name: web, direction: in, priority: 50, protocol: tcp, destination_port: 80, action: allow}
	$(cat)
	YAML
}

# The VM boots while the hosts are made.
lab() {
	mkdir "$STATE/www"
	head -c ${MB}M /dev/urandom > "$STATE/www/data"
	SUM=$(sha256sum < "$STATE/www/data")
	host_add h1 192.168.50.1/24
	host_add h2 192.168.50.2/24
	vm_start
	underlay_link h1 u0 h2 u0
	workload_add h1 pc $C $C4/24,$C6/64
	workload_add h2 pb $B $B4/24,$B6/64
	weft_load h1
	weft_load h2
	configure < /dev/null
	for ns in h1.pc h2.pb; do
		echo_serve $ns 7 9
		http_serve $ns 80 "$STATE/www"
	done
	vm_ready
	vm "$TOOLS/echo serve 7 9 >/dev/null &"
	vm httpd -p 80 -h /www
}

# --- traffic --------------------------------------------------------------------------------------------

# fetch NS ADDRESS: the data, by HTTP, as whoever is there has it. The sum of what arrived.
fetch() {
	if [ "$1" = vm ]; then
		vm "curl -gsS --fail --max-time 30 http://$2/data | sha256sum"
	else
		HTTP_TIMEOUT=30 http_get "$1" "http://$2/data" | sha256sum
	fi
}

fetch_ok() { expect_eq "$SUM" "$(fetch "$1" "$2")" "$1 gets ${MB} MB whole from $2"; }

small() {
	ping_ok vm $B4
	ping_ok vm $B6
	ping_ok vm $C4
	ping_ok vm $C6
	ping_ok h2.pb $A4
	ping_ok h2.pb $A6
	ping_ok h1.pc $A4
	ping_ok h1.pc $A6
	tcp_ok vm $B4 7
	tcp_ok h2.pb $A6 7
	udp_ok vm $B6 7
	udp_ok vm $C4 7
	udp_ok h2.pb $A4 7
	udp_ok h1.pc $A6 7
}

bulk() {
	fetch_ok vm $B4
	fetch_ok vm "[$B6]"
	fetch_ok h2.pb $A4
	fetch_ok h2.pb "[$A6]"
}

denied() {
	expect_counter_moved h2 drops acl_in tcp_fail vm $B4 9
	expect_counter_moved h2 drops acl_in udp_fail vm $B6 9
	expect_counter_moved h1 drops acl_in tcp_fail h2.pb $A4 9
	expect_counter_moved h1 drops acl_in udp_fail h2.pb $A6 9
	expect_counter_moved h1 drops acl_in tcp_fail vm $C4 9
	expect_counter_moved h1 drops acl_in tcp_fail h1.pc $A6 9
}

# The VM has sent to b before, so that it need not ask for its MAC in a name that is not its own.
forged() {
	vm "ip addr add 10.0.1.99/32 dev eth0; ip addr add fd00:1::99/128 dev eth0"
	expect_counter_moved h1 drops spoofed_ipv4 expect_fail vm "ping -n -c 2 -W 1 -I 10.0.1.99 $B4"
	expect_counter_moved h1 drops spoofed_ipv6 expect_fail vm "ping -n -c 2 -W 1 -I fd00:1::99 $B6"
	vm "ip addr del 10.0.1.99/32 dev eth0; ip addr del fd00:1::99/128 dev eth0"
	vm ip link set eth0 address 02:00:00:00:00:99
	expect_counter_moved h1 drops spoofed_mac ping_fail vm $B4
	vm ip link set eth0 address $A
	ping_ok vm $B4
}

counted() {
	expect_counter_moved h1 ports red/a:from_packets can_ping vm $B4
	expect_counter_moved h1 ports red/a:to_packets can_ping h2.pb $A6
	expect_counter_moved h1 ports red/a:to_packets can_ping h1.pc $A4
}

# --- captures -------------------------------------------------------------------------------------------

# some FILE FILTER TEXT: such frames were captured.
some() {
	local n
	n=$(captured "$1" "$2")
	[ "$n" -gt 0 ] && ok "$3 ($n)" || fail "$3: no frame '$2'"
}

# raw_capture NS DEV FILE: as capture_start, but an unfinished checksum stays what it is, as a function sees it.
raw_capture() {
	bg in_ns "$1" tcpdump -Z root -B 32768 -s 0 -ni "$2" -w "$3" 2> "$3.log"
	CAPTURES+=("$BG_PID")
	wait_for 5 grep -q listening "$3.log" || die "no capture on $1:$2: $(cat "$3.log")"
}

# --- acts -----------------------------------------------------------------------------------------------

offloads_are_on() {
	local feature
	for feature in tx-checksum-ip-generic tx-tcp-segmentation tx-tcp6-segmentation; do
		expect_output "$feature: on" vm ethtool -k eth0
		expect_output "$feature: on" in_ns h1 ethtool -k pa
	done
}

here() {
	local family
	capture_start h1 pa "$STATE/here.pa"
	fetch_ok vm $C4
	fetch_ok vm "[$C6]"
	fetch_ok h1.pc $A4
	fetch_ok h1.pc "[$A6]"
	capture_stop
	for family in ip ip6; do
		some "$STATE/here.pa" "$family and ether src $A and greater $BIG" "the VM sends $family super-packets"
		some "$STATE/here.pa" "$family and ether dst $A and greater $BIG" "and gets them from its neighbour"
	done
}

# What the tunnel brings to the VM comes to the tap cut: the kernel (up to 6.18 at least) leaves the mark of a tunnel on
# it (skb->encapsulation), and what has that mark a tap takes in single segments with finished checksums only.
through_the_tunnel() {
	capture_start h1 pa "$STATE/whole.pa"
	capture_start h1 u0 "$STATE/whole.u0"
	capture_start h2.pb eth0 "$STATE/whole.b"
	bulk
	capture_stop
	some "$STATE/whole.pa" "ether src $A and greater $BIG" "the VM sends super-packets"
	some "$STATE/whole.u0" "udp port 4789 and src host 192.168.50.1 and greater $BIG" "the tunnel keeps them whole"
	some "$STATE/whole.b" "ip and ether src $A and greater $BIG" "until b has them"
	some "$STATE/whole.b" "ip6 and ether src $A and greater $BIG" "of IPv6 too"
	some "$STATE/whole.u0" "udp port 4789 and dst host 192.168.50.1 and greater $BIG" "also the other way"
	tshark_clean "$STATE/whole.u0" 100
}

# A device that does GRO shows what arrives put together: each end tells what is sent.
cut_to_the_mtu() {
	underlay_cut h1 u0
	underlay_cut h2 u0
	capture_start h1 pa "$STATE/cut.pa"
	capture_start h1 u0 "$STATE/cut.1"
	capture_start h2 u0 "$STATE/cut.2"
	capture_start h2.pb eth0 "$STATE/cut.b"
	bulk
	capture_stop
	some "$STATE/cut.pa" "ether src $A and greater $BIG" "the VM sends super-packets"
	expect_captured 0 "$STATE/cut.1" "src host 192.168.50.1 and greater 1515" "nothing above the MTU leaves h1"
	expect_captured 0 "$STATE/cut.2" "src host 192.168.50.2 and greater 1515" "nor h2"
	some "$STATE/cut.b" "ether src $A and greater $BIG" "what was cut is put together for b"
	some "$STATE/cut.1" "dst host 192.168.50.1 and greater $BIG" "also the other way"
	tshark_clean "$STATE/cut.1" 1000
	tshark_clean "$STATE/cut.2" 1000
}

# What the function gets is looked at as it is: each frame with its tag, cut, and with its checksum finished.
through_a_function() {
	local file=$STATE/s0 family
	LAB_FUNCTIONS='  ips: {instances: {ips1: {host: h1, device: s0}}}'
	function_add h1 s0
	configure <<-YAML
	chains:
	  inspect: {tag: 301, steps: [{function: ips}]}
	insert:
	  - {name: wire, apply_to: [port:a], chain: inspect}
	YAML
	raw_capture h1.s0 s0 "$file"
	small
	fetch_ok vm $B4
	fetch_ok h2.pb "[$A6]"
	fetch_ok h1.pc $A4
	fetch_ok vm "[$C6]"
	denied
	capture_stop
	for family in ip ip6; do
		some "$file" "ether[14:2] == $LEAVING and vlan and $family and ether src $A" "the function sees $family leave the VM"
		some "$file" "ether[14:2] == $TOWARDS and vlan and $family and ether dst $A" "and come to it"
	done
	expect_captured 0 "$file" "not vlan 301" "it gets nothing without the tag"
	expect_captured 0 "$file" "ether[14:2] != $LEAVING and ether src $A" "nor with another PCP from the VM"
	expect_captured 0 "$file" "ether[14:2] != $TOWARDS and ether dst $A" "nor with another to it"
	expect_captured 0 "$file" "greater $BIG" "nor a super-packet"
	expect_captured 0 "$file" "vlan and dst port 9 and ether dst $A" "nor what the ACL keeps from the VM"
	some "$file" "vlan and dst port 9 and ether src $A" "but what it keeps from others"
	tshark_clean "$file" 3000
	expect_counter_moved h1 chains red/inspect:returned can_ping vm $B4
}

# XDP would lose what a checksum still lacks, and no receiver would take TCP or UDP: weft keeps to TC, and says so.
not_by_xdp() {
	# shellcheck disable=SC2034
	LAB_FUNCTIONS='' MODE=xdp
	workload_xdp_ready h1.pc
	workload_xdp_ready h2.pb
	# h2 takes from the underlay by XDP what a NIC would have finished; the veth is no NIC.
	offloads h1 u0 tx off
	LAB_HOSTS=h2 configure < /dev/null
	expect_output 'pa: TC alone: XDP loses the unfinished checksums' weft_on h1 apply "$STATE/apply.yaml"
	expect_output 'nothing to change' weft_on h1 apply "$STATE/apply.yaml"
	expect_output 'pa .* mode xdp .*attached (tcx|clsact)\+guard; TC alone' weft_on h1 status
	tcp_ok vm $B4 7
	udp_ok h2.pb $A6 7
	tcp_ok h1.pc $A4 7
}

# What XDP sends on does not come by a capture on the tap; now and then TC asks for the next hop.
by_xdp() {
	local seen
	capture_start h1 px "$STATE/xdp.px"
	expect_ok in_ns vm ping -n -c 20 -i 0.1 -W 1 -q $B4
	capture_stop
	seen=$(captured "$STATE/xdp.px" "icmp and ether src $A")
	[ "$seen" -lt 10 ] && ok "XDP takes what the VM sends ($seen of 20 went by TC)" || fail "TC sent $seen of 20"
}

without_offloads() {
	vm "ip addr flush dev eth0; ip link set eth0 down; ip link set eth1 address $A; ip link set eth1 up"
	vm "ip addr add $A4/24 dev eth1; ip addr add $A6/64 dev eth1"
	sed -i 's/device: pa,/device: px,/' "$STATE/apply.yaml"
	expect_output 'px: XDP never finishes checksums' weft_on h1 apply "$STATE/apply.yaml"
	expect_output 'px .* mode xdp .*attached.*xdp' weft_on h1 status
	small
	by_xdp
	fetch_ok vm $B4
	fetch_ok h2.pb "[$A6]"
	fetch_ok vm "[$C6]"
	fetch_ok h1.pc $A4
	expect_counter_moved h1 drops acl_in tcp_fail h2.pb $A4 9
	expect_counter_moved h2 drops acl_in tcp_fail vm $B6 9
}

lab
offloads_are_on
small
counted
denied
forged
here
through_the_tunnel
cut_to_the_mtu
through_a_function
not_by_xdp
without_offloads
