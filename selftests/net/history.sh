#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# history: each change makes one state with who, when, how and what, ten are kept besides the present one, and
# rollback goes to any of them, by packets; a command that is killed neither loses a state nor leaves one that never was;
# the log has every change. One host h1, tenant red with ports w1 and w2 there.
. "$(dirname "$0")/../lib/one_host.sh"
need python3 unshare

one_host 2
configuration() {
	one_host_yaml <<-YAML
	acl:
	  - {name: ping, direction: in, priority: 50, protocol: icmp, action: $1}
	YAML
}

# state N FILTER: of the state N steps back.
state() { weft_on h1 -j history "$1" 2>/dev/null | jq -r "$2"; }
states() { weft_on h1 -j history | jq length; }
directory() { echo "$WEFT_STATE_DIR/$(root_of h1 | tr / ,)"; }

configuration allow > "$STATE/allow.yaml"
configuration deny > "$STATE/deny.yaml"
weft_load h1
expect_output 'no change' weft_on h1 history
expect_refused '0 states' weft_on h1 rollback

# --- a state each, of files, verbs and batches; none of what changes nothing ---

expect_ok -t "apply" weft_on h1 apply "$STATE/allow.yaml"
expect_eq 2 "$(states)" "the first change is a state, and so is what was before"
expect_eq "$(sha256sum < "$STATE/allow.yaml" | cut -d' ' -f1)" "$(state 0 '.origin.files[0].sha256')" \
	"it knows its file"
expect_eq "apply $STATE/allow.yaml" "$(state 0 .origin.command)" "and its command"
expect_eq 6 "$(state 0 '.diff | length')" "and its difference"
now=$(date +%s)
expect_ok -t "and its time" test $((now - $(state 0 .time))) -le 5
weft_on h1 apply "$STATE/allow.yaml" > /dev/null
weft_on h1 apply --dry-run "$STATE/deny.yaml" > /dev/null
expect_fail -t "a change that is refused" weft_on h1 port set red/w1 network nope
expect_eq 2 "$(states)" "no state of an apply that changes nothing, a dry run, and what is refused"
SUDO_USER=alice weft_on h1 acl add red/web direction in priority 60 protocol tcp destination_port 80 action allow
expect_eq 'alice + tenants/red/acl/web' "$(state 0 .origin.user) $(weft_on h1 history 0 | grep '^+')" \
	"a verb makes a state, in the name of the user of sudo"
printf 'group add red/one ports w1\ngroup add red/two ports w2\n' > "$STATE/batch"
weft_on h1 -b "$STATE/batch"
expect_eq "$(sha256sum < "$STATE/batch" | cut -d' ' -f1) 2 4" \
	"$(state 0 '.origin.files[0].sha256') $(state 0 '.diff | length') $(states)" "a batch is one state"
ping_ok h1.p1 10.0.1.2

# --- back, and back again ---

expect_ok -t "apply that denies" weft_on h1 apply "$STATE/deny.yaml"
ping_fail h1.p1 10.0.1.2
expect_output '^~ tenants/red/acl/ping action: deny -> allow' weft_on h1 rollback --dry-run
ping_fail h1.p1 10.0.1.2
expect_output '^\+ tenants/red/groups/two' weft_on h1 rollback
ping_ok h1.p1 10.0.1.2
expect_output 'action: allow -> deny' weft_on h1 rollback
ping_fail h1.p1 10.0.1.2
expect_eq rollback "$(state 0 .origin.command)" "a rollback is a state, and was rolled back"
expect_ok -t "four states back" weft_on h1 rollback 4
expect_eq '{"ping":"allow","web":"allow"}' \
	"$(weft_on h1 -j save | jq -c '.tenants.red | if .groups then "groups" else (.acl | map_values(.action)) end')" \
	"that is the state after the verb"
expect_refused 'more than half' weft_on h1 rollback 7
ping_ok h1.p1 10.0.1.2
expect_ok -t "to the beginning" weft_on h1 rollback 7 --force
ping_fail h1.p1 10.0.1.2
expect_output '^version: 1$' weft_on h1 save
expect_ok -t "and back" weft_on h1 rollback
ping_ok h1.p1 10.0.1.2
for n in 0 -1 11 x 1x; do expect_status 1 weft_on h1 rollback -- $n; done

# --- ten are kept ---

for i in 1 2 3 4 5 6 7 8; do weft_on h1 group add red/g$i ports w1; done
expect_eq 11 "$(states)" "ten states are kept besides the present one"
expect_eq 11 "$(find "$(directory)" -name 'state-*' | wc -l)" "and no other file"
expect_ok -t "the oldest" weft_on h1 rollback 10
expect_eq null "$(weft_on h1 -j save | jq -r .tenants.red.groups.g1)" "has none of the groups"

