#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# rejections: mistakes that the house rules of bpf/lib/weft.h keep out do not load, and the kernel says why:
# each is in a file of its own in bad/, with the words that it earns.
NO_NETWORK=1
. "$(dirname "$0")/../lib/net.sh"

VERIFY=$TOOLS/verify
[ -x "$VERIFY" ] || die "$VERIFY is not built"

for source in "$TOP"/selftests/verifier/bad/*.bpf.c; do
	name=$(basename "$source" .bpf.c)
	words=$(sed -n 's|^// expect: ||p' "$source")
	[ -n "$words" ] || die "$source does not say what to expect"
	expect_status 2 "$VERIFY" load "$BUILD/verifier/$name.o"
	expect_refused "$words" "$VERIFY" load "$BUILD/verifier/$name.o"
done

# The tool itself: a switch that an object does not have is an error, not a silent nothing.
expect_status 1 "$VERIFY" load "$BUILD/bpf/port_tc.o" no_such_switch=1
expect_status 1 "$VERIFY" load "$BUILD/bpf/no_such_object.o"
