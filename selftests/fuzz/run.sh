#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh SECONDS: fuzzes each target for so long, beginning with its corpus. What is found on the way is kept in
# build/san/corpus; an input that breaks something is put beside the corpus, and the script fails: mend, keep the file.
set -u
cd "$(dirname "$0")/../.." || exit 1
seconds=${1:-60} failed=0

for source in selftests/fuzz/*.c; do
	name=$(basename "$source" .c)
	mkdir -p "build/san/corpus/$name"
	echo "fuzz $name, $seconds s"
	build/san/fuzz/"$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=8192 -print_final_stats=0 \
		-verbosity=0 -dict=selftests/fuzz/weft.dict -artifact_prefix="selftests/fuzz/corpus/$name/" \
		"build/san/corpus/$name" "selftests/fuzz/corpus/$name" || failed=1
done
exit $failed
