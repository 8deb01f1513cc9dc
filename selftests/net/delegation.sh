#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# delegation: host h1 with tenants red and blue, the same addresses in both. The pin of red's rules is given to a user
# without any right. He edits them, and red's packets follow once they are committed; he gets at nothing else. What he
# may write that is no rule neither reaches blue nor red's live ACL, nor holds a command up.
. "$(dirname "$0")/../lib/net.sh"
need_weft
need jq setpriv bpftool

U=61003
bpffs_own 0700 # as systemd does
export WEFT_STATE_DIR=$STATE/lib
mkdir -m 1777 "$WEFT_STATE_DIR"
cp "$TOOLS/owner" "$STATE/owner-tool"
ROOT=$(root_of h1)
RULES=$ROOT/tenants/red/rules

host_add h1 192.168.50.1/24
netns_add wire
pair h1 u0 wire u0
underlay_dev h1 u0
for t in r b; do
	workload_add h1 ${t}0 02:00:00:00:00:0a 10.0.1.1/24
	workload_add h1 ${t}1 02:00:00:00:00:0b 10.0.1.2/24
done

tenant_yaml() {
	cat <<-YAML
	version: 1
	tenants:
	  $1:
	    networks: {web: {vni: $3, subnets: [10.0.1.0/24]}}
	    ports:
	      a: {network: web, host: h1, device: ${2}0, mac: "02:00:00:00:00:0a", addresses: [10.0.1.1]}
	      b: {network: web, host: h1, device: ${2}1, mac: "02:00:00:00:00:0b", addresses: [10.0.1.2]}
	    groups: {$1: {ports: [a, b]}}
	    acl:
	      - {name: web, direction: in, priority: 50, protocol: tcp, destination_port: 80, action: allow}
	YAML
}
tenant_yaml red r 101 > "$STATE/red.yaml"
tenant_yaml blue b 102 > "$STATE/blue.yaml"
echo 'hosts: {h1: {vtep: 192.168.50.1, underlay: [u0]}}' >> "$STATE/red.yaml"

owner() { setpriv --reuid $U --regid $U --clear-groups --inh-caps=-all "$STATE/owner-tool" "$@"; }
# No command takes longer than this, whatever the map holds.
weft_soon() { timeout 60 "$WEFT" -n "$(netns_of h1)" -r "$ROOT" "$@"; }
commit() { weft_soon acl commit "$@"; }

umask 077
weft_load h1
expect_ok weft_on h1 apply "$STATE/red.yaml" "$STATE/blue.yaml"
echo_serve h1.r1 80 81 82
echo_serve h1.b1 80 81

# --- what he can open ---

expect_status 1 owner "$RULES" read
chown $U "$RULES"
expect_status 1 owner "$RULES" write
chmod o+x "$ROOT" "$BPFFS"
expect_ok -t "the owner opens his rules" owner "$RULES" write
for pin in tenants/blue/rules tenants/red/acl tenants/red/ct4 config ports tenant_slots acl devices prog/port_tc link/u0:tc; do
	expect_status 1 owner "$ROOT/$pin" read
done
as_owner() { setpriv --reuid $U --regid $U --clear-groups --inh-caps=-all "$@"; }
expect_fail -t "he lists no directory" as_owner ls "$ROOT" "$ROOT/tenants" "$ROOT/tenants/red"
expect_fail -t "he puts nothing beside" as_owner ln -s "$ROOT/tenants/blue/rules" "$ROOT/tenants/red/other"
expect_fail -t "nor in their place" as_owner mv "$RULES" "$ROOT/tenants/red/mine"
expect_fail -t "he holds no lock" as_owner flock -n "$ROOT" true

# --- what he is there for ---

tcp_ok h1.r0 10.0.1.2 80
tcp_fail h1.r0 10.0.1.2 81
expect_ok owner "$RULES" put more 81
tcp_fail h1.r0 10.0.1.2 81
expect_ok commit red
tcp_ok h1.r0 10.0.1.2 81
tcp_fail h1.b0 10.0.1.2 81
expect_output 'more' weft_on h1 acl show
expect_ok -t "bpftool deletes a rule for him" as_owner bpftool map delete pinned "$RULES" \
	key hex 6d 6f 72 65 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
expect_ok commit
tcp_fail h1.r0 10.0.1.2 81

# It stays his: over changes of the rules, none at all, and a load.
his() { expect_eq "$U 0 640" "$(stat -c '%u %g %a' "$RULES")" "his after: $1"; }
chmod 640 "$RULES"
expect_ok weft_on h1 acl add red/x direction in priority 1 protocol udp action allow
his "acl add"
expect_ok weft_on h1 apply "$STATE/red.yaml"
his "apply"
expect_ok weft_on h1 acl del red/web
his "the last rule is gone"
expect_ok owner "$RULES" put web 80
weft_load h1
his "load"
expect_ok commit red
tcp_ok h1.r0 10.0.1.2 80
expect_ok weft_on h1 acl del blue/web
rm "$ROOT/tenants/blue/rules"
expect_ok commit blue
expect_ok -t "a tenant without rules gets a map to delegate" test -e "$ROOT/tenants/blue/rules"
expect_ok weft_on h1 apply "$STATE/blue.yaml"

# --- what he had better not do ---

blue_acl() { bpftool -j map show pinned "$ROOT/tenants/blue/acl" | jq .id; }

