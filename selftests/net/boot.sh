#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# boot: what weft.service does at boot, `weft load` and `weft apply --at-boot`, brings host h1 up with what the operator
# has confirmed last, whatever is in the files meanwhile: what was taken back, what is no YAML, what one device is refused
# for. Tenant red has ports w1, w2 and w3 there.
. "$(dirname "$0")/../lib/one_host.sh"

one_host 3
one_host_yaml > "$STATE/good.yaml" <<-YAML
	acl:
	  - {name: ping, direction: in, priority: 50, protocol: icmp, action: allow}
YAML
sed 's/allow/deny/' "$STATE/good.yaml" > "$STATE/bad.yaml"
conf=$STATE/weft.d
mkdir "$conf"

# What a reboot leaves of weft: the state directory. And no process that waits.
reboot() {
	pkill_waiting
	rm -rf "$(root_of h1)"
	in_ns h1 ip link del weft-vxlan
	wait_for 3 eval '! in_ns h1 bpftool net | grep -qE "^p[123]\("'
}
pkill_waiting() { pgrep -f "$WEFT -n $(netns_of h1) -r $(root_of h1) .*" | xargs -r kill -9; }
at_boot() { weft_on h1 apply --at-boot --no-verify "$conf"; }
# booted STATUS: comes up with that status of apply.
booted() {
	weft_load h1
	expect_status "$1" at_boot
	cp "$STATE/output" "$STATE/said"
}
says() { if grep -qE "$1" "$STATE/said"; then ok "and says: $1"; else fail "does not say: $1"; cat "$STATE/said"; fi; }
# up TEXT: with what is in good.yaml.
up() {
	expect_status 0 weft_on h1 diff "$STATE/good.yaml"
	expect_ok -t "$1" weft_on h1 verify
	ping_ok h1.p1 10.0.1.2
}

# --- nothing was ever there ---

echo 'rubbish: [' > "$conf/10.yaml"
booted 2
cp "$STATE/good.yaml" "$conf/10.yaml"
expect_status 0 at_boot
up "the first boot"
expect_status 0 at_boot

# --- files that were taken back ---

cp "$STATE/bad.yaml" "$conf/10.yaml"
expect_ok weft_on h1 apply "$conf" --confirm 4s
ping_fail h1.p1 10.0.1.2
wait_for 8 can_ping h1.p1 10.0.1.2
reboot
booted 4
says 'taken back since nobody confirmed it.*this host is up all the same, with its last state'
up "taken back before the boot"
expect_output 'applied a former state' weft_on h1 status
expect_status 4 at_boot
up "and once more"
expect_status 2 weft_on h1 apply "$conf"

expect_ok weft_on h1 apply "$conf" --confirm 1h
boot_id() { sed -i 's/"boot_id":"[^"]*"/"boot_id":"another"/' "$WEFT_STATE_DIR/$(root_of h1 | tr / ,)/confirm.json"; }
pkill_waiting
boot_id
reboot
booted 4
says 'taken back since nobody confirmed it'
up "not confirmed when the machine went down"

# The same files on another ground are the same files.
expect_ok weft_on h1 tenant add blue
expect_ok weft_on h1 apply "$conf" --confirm 1s
wait_for 4 can_ping h1.p1 10.0.1.2
reboot
booted 4
says 'taken back'
up "taken back, with a tenant more that was made by hand"
expect_output blue weft_on h1 tenant show
expect_ok weft_on h1 tenant del blue

# --- files that are wrong ---

echo 'rubbish: [' > "$conf/20.yaml"
reboot
booted 4
says '20.yaml:'
up "a file that is no YAML"
expect_status 4 at_boot
rm "$conf/20.yaml"
sed 's/vni: 101/vni: 0/' "$STATE/good.yaml" > "$conf/10.yaml"
reboot
booted 4
says 'vni'
up "a file that is refused"
expect_status 2 weft_on h1 apply "$conf"

# --- devices ---

cp "$STATE/good.yaml" "$conf/10.yaml"
reboot
in_ns h1 ip link set dev p3 xdpgeneric pinned "$(weft_load h1; root_of h1)/prog/port_xdp"
expect_status 4 at_boot
cp "$STATE/output" "$STATE/said"
says 'port red/w3: pending: .*device p3.*foreign'
ping_ok h1.p1 10.0.1.2
in_ns h1 ip link set dev p3 xdpgeneric off
expect_status 0 at_boot
up "one device is refused, the others are attached, and it when it can be"

# Who came first this time does not matter where both were let stay before.
reboot
weft_load h1
in_ns h1 tc qdisc add dev p2 clsact
in_ns h1 tc filter add dev p2 ingress pref 30000 bpf direct-action object-pinned "$(root_of h1)/prog/guard_tc"
expect_status 0 at_boot
up "another's program was there before ours"
in_ns h1 tc qdisc del dev p2 clsact

# But the ways to the host may lead over another device than before.
reboot
addr_add h1 p3 10.9.0.1/24
in_ns h1 ip route add default via 10.9.0.2 dev p3
booted 4
says 'port red/w3: pending: .*device p3 carries this host.s default route'
ping_ok h1.p1 10.0.1.2
expect_ok weft_on h1 unload --force
