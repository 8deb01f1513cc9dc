#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# function_rewrites: a function with two arms on h1, t0 and t1, which puts words of other lengths into TCP streams, as a web
# application firewall may (examples/rewriter). HTTP between a (h1) and b (h2), altered in both directions; words that segments
# cut; segments that are lost; between a and c, who are both behind it, altered twice; and that a function which does not say that
# it rewrites cannot.
MODES=tc
. "$(dirname "$0")/../lib/lab.sh"
need curl jq python3

WORDS=(-r first=1st -r cat=elephant -r elephant=whale)

# configure REWRITES [PORTS]
configure() {
	LAB_FUNCTIONS="  waf: {rewrites: $1, instances: {waf1: {host: h1, devices: [t0, t1]}}}"
	lab_apply <<-YAML
	options: {default: {in: allow, out: allow}}
	chains:
	  alter: {tag: 301, steps: [{function: waf}]}
	insert:
	  - {name: wire, apply_to: [${2:-port:a}], chain: alter}
	YAML
}

lab() {
	lab_two_hosts
	function_wire h1 t0 t1
	function_start h1.t0 "$TOOLS/rewriter" "${WORDS[@]}" t0 t1
	# Some hundred words in half a megabyte of other text; segments cut some of them.
	python3 -c 'for i in range(7000): print(f"{i} " + ("the cat sat on the mat" if i % 30 == 7 else "x" * 70))' > "$STATE/text"
	sed 's/cat/elephant/g' "$STATE/text" > "$STATE/once"
	sed 's/elephant/whale/g' "$STATE/once" > "$STATE/twice"
	for ns in h2.pb h1.pc; do
		bg in_ns $ns python3 -S -E "$TOP/selftests/net/rewritten.py" serve 80 "$STATE/text"
		wait_for 5 in_ns $ns curl -s -o /dev/null "http://[::1]/" || die "no web server in $ns"
	done
}

url() { [[ $1 == *:* ]] && echo "http://[$1]/$2" || echo "http://$1/$2"; }

# gets NS ADDRESS ASKED FILE: what the server said it was asked for, and the file as it arrived.
gets() {
	http_get "$1" "$(url "$2" first)" > "$STATE/got" 2> "$STATE/why"
	expect_eq "you asked for /$3" "$(head -n 1 "$STATE/got")" "$1 asks $2 for first, which hears $3 ($(cat "$STATE/why"))"
	tail -n +2 "$STATE/got" > "$STATE/body"
	cmp -s "$STATE/body" "$4" && ok "$1 gets $(basename "$4") of $(wc -c < "$4") bytes from $2" ||
		fail "$1 gets another text from $2: $(wc -c < "$STATE/body") bytes"
}

# puts NS ADDRESS FILE: the server got the text as it is in that file.
puts() {
	expect_eq "$(sha256sum < "$3" | cut -d' ' -f1)" \
		"$(in_ns "$1" python3 -S -E "$TOP/selftests/net/rewritten.py" put "$2" 80 "$STATE/text" 2>&1)" \
		"$1 puts a text to $2, which gets $(basename "$3")"
}

states() { weft_on h1 -j ct show red protocol tcp | jq -r '.[].state' | sort | uniq -c | xargs; }
all_closed() { ! states | grep -qE 'established|syn'; }

outside() { counter_get h1 tenants red:tcp_outside; }

one_end() {
	local before
	before=$(outside)
	gets h1.pa $B4 1st "$STATE/once"
	gets h1.pa $B6 1st "$STATE/once"
	puts h1.pa $B4 "$STATE/once"
	puts h1.pa $B6 "$STATE/once"
	gets h2.pb $A4 1st "$STATE/once"
	[ "$(outside)" -gt "$before" ] && ok "segments outside the windows have passed" || fail "no segment was outside its window"
	expect_eq 0 "$(counter_get h1 drops ct_tcp_window)" "none was dropped as such"
	ping_ok h1.pa $B4
	udp_ok h1.pa $B4 7 --count 5
	# Who did not see the function on its wire has one side's numbers alone.
	expect_eq 0 "$(counter_get h2 tenants red:tcp_outside)" "on the other host they all fit"
	wait_for 5 all_closed && ok "and the connections are known to have ended: $(states)" || fail "connections seem open: $(states)"
}

