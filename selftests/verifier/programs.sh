#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# programs: every object loads, with both values of every load-time switch; the flavours that are bound to
# a device load for a veth. What the verifier went through is printed, and stays below half of what it
# bears, since other kernels' verifiers go through more of the same program.
. "$(dirname "$0")/../lib/net.sh"

VERIFY=$TOOLS/verify
LIMIT=500000
[ -x "$VERIFY" ] || die "$VERIFY is not built"

# The kernel frees programs some time after their last user has gone, and does not tell. A bound one must
# not outlive its device (bpf/lib/ctx_xdp.h).
bound_programs_gone() { sleep 1; }

netns_add dev
netns_add peer
pair dev v0 peer v1

# Every assignment of 0 and 1 to the object's switches, a line each: "decap_l3=0 other=1".
assignments() {
	local rest
	if [ $# -eq 0 ]; then
		echo
		return
	fi
	for rest in 0 1; do
		assignments "${@:2}" | sed "s/^/$1=$rest /"
	done
}

# loads OBJECT [bound=DEVICE] [SWITCH=VALUE]...
loads() {
	local object=$1 name insns rest
	shift
	if ! run_quietly in_ns dev "$VERIFY" load "$object" "$@"; then
		fail "${object##*/} does not load${*:+ with $*}"
		tail -n 20 "$STATE/output" | sed 's/^/    /'
		return
	fi
	while read -r name insns rest; do
		if [ "$insns" -gt 0 ] && [ "$insns" -le $LIMIT ]; then
			ok "${object##*/}${*:+ ($*)}: $name: $insns $rest"
		else
			fail "${object##*/}${*:+ ($*)}: $name: $insns $rest: more than $LIMIT"
		fi
	done < "$STATE/output"
}

seen=0
# room_to_grow is no switch but room that the verifier is to take away (bpf/lib/ctx_xdp.h): set, it would
# do the harm that it is there to prevent.
for object in "$BUILD"/bpf/*.o; do
	read -ra switches <<< "$("$VERIFY" switches "$object" | grep -vx room_to_grow | xargs)"
	seen=$((seen + ${#switches[@]}))
	while read -ra values; do
		case $object in
		*_bound.o) loads "$object" bound=v0 ${values[@]+"${values[@]}"} ;;
		*) loads "$object" ${values[@]+"${values[@]}"} ;;
		esac
	done < <(assignments ${switches[@]+"${switches[@]}"})
done

# A switch that the tool does not find would go untested.
declared=$(cat "$TOP"/bpf/*.bpf.c "$TOP"/bpf/*/*.h | grep -cE '^const volatile ')
found=$(for object in "$BUILD"/bpf/*.o; do "$VERIFY" switches "$object"; done | sort -u | wc -l)
expect_eq "$declared" "$found" "every 'const volatile' of the sources is a switch of some object ($seen in all)"
bound_programs_gone
