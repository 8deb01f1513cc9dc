#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# docs_cli: the table of commands, the manual's page of each object, and the completion say the same; the examples of
# the pages run, each page's on host h1 as the configuration below leaves it. A failure says what to add where.
. "$(dirname "$0")/../lib/net.sh"
need_weft
need jq
# What is at the end of a pipe counts its failures in this shell.
shopt -s lastpipe

export WEFT_STATE_DIR=$STATE/state
MAN=$TOP/docs/man
"$WEFT" -j help > "$STATE/help.json" || die "weft -j help"
expect_ok -t "weft -j help is JSON" jq -e '.commands | length > 20' "$STATE/help.json"
objects=$(jq -r '[.commands[] | select(.verb) | .object] | unique[]' "$STATE/help.json")

# lacking FILE SECTION < LINES: those that are not in it.
section() { sed -n "/^\.Sh $2\$/,/^\.Sh /p" "$MAN/$1"; }
lacking() { grep -vxFf <(section "$1" "$2"); }

# told TEXT WHAT-TO-DO: nothing on stdin is right; what is there goes under the failure.
told() {
	local lines
	lines=$(cat)
	if [ -z "$lines" ]; then ok "$1"; else fail "$1: $2"; sed 's/^/    /' <<< "$lines"; fi
}

# --- the synopsis of each page is the table's ---

synopsis_wanted() {
	jq -r --arg o "$1" '.commands[] | select(.object == $o and .verb) |
		".Nm weft Ic \(.object) \(.verb)\t\(.operands)\t" +
		([.options[] | "Oo Fl -\(.name)\(if .value then " Ar VALUE" else "" end) Oc"] | join(" "))' "$STATE/help.json" |
		while IFS=$'\t' read -r command operands options; do
			[ -z "$operands" ] || operands=$(sed -E 's/^\[([A-Z]*)\] \[(.*)\]$/ Oo Ar \1 Oc Op Ar \2/; t; s/^\[(.*)\]$/ Op Ar \1/; t; s/^/ Ar /; s/ \[(.*)\]$/ Op Ar \1/' <<< "$operands")
			# Op takes the rest of the line.
			[ -z "$options" ] || operands=$(sed -E 's/ Op Ar (.*)$/ Oo Ar \1 Oc/' <<< "$operands")
			echo "$command$operands${options:+ $options}"
		done
}

for object in $objects; do
	page=weft-$object.8
	if [ ! -e "$MAN/$page" ]; then
		fail "there is no page of $object: write docs/man/$page, after docs/man/weft-group.8"
		continue
	fi
	synopsis_wanted "$object" > "$STATE/wanted"
	lacking "$page" SYNOPSIS < "$STATE/wanted" | told "$page has every verb" "add to its SYNOPSIS"
	section "$page" SYNOPSIS | grep '^\.Nm' | grep -vxFf "$STATE/wanted" |
		told "and no other" "the command has no such verb: take it out of its SYNOPSIS"
	grep -qx "\.Xr weft-$object 8 [,.]" "$MAN/weft.8" || fail "weft.8 does not name weft-$object: add .Xr weft-$object 8"
