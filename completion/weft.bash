# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Completion of weft(8) for bash. Which objects, verbs, options and keys there are comes from `weft help --completion`;
# names come from `weft OBJECT show` of the root and namespace that the line names.

# The words of the line up to the cursor, cut at blanks alone: bash's own (COMP_WORDS) are cut at colons too.
_weft_read_line() {
	local line=${COMP_LINE:0:COMP_POINT}
	read -ra _weft_words <<< "$line"
	case $line in
	*[[:space:]]) _weft_words+=("") ;;
	esac
}

# _weft_columns KIND OBJECT VERB-OR-KEY COLUMN: from the table, an empty argument stands for any.
_weft_columns() {
	awk -F '\t' -v kind="$1" -v object="$2" -v name="$3" -v column="$4" \
		'$1 == kind && (object == "" || $2 == object) && (name == "" || $3 == name) && $column != "-" { print $column }' \
		<<< "$_weft_table" | sort -u
}

# The one of the words on stdin that is $1, or that begins with it and no other does.
_weft_whole() {
	awk -v word="$1" '$0 == word { exact = $0 } index($0, word) == 1 { n++; only = $0 }
		END { if (exact != "") print exact; else if (n == 1) print only }'
}

# _weft_names KIND [TENANT]: of a tenant's things without the tenant.
_weft_names() {
	local kind=$1 tenant=${2:-} name
	case $kind in
	device) command ls /sys/class/net 2>/dev/null; return ;;
	esac
	"${_weft_words[0]}" "${_weft_flags[@]}" "$kind" show 2>/dev/null | while read -r name _; do
		case $name in
		"$tenant"/*) [ -z "$tenant" ] || name=${name#*/} ;;
		*/*) [ -z "$tenant" ] || continue ;;
		esac
		echo "$name"
	done
}

# _weft_values VALUES TENANT: a key's column with its <kinds> filled in.
_weft_values() {
	local part kind before name
	for part in ${1//,/ }; do
		case $part in
		*"<"*)
			kind=${part#*<}
			before=${part%%<*}
			for name in $(_weft_names "${kind%>}" "$2"); do echo "$before$name"; done
			;;
		-) ;;
		*) echo "$part" ;;
		esac
	done
}

# _weft_reply CANDIDATES…: those that the word at the cursor begins. What bash has cut off at a colon is not repeated.
_weft_reply() {
	local cur=${_weft_words[-1]} head=
	case $cur in
	*,*) head=${cur%,*}, ;;
	esac
	mapfile -t COMPREPLY < <(compgen -P "$head" -W "$*" -- "${cur##*,}")
	case $cur$COMP_WORDBREAKS in
	*:*:*) COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*:}"}"}") ;;
	esac
}

_weft_files() { mapfile -t COMPREPLY < <(compgen -f -- "${_weft_words[-1]}"); compopt -o filenames 2>/dev/null; }

# Names that another part follows, so that no blank comes after them.
_weft_begin() { _weft_reply "$(sed 's|$|/|')"; compopt -o nospace 2>/dev/null; }

# The first operand: what is there already, or, to make something, the tenant or network that it will belong to.
_weft_operand() {
	local object=$1 verb=$2 operands=$3
	case $object.$verb.$operands in
	*.FILE*) _weft_files ;;
	*.\[OBJECT\]) _weft_reply "$(_weft_columns command "" "" 2)" ;;
	*.\[TENANT\]\ \[KEY*) _weft_reply "$(_weft_names tenant)" "$(_weft_columns key "$object" "" 3)" ;;
	*.TENANT/NETWORK/*) _weft_begin < <(_weft_names network) ;;
	*.\[TENANT\[/NETWORK\]\]) _weft_reply "$(_weft_names network)" ;;
	*.TENANT | *.TENANT\ * | *.\[TENANT\]) _weft_reply "$(_weft_names tenant)" ;;
	*.NAME/INSTANCE) _weft_reply "$(_weft_names "$object" | grep /)" ;;
	*.add.TENANT/NAME*) _weft_begin < <(_weft_names tenant) ;;
	*) _weft_reply "$(_weft_names "$object")" ;;
	esac
}

# Of the keys on stdin those that the line has not given yet.
_weft_not_given() {
	local key
	while read -r key; do
		[[ " $* " == *" $key "* ]] || echo "$key"
	done
}

# KEY VALUE…: a key, or a value of the last one.
_weft_pairs() {
	local object=$1 tenant=$2 given=("${@:3}")
	if [ $((${#given[@]} % 2)) -eq 0 ]; then
		_weft_reply "$(_weft_values "$(_weft_columns key "$object" "${given[-2]}" 4)" "$tenant")"
	else
		_weft_reply "$(_weft_columns key "$object" "" 3 | _weft_not_given "${given[@]:0:${#given[@]}-1}")"
	fi
}

# [TENANT] KEY VALUE…: what is no key is the tenant.
_weft_pairs_after_tenant() {
	local object=$1 words=("${@:2}")
	if _weft_columns key "$object" "" 3 | grep -qxF -- "${words[0]}"; then
		_weft_pairs "$object" "" "${words[@]}"
	else
		_weft_pairs "$object" "${words[0]}" "${words[@]:1}"
	fi
}

# Words that stand in the operands themselves: "[device DEVICE]", "port NAME | host NAME".
_weft_words_of() {
	local operands=$1 tenant=$2 given=("${@:3}")
	if [ ${#given[@]} -eq 1 ]; then
		_weft_reply "$(tr -d '[]|' <<< "$operands" | grep -oE '\b[a-z]+\b')"
	elif [ ${#given[@]} -eq 2 ] && [[ ${given[0]} =~ ^(device|port|host)$ ]]; then
		_weft_reply "$(_weft_names "${given[0]}" "$tenant")"
	fi
}

_weft_option() {
	local options=$1 previous=$2 cur=${_weft_words[-1]}
	if [[ " $options " == *" $previous= "* ]]; then
		[ "$previous" != --host ] || _weft_reply "$(_weft_names host)"
	elif [[ $cur == -* ]]; then
		_weft_reply "${options//=/} $(_weft_columns flag "" "" 2)"
	else
		return 1
	fi
}

_weft_flag_value() {
	case $1 in
	-n) _weft_reply "$(command ls /run/netns 2>/dev/null)" ;;
	*) _weft_files ;;
	esac
}

# The operands and options of the command, once that is known: $words are what follows it.
_weft_command() {
	local object=$1 verb=$2 operands options
	operands=$(_weft_columns command "$object" "$verb" 4)
	options=$(_weft_columns command "$object" "$verb" 5)
	! _weft_option "$options" "${_weft_words[-2]}" || return 0
	[ -n "$operands" ] || return 0
	case ${#words[@]}.$operands in
	*.FILE...) _weft_files ;;
	1.*) _weft_operand "$object" "$verb" "$operands" ;;
	2.TENANT\ FILE*) _weft_files ;;
	3.TENANT\ FILE*) _weft_reply format ;;
	4.TENANT\ FILE*) _weft_reply classbench yaml ;;
	*.TENANT\ FILE*) _weft_pairs "$object" "${words[0]}" "${words[@]:4}" ;;
	*.\[TENANT\]\ \[KEY*) _weft_pairs_after_tenant "$object" "${words[@]}" ;;
	*.TENANT\ KEY*) _weft_pairs packet "${words[0]}" "${words[@]:1}" ;;
	2.TENANT/NAME\ PORT*) _weft_reply "$(_weft_names port "${words[0]%%/*}")" ;;
	*.TENANT/NAME\ PORT*) _weft_pairs packet "${words[0]%%/*}" "${words[@]:2}" ;;
	*KEY\ VALUE...) _weft_pairs "$object" "${words[0]%%/*}" "${words[@]:1}" ;;
	*) _weft_words_of "$operands" "${words[0]%%/*}" "${words[@]:1}" ;;
	esac
}

# $words are those that are no flags; -n and -r are kept, for the questions that we ask ourselves.
_weft_sort_words() {
	local i last=$((${#_weft_words[@]} - 1))
	for ((i = 1; i < last; i++)); do
		case ${_weft_words[i]} in
		-n | -r) _weft_flags+=("${_weft_words[i]}" "${_weft_words[i + 1]}"); i=$((i + 1)) ;;
		-b) i=$((i + 1)) ;;
		-*) ;;
		*) words+=("${_weft_words[i]}") ;;
		esac
	done
	words+=("${_weft_words[last]}")
}

_weft() {
	local _weft_words=() _weft_flags=() _weft_table words=() object verbs verb=-
	COMPREPLY=()
	_weft_read_line
	_weft_table=$("${_weft_words[0]}" help --completion 2>/dev/null) || return
	case ${_weft_words[-2]} in
	-n | -r | -b) _weft_flag_value "${_weft_words[-2]}"; return ;;
	esac
	_weft_sort_words
	if [ ${#words[@]} -eq 1 ]; then
		_weft_option "" "" || _weft_reply "$(_weft_columns command "" "" 2)"
		return
	fi
	object=$(_weft_columns command "" "" 2 | _weft_whole "${words[0]}")
	[ -n "$object" ] || return
	words=("${words[@]:1}")
	verbs=$(_weft_columns command "$object" "" 3)
	if [ -n "$verbs" ]; then
		if [ ${#words[@]} -eq 1 ]; then
			_weft_option "" "" || _weft_reply "$verbs help"
			return
		fi
		verb=$(_weft_whole "${words[0]}" <<< "$verbs")
		[ -n "$verb" ] || return
		words=("${words[@]:1}")
	fi
	_weft_command "$object" "$verb"
}

complete -F _weft weft
