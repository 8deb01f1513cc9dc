#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# cli: the table of commands, the help and the manual page say the same; exit codes; what is refused on the
# command line; JSON of everything that is shown. One host h1 with tenant red, ports web1 (there) and web2
# (pending).
. "$(dirname "$0")/../lib/net.sh"
need_weft
need jq setpriv

MAN=$TOP/docs/man/weft.8

# --- help and manual page ---

commands=$("$WEFT" help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
objects=$("$WEFT" help | sed -n '/^Objects/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ "$(wc -w <<< "$commands $objects")" -ge 20 ] || die "weft help lists too little"

in_help() {
	local name
	for name in $commands $objects; do "$WEFT" "$name" help; done | sed -n 's/^  weft //p' | sort
}

# mdoc, as far as the page uses it: "load Oo Fl -host Ar VALUE Oc" is "load [--host VALUE]".
in_manual() {
	local object form option del
	sed -n '/^\.Ss Commands/,/^\.Ss Keys/s/^\.It Ic //p' "$MAN" | grep -v ' Ta ' |
		sed 's/Op Ar \(.*\)$/[\1]/; s/Oo /[/g; s/\[Ar /[/g; s/ Oc/]/g; s/Fl -/--/g; s/ Ar / /g'
	sed -n 's/ Ta Fl -/ --/; s/ , No also of Cm del$/ del/; s/^\.It Ic \([a-z]*\) Ta Ar /\1 /p' "$MAN" |
		while read -r object form option del; do
		option=${option:+ [$option]}
		echo "$object add $form KEY VALUE...$option"
		echo "$object set $form KEY VALUE...$option"
		echo "$object replace $form KEY VALUE...$option"
		echo "$object del $form${del:+$option}"
		echo "$object show [$form]"
	done
}

same() {
	local text=$1
	if run_quietly diff "$STATE/help" "$STATE/manual"; then
		ok "$text"
	else
		fail "$text: help <, manual page >"
		show_output
	fi
}

in_help > "$STATE/help"
in_manual | sort > "$STATE/manual"
same "help and manual page have the same $(wc -l < "$STATE/help") commands, operands and options"

"$WEFT" help | grep -oE '(^| )  ?-[a-z] ' | tr -d ' ' | sort -u > "$STATE/help"
sed -n '/^\.Ss Flags/,/^\.El/s/^\.It Fl \([a-z]\).*/-\1/p' "$MAN" | sort -u > "$STATE/manual"
same "and the same $(wc -l < "$STATE/help") flags"

for object in $objects; do
	"$WEFT" "$object" help |
		sed -n '/^Keys/,/^Flags/{/not supported yet/d; s/^  \([a-z_][a-z_]*\) .*/\1/p}'
done | sort -u > "$STATE/help"
sed -n '/^\.Ss Keys/,/^\.Sh/s/^\.Cm //p' "$MAN" | tr ' ' '\n' | sort -u > "$STATE/manual"
same "and the same $(wc -l < "$STATE/help") keys"

"$WEFT" help | sed -n 's/^Exit codes: //p' | grep -oE '[0-9]' > "$STATE/help"
sed -n '/^\.Sh EXIT/,/^\.El/s/^\.It \([0-9]\)$/\1/p' "$MAN" > "$STATE/manual"
same "and the same exit codes"

for name in $commands $objects; do
	grep -q . <("$WEFT" help "$name") || fail "no help on $name"
done
for page in "$TOP"/docs/man/*.8; do
	command -v groff >/dev/null || break
	expect_eq '' "$(groff -mdoc -Tutf8 -ww "$page" 2>&1 >/dev/null)" "${page##*/} is right for groff"
done

# --- the command line ---

expect_status 1 "$WEFT"
expect_refused 'no command "nonsense"' "$WEFT" nonsense
expect_refused 'host has no verb "ad1": it has add, set, replace, del, show' "$WEFT" host ad1
expect_refused 'ambiguous: save, status, sf' "$WEFT" s
expect_refused 'needs a verb' "$WEFT" port
expect_refused 'no flag -z' "$WEFT" -z status
expect_refused 'takes no option "--bogus"' "$WEFT" load --bogus
expect_refused 'needs a value' "$WEFT" load --host
expect_refused 'given twice' "$WEFT" apply --force --force x
expect_refused 'options follow' "$WEFT" --force apply x
expect_refused 'missing operands' "$WEFT" apply
expect_refused 'too many operands' "$WEFT" save x
for line in nonsense 'host ad1' s port '-z status' 'load --bogus' 'load --host' apply 'save x'; do
	# shellcheck disable=SC2086
	expect_status 1 "$WEFT" $line
done
# Unique prefixes; an exact name wins over longer ones.
expect_output '^weft [0-9]' "$WEFT" vers
expect_output 'weft network add' "$WEFT" net help
expect_eq "$("$WEFT" host help)" "$("$WEFT" help host)" "OBJECT help is help OBJECT"
# An output that cannot be written is no success.
expect_status 4 bash -c "'$WEFT' version > /dev/full"

# --- who may ---

nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
chmod a+rx "$STATE"
cp "$WEFT" "$STATE/weft"
for line in load unload 'apply /dev/null' status save 'port show'; do
	# shellcheck disable=SC2086
	expect_refused 'not root|run as root|Permission denied|does not exist' nobody "$STATE/weft" $line
	# shellcheck disable=SC2086
	expect_status 2 nobody "$STATE/weft" $line
done
expect_ok -t "version needs no root" nobody "$STATE/weft" version

# --- a live root ---

host_add h1 192.168.50.1/24
netns_add wire
pair h1 u0 wire u0
underlay_dev h1 u0
workload_add h1 p0 02:00:00:00:00:0a 10.0.1.1/24
function_add h1 s0
cat > "$STATE/lab.yaml" <<-YAML
	version: 1
	hosts:
	  h1: {vtep: 192.168.50.1, underlay: [u0]}
	service_functions:
	  ips: {instances: {ips1: {host: h1, device: s0}}}
	tenants:
	  red:
	    networks:
	      web: {vni: 101, subnets: [10.0.1.0/24]}
	    ports:
	      web1: {network: web, host: h1, device: p0, mac: "02:00:00:00:00:0a", addresses: [10.0.1.1]}
	      web2: {network: web, host: h1, device: p9, mac: "02:00:00:00:00:0b", addresses: [10.0.1.2]}
	    groups:
	      all: {ports: [web1, web2]}
	    acl:
	      - {name: ping, direction: in, priority: 50, protocol: icmp, action: allow}
	    chains:
	      inspect: {tag: 301, steps: [{function: ips}]}
	    insert:
	      - {name: wire, apply_to: [port:web1], chain: inspect}
YAML

expect_status 2 weft_on h1 status
expect_refused 'weft load' weft_on h1 apply "$STATE/lab.yaml"
weft_load h1
expect_status 3 weft_on h1 diff "$STATE/lab.yaml"
expect_status 0 weft_on h1 apply --dry-run "$STATE/lab.yaml"
expect_status 3 weft_on h1 diff "$STATE/lab.yaml"
expect_status 0 weft_on h1 apply "$STATE/lab.yaml"
expect_status 0 weft_on h1 diff "$STATE/lab.yaml"
expect_output 'p9' weft_on h1 status

# An entry put in by hand is one machine's.
for mac in 01:00:5e:00:00:01 33:33:00:00:00:01 ff:ff:ff:ff:ff:ff; do
	expect_refused 'fdb: ".*" is a multicast MAC' weft_on h1 fdb add "red/web/$mac" host h2
	expect_refused 'neigh: ".*" is a multicast MAC' weft_on h1 neigh add red/web/10.0.1.77 mac "$mac"
done
for address in 224.0.0.1 255.255.255.255 ff02::1 0.0.0.0 ::; do
	expect_refused 'neigh: ".*" is (a multicast or reserved|the unspecified) address' \
		weft_on h1 neigh add "red/web/$address" mac 02:00:00:00:00:77
done

json() {
	if run_quietly weft_on h1 "$@" && jq -e . "$STATE/output" >/dev/null 2>&1; then
		ok "JSON: weft $*"
	else
		fail "no JSON: weft $*"
		show_output
	fi
}
for line in status counters version save check-host help 'help port' history 'history 0' 'rollback --dry-run --force' \
	"apply $STATE/lab.yaml" "diff $STATE/lab.yaml" \
	'ct show' 'ct show red' 'fdb show' 'fdb show red/web' 'neigh show' 'neigh show red/web'; do
	# shellcheck disable=SC2086
	json -j $line
	# shellcheck disable=SC2086
	json -p $line
done
for name in host/h1 tenant/red network/red/web port/red/web1 group/red/all acl/red/ping sf/ips sf/ips/ips1 \
	chain/red/inspect insert/red/wire; do
	json -j "${name%%/*}" show
	json -j "${name%%/*}" show "${name#*/}"
	expect_ok -t "weft ${name%%/*} show ${name#*/}" weft_on h1 "${name%%/*}" show "${name#*/}"
	expect_status 2 weft_on h1 "${name%%/*}" show "${name#*/}x"
done
json -js counters
json -jd ct show

# Verbs and files are two ways to one configuration; a unique prefix does for both words.
expect_ok weft_on h1 po se red/web1 addresses 10.0.1.1,10.0.1.7
expect_output '10.0.1.7' weft_on h1 save
expect_status 3 weft_on h1 diff "$STATE/lab.yaml"
expect_ok weft_on h1 apply "$STATE/lab.yaml"

# Unknown names and values: the object, the value and what would be right are in the message.
place=(host h1 device p8 mac 02:00:00:00:00:0c)
expect_refused 'nope' weft_on h1 port add red/web9 network nope "${place[@]}"
expect_refused 'blue' weft_on h1 port add blue/w network web "${place[@]}"
expect_refused 'tag.*4095' weft_on h1 chain set red/inspect tag 4095
expect_refused 'colour' weft_on h1 port set red/web1 colour red
expect_refused 'not supported yet' weft_on h1 port set red/web1 qos gold
expect_refused '"?Bad"?' weft_on h1 tenant add Bad
expect_status 0 weft_on h1 diff "$STATE/lab.yaml"

# A batch is one change: a bad line undoes the good ones before it, and is named.
printf 'group add red/one ports web1\ngroup add red/two ports nobody\n' > "$STATE/batch"
expect_refused 'nobody' weft_on h1 -b "$STATE/batch"
expect_refused 'only add' weft_on h1 -b <(echo status)
printf 'group add red/one ports web1  # a comment\n\ngroup add "red/two" ports web1,web2\n' > "$STATE/batch"
expect_ok weft_on h1 -b "$STATE/batch"
expect_output 'two' weft_on h1 group show

# Under a read-only caller a live root is as closed as none.
expect_status 2 nobody "$STATE/weft" -r "$(root_of h1)" save
expect_ok weft_on h1 unload
expect_status 0 weft_on h1 unload