done
for page in "$MAN"/weft-*.8; do
	object=${page##*/weft-}
	grep -qxF "${object%.8}" <<< "$objects"$'\nmaps' || fail "${page##*/} is about no object of the table: remove it"
done

# --- the keys, with their limits and defaults ---

# "KEY<tab>what its paragraph must have" of an object; of a key that is not supported yet "KEY<tab>later".
keys_wanted() {
	jq -r --arg o "$1" '
		def walk_keys($prefix): .[] | ($prefix + .name) as $name |
			if .later then "\($name)\tlater"
			elif .shape == "object" then .keys | walk_keys($name + ".")
			else "\($name)\t" + ([
				(if .default then "Default: \(.default)." else empty end),
				(if .min != null then "\(.min) to \(.max)." else empty end),
				(if .required then "Required." else empty end),
				((.words // [])[]), ((.kinds // [])[])] | join("\t"))
			end;
		.keys | to_entries[] | select(.key == $o or ($o == "sf" and .key == "instance")) | .value | walk_keys("")
	' "$STATE/help.json"
}

# The paragraphs of a page by the keys that they are about, into $paragraph.
declare -A paragraph
read_paragraphs() {
	local line key=
	paragraph=()
	while IFS= read -r line; do
		case $line in
		'.It Cm '*) key=${line#.It Cm }; key=${key%% *} ;;
		.It* | .El*) key= ;;
		esac
		[ -z "$key" ] || paragraph[$key]+="$line "
	done < "$MAN/$1"
}

check_keys() {
	local page=$1 key needs need text
	read_paragraphs "$page"
	while IFS=$'\t' read -r key needs; do
		if [ "$needs" = later ]; then
			grep -qE "^\.Cm $key [,.]" "$MAN/$page" || echo "$key: name it among those that are not supported yet"
			continue
		fi
		text=${paragraph[$key]:-}
		[ -n "$text" ] || { echo "$key: add a paragraph .It Cm $key Ar VALUE to KEYS"; continue; }
		while IFS= read -r need; do
			[[ $text == *"$need"* ]] || echo "$key: its paragraph does not say '$need'"
		done <<< "${needs//$'\t'/$'\n'}"
	done
}

for object in $objects; do
	page=weft-$object.8
	[ -e "$MAN/$page" ] || continue
	keys_wanted "$object" > "$STATE/keys"
	check_keys "$page" < "$STATE/keys" | told "$page has the $(wc -l < "$STATE/keys") keys, limits and defaults" "change it"
	sed -n '/^\.Sh KEYS/,/^\.Sh [^K]/s/^\.It Cm \([a-z_.0-9]*\).*/\1/p' "$MAN/$page" |
		grep -vxFf <(grep -v '	later$' "$STATE/keys" | cut -f 1) | told "and no other" "there is no such key: take it out"
done

for page in "$MAN"/*.8; do
	command -v groff >/dev/null || break
	groff -mdoc -Tutf8 -ww "$page" 2>&1 >/dev/null
	! command -v mandoc >/dev/null || mandoc -Tlint -Wwarning "$page" 2>&1
done | told "the pages are right for groff" "correct them"

# --- completion ---

PATH=$(dirname "$WEFT"):$PATH
# shellcheck source=completion/weft.bash
. "$TOP/completion/weft.bash"
compopt() { :; }
# completed LINE: what it offers, sorted.
completed() {
	COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=()
	_weft
	printf '%s\n' "${COMPREPLY[@]}" | grep . | sort
}
same() { diff <(sort -u <<< "$1" | grep .) <(completed "$2") | told "completion of '$2'" "wanted <, offered > (completion/weft.bash, loader/help_completion.c)"; }

same "$(jq -r '.commands[].object' "$STATE/help.json")" "weft "
same "$(jq -r '.flags[].name' "$STATE/help.json")" "weft -"
for object in $objects; do
	same "$(jq -r --arg o "$object" '(.commands[] | select(.object == $o) | .verb), "help"' "$STATE/help.json")" "weft $object "
	keys_wanted "$object" | grep -v '	later$' | cut -f 1 > "$STATE/keys"
	verb=add name=red/x
	[ "$object" != ct ] || verb=show name=red
	[ ! -s "$STATE/keys" ] || same "$(cat "$STATE/keys")" "weft $object $verb $name "
done
while IFS=$'\t' read -r command options; do
	same "$(tr ' ' '\n' <<< "$options"; jq -r '.flags[].name' "$STATE/help.json")" "weft $command -"
done < <(jq -r '.commands[] | select(.options != []) | "\(.object)\(if .verb then " " + .verb else "" end)\t" +
	([.options[] | "--" + .name] | join(" "))' "$STATE/help.json")
same $'allow\ndeny\nreject' "weft ac ad red/x direction in action "
same $'syn,ack' "weft acl add red/x tcp_flags syn,a"
same '' "weft nonsense "
echo 1 > "$STATE/a.yaml"
same "$STATE/a.yaml" "weft apply $STATE/a."

# --- on a live root: names, and the examples ---

host_add h1 192.168.50.1/24
netns_add wire
pair h1 u0 wire u0
underlay_dev h1 u0
for i in 0 1 2 3; do pair h1 p$i wire p$i; done
for i in 0 1 2; do pair h1 s$i wire s$i; done
cat > "$STATE/lab.yaml" <<-YAML
	version: 1
	hosts:
	  h1: {vtep: 192.168.50.1, underlay: [u0]}
	  h2: {vtep: 192.168.50.2, underlay: [u0]}
	service_functions:
	  ips: {instances: {ips1: {host: h1, device: s0}}}
	tenants:
	  red:
	    networks:
	      web: {vni: 101, subnets: [10.0.1.0/24]}
	      db: {vni: 102, subnets: [10.0.2.0/24]}
	    ports:
	      web1: {network: web, host: h1, device: p0, mac: "02:00:00:00:00:0a", addresses: [10.0.1.1]}
	      db1: {network: db, host: h1, device: p1, mac: "02:00:00:00:00:0b", addresses: [10.0.2.1]}
	    groups:
	      web: {ports: [web1]}
	    chains:
	      inspect: {tag: 301, steps: [{function: ips}]}
YAML
printf '@10.0.1.0/24 10.0.2.1/32 0 : 65535 5432 : 5432 0x06/0xFF\n' > "$STATE/filters"
weft_load h1
# The function is a wire to nowhere: nothing comes back from it.
expect_ok weft_on h1 apply --no-verify "$STATE/lab.yaml"

at="weft -n $(netns_of h1) -r $(root_of h1)"
same $'red/db1\nred/web1' "$at port del "
same 'red/web1' "$at port set red/w"
same $'red/' "$at port add "
# Bash has cut the word at the colon, so what is before it is not offered again.
same $'db1\nweb1' "$at acl add red/x apply_to port:"
same $'h1\nh2' "$at load --host "
same $'db\nweb' "$at port add red/x network "
same $'red' "$at acl check "
same $'classbench\nyaml' "$at acl import red $STATE/a.yaml format "
same $'allow\ndeny\nreject' "$at acl import red $STATE/a.yaml format classbench action "
same $'in\nout' "$at acl check red port web1 direction "
same $'ips\nips/ips1' "$at sf set "
same 'ips/ips1' "$at sf drain "
same $'drain\ndown\nup' "$at sf set ips/ips1 admin "
same 'red/inspect' "$at chain trace "
same $'db1\nweb1' "$at chain trace red/inspect "
same $'destination\ndestination_port\ndirection' "$at chain trace red/inspect web1 d"
same $'db1\nweb1' "$at chain trace red/inspect web1 protocol tcp destination port:"
same $'db1\nweb1' "$at acl check red source port:"
same $'red' "$at monitor acl "
same "red"$'\n'"$(keys_wanted ct | cut -f 1)" "$at ct show "
same $'db1\nweb1' "$at ct show red port "
same $'in\nout' "$at ct flush direction "
same 'red' "$at ct stat "
same $'red/db/\nred/web/' "$at neigh add "
same $'db1\nweb1' "$at fdb add red/web/02:00:00:00:00:99 port "
# Of this test's alone: other tests' come and go meanwhile.
same "$(netns_of h1)"$'\n'"$(netns_of wire)" "weft -n $(netns_of '')"

# The commands of a page's examples, continued lines joined; what other tools do is theirs.
examples() {
	sed -n '/^\.Sh EXAMPLES/,/^\.Ed/p' "$MAN/$1" | sed -e ':a' -e '/\\e$/{N;s/\\e\n */ /;ba}' | grep '^weft '
}

run_example() {
	local line=$1
	case $line in
	*'agent run'*) line="timeout -s TERM 1 $line" ;;
	*'acl import'*) line=${line/filters.txt/$STATE/filters} ;;
	esac
	bash -c "weft() { command $at \"\$@\"; }; timeout() { command timeout \"\$1\" \"\$2\" \"\$3\" $at \"\${@:5}\"; }; $line"
}

for object in $objects; do
	page=weft-$object.8
	run_quietly weft_on h1 apply --no-verify --prune --force "$STATE/lab.yaml" || fail "apply before the examples of $page"
	[ "$(examples "$page" 2>/dev/null | wc -l)" -gt 0 ] || fail "$page has no EXAMPLES that begin with 'weft '"
	while IFS= read -r line; do
		run_quietly run_example "$line"
		status=$?
		# timeout(1) says 124 of what it has ended.
		if [ $status -eq 0 ] || { [[ $line == *'agent run'* ]] && [ $status -eq 124 ]; }; then
			ok "$page: $line"
		else
			fail "$page: its example fails (status $status): $line"
			show_output
		fi
	done < <(examples "$page")
done
