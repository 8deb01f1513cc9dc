#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# boot.sh: runs the smoke test on another kernel.
#
#   boot.sh SUITE [COMMAND]     boots the cloud kernel of a Debian suite and runs /smoke.sh (or COMMAND) in it
#
# The guest is an initramfs of the host's tools with the libraries that they need, and runs under qemu's software
# emulation: nested KVM is not to be had everywhere. The guest's last line is a RESULT line, which becomes this
# script's own. SHELL_IN_GUEST=1 gives a shell on the serial line.
set -u

SUITE=${1:?usage: boot.sh SUITE [COMMAND]}
COMMAND=${2:-/src/selftests/kernels/smoke.sh}
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
MODULES=(veth bridge sch_ingress cls_bpf cls_u32 act_mirred vxlan tun)
COMMANDS=(bash ip tc bpftool ping nsenter setsid flock mountpoint ethtool jq grep sed awk tail timeout setpriv diff tcpdump
	curl sort head basename date cat ps tee nc)
GUEST_SECONDS=${GUEST_SECONDS:-560}
MEMORY=${MEMORY:-3G}

# shellcheck source=selftests/kernels/guest.sh
. "$TOP/selftests/kernels/guest.sh"

skip() { echo "RESULT skip $*"; exit 77; }
die() { echo "RESULT fail $*"; exit 1; }

# --- the initramfs --------------------------------------------------------------------------------------

# Debian's own python, without what no test imports, and the libraries of its modules.
add_python() {
	local python=/usr/lib/python3.11 file
	[ -d $python ] || return 0
	mkdir -p "$IMAGE$python"
	tar -C $python -c --exclude=test --exclude=dist-packages --exclude='config-*' --exclude=idlelib --exclude=lib2to3 \
		--exclude=tkinter --exclude=ensurepip --exclude=__pycache__ . | tar -C "$IMAGE$python" -x
	add_program /usr/bin/python3.11 /usr/bin/python3
	for file in $python/lib-dynload/*.so; do add_libraries "$file"; done
}

# Busybox for the small things; bash and what the test library wants more of are the host's own.
make_image() {
	local path
	image_begin "$WORK/image"
	mkdir -p "$IMAGE"/src/{build,selftests}
	ln -s ../run "$IMAGE/var" 2>/dev/null
	add_command "${COMMANDS[@]}"
	add_module "${MODULES[@]}"
	add_python
	cp -r "$TOP/selftests/lib" "$TOP/selftests/kernels" "$TOP/selftests/net" "$TOP/selftests/run" "$IMAGE/src/selftests/"
	cp -r "$TOP/bpf" "$TOP/maps" "$TOP/docs" "$TOP/include" "$TOP/Makefile" "$IMAGE/src/"
	mkdir -p "$IMAGE/src/build/upgrade/abi2"
	for path in "$TOP"/build/weft "$TOP"/build/tools/* "$TOP"/build/upgrade/abi2/weft; do
		[ -f "$path" ] && add_program "$path" "/src/${path#"$TOP"/}"
	done
	# tcpdump gives up its rights to a user of its own.
	mkdir -p "$IMAGE/etc"
	printf '%s:x:0:0::/:/bin/sh\n' root tcpdump > "$IMAGE/etc/passwd"
	image_end "$WORK/initramfs" <<< "$INIT"
}

INIT='#!/bin/busybox sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/ TERM=dumb LANG=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mount -t bpf bpf /sys/fs/bpf
ln -sfn /run /var/run 2>/dev/null
mkdir -p /run/netns
ln -sfn /proc/self/fd /dev/fd
for m in $(cat /modules/order); do insmod /modules/$m.ko || echo "module $m did not load"; done
ip link set lo up
echo "guest: Linux $(uname -r), up after $(cut -d" " -f1 /proc/uptime) s"
command=$(sed "s/.*guest_command=\([^ ]*\).*/\1/" /proc/cmdline)
if grep -q guest_shell /proc/cmdline; then setsid cttyhack sh; else bash $command </dev/null; fi
echo "guest: end $?"
poweroff -f'

# --- the run ----------------------------------------------------------------------------------------------

boot() {
	local arguments="guest_command=$COMMAND"
	[ -z "${SHELL_IN_GUEST:-}" ] || arguments+=' guest_shell'
	guest_command "$WORK/initramfs" "$arguments"
	timeout --foreground "$GUEST_SECONDS" "${GUEST[@]}" -m "$MEMORY" -serial stdio 2>&1 | tee "$WORK/serial"
}

result() {
	local line
	line=$(tr -d '\r' < "$WORK/serial" | grep -a '^RESULT ' | tail -n 1)
	case $line in
	'RESULT pass'*) echo "$line"; exit 0 ;;
	'RESULT skip'*) echo "$line"; exit 77 ;;
	'RESULT fail'*) echo "$line"; exit 1 ;;
	esac
	grep -q 'guest: Linux' "$WORK/serial" || die "the guest did not come up: $(tail -n 1 "$WORK/serial")"
	die "the guest ended without a result: $(tail -n 1 "$WORK/serial")"
}

need_guest
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
trap 'exit 143' INT TERM HUP
fetch_kernel "$SUITE"
make_image
boot
result
