#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# install: make install puts everything where it is looked for, and make uninstall leaves nothing but what others wrote; the
# units are right for systemd; what they run does what they promise, with no more rights than they leave. Host h1 with
# tenant red, whose port web1 is on p0, which comes after the boot.
. "$(dirname "$0")/../lib/net.sh"
need_weft
need jq make setpriv

export WEFT_STATE_DIR=$STATE/state
DEST=$STATE/dest
UNITS=$DEST/usr/lib/systemd/system

installer() { run_quietly make --no-print-directory -C "$TOP" -o all "$1" DESTDIR="$DEST" PREFIX=/usr || { show_output; fail "make $1"; }; }
files() { (cd "$DEST" && find . ! -type d | sort); }

# --- there and away ---

installer install
for file in usr/sbin/weft usr/share/man/man8/weft.8 usr/share/man/man8/weft-agent.8 etc/weft/README \
	usr/lib/systemd/system/weft.service usr/lib/systemd/system/weft-agent.service \
	usr/share/bash-completion/completions/weft; do
	[ -s "$DEST/$file" ] && ok "$file is installed" || fail "$file is not installed"
done
expect_eq "$(ls "$TOP"/docs/man/*.8 | wc -l)" "$(ls "$DEST/usr/share/man/man8" | wc -l)" "every page of the manual"
expect_output '^weft [0-9]' "$DEST/usr/sbin/weft" version
echo 'version: 1' > "$DEST/etc/weft/mine.yaml"
chmod 700 "$DEST/etc/weft"
installer install
expect_eq 'version: 1 700' "$(cat "$DEST/etc/weft/mine.yaml") $(stat -c %a "$DEST/etc/weft")" "a second install leaves the configuration alone"
installer uninstall
expect_eq ./etc/weft/mine.yaml "$(files)" "uninstall leaves the configuration, and nothing else"
rm "$DEST/etc/weft/mine.yaml"
installer install
installer uninstall
expect_eq '' "$(files)" "uninstall leaves no file"
expect_eq '' "$(find "$DEST" -name '*weft*')" "and no directory of its own"
installer install

# --- the units ---

if command -v systemd-analyze >/dev/null; then
	mkdir "$STATE/units"
	for unit in weft.service weft-agent.service; do
		sed "s|=/usr/sbin/weft|=$DEST/usr/sbin/weft|" "$UNITS/$unit" > "$STATE/units/$unit"
	done
	# Pages are not where man looks for them yet.
	expect_eq '' "$(systemd-analyze verify --man=no "$STATE"/units/*.service 2>&1)" "systemd-analyze finds nothing in the units"
else
	note "systemd-analyze is not installed: it did not look at the units"
fi
expect_output '^After=.*systemd-modules-load.service.*local-fs.target' cat "$UNITS/weft.service"
expect_output '^Before=.*network-online.target.*libvirtd.service' cat "$UNITS/weft.service"
expect_fail -t "stopping weft.service unloads nothing" grep -q '^ExecStop' "$UNITS/weft.service"

# --- what they run ---

host_add h1 192.168.50.1/24
netns_add wire
pair h1 u0 wire u0
underlay_dev h1 u0

# The lines of a unit as systemd would run them, of this host, with $DEST for /.
unit_lines() {
	sed -n "s|^$2=||p" "$UNITS/$1" |
		sed "s|/usr/sbin/weft|$DEST/usr/sbin/weft -n $(netns_of h1) -r $(root_of h1)|; s|/etc/weft|$DEST/etc/weft|; s|\$WEFT_LOAD_OPTIONS|--host h1|"
}
unit_run() {
	local line
	while IFS= read -r line; do
		# shellcheck disable=SC2086
		expect_ok -t "$1: ${line#"$DEST"}" $line
	done < <(unit_lines "$1" "$2")
}

bpffs_own 0700 # which load lets the group pass
export WEFT_GROUP=61009
GROUP=$WEFT_GROUP
unit_run weft.service ExecStart
expect_eq 0 "$(weft_on h1 -j tenant show | jq length)" "an empty /etc/weft is nothing to do"
cat > "$DEST/etc/weft/10-hosts.yaml" <<-YAML
	version: 1
	hosts:
	  h1: {vtep: 192.168.50.1, underlay: [u0]}
YAML
cat > "$DEST/etc/weft/20-red.yaml" <<-YAML
	version: 1
	tenants:
	  red:
	    networks:
	      web: {vni: 101, subnets: [10.0.1.0/24]}
	    ports:
	      web1: {network: web, host: h1, device: p0, mac: "02:00:00:00:00:0a", addresses: [10.0.1.1]}
	      web2: {network: web, host: h1, device: p1, mac: "02:00:00:00:00:0b", addresses: [10.0.1.2]}
	    acl:
	      - {name: ping, direction: in, priority: 50, protocol: icmp, action: allow}
