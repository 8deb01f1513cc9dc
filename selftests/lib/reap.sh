#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# reap.sh: removes what tests leave behind, and nothing else.
#
#   reap.sh watch ID PID   waits until PID is gone, then removes everything of test ID
#   reap.sh clean ID       removes everything of test ID now
#   reap.sh stale          removes everything of tests whose process is gone
#
# A test's ID is "<name>-<pid>". Its objects are found by that ID alone:
#   /run/netns/weft-<ID>.<namespace>   /sys/fs/bpf/weft-test-<ID>-<host>   /run/weft-test/<ID>/
#   a bpffs of its own, mounted at /run/weft-test/<ID>/bpf*
#   processes with WEFT_TEST_ID=<ID> in their environment
# so a concurrent run, whose IDs carry other pids, is never touched. /run/weft-test/<ID>/owner holds
# the start time of the process too, since pids are reused.
set -u

readonly STATE=/run/weft-test
readonly BPFFS=/sys/fs/bpf
readonly WEFT=${WEFT:-$(dirname "${BASH_SOURCE[0]}")/../../build/weft}

# Field 22 of /proc/PID/stat; the command name in front of it may contain spaces and brackets.
start_time() {
	local stat
	{ stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
	# shellcheck disable=SC2086
	set -- ${stat##*) }
	echo "${20}"
}

# Kills the processes that live in a network namespace, twice at most: they may have just forked.
kill_inside() {
	local pids
	for _ in 1 2 3; do
		pids=$(ip netns pids "$1" 2>/dev/null) || return 0
		[ -n "$pids" ] || return 0
		# shellcheck disable=SC2086
		kill -KILL $pids 2>/dev/null
		sleep 0.05
	done
}

# A test exports WEFT_TEST_ID, so that its children and theirs are known by their environment.
kill_marked() {
	local file pid
	# shellcheck disable=SC2013
	for file in $(grep -lzx "WEFT_TEST_ID=$1" /proc/[0-9]*/environ 2>/dev/null); do
		pid=${file//[!0-9]/}
		kill -KILL "$pid" 2>/dev/null
	done
}

# What only loses its pin is detached by the kernel one by one, with its network lock held: with thousands of ports,
# for minutes. weft does it faster.
unload_large() {
	local id=$1 root=$2 links=("$2"/link/*)
	[ ${#links[@]} -gt 200 ] && [ -x "$WEFT" ] || return 0
	timeout 60 "$WEFT" -n "weft-$id.${root##*-}" -r "$root" unload --force >/dev/null 2>&1
}

clean() {
	local id=$1 path
	kill_marked "$id"
	for path in /run/netns/weft-"$id".*; do
		[ -e "$path" ] && kill_inside "${path##*/}"
	done
	for path in "$BPFFS"/weft-test-"$id"-*; do
		[ -e "$path" ] || continue
		unload_large "$id" "$path"
		rm -rf "$path"
	done
	for path in "$STATE/$id"/bpf*; do
		! mountpoint -q "$path" 2>/dev/null || umount "$path" || umount -l "$path"
	done
	for path in /run/netns/weft-"$id".*; do
		[ -e "$path" ] && ip netns del "${path##*/}" 2>/dev/null
	done
	rm -rf "${STATE:?}/$id"
}

alive() {
	local id=$1 pid=${1##*-} owner
	[ -d "/proc/$pid" ] || return 1
	owner=$(cat "$STATE/$id/owner" 2>/dev/null) || return 0
	[ "$owner" = "$(start_time "$pid")" ]
}

# shellcheck disable=SC2012
all_ids() {
	{
		ls "$STATE" 2>/dev/null
		ls /run/netns 2>/dev/null | sed -n 's/^weft-\([^.]*-[0-9]\{1,\}\)\..*/\1/p'
		ls "$BPFFS" 2>/dev/null | sed -n 's/^weft-test-\(.*-[0-9]\{1,\}\)-[^-]*$/\1/p'
	} | sort -u
}

stale() {
	local id
	for id in $(all_ids); do
		[[ $id =~ -[0-9]+$ ]] || continue
		alive "$id" || clean "$id"
	done
}

case ${1:-} in
watch) tail --pid="$3" -s 0.3 -f /dev/null; clean "$2" ;;
clean) clean "$2" ;;
stale) stale ;;
start) start_time "$2" ;;
*) sed -n '4,8s/^# \{0,1\}//p' "$0"; exit 1 ;;
esac
