# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# parts.sh: a bench of several parts, each a script whose lines NAME=VALUE are its figures and whose last line says
# RESULT pass. To be sourced by NAME.sh, which has set TARGETS (name, comparison, target: a line each):
#
#	parts_main NAME "$@"	runs NAME_*.sh: [--check] [PART...]; --check compares the figures with the targets
#
# One that is missing is missed, if all were asked for. A part that fails fails the whole.

declare -A FIGURE=()
declare -i oks=0 fails=0
check=
parts=()

fail() { fails+=1; printf '✗ %s\n' "$*"; }
ok() { oks+=1; printf '✓ %s\n' "$*"; }

# Its figures and remarks, and of the rest what went wrong.
run_part() {
	local line output
	output=$("$1" 2>&1 </dev/null)
	while read -r line; do
		if [[ $line =~ ^([a-z0-9_]+)=([0-9.]+)$ ]]; then
			FIGURE[${BASH_REMATCH[1]}]=${BASH_REMATCH[2]}
			echo "$line"
		elif [[ $line == '# '* ]]; then
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
		elif awk -v a="$value" -v c="$comparison" -v b="$target" 'BEGIN { exit !(c == "<=" ? a <= b : a >= b) }'; then
			ok "$name = $value ($comparison $target)"
		else
			fail "$name = $value, not $comparison $target"
		fi
	done <<< "$TARGETS"
}

parts_main() {
	local name=$1 here part
	here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
	shift
	while [ $# -gt 0 ]; do
		case $1 in
		--check) check=1 ;;
		-*) echo "$name.sh [--check] [PART...]"; exit 1 ;;
		*) parts+=("$1") ;;
		esac
		shift
	done
	for script in "$here/${name}"_*.sh; do
		part=${script##*/"${name}"_} part=${part%.sh}
		[ ${#parts[@]} -eq 0 ] || [[ " ${parts[*]} " == *" $part "* ]] || continue
		run_part "$script"
	done
	[ ${#FIGURE[@]} -gt 0 ] || fail "no figures: is there a ${name}_*.sh of that name?"
	[ -z "$check" ] || check_targets
	if [ $fails -gt 0 ]; then
		echo "RESULT fail $fails of $((oks + fails))"
		exit 1
	fi
	echo "RESULT pass"
}
