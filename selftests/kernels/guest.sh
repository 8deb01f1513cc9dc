# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
#
# guest.sh: a Debian cloud kernel, and an initramfs for it, for tests that boot one under qemu's software emulation.
# To be sourced; `skip REASON` and `die REASON`, which end the script, are the sourcing script's own.
#
#	need_guest                skips where no guest can run
#	fetch_kernel SUITE        sets ROOT: the suite's kernel package, unpacked
#	image_begin DIRECTORY     an initramfs that has busybox under all its names; then, to add to it:
#	    add_module NAME...    with the modules that it depends on; the guest loads what modules/order lists
#	    add_program FILE [DESTINATION]
#	    add_command NAME...   programs of this machine, with their libraries, into /bin
#	image_end FILE < INIT     the initramfs is FILE, and the directory is gone
#	guest_command FILE ARGUMENTS...   sets GUEST: the command that boots it, serial lines and devices left out;
#	                          the arguments are the kernel's
#
# The kernel is the suite's own package, fetched by apt from the machine's own mirror and unpacked, not installed,
# under /var/cache/weft/kernels, so that a machine fetches it once.

KERNELS=${WEFT_CACHE:-/var/cache/weft}/kernels

need_guest() {
	local tool
	[ "$(uname -m)" = x86_64 ] || skip "the kernels are for x86_64, this machine is $(uname -m)"
	for tool in qemu-system-x86_64 busybox cpio apt-get dpkg xz; do
		command -v $tool >/dev/null || skip "$tool is missing"
	done
}

# --- the kernel ---------------------------------------------------------------------------------------

kernel_package() {
	apt-cache show "linux-image-cloud-amd64/$1" 2>/dev/null |
		sed -n 's/^Depends: \(linux-image-[^ ,]*\).*/\1/p' | head -n 1
}

# The package that the suite names today, or else the one in the cache. Tests that run beside each other share it.
fetch_kernel() {
	local cache=$KERNELS/$1 package
	mkdir -p "$cache"
	exec {KERNEL_LOCK}> "$cache/lock"
	flock "$KERNEL_LOCK"
	package=$(kernel_package "$1")
	if [ -z "$package" ] && ! find_kernel "$cache"; then
		apt-get update -qq 2>"$cache/apt.log"
		package=$(kernel_package "$1")
		[ -n "$package" ] ||
			skip "apt knows no linux-image-cloud-amd64 in $1: $(tail -n 1 "$cache/apt.log")"
	fi
	[ -z "$package" ] || unpack_kernel "$cache" "$package"
	exec {KERNEL_LOCK}>&-
}

unpack_kernel() {
	local cache=$1 package=$2
	ROOT=$cache/$package
	[ ! -e "$ROOT/unpacked" ] || return 0
	(cd "$cache" && rm -f -- *.deb && apt-get download -qq "$package" 2>apt.log) || {
		find_kernel "$cache" && return
		skip "apt could not fetch $package: $(grep '^[WE]:' "$cache/apt.log" | tail -n 1)"
	}
	rm -rf "$ROOT"
	dpkg -x "$cache"/*.deb "$ROOT" || die "could not unpack $package"
	rm -f "$cache"/*.deb
	touch "$ROOT/unpacked"
}

# shellcheck disable=SC2012
find_kernel() {
	local mark
	mark=$(ls -t "$1"/*/unpacked 2>/dev/null | head -n 1)
	[ -n "$mark" ] && ROOT=${mark%/unpacked}
}

# --- the initramfs --------------------------------------------------------------------------------------

image_begin() {
	local name
	IMAGE=$1
	mkdir -p "$IMAGE"/{bin,sbin,usr/bin,usr/sbin,proc,sys,dev,run,tmp,modules}
	for name in $(busybox --list); do ln -sf /bin/busybox "$IMAGE/bin/$name"; done
	rm -f "$IMAGE/bin/busybox"
	cp "$(command -v busybox)" "$IMAGE/bin/busybox"
	ln -s /bin/busybox "$IMAGE/usr/bin/env"
}

# After what they depend on, into the list that the guest loads in order.
add_module() {
	local name file dependencies
	for name in "$@"; do
		[ ! -e "$IMAGE/modules/$name.ko" ] || continue
		file=$(find "$ROOT/lib/modules" -name "${name//_/[-_]}.ko*" | head -n 1)
		[ -n "$file" ] || continue	# built in
		case $file in
		*.xz) xz -dc "$file" > "$IMAGE/modules/$name.ko" ;;
		*) cp "$file" "$IMAGE/modules/$name.ko" ;;
		esac
		dependencies=$(tr '\0' '\n' < "$IMAGE/modules/$name.ko" | sed -n 's/^depends=//p' | tr ',-' ' _')
		# shellcheck disable=SC2086
		add_module $dependencies
		echo "$name" >> "$IMAGE/modules/order"
	done
}

# What a program is linked with, as the machine has it.
add_libraries() {
	local library
	for library in $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*'); do
		[ ! -e "$IMAGE$library" ] || continue
		mkdir -p "$IMAGE/$(dirname "$library")"
		cp -L "$library" "$IMAGE$library"
	done
}

add_program() {
	mkdir -p "$IMAGE/$(dirname "${2:-$1}")"
	cp -L "$1" "$IMAGE/${2:-$1}"
	add_libraries "$1"
}

# In busybox's place, where it has one of that name; what this machine has not is left out.
add_command() {
	local name path
	for name in "$@"; do
		path=$(command -v "$name") || continue
		rm -f "$IMAGE/bin/$name"
		add_program "$(readlink -f "$path")" "/bin/$name"
	done
}

image_end() {
	cat > "$IMAGE/init"
	chmod +x "$IMAGE/init"
	chmod 755 "$IMAGE"
	(cd "$IMAGE" && find . -print0 | cpio --null --quiet -o -H newc) > "$1" || die "no initramfs"
	rm -rf "$IMAGE"
}

# --- the machine ----------------------------------------------------------------------------------------

# Software emulation, since nested KVM is not to be had everywhere.
# Without cmpxchg16b: qemu 7.2 computes its flags from stale ones, and 6.12 dies of it ("PANIC: double fault" in
# kmem_cache_alloc). Five-level page tables and the mitigations only cost time. One processor: with two, the emulation
# now and then runs into an int3 that the kernel has put there while it patches its own code ("Oops: int3").
guest_command() {
	local initramfs=$1
	shift
	GUEST=(qemu-system-x86_64 -accel "tcg,thread=multi" -cpu "max,cx16=off,la57=off" -smp 1
		-nodefaults -no-user-config -display none -no-reboot -kernel "$ROOT"/boot/vmlinuz-* -initrd "$initramfs"
		-append "console=ttyS0 quiet panic=-1 mitigations=off net.ifnames=0 $*")
}
