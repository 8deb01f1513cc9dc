#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# programs: every object loads, with both values of every load-time switch. What the verifier went through is
# printed, and stays below half of what it bears, since other kernels' verifiers go through more of the same
# program.
NO_NETWORK=1
. "$(dirname "$0")/../lib/net.sh"

VERIFY=$TOOLS/verify
LIMIT=500000
[ -x "$VERIFY" ] || die "$VERIFY is not built"

# What the sources make today; the build directory may have what they made once.
objects() {
	local source flavour
	for source in "$TOP"/bpf/*.bpf.c; do
		source=$(basename "$source" .bpf.c)
		for flavour in '' _tc _xdp; do
			[ ! -e "$BUILD/bpf/$source$flavour.o" ] || echo "$BUILD/bpf/$source$flavour.o"
		done
	done
}

# Every assignment of 0 and 1 to the object's switches, a line each: "decap_l3=0 other=1".
assignments() {
	local value
	if [ $# -eq 0 ]; then
		echo
		return
	fi
	for value in 0 1; do
		assignments "${@:2}" | sed "s/^/$1=$value /"
	done
}

# loads OBJECT [SWITCH=VALUE]...
loads() {
	local object=$1 text=${1##*/} name insns rest
	shift
	text+=${*:+ ($*)}
	if ! run_quietly "$VERIFY" load "$object" "$@"; then
		fail "$text does not load"
		tail -n 20 "$STATE/output" | sed 's/^/    /'
		return
	fi
	while read -r name insns rest; do
		if [ "$insns" -gt 0 ] && [ "$insns" -le $LIMIT ]; then
			ok "$text: $name: $insns $rest"
		else
			fail "$text: $name: $insns $rest: more than $LIMIT"
		fi
	done < "$STATE/output"
}

for object in $(objects); do
	"$VERIFY" switches "$object" > "$STATE/switches"
	cat "$STATE/switches" >> "$STATE/all_switches"
	read -ra switches <<< "$(xargs < "$STATE/switches")"
	assignments ${switches[@]+"${switches[@]}"} > "$STATE/assignments"
	while read -ra values; do
		# A kernel before 6.2 has nothing to read with, and weft does not ask it to.
		[[ " ${values[*]-} " != *" read_in_place=1 "* ]] || grep -qw bpf_rdonly_cast /proc/kallsyms || continue
		loads "$object" ${values[@]+"${values[@]}"}
	done < "$STATE/assignments"
done
[ "$(objects | wc -l)" -ge 8 ] || fail "only $(objects | wc -l) objects"

# A switch that the tool does not find would go untested.
declared=$(cat "$TOP"/bpf/*.bpf.c "$TOP"/bpf/*/*.h | grep -cE '^const volatile ')
expect_eq "$declared" "$(sort -u "$STATE/all_switches" | wc -l)" \
	"every 'const volatile' of the sources is a switch of some object"