# says ADDRESS WANT PIECE...: what comes of these pieces, each of which is a segment.
says() {
	expect_eq "$2" "$(in_ns h1.pa python3 -S -E "$TOP/selftests/net/rewritten.py" say "$1" 80 ${#2} "${@:3}" 2>&1)" \
		"what a says in ${*:3} is heard as $2"
}

# A word is one wherever it is cut, a beginning that goes on in another way is none, and one that does not go on arrives in the end.
words_cut() {
	says $B4 "an elephant." "an " "c" "at."
	says $B6 "an elephant." "an ca" "t."
	says $B4 "a whale." "a e" "leph" "ant."
	says $B6 "a whale elephant 1st" "a e" "lephant c" "at firs" "t"
	says $B4 "a cart, a caelephant." "a c" "a" "rt, a ca" "cat."
	says $B4 "the ca" "the ca"
}

# lossy NS DEVICE HOOK N: one frame in N, by chance, is lost there (a random number, compared; lo has no use for them).
lossy() {
	in_ns "$1" tc qdisc replace dev "$2" clsact
	in_ns "$1" tc filter add dev "$2" "$3" protocol all bpf \
		bytecode "4,32 0 0 4294963256,37 0 1 $(((1 << 32) / $4)),6 0 0 0,6 0 0 4294967295" \
		action mirred egress redirect dev lo || die "no losses on $1:$2"
}

lost() { in_ns "$1" tc -s filter show dev "$2" "$3" | sed -n 's/.*Sent [0-9]* bytes \([0-9]*\) pkt.*/\1/p'; }

# What is sent again is altered as it was, also where it is cut in another way than before; before the function and behind it.
losses() {
	local HTTP_TIMEOUT=30 before behind
	lossy h1.pa eth0 egress 100
	lossy h2.pb eth0 ingress 50
	puts h1.pa $B4 "$STATE/once"
	gets h1.pa $B6 1st "$STATE/once"
	before=$(lost h1.pa eth0 egress) behind=$(lost h2.pb eth0 ingress)
	[ $((before + behind)) -gt 5 ] && ok "with $before frames lost before the function, and $behind behind it" ||
		fail "only $before and $behind frames were lost"
	in_ns h1.pa tc qdisc del dev eth0 clsact
	in_ns h2.pb tc qdisc del dev eth0 clsact
}

both_ends() {
	configure true "port:a, port:c"
	gets h1.pa $C4 1st "$STATE/twice"
	puts h1.pc $A6 "$STATE/twice"
	puts h1.pa $C4 "$STATE/twice"
	gets h1.pc $B6 1st "$STATE/once"
	configure true
}

# A request that gets shorter is acknowledged by fewer bytes than were let pass.
not_said() {
	configure false
	HTTP_TIMEOUT=2 expect_counter_moved h1 drops ct_tcp_window expect_fail http_get h1.pa "$(url $B4 first)"
	ping_ok h1.pa $B4
	# It is a switch of its own: what altered streams pass by is on at the next packet.
	configure true
	gets h1.pa $B4 1st "$STATE/once"
	expect_refused 'is not known here: write true or false|is neither' weft_on h1 sf set waf rewrites perhaps
}

lab
bg in_ns h1.pa python3 -S -E "$TOP/selftests/net/rewritten.py" serve 80 "$STATE/text"
echo_serve h2.pb 7
configure true
wait_for 5 in_ns h1.pa curl -s -o /dev/null "http://[::1]/"
one_end
words_cut
losses
both_ends
not_said
function_report
