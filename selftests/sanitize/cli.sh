#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The net test cli with the command of build/san: AddressSanitizer, UBSan, and leaks. What they find ends a command
# with a status that no test takes for a refusal, and is shown.
TOP=$(cd "$(dirname "$0")/../.." && pwd)
export WEFT=$TOP/build/san/weft
[ -x "$WEFT" ] || { echo "RESULT skip make sanitize builds $WEFT"; exit 77; }

reports=$(mktemp -d)
chmod 1777 "$reports"
export ASAN_OPTIONS=detect_leaks=1:exitcode=134:log_path=$reports/report UBSAN_OPTIONS=print_stacktrace=1
"$TOP/selftests/net/${1:-cli.sh}" > "$reports/output" 2>&1
status=$?
cat "$reports/output"
if ls "$reports"/report.* >/dev/null 2>&1; then
	head -n 40 "$reports"/report.* | head -n 200
	echo "RESULT fail the sanitizers found something"
	status=1
fi
rm -rf "$reports"
exit $status