YAML
echo 'rubbish: [' > "$DEST/etc/weft/.20-red.yaml.swp"
echo 'rubbish: [' > "$DEST/etc/weft/20-red.yaml.orig"
expect_status 3 weft_on h1 diff "$DEST/etc/weft"
unit_run weft.service ExecReload
expect_status 0 weft_on h1 diff "$DEST/etc/weft"
expect_eq red/web1,red/web2 "$(weft_on h1 -j port show | jq -r 'keys | join(",")')" "every *.yaml of the directory, and nothing else, is configured"
echo 'rubbish: [' > "$DEST/etc/weft/30-bad.yaml"
expect_refused 30-bad weft_on h1 apply "$DEST/etc/weft"
mkdir "$STATE/empty"
expect_output 'nothing to do' weft_on h1 apply --prune --force "$STATE/empty"
expect_eq '[] 0' "$(weft_on h1 -j apply "$STATE/empty" | jq -c .changes) $(weft_on h1 -j diff "$STATE/empty" | jq length)" "in JSON too"
expect_eq 2 "$(weft_on h1 -j port show | jq length)" "an empty directory is no wish for nothing"

# The agent, with the capabilities and system calls that its unit leaves it.
capabilities=$(sed -n 's/^CapabilityBoundingSet=//p' "$UNITS/weft-agent.service" | sed 's/CAP_/+/g; s/ /,/g' | tr 'A-Z' 'a-z')
# -D: the agent is our child, and strace looks on.
trace=()
command -v strace >/dev/null && trace=(strace -D -f -qq -o "$STATE/trace")
"${trace[@]}" setpriv --bounding-set "-all,$capabilities" --no-new-privs \
	bash -c "exec $(unit_lines weft-agent.service ExecStart)" 2> "$STATE/agent.log" &
agent=$!
wait_for 5 grep -q started "$STATE/agent.log" || fail "the agent does not start: $(cat "$STATE/agent.log")"
workload_add h1 p0 02:00:00:00:00:0a 10.0.1.1/24
workload_add h1 p1 02:00:00:00:00:0b 10.0.1.2/24
all_bound() { [ "$(weft_on h1 -j port show | jq '[.[] | select(.state == "bound")] | length')" -eq 2 ]; }
if wait_for 8 all_bound; then ok "the agent attaches with: $capabilities"; else fail "not attached: $(cat "$STATE/agent.log")"; fi
ping_ok h1.p0 10.0.1.2
echo_serve h1.p1 7
expect_counter_moved h1 drops acl_in tcp_fail h1.p0 10.0.1.2 7
# It finishes what a killed command has left, tables included, and who may read them still may.
dd_zero() { head -c "$1" /dev/zero | od -An -tx1 -v | tr -s ' \n' ' '; }
hex_of() { (printf %s "$1"; head -c $(($2 - ${#1})) /dev/zero) | od -An -tx1 -v | tr -s ' \n' ' '; }
# shellcheck disable=SC2046
bpftool map delete pinned "$(root_of h1)/tenants/red/rules" key hex $(hex_of ping 32)
# shellcheck disable=SC2046
bpftool map update pinned "$(root_of h1)/config" key hex $(hex_of .interrupted 96) value hex $(dd_zero 12) 01 00 $(dd_zero 842)
kill -HUP $agent
if wait_for 8 cannot_ping h1.p0 10.0.1.2; then ok "the agent finishes what was cut off"; else fail "not repaired: $(cat "$STATE/agent.log")"; fi
expect_ok wait_for 3 weft_on h1 status
expect_eq "640 $GROUP" "$(stat -c '%a %g' "$(root_of h1)/tenants/red/acl")" "the new ACL may be read by the group"
kill -TERM $agent
wait $agent
expect_eq 0 $? "and stops with status 0"

if [ -s "$STATE/trace" ] && command -v systemd-analyze >/dev/null; then
	# What the filter allows: its groups resolved, one after another.
	calls_of() {
		local word
		for word; do
			case $word in
			@*) # shellcheck disable=SC2046
				calls_of $(systemd-analyze syscall-filter --no-pager "$word" | sed -n 's/^ *\([@a-z_0-9-]*\)$/\1/p' | grep -vxF -- "$word") ;;
			*) echo "$word" ;;
			esac
		done
	}
	# shellcheck disable=SC2046
	calls_of $(sed -n 's/^SystemCallFilter=//p' "$UNITS/weft-agent.service") | sort -u > "$STATE/allowed"
	sed -nE '/execve\(.*usr\/sbin\/weft/,$s/^[0-9]+ +([a-z_0-9]+)\(.*/\1/p' "$STATE/trace" | sort -u > "$STATE/called"
	expect_eq '' "$(comm -23 "$STATE/called" "$STATE/allowed" | xargs)" \
		"its $(wc -l < "$STATE/called") system calls are among the $(wc -l < "$STATE/allowed") of its unit"
else
	note "strace or systemd-analyze is not installed: the filter of system calls was not tried"
fi

expect_ok weft_on h1 unload --force
