#!/bin/sh -e
# SPDX-License-Identifier: BSD-2-Clause
# next.sh TREE: makes a copy of the sources a build to come, whose maps are of the same version: another name, one more
# reason for drops (the map `drops` grows), a larger struct pkt (the programs' own room), a map that was not there before.
cd "$1"

# edit FILE SED-EXPRESSION: an expression that finds nothing is an error.
edit() {
	cp "$1" "$1.before"
	sed -i -E "$2" "$1"
	! cmp -s "$1" "$1.before" || { echo "$0: nothing to edit in $1: $2" >&2; exit 1; }
	rm "$1.before"
}

edit loader/load.h 's/(WEFT_VERSION ")[^"]*"/\10.9-test"/'
edit include/drop_reasons.h '/^#define WEFT_DROP_REASONS/,/[^\\]$/ { /[^\\]$/ s/$/ \\\n\tX(TEST_NEXT, "test_next", "a reason to come")/ }'
edit bpf/lib/pkt.h 's/^struct pkt \{/&\n\t__u64 test_next[4];/'
cat >> maps/stats.bpf.h <<-C
	struct {
		__uint(type, BPF_MAP_TYPE_ARRAY);
		__uint(max_entries, 4);
		__type(key, __u32);
		__type(value, __u64);
	} test_next SEC(".maps");
C
