#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# apply: it owns what its files name, and no more: deletions first, --prune, --force against mass removal, several files
# as one, --dry-run that tells the same and changes nothing, progress where it is asked for.
# One host h1 with tenants red (ports w1 to w4) and blue (w1), devices p1 to p5.
. "$(dirname "$0")/../lib/net.sh"
need_weft
need jq

host_add h1 192.168.50.1/24
netns_add wire
pair h1 u0 wire u0
underlay_dev h1 u0
for n in 1 2 3 4 5; do pair h1 p$n wire p$n; done
weft_load h1

echo 'hosts: {h1: {vtep: 192.168.50.1, underlay: [u0]}}' > "$STATE/host"
# tenant NAME VNI PORT...: its file on stdout.
tenant() {
	local n name=$1 vni=$2
	shift 2
	printf 'version: 1\ntenants:\n  %s:\n    networks: {web: {vni: %s}}\n    ports:\n' "$name" "$vni"
	for n in "$@"; do
		printf '      w%s: {network: web, host: h1, device: p%s, mac: "02:00:00:00:00:0%s"}\n' "$n" "$n" "$n"
	done
}
{ echo 'version: 1'; cat "$STATE/host"; } > "$STATE/host.yaml"
tenant red 101 1 2 3 4 > "$STATE/red.yaml"
tenant red 101 1 2 3 > "$STATE/three.yaml"
tenant red 101 1 > "$STATE/one.yaml"
tenant blue 102 5 > "$STATE/blue.yaml"
files() { for file in "$@"; do printf '%s ' "$STATE/$file.yaml"; done; }
# shellcheck disable=SC2046
on_files() { local verb=$1; shift; weft_on h1 $verb $(files "$@"); }
saved() { weft_on h1 save | md5sum; }
attached() { in_ns h1 bpftool net show 2>/dev/null | grep -cE '^p[1-5]\(.*tcx/ingress'; }

# Several files are one; what is in two of them is an error, whose places are named.
expect_output 'devices: 6 to attach, 0 to detach' on_files 'apply --dry-run' host red blue
expect_eq 0 "$(attached)" "a dry run attaches nothing"
expect_eq "" "$(weft_on h1 port show)" "and stores nothing"
expect_output 'devices: 6 attached, 0 detached' on_files apply host red blue
expect_eq 5 "$(attached)" "all ports are attached"
before=$(saved)
expect_refused 'one.yaml:4:.*tenants/red/networks/web is also written in .*red.yaml, line 4' on_files apply red one
expect_refused 'is also written' on_files apply red red
expect_eq "$before" "$(saved)" "which changes nothing"

# A file owns the tenants that it names; the others stay.
expect_status 3 on_files diff three
expect_output '^- tenants/red/ports/w4$' on_files 'apply --dry-run' three
expect_eq "$before" "$(saved)" "nor does a dry run"
weft_on h1 -j apply --dry-run "$STATE/three.yaml" | jq -c 'del(.dry_run, .writes, .state)' > "$STATE/told"
weft_on h1 -j apply "$STATE/three.yaml" | jq -c 'del(.dry_run, .writes, .state)' > "$STATE/done"
expect_ok -t "which tells what apply then does" cmp "$STATE/told" "$STATE/done"
expect_output 'blue/w5' weft_on h1 port show
expect_eq 4 "$(attached)" "the deleted port's device is free again"
expect_status 0 on_files diff three

# Deletions come first, and from the inside out.
tenant blue 103 5 > "$STATE/blue2.yaml"
sed -i 's/web/net/g' "$STATE/blue2.yaml"
on_files diff blue2 > "$STATE/changes"
for sign in - + '~'; do expect_ok -t "there are changes of kind $sign" grep -q "^$sign" "$STATE/changes"; done
expect_eq "" "$(sed '0,/^[+~]/d' "$STATE/changes" | grep '^-')" "no deletion follows anything else"

# What takes most of a tenant's ports away is asked for twice, also when the whole tenant goes.
before=$(saved)
expect_refused '2 of its 3 ports.*--force' on_files apply one
expect_refused 'tenants/blue: 1 of its 1 ports.*--force' on_files 'apply --prune' host three
expect_refused 'of its . ports.*--force' weft_on h1 apply --prune "$STATE/host.yaml"
expect_status 2 on_files 'apply --dry-run' one
expect_eq "$before" "$(saved)" "refused is unchanged"
expect_eq 4 "$(attached)" "and still attached"
expect_status 3 on_files 'diff --prune' host three
expect_output '^- tenants/blue$' on_files 'apply --prune --force' host three
expect_refused 'no port "?blue|blue' weft_on h1 port show blue/w5
expect_output 'devices: 0 attached, 2 detached' on_files 'apply --force' one

# A host that goes with --prune must not be anybody's.
expect_refused 'does not exist' on_files 'apply --prune --force' one

# Progress: on a terminal after a while, where it is asked for at once, never with JSON.
expect_eq "" "$(on_files apply red 2>&1 >/dev/null)" "no progress where there is no terminal"
on_files 'apply --force' one >/dev/null
expect_eq "attaching devices: 3 of 3" "$(on_files 'apply --progress' red 2>&1 >/dev/null | grep attaching | tail -n 1)" "progress that was asked for"
expect_eq "" "$(weft_on h1 -j apply --progress --force "$STATE/one.yaml" 2>&1 >/dev/null)" "none with JSON"
expect_ok weft_on h1 unload --force
