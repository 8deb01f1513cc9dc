#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# confirm: what is applied with --confirm takes itself back within half a second after its time, by packets and whole,
# whatever has happened to the shell, the session, the command or the waiting process; unless `weft confirm` came. No
# other change comes in between. One host h1, tenant red with ports w1, w2 and w3 there.
. "$(dirname "$0")/../lib/one_host.sh"
need python3

one_host 3
one_host_yaml > "$STATE/good.yaml" <<-YAML
	groups:
	  all: {ports: [w1, w2, w3]}
	acl:
	  - {name: ping, direction: in, priority: 50, protocol: icmp, source: [group:all], action: allow}
YAML
# Another VNI, a port and a group fewer, nothing let in, a tenant more.
sed -e '/ w3:/d; /groups:/d; /all:/d; s/vni: 101/vni: 102/; s/ source: \[group:all\],//; s/allow/deny/' \
	"$STATE/good.yaml" > "$STATE/bad.yaml"
printf '  blue: {networks: {n: {vni: 200}}}\n' >> "$STATE/bad.yaml"

weft_load h1
record() { echo "$WEFT_STATE_DIR/$(root_of h1 | tr / ,)/confirm.json"; }
waits() { [ -e "$(record)" ]; }
pids() { pgrep -f "$WEFT -n $(netns_of h1) -r $(root_of h1) .*" | xargs -r ps -o pid=,stat= -p | awk '$2 !~ /Z/ { print $1 }'; }
nobody_waits() { [ -z "$(pids)" ]; }
picture() { weft_on h1 save; weft_on h1 -j status | jq -c '.devices, .pending'; }
apply() { weft_on h1 apply "$@" > /dev/null; }
good() {
	apply "$STATE/good.yaml" --force || die "the good configuration"
	picture > "$STATE/before"
}
taken_back() {
	if ! wait_for "$1" eval '! waits'; then
		fail "$2: it is still there"
		cat "$(record)"
		return
	fi
	picture > "$STATE/after"
	if diff "$STATE/before" "$STATE/after"; then ok "$2: everything is as before"; else fail "$2: something differs"; fi
	ping_ok h1.p1 10.0.1.2
	ping_ok h1.p1 10.0.1.3
	expect_ok -t "and nobody waits" wait_for 1 nobody_waits
}

# --- the whole session dies ---

good
# The terminal hangs up, then all that is left of the session and of its control group is killed.
cat > "$STATE/session.py" <<-'PYTHON'
	import os, pty, signal, subprocess, sys, time
	group = "/sys/fs/cgroup/unified" if os.path.exists("/sys/fs/cgroup/unified/cgroup.procs") else "/sys/fs/cgroup"
	mine = group + "/" + sys.argv[1]
	try:
	    os.mkdir(mine)
	except OSError:
	    mine = None
	pid, master = pty.fork()
	if not pid:
	    if mine:
	        open(mine + "/cgroup.procs", "w").write("0")
	    os.execvp("bash", ["bash", "-c", '"$@"; echo "status $?"; sleep 60', "bash"] + sys.argv[2:])
	out = b""
	while b"status " not in out:
	    out += os.read(master, 4096)
	sys.stdout.buffer.write(out)
	os.close(master)
	time.sleep(0.1)
	session = subprocess.run(["ps", "-o", "pid=", "-s", str(pid)], capture_output=True, text=True).stdout.split()
	for p in session:
	    os.kill(int(p), signal.SIGKILL)
	os.waitpid(pid, 0)
	if mine and os.path.exists(mine + "/cgroup.kill"):
	    open(mine + "/cgroup.kill", "w").write("1")
	    print("control group killed")
	time.sleep(0.1)
	if mine:
	    os.rmdir(mine)
PYTHON
expect_output 'status 0' python3 "$STATE/session.py" "weft-$TEST_ID" "$WEFT" -n "$(netns_of h1)" -r "$(root_of h1)" \
	apply "$STATE/bad.yaml" --confirm 4s
grep -q 'control group' "$STATE/output" || note "no control groups to kill here"
# Before any other weft command, which would start another.
expect_ok -t "the session is dead, the waiting process is not" eval '! nobody_waits'
ping_fail h1.p1 10.0.1.2
deadline=$(jq .deadline_ms "$(record)")
sleep "$(awk -v d="$deadline" -v n="$(now_ms)" 'BEGIN { print (d > n + 150) ? (d - n - 150) / 1000 : 0 }')"
# Unless the machine has let us sleep for longer than that.
expect_ok -t "not before its time" eval 'waits || [ "$(now_ms)" -ge "$deadline" ]'
wait_for 5 eval '! waits'
late=$(($(now_ms) - deadline))
# As a rule a tenth of that.
if [ $late -le 3000 ]; then ok "taken back $late ms after its time"; else fail "taken back only $late ms after its time"; fi
taken_back 1 "the session is dead"
expect_output 'not confirmed: .apply .*bad.yaml --confirm 4s. is taken back' weft_on h1 history
expect_refused 'nobody confirmed it.*--confirm TIME' weft_on h1 apply "$STATE/bad.yaml"
expect_refused 'nothing awaits' weft_on h1 confirm

# --- confirmed ---

expect_output 'unless .weft confirm. comes' weft_on h1 apply "$STATE/bad.yaml" --confirm 5s
expect_output 'confirmed: state' weft_on h1 confirm
expect_ok -t "nobody waits any more" wait_for 1 nobody_waits
expect_refused 'nothing awaits' weft_on h1 confirm
sleep 5.1
ping_fail h1.p1 10.0.1.2
expect_eq null "$(weft_on h1 -j status | jq .unconfirmed)" "it stays"

