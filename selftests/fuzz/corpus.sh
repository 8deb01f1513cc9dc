#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# corpus: every file of the corpus goes through its fuzz target once, with the sanitizers' eyes open.
cd "$(dirname "$0")/../.." || exit 1
files=0

for source in selftests/fuzz/*.c; do
	name=$(basename "$source" .c)
	target=build/san/fuzz/$name
	[ -x "$target" ] || { echo "RESULT skip make sanitize builds $target"; exit 77; }
	mapfile -t inputs < <(find "selftests/fuzz/corpus/$name" -type f)
	[ ${#inputs[@]} -gt 0 ] || { echo "RESULT fail no corpus for $name"; exit 1; }
	"$target" -timeout=10 "${inputs[@]}" > build/san/corpus.log 2>&1 || { tail -40 build/san/corpus.log; echo "RESULT fail $name"; exit 1; }
	files=$((files + ${#inputs[@]}))
done
echo "RESULT pass $files inputs"
