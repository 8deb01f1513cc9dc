#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# safe.sh: what it costs and risks to use weft: each safe_*.sh beside it in its turn, whose lines NAME=VALUE are
# printed.
#
#   safe.sh [--check] [NAME...]      NAME: kill for safe_kill.sh; default: all
#
# --check compares the figures with the targets; one that is missing is missed, if all were asked for. A part that
# fails fails the whole.
set -u

here=$(cd "$(dirname "$0")" && pwd)
check=
parts=()

# name, comparison, target
TARGETS='
upgrade_lost <= 0
upgrade_flows_lost <= 0
apply_kill_leaks <= 0
confirm_revert_ms <= 500
verify_s_1000_ports <= 5
apply_noop_ms_1000_ports <= 300
boot_to_traffic_s <= 5
'

declare -A FIGURE=()
declare -i oks=0 fails=0

fail() { fails+=1; printf '✗ %s\n' "$*"; }
ok() { oks+=1; printf '✓ %s\n' "$*"; }

# Its figures, and of the rest what went wrong.
run_part() {
	local line output
	output=$("$1" 2>&1 </dev/null)
	while read -r line; do
		if [[ $line =~ ^([a-z0-9_]+)=([0-9.]+)$ ]]; then
			FIGURE[${BASH_REMATCH[1]}]=${BASH_REMATCH[2]}
			echo "$line"
		fi
	done <<< "$output"
	[[ ${output##*$'\n'} == 'RESULT pass' ]] && return
	fail "${1##*/}: ${output##*$'\n'}"
	grep '^✗' <<< "$output" | head -10 | sed 's/^/    /'
}

check_targets() {
	local name comparison target value
	while read -r name comparison target; do
		[ -n "$name" ] || continue
		value=${FIGURE[$name]:-}
		if [ -z "$value" ]; then
			[ ${#parts[@]} -gt 0 ] || fail "$name was not measured"
		elif awk -v a="$value" -v b="$target" 'BEGIN { exit !(a <= b) }'; then
			ok "$name = $value ($comparison $target)"
		else
			fail "$name = $value, not $comparison $target"
		fi
	done <<< "$TARGETS"
}

while [ $# -gt 0 ]; do
	case $1 in
	--check) check=1 ;;
	-*) sed -n '7p' "$0"; exit 1 ;;
	*) parts+=("$1") ;;
	esac
	shift
done
for part in "$here"/safe_*.sh; do
	name=${part##*/safe_} name=${name%.sh}
	[ ${#parts[@]} -eq 0 ] || [[ " ${parts[*]} " == *" $name "* ]] || continue
	run_part "$part"
done
[ -z "$check" ] || check_targets
if [ $fails -gt 0 ]; then
	echo "RESULT fail $fails of $((oks + fails))"
	exit 1
fi
echo "RESULT pass"