# --- no other change; taken back by hand; nothing to confirm; refused ---

good
apply "$STATE/bad.yaml" --confirm 1h
expect_output 'unconfirmed: .*bad.yaml --confirm 1h. of root is taken back at' weft_on h1 status
expect_eq "$(weft_on h1 -j history 0 | jq .state)" "$(weft_on h1 -j status | jq .unconfirmed.state)" "status names the state"
for change in 'group add red/x ports w1' "apply $STATE/good.yaml" "apply $STATE/good.yaml --confirm 2m"; do
	# shellcheck disable=SC2086
	expect_refused 'awaits confirmation until .*weft confirm.*weft rollback' weft_on h1 $change
done
expect_ok -t "what is no change of the configuration is not refused" weft_on h1 epoch bump red
expect_ok -t "rollback takes it back at once" weft_on h1 rollback --force
taken_back 1 "rollback"
expect_output 'nothing to change' weft_on h1 apply "$STATE/good.yaml" --confirm 1h
expect_output 'dry run' weft_on h1 apply "$STATE/bad.yaml" --force --dry-run --confirm 1h
sed 's/vni: 101/vni: 0/' "$STATE/good.yaml" > "$STATE/wrong.yaml"
expect_fail -t "a file that is refused" weft_on h1 apply "$STATE/wrong.yaml" --confirm 1h
in_ns h1 ip link add dx type veth peer name dy
in_ns h1 tc qdisc add dev dx clsact
in_ns h1 tc filter add dev dx ingress bpf direct-action object-pinned "$(root_of h1)/prog/guard_tc"
sed 's/device: p3/device: dx/' "$STATE/good.yaml" > "$STATE/foreign.yaml"
expect_refused 'foreign' weft_on h1 apply "$STATE/foreign.yaml" --confirm 1h
in_ns h1 ip link del dx
expect_ok -t "nothing awaits after these" eval '! waits && nobody_waits'
for time in 5 0s 900ms 8d soon; do expect_status 1 weft_on h1 apply "$STATE/bad.yaml" --confirm $time; done
expect_fail -t "without a place for the way back" env WEFT_STATE_DIR=/proc/none "$WEFT" -n "$(netns_of h1)" \
	-r "$(root_of h1)" apply "$STATE/bad.yaml" --confirm 1h
ping_ok h1.p1 10.0.1.2

# --- what keeps it from going back is said, and once it is gone it goes back ---

apply "$STATE/bad.yaml" --confirm 4s
in_ns h1 ip link set dev p3 xdpgeneric pinned "$(root_of h1)/prog/port_xdp"
expect_ok -t "a revert that is refused says why in status" \
	wait_for 5 eval 'weft_on h1 status | grep -q "unconfirmed: .*cannot be taken back: .*p3.*foreign"'
ping_fail h1.p1 10.0.1.2
in_ns h1 ip link set dev p3 xdpgeneric off
taken_back 4 "without the foreign program"

# One that can stay, behind ours, is no reason to leave everybody without a network.
apply "$STATE/bad.yaml" --confirm 1s
in_ns h1 tc qdisc add dev p3 clsact
in_ns h1 tc filter add dev p3 ingress pref 30000 bpf direct-action object-pinned "$(root_of h1)/prog/guard_tc"
taken_back 4 "with a program of somebody else on p3"
in_ns h1 tc qdisc del dev p3 clsact

# --- the command, the waiting process, the machine dies ---

for ((after = 8; after < 2000; after += 2 + after / 20)); do
	timeout -s KILL "$((after / 1000)).$(printf %03d $((after % 1000)))" "$WEFT" -n "$(netns_of h1)" -r "$(root_of h1)" \
		apply "$STATE/bad.yaml" --confirm 2s
	waits || continue
	# One that was only half born when its parent died ends at once.
	sleep 0.2
	nobody_waits || break
	# Killed before it had started the process, and so before any change.
	weft_on h1 status
	wait_for 3 eval '! waits'
done > /dev/null 2>&1
expect_ok -t "the command is killed after $after ms, and somebody waits" eval 'waits && ! nobody_waits'
taken_back 3 "the command is killed on its way"

apply "$STATE/bad.yaml" --confirm 3s
kill -9 "$(pids)"
sleep 3.1
ping_fail h1.p1 10.0.1.2
"$WEFT" -n "$(netns_of wire)" -r "$(root_of h1)" status > /dev/null
expect_ok -t "from another network namespace nothing is done" eval 'waits && nobody_waits'
weft_on h1 status > /dev/null
taken_back 1 "the next command finds the process dead"

apply "$STATE/bad.yaml" --confirm 1h
kill -9 "$(pids)"
jq -c '.boot_id = "another"' "$(record)" > "$STATE/record"
cp "$STATE/record" "$(record)"
rm -rf "$(root_of h1)"
in_ns h1 ip link del weft-vxlan
wait_for 2 eval '! in_ns h1 bpftool net | grep -q "^p1("'
ping_fail h1.p1 10.0.1.2
weft_load h1
taken_back 2 "the machine is started anew"
expect_refused 'nobody confirmed it' weft_on h1 apply "$STATE/bad.yaml"
ping_ok h1.p1 10.0.1.2

apply "$STATE/bad.yaml" --confirm 1h
weft_on h1 unload --force
expect_ok -t "unload ends it" eval '! waits && wait_for 1 nobody_waits'
