#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# rejections: what must not load does not, and the kernel says why: mistakes that the house rules of
# bpf/lib/weft.h keep out (each in a file of its own in bad/, with the words that it earns), and programs
# bound to a device where they are not.
. "$(dirname "$0")/../lib/net.sh"

VERIFY=$TOOLS/verify
[ -x "$VERIFY" ] || die "$VERIFY is not built"

# The kernel frees programs some time after their last user has gone, and does not tell. A bound one must
# not outlive its device (bpf/lib/ctx_xdp.h).
bound_programs_gone() { sleep 1; }

netns_add dev
netns_add peer
pair dev v0 peer v1
pair dev w0 peer w1

refused() {
	local regex=$1
	shift
	run_quietly in_ns dev "$VERIFY" load "$@"
	status=$?
	if [ $status -ne 2 ]; then
		fail "${1##*/} ${*:2}: status $status instead of 2"
		show_output
	elif ! grep -qE -- "$regex" "$STATE/output"; then
		fail "${1##*/} ${*:2}: refused, but without '$regex'"
		show_output
	else
		ok "refused ($regex): ${1##*/} ${*:2}"
	fi
}

for source in "$TOP"/selftests/verifier/bad/*.bpf.c; do
	words=$(sed -n 's|^// expect: ||p' "$source")
	[ -n "$words" ] || die "$source does not say what to expect"
	name=$(basename "$source" .bpf.c)
	refused "$words" "$BUILD/verifier/$name.o"
done

# They ask the device for the VLAN tag, which only a program of that device can.
for object in port_xdp_bound sf_xdp_bound; do
	refused 'metadata kfuncs require device-bound program' "$BUILD/bpf/$object.o"
	expect_ok -t "$object.o loads for v0 and attaches there" \
		in_ns dev "$VERIFY" load "$BUILD/bpf/$object.o" bound=v0 attach=v0
	refused 'attach: Invalid argument' "$BUILD/bpf/$object.o" bound=v0 attach=w0
	# The loopback device has no XDP of its own, and no metadata.
	refused 'not supported' "$BUILD/bpf/$object.o" bound=lo
done

# A program for TC cannot be bound.
refused 'Invalid argument' "$BUILD/bpf/port_tc.o" bound=v0
bound_programs_gone