# --- other tools ---

weft_on h1 apply "$STATE/allow.yaml" > /dev/null
key=$(bpftool -j map dump pinned "$(root_of h1)/tenants/red/rules" | jq -r '.[0].key | join(" ")')
# shellcheck disable=SC2086
bpftool map delete pinned "$(root_of h1)/tenants/red/rules" key hex ${key//0x/}
expect_output 'acl/ping' weft_on h1 rollback --dry-run
expect_eq '0 apply' "$(state 0 .state) $(state 1 .origin.command | cut -d' ' -f1)" "what others edited is no state yet"
expect_ok -t "acl commit after an edit" weft_on h1 acl commit red
ping_fail h1.p1 10.0.1.2
expect_eq '- - tenants/red/acl/ping' "$(weft_on h1 history | sed -n '2s/.*  \(-\)  .*/\1/p') $(weft_on h1 history 0 | grep '^-')" \
	"what others edited is a state of nobody"
expect_ok -t "which can be rolled back" weft_on h1 rollback
ping_ok h1.p1 10.0.1.2

# --- unreadable ---

# A disk that has lost what was in the files takes no new state with it.
mkdir "$STATE/kept"
cp -a "$(directory)/." "$STATE/kept"
number=$(state 0 .state)
for file in "$(directory)"/state-*.json; do : > "$file"; done
expect_output 'no change' weft_on h1 history
weft_on h1 group add red/kept ports w1
expect_eq "$((number + 2)) group add red/kept ports w1" "$(state 0 .state) $(state 0 .origin.command)" "a new state comes after them"
expect_ok weft_on h1 rollback
expect_eq null "$(weft_on h1 -j save | jq .tenants.red.groups)" "and can be rolled back"
# What has the form of a state and no configuration in it is none.
echo '{"state":999,"tree":{"hosts":[1]},"origin":7}' > "$(directory)/state-999.json"
expect_ok weft_on h1 rollback --dry-run
expect_eq 0 "$(grep -c '^- tenants/red$' "$STATE/output")" "rubbish is nothing to go back to"
echo '{"state":999,"tree":{"hosts":[1]},"origin":7}' > "$(directory)/confirm.json"
weft_on h1 status > /dev/null
sleep 0.3
ping_ok h1.p1 10.0.1.2
rm "$(directory)"/*.json
cp -a "$STATE/kept/." "$(directory)"

# --- killed ---

# A command that died after it had written the maps, one that died before, and one half-way: what is in the maps counts.
pending() { jq -c --argjson n "$(($(state 0 .state) + 1))" ".state = \$n | $1" "$(directory)/state-$(state 0 .state).json" \
	> "$(directory)/state-pending.json"; }
number=$(state 0 .state)
pending '.tree.tenants.red.acl.ping.action = "deny"'
weft_on h1 group add red/after ports w1
expect_eq "$((number + 1)) group add red/after ports w1" "$(state 0 .state) $(state 0 .origin.command)" \
	"a change that never came to the maps is no state"
pending '.origin.command = "was killed"'
expect_eq "done, then killed" "$(WEFT_LOG=stderr weft_on h1 -j group del red/after 2>&1 >/dev/null |
	jq -r 'select(.command == "was killed").outcome')" "one that did is logged by the next command"
expect_eq "was killed" "$(state 1 .origin.command)" "and is a state"
number=$(state 0 .state)
pending '.tree.tenants.red.acl.ping.action = "deny" | .tree.tenants.red.groups.half = {"ports": ["w1"]}'
cp "$(directory)/state-pending.json" "$STATE/pending"
weft_on h1 group add red/half ports w1
rm "$(directory)/state-$((number + 1)).json"
cp "$STATE/pending" "$(directory)/state-pending.json"
weft_on h1 apply "$STATE/deny.yaml" > /dev/null
expect_eq "$((number + 1)) null" "$(state 0 .state) $(state 1 .tree.tenants.red.groups.half)" \
	"half a change is no state to go back to"
expect_ok test ! -e "$(directory)/state-pending.json"
weft_on h1 rollback > /dev/null
for after in 0.004 0.008 0.012 0.016 0.02 0.03; do
	for file in deny allow; do
		timeout -s KILL $after "$WEFT" -n "$(netns_of h1)" -r "$(root_of h1)" apply "$STATE/$file.yaml"
	done
done > /dev/null 2>&1
weft_on h1 apply "$STATE/allow.yaml" > /dev/null
weft_on h1 apply "$STATE/deny.yaml" > /dev/null
expect_ok -t "every state is whole after all those deaths" bash -c "cat '$(directory)'/state-*.json | jq -es 'all(.tree and .diff)'"
ping_fail h1.p1 10.0.1.2
weft_on h1 rollback > /dev/null
ping_ok h1.p1 10.0.1.2

# Programs of another build are a state of their own.
file="$(directory)/state-$(state 0 .state).json"
jq -c '.build = "0.0+other"' "$file" > "$STATE/state" && cp "$STATE/state" "$file"
expect_ok weft_on h1 load
expect_eq "load 0 0.0+other" "$(state 0 .origin.command) $(state 0 '.diff | length') $(state 1 .build)" "a load of another build is a state"
expect_output '^~ programs: .* -> 0.0\+other' weft_on h1 rollback --dry-run

# Without a place for it, a change is made all the same, and says so.
expect_output 'not be in the history' env WEFT_STATE_DIR=/proc/none "$WEFT" -n "$(netns_of h1)" -r "$(root_of h1)" apply "$STATE/deny.yaml"
ping_fail h1.p1 10.0.1.2

# --- a root that is made anew ---

weft_on h1 apply "$STATE/allow.yaml" > /dev/null
number=$(state 0 .state)
weft_on h1 unload --force
expect_eq "$number" "$(state 0 .state)" "the history outlives the root"
weft_load h1
weft_on h1 apply "$STATE/allow.yaml" > /dev/null
expect_eq "$number" "$(state 0 .state)" "the same configuration in a new root is the same state"

# --- the log ---

logged() { WEFT_LOG=stderr weft_on h1 -j "$@" 2>&1 >/dev/null | jq -c "${FILTER:-[.verb, .object, .before, .after]}"; }
expect_eq '["add","tenants/red/groups/x",null,{"ports":["w1"]}]' "$(logged group add red/x ports w1)" "an addition is logged"
expect_eq '["change","tenants/red/groups/x",{"ports":["w1"]},{"ports":["w2"]}]' "$(logged group set red/x ports w2)" "a change is"
expect_eq '["delete","tenants/red/groups/x",{"ports":["w2"]},null]' "$(logged group del red/x)" "a deletion is"
expect_eq '"root"' "$(SUDO_USER='' FILTER=.user logged ct flush red)" "with the user"
expect_eq '["add","neigh/red/web/10.0.1.9",null,{"mac":"02:00:00:00:00:99"}]' \
	"$(logged neigh add red/web/10.0.1.9 mac 02:00:00:00:00:99 | head -1)" "a neighbour is"
expect_eq '["del","neigh/red/web/10.0.1.9",{"mac":"02:00:00:00:00:99"},null]' \
	"$(logged neigh del red/web/10.0.1.9 | head -1)" "and its end"
expect_eq '["add","fdb/red/web/02:00:00:00:00:77",null]' \
	"$(logged fdb add red/web/02:00:00:00:00:77 port w1 | head -1 | jq -c '.[0:3]')" "an entry of fdb is"
expect_eq '["bump","tenants/red"]' "$(logged epoch bump red | jq -c '.[0:2]')" "an epoch is"
expect_eq '["load","programs"]' "$(logged load | jq -c '.[0:2]')" "a load is"
expect_eq '' "$(logged status)$(logged apply "$STATE/allow.yaml")$(WEFT_LOG=none weft_on h1 epoch bump red 2>&1)" "what changes nothing is not"
expect_output 'user=alice verb=add object=tenants/red/groups/x before=null after=\{"ports":\["w1"\]\} outcome=done command="group add' \
	env SUDO_USER=alice WEFT_LOG=stderr "$WEFT" -n "$(netns_of h1)" -r "$(root_of h1)" group add red/x ports w1
expect_refused 'syslog, stderr or none' env WEFT_LOG=paper "$WEFT" status

# In a mount namespace with a /dev of its own there can be a syslog.
cat > "$STATE/syslog.py" <<-PYTHON
	import socket
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.bind("/dev/log")
	print("ready", flush=True)
	print(s.recv(65536).decode(), flush=True)
PYTHON
expect_output '^<85>.*weft\[[0-9]+\]: .*verb=delete object=tenants/red/groups/x' unshare -m bash -c "
	mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9
	python3 '$STATE/syslog.py' > '$STATE/syslog' & until grep -q ready '$STATE/syslog'; do sleep 0.02; done
	'$WEFT' -n $(netns_of h1) -r $(root_of h1) group del red/x; wait; cat '$STATE/syslog'"