# hostile TEXT owner-arguments: refused by name for red, noted for all, and in nobody's way.
hostile() {
	local text=$1 acl
	shift
	acl=$(blue_acl)
	note "$text"
	run_quietly owner "$RULES" "$@" || { fail "$text: not written"; show_output; }
	expect_refused '(acl|tenant) red' commit red
	expect_status 4 commit
	if grep -q 'live ACL stays' "$STATE/output"; then ok "$text: noted"; else fail "$text: no note"; show_output; fi
	expect_refused 'degraded.*tenant red' weft_soon status
	expect_status 4 weft_soon save
	expect_refused 'wrong tenant red' weft_soon verify
	# Whose file does not name red is told, and has not failed.
	expect_status 0 weft_soon apply "$STATE/blue.yaml"
	if grep -q "note: .*red.*live ACL stays" "$STATE/output"; then ok "$text: noted for blue"; else fail "$text: not noted"; show_output; fi
	expect_ok weft_soon epoch bump red
	expect_eq "$acl" "$(blue_acl)" "$text: blue's ACL is as it was"
	tcp_ok h1.r0 10.0.1.2 80
	run_quietly owner "$RULES" clear
	run_quietly owner "$RULES" put web 80
	expect_ok -t "$text: taken back" commit red
}
hostile "random bytes" random 40 1
hostile "ones" ones 1
hostile "a path for a name" put ../../blue/acl/web 81
hostile "dots" put .. 81
hostile "another tenant's path in a reference" put web 81 port:../../blue/ports/a
hostile "another tenant's group" put web 81 group:blue
hostile "another tenant's name" put web 81 port:blue/a
hostile "a list in a reference" put web 81 'port:a,port:b'
hostile "65535 ranges" counts web
tcp_fail h1.r0 10.0.1.2 81
tcp_fail h1.b0 10.0.1.2 81
tcp_ok h1.b0 10.0.1.2 80

# What he has written and nobody committed is no failure of others' changes either; of one that brings his rules it is.
expect_ok owner "$RULES" put more 81
expect_refused 'wrong tenant red, map acl' weft_soon verify
expect_ok weft_soon apply "$STATE/blue.yaml"
expect_ok owner "$RULES" clear
expect_refused 'wrong tenant red, map acl' weft_soon verify
expect_ok weft_soon apply "$STATE/blue.yaml"
# Another map of his than the rules, as nobody but root changes it, is everybody's.
rm "$ROOT/tenants/red/ct4"
expect_refused 'not verified: tenant red, map ct4' weft_soon apply "$STATE/blue.yaml"
expect_ok weft_soon apply "$STATE/red.yaml"
expect_ok weft_soon apply "$STATE/blue.yaml"

# Another rule's id, under which the log would know his.
id_of() { bpftool -j map lookup pinned "$ROOT/tenants/$1/rules" key hex 77 65 62 00 00 00 00 00 00 00 00 00 00 00 00 00 \
	00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 | jq .formatted.value.id; }
blue=$(id_of blue)
expect_ok owner "$RULES" id web "$blue"
expect_ok commit
expect_eq "$blue" "$(id_of blue)" "blue's rule keeps its id"
if [ "$(id_of red)" != "$blue" ] && [ "$(id_of red)" != 0 ]; then ok "red's does not get it"; else fail "red has blue's id"; fi

# A map that nobody can write any more: weft makes a new one in its place.
expect_ok owner "$RULES" freeze
expect_status 1 owner "$RULES" put web2 82
expect_ok weft_soon acl add red/x direction in priority 1 protocol udp action allow
expect_ok owner "$RULES" put web2 82
expect_ok commit red
tcp_ok h1.r0 10.0.1.2 82

# As many rules as a large map holds: valid ones, which are too many to compile, then others.
bpftool map create "$ROOT/tenants/red/large" type hash key 32 value 1344 entries 131072 name rules flags 1 ||
	die "no large map"
chown $U "$ROOT/tenants/red/large"
mv "$ROOT/tenants/red/large" "$RULES"
expect_output '^100000$' owner "$RULES" fill 100000
expect_ok commit red
tcp_ok h1.r0 10.0.1.2 82
expect_ok owner "$RULES" explode 20000
expect_refused 'tenant red: .* the bound is 256' commit red
expect_ok owner "$RULES" random 20000 2
expect_status 4 commit
tcp_ok h1.r0 10.0.1.2 82
expect_ok weft_soon apply "$STATE/red.yaml"
expect_eq $U "$(stat -c %u "$RULES")" "and a file with all of red's rules puts it right"
tcp_fail h1.r0 10.0.1.2 82

# While weft reads: every command sees some state of his, and ends in time.
bg setpriv --reuid $U --regid $U --clear-groups "$STATE/owner-tool" "$RULES" race 100
bad=0
for n in 1 2 3 4 5 6; do
	commit red >/dev/null 2>&1
	[[ $? =~ ^(0|2)$ ]] || bad=$((bad + 1))
	commit >/dev/null 2>&1
	[[ $? =~ ^(0|4)$ ]] || bad=$((bad + 1))
	weft_soon tenant set blue conntrack.max_flows $((1024 + n % 2 * 1024)) >/dev/null 2>&1 || bad=$((bad + 1))
done
kill -0 "$BG_PID" || fail "he has stopped writing"
bg_stop "$BG_PID"
expect_eq 0 $bad "$n rounds of commands while he writes: none crashed, hung or failed for blue"
expect_ok weft_soon apply "$STATE/red.yaml" "$STATE/blue.yaml"
tcp_ok h1.r0 10.0.1.2 80
tcp_fail h1.r0 10.0.1.2 81
tcp_ok h1.b0 10.0.1.2 80
expect_ok weft_on h1 unload --force
