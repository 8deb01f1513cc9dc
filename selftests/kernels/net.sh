#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# net.sh: the net tests, in the guest of boot.sh. What an emulated machine cannot show in time (speed, a guest within
# the guest) stays out.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

tests=()
for test in selftests/net/*.sh; do
	case $test in
	*/tap.sh | */gso.sh | */lifecycle.sh) continue ;;
	esac
	tests+=("$test")
done
selftests/run -t 400 "${tests[@]}"
status=$?
if [ $status -eq 0 ]; then echo "RESULT pass"; else echo "RESULT fail see above"; fi
