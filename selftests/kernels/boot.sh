#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# boot.sh: runs the smoke test on another kernel.
#
#   boot.sh SUITE [COMMAND]     boots the cloud kernel of a Debian suite and runs /smoke.sh (or COMMAND) in it
#
# The kernel is the suite's own package, fetched by apt from the machine's own mirror and unpacked, not installed,
# under /var/cache/weft/kernels, so that a machine fetches it once. The guest is an initramfs of the host's tools with the libraries that they need, and runs
# under qemu's software emulation: nested KVM is not to be had everywhere. The guest's last line is
# a RESULT line, which becomes this script's own. SHELL_IN_GUEST=1 gives a shell on the serial line.
set -u

SUITE=${1:?usage: boot.sh SUITE [COMMAND]}
COMMAND=${2:-/src/selftests/kernels/smoke.sh}
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CACHE=${WEFT_CACHE:-/var/cache/weft}/kernels/$SUITE
MODULES='veth bridge sch_ingress cls_bpf cls_u32 act_mirred vxlan tun'
COMMANDS='bash ip tc bpftool ping nsenter setsid flock mountpoint ethtool jq grep sed awk tail timeout setpriv diff tcpdump
	curl sort head basename date cat ps tee nc'
GUEST_SECONDS=${GUEST_SECONDS:-560}
MEMORY=${MEMORY:-3G}

skip() { echo "RESULT skip $*"; exit 77; }
fail() { echo "RESULT fail $*"; exit 1; }

# --- the kernel ---------------------------------------------------------------------------------------

kernel_package() {
	apt-cache show "linux-image-cloud-amd64/$SUITE" 2>/dev/null |
		sed -n 's/^Depends: \(linux-image-[^ ,]*\).*/\1/p' | head -n 1
}

# The package that the suite names today, or else the one in the cache.
fetch_kernel() {
	local package
	package=$(kernel_package)
	if [ -z "$package" ]; then
		find_kernel && return
		apt-get update -qq 2>"$CACHE/apt.log"
		package=$(kernel_package)
		[ -n "$package" ] ||
			skip "apt knows no linux-image-cloud-amd64 in $SUITE: $(tail -n 1 "$CACHE/apt.log")"
	fi
	[ -e "$CACHE/$package/unpacked" ] && { ROOT=$CACHE/$package; return; }
	(cd "$CACHE" && rm -f -- *.deb && apt-get download -qq "$package" 2>apt.log) || {
		find_kernel && return
		skip "apt could not fetch $package: $(grep '^[WE]:' "$CACHE/apt.log" | tail -n 1)"
	}
	ROOT=$CACHE/$package
	rm -rf "$ROOT"
	dpkg -x "$CACHE"/*.deb "$ROOT" || fail "could not unpack $package"
	rm -f "$CACHE"/*.deb
	touch "$ROOT/unpacked"
}

find_kernel() {
	local mark
	mark=$(ls -t "$CACHE"/*/unpacked 2>/dev/null | head -n 1)
	[ -n "$mark" ] && ROOT=${mark%/unpacked}
}

# --- the initramfs --------------------------------------------------------------------------------------

# add_module NAME: after what it depends on, into the list that the guest loads in order.
add_module() {
	local name=$1 file dependency
	[ -e "$IMAGE/modules/$name.ko" ] && return
	file=$(find "$ROOT/lib/modules" -name "$name.ko*" | head -n 1)
	[ -n "$file" ] || return 0	# built in
	case $file in
	*.xz) xz -dc "$file" > "$IMAGE/modules/$name.ko" ;;
	*) cp "$file" "$IMAGE/modules/$name.ko" ;;
	esac
	for dependency in $(tr '\0' '\n' < "$IMAGE/modules/$name.ko" | sed -n 's/^depends=//p' | tr ',' ' '); do
		add_module "${dependency//-/_}"
	done
	echo "$name" >> "$IMAGE/modules/order"
}

# add_program FILE [DESTINATION]: with its libraries.
add_program() {
	local library
	mkdir -p "$IMAGE/$(dirname "${2:-$1}")"
	cp -L "$1" "$IMAGE/${2:-$1}"
	for library in $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*'); do
		[ -e "$IMAGE$library" ] && continue
		mkdir -p "$IMAGE/$(dirname "$library")"
		cp -L "$library" "$IMAGE$library"
	done
}

