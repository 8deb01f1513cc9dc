# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# stage.sh: where the demo plays. Sourced after net.sh.
#
# Every machine of the demo (host, workload, function) is a set of namespaces: network, mounts, processes,
# name. A host has its own /sys/fs/bpf, so what is typed there is what would be typed on a real one: the
# default root, no flags; and `pkill` reaches its own processes alone.

declare -A PLACE=()	# name -> pid of its first process, as seen from here
STEP=
STAY=

# place NAME NETNS: the machine NAME around a network namespace of net.sh.
place() {
	local name=$1 outer i
	bg in_ns "$2" unshare --mount --pid --uts --fork --mount-proc --kill-child sh -c "
		hostname $name && mount -t bpf bpf /sys/fs/bpf && exec sleep infinity"
	outer=$BG_PID
	for ((i = 0; i < 100; i++)); do
		PLACE[$name]=$(pgrep -P "$outer" -x sleep) && break
		sleep 0.05
	done
	[ -n "${PLACE[$name]}" ] || die "no namespaces for $name"
	cat > "$STATE/$name" <<-SCRIPT
		#!/bin/sh
		[ \$# -gt 0 ] || set -- bash
		export PATH="$STATE/bin:\$PATH"
		exec nsenter -t ${PLACE[$name]} -m -n -p -u sh -c 'cd $STATE && exec "\$@"' sh "\$@"
	SCRIPT
	chmod +x "$STATE/$name"
}

# in_place NAME 'command line'
in_place() { "$STATE/$1" bash -o pipefail -c "$2"; }

# Hosts h1 and h2; red1, red3 and blue1 at h1; red2, blue2 and the function at h2.
stage_build() {
	local name
	mkdir -p "$STATE/bin" "$STATE/red" "$STATE/blue"
	ln -s "$WEFT" "$STATE/bin/weft"
	ln -s "$TOOLS/content_filter" "$STATE/bin/content_filter"
	host_add h1 192.168.50.1/24
	host_add h2 192.168.50.2/24
	underlay_link h1 u0 h2 u0
	for name in red blue; do
		workload_add h1 ${name}1 02:00:00:00:00:0a 10.0.1.1/24,fd00:1::1/64
		workload_add h2 ${name}2 02:00:00:00:00:0b 10.0.1.2/24,fd00:1::2/64
	done
	workload_add h1 red3 02:00:00:00:00:0c 10.0.1.3/24,fd00:1::3/64
	function_wire h2 s0
	for name in h1 h2; do place $name $name; done
	for name in red1 red3 blue1; do place $name h1.$name; done
	for name in red2 blue2; do place $name h2.$name; done
	place filter h2.s0
}

# The two web shops, and a file that nobody should be able to fetch.
stage_serve() {
	local name
	for name in red blue; do
		echo "<h1>the $name shop</h1>" > "$STATE/$name/index.html"
		mkdir -p "$STATE/$name/etc"
		echo "root:x:0:0:the secrets of $name:/root:/bin/sh" > "$STATE/$name/etc/passwd"
		bg "$STATE/${name}2" busybox httpd -f -p "[::]:80" -h "$STATE/$name"
	done
	head -c 20000000 /dev/urandom > "$STATE/red/film.bin"
	for name in red blue; do
		wait_for 5 in_place ${name}2 'curl -s http://10.0.1.2/' || die "no web server in ${name}2"
	done
}

# --- how it is told ------------------------------------------------------------------------------------

BOLD='' DIM='' PLAIN=''
if [ -t 1 ]; then BOLD=$'\e[1m' DIM=$'\e[2m' PLAIN=$'\e[0m'; fi

# Fails where there is nobody to press it.
wait_for_enter() { { read -r _ </dev/tty; } 2>/dev/null; }

ACT=0
act() {
	ACT=$((ACT + 1))
	if [ -n "$STEP" ] && [ $ACT -gt 1 ]; then
		printf '\n%s[Enter goes on]%s ' "$DIM" "$PLAIN"
		wait_for_enter
	fi
	printf '\n%s%d. %s%s\n\n' "$BOLD" $ACT "$*" "$PLAIN"
}

say() { fold -s -w 96 <<< "$*" | sed 's/ *$//'; }

# Long lines go on further to the right.
indented() { sed 's/\t/  /g' | fold -s -w 92 | awk '{ print (longer ? "        " : "    ") $0; longer = / $/ }'; }

prompt() {
	local sign='$'
	case $1 in h? | filter) sign='#' ;; esac
	printf '%s%s%s %s%s\n' "$BOLD" "$1" "$sign" "$2" "$PLAIN"
}

# run PLACE 'command line': shown, run, and its output shown; STATUS and OUT are for the claims that follow.
run() {
	prompt "$1" "$2"
	in_place "$1" "$2" > "$STATE/out" 2>&1 </dev/null
	STATUS=$?
	OUT=$(<"$STATE/out")
	[ -z "$OUT" ] || indented < "$STATE/out"
}

# start PLACE 'command line' LOG: in the background; its pid here is in STARTED.
start() {
	prompt "$1" "$2 &"
	bg "$STATE/$1" bash -c "exec $2" > "$STATE/$3" 2>&1
	STARTED=$BG_PID
}

# claim TEXT cmd...: ✓ if the command succeeds.
claim() {
	local text=$1
	shift
	if "$@" >/dev/null 2>&1; then ok "$text"; else fail "$text"; fi
}

has() { grep -qE -- "$1" <<< "$OUT"; }
succeeded() { [ "$STATUS" -eq 0 ]; }
refused() { [ "$STATUS" -ne 0 ]; }
# same TEXT TEXT: equal, and not both empty.
same() { [ -n "$1" ] && [ "$1" = "$2" ]; }

# readings HOST: what the kernel's own tools say there, without what changes by itself.
readings() {
	in_place "$1" '
		ip -d link; ip addr; ip rule; ip route; tc qdisc
		for dev in $(ip -o link | sed "s/^[0-9]*: \([^:@]*\).*/\1/"); do
			ethtool -k $dev
			for hook in ingress egress; do tc filter show dev $dev $hook; done
		done
		bpftool net' 2>/dev/null | sed 's/ \(valid\|preferred\)_lft .*//'
}

stay() {
	local name
	printf '\nEverything stays as it is. From another terminal:\n\n'
	for name in h1 h2 red1 filter; do
		printf '    %-40s %s\n' "$STATE/$name" "a shell on $name"
	done
	printf '    %-40s %s\n\nEnter here goes on to the end, which removes it all. ' "$STATE/h1 weft status" "or one command"
	wait_for_enter || sleep infinity
	echo
}