# Debian's own python, without what no test imports, and the libraries of its modules.
add_python() {
	local python=/usr/lib/python3.11 file library
	[ -d $python ] || return 0
	mkdir -p "$IMAGE$python"
	tar -C $python -c --exclude=test --exclude=dist-packages --exclude='config-*' --exclude=idlelib --exclude=lib2to3 \
		--exclude=tkinter --exclude=ensurepip --exclude=__pycache__ . | tar -C "$IMAGE$python" -x
	add_program /usr/bin/python3.11 /usr/bin/python3
	for file in $python/lib-dynload/*.so; do
		for library in $(ldd "$file" | grep -o '/[^ ]*'); do
			[ -e "$IMAGE$library" ] && continue
			mkdir -p "$IMAGE/$(dirname "$library")"
			cp -L "$library" "$IMAGE$library"
		done
	done
}

# Busybox for the small things; bash and what the test library wants more of are the host's own.
make_image() {
	local name path
	IMAGE=$(mktemp -d)
	chmod 755 "$IMAGE"
	mkdir -p "$IMAGE"/{bin,sbin,usr/bin,usr/sbin,proc,sys,dev,run,tmp,modules,src/build,src/selftests}
	ln -s ../run "$IMAGE/var" 2>/dev/null
	for name in $(busybox --list); do ln -sf /bin/busybox "$IMAGE/bin/$name"; done
	rm -f "$IMAGE/bin/busybox"
	cp "$(command -v busybox)" "$IMAGE/bin/busybox"
	ln -s /bin/busybox "$IMAGE/usr/bin/env"
	for name in $COMMANDS; do
		path=$(command -v "$name") || continue
		rm -f "$IMAGE/bin/$name"
		add_program "$(readlink -f "$path")" "/bin/$name"
	done
	for name in $MODULES; do add_module "$name"; done
	add_python
	cp -r "$TOP/selftests/lib" "$TOP/selftests/kernels" "$TOP/selftests/net" "$TOP/selftests/run" "$IMAGE/src/selftests/"
	cp -r "$TOP/bpf" "$TOP/maps" "$TOP/docs" "$TOP/include" "$TOP/Makefile" "$IMAGE/src/"
	for path in "$TOP"/build/weft "$TOP"/build/tools/*; do
		[ -f "$path" ] && add_program "$path" "/src/${path#"$TOP"/}"
	done
	# tcpdump gives up its rights to a user of its own.
	mkdir -p "$IMAGE/etc"
	printf '%s:x:0:0::/:/bin/sh\n' root tcpdump > "$IMAGE/etc/passwd"
	printf '%s\n' "$INIT" > "$IMAGE/init"
	chmod +x "$IMAGE/init"
	(cd "$IMAGE" && find . -print0 | cpio --null --quiet -o -H newc) > "$WORK/initramfs" || fail "no initramfs"
	rm -rf "$IMAGE"
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

# Without cmpxchg16b: qemu 7.2 computes its flags from stale ones, and 6.12 dies of it ("PANIC: double fault" in
# kmem_cache_alloc). Five-level page tables and the mitigations only cost time. One processor: with two, the emulation
# now and then runs into an int3 that the kernel has put there while it patches its own code ("Oops: int3").
CPU=max,cx16=off,la57=off

boot() {
	local append="console=ttyS0 quiet panic=-1 mitigations=off net.ifnames=0 guest_command=$COMMAND"
	[ -z "${SHELL_IN_GUEST:-}" ] || append+=' guest_shell'
	timeout --foreground "$GUEST_SECONDS" qemu-system-x86_64 \
		-accel tcg,thread=multi -cpu "$CPU" -smp 1 -m "$MEMORY" \
		-nodefaults -no-user-config -display none -no-reboot -serial stdio \
		-kernel "$ROOT"/boot/vmlinuz-* -initrd "$WORK/initramfs" -append "$append" 2>&1 |
		tee "$WORK/serial"
}

result() {
	local line
	line=$(tr -d '\r' < "$WORK/serial" | grep -a '^RESULT ' | tail -n 1)
	case $line in
	'RESULT pass'*) echo "$line"; exit 0 ;;
	'RESULT skip'*) echo "$line"; exit 77 ;;
	'RESULT fail'*) echo "$line"; exit 1 ;;
	esac
	grep -q 'guest: Linux' "$WORK/serial" || fail "the guest did not come up: $(tail -n 1 "$WORK/serial")"
	fail "the guest ended without a result: $(tail -n 1 "$WORK/serial")"
}

[ "$(uname -m)" = x86_64 ] || skip "the kernels are for x86_64, this machine is $(uname -m)"
for tool in qemu-system-x86_64 busybox cpio apt-get dpkg xz; do
	command -v $tool >/dev/null || skip "$tool is missing"
done
WORK=$(mktemp -d)
trap 'rm -rf "$WORK" "${IMAGE:-/nonexistent}"' EXIT
trap 'exit 143' INT TERM HUP
mkdir -p "$CACHE"
fetch_kernel
make_image
boot
result
