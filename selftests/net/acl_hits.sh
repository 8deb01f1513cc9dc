#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# acl_hits: each rule counts what it decides, on both hosts and in both modes; counters outlive changes of other rules and
# go with their own; and what `acl check` says of a packet is what becomes of it.
. "$(dirname "$0")/../lib/lab.sh"

lab_two_hosts

# The middle of the ACL, after LINES on stdin.
configure() {
	{
		cat <<-YAML
		options: {${1:-}}
		groups:
		  left: {ports: [a]}
		acl:
		  - {name: out-no, direction: out, priority: 90, protocol: udp, destination_port: 600, action: deny}
		  - {name: out-all, direction: out, priority: 10, action: allow}
		  - {name: open, direction: in, priority: 50, protocol: udp, source: [group:left], destination_port: 500, action: allow}
		  - {name: shut, direction: in, priority: 50, protocol: udp, destination_port: 501, action: deny}
		  - {name: no, direction: in, priority: 50, protocol: udp, destination_port: 502, action: reject}
		  - {name: bare, direction: in, priority: 50, protocol: udp, destination_port: 503, stateless: true, action: allow}
		YAML
		cat
	} | lab_apply
}

# stat HOST RULE FIELD
stat() { weft_on "$1" -s -j acl show "red/$2" | jq -r --arg n "red/$2" --arg f "$3" '.[$n].statistics[$f]'; }
hits() { stat "$1" "$2" packets; }

# moves HOST RULE N TEXT COMMAND…: by how much the rule's packets rise.
moves() {
	local host=$1 rule=$2 wanted=$3 text=$4 before
	shift 4
	before=$(hits "$host" "$rule")
	"$@"
	expect_eq $((before + wanted)) "$(hits "$host" "$rule")" "$rule on $host: $text"
}

u() { echo "eth('$2', '$A', ip4('$A4', '$3', udp(${4:-4444}, $1)))"; }

counters() {
	local bytes
	# b is on h2, c on h1: there both ends are judged on one host.
	moves h1 out-all 1 "the sender's host judges out" send h1.pa "$(u 500 $B $B4 4000)"
	moves h2 open 1 "the receiver's host judges in" send h1.pa "$(u 500 $B $B4 4001)"
	moves h2 open 0 "a flow that is there is not judged again" send h1.pa "$(u 500 $B $B4 4001)" 20
	moves h1 open 1 "both on one host" send h1.pa "$(u 500 $C $C4 4002)"
	moves h1 out-all 1 "and each once" send h1.pa "$(u 500 $C $C4 4003)"
	moves h2 shut 5 "each packet that is denied" send h1.pa "$(u 501 $B $B4)" 5
	moves h2 no 5 "and rejected" send h1.pa "$(u 502 $B $B4)" 5
	moves h1 no 5 "on one host" send h1.pa "$(u 502 $C $C4)" 5
	moves h1 out-all 5 "to where the other end refuses" send h1.pa "$(u 502 $C $C4)" 5
	moves h2 bare 5 "each packet without a flow" send h1.pa "$(u 503 $B $B4)" 5
	moves h1 out-no 3 "denied at its sender" send h1.pa "$(u 600 $B $B4)" 3
	expect_counter_moved h2 tenants red:default_in send h1.pa "$(u 700 $B $B4)"
	bytes=$(stat h2 shut bytes)
	send h1.pa "$(u 501 $B $B4)"
	expect_eq $((bytes + 62)) "$(stat h2 shut bytes)" "bytes are those of the frame"
	expect_eq 0 "$(weft_on h2 -j counters | jq .tenants.red.hits_lost)" "no judgement was lost"
}

flows_of_rules() {
	weft_on h1 ct flush red >/dev/null
	weft_on h2 ct flush red >/dev/null
	echo_udp h1.pa $B4 500 --sport 4100
	echo_udp h1.pa $B4 500 --sport 4101
	expect_eq 2 "$(stat h2 open flows)" "flows that live by a rule"
	expect_eq 4 "$(stat h2 open flow_packets)" "and their packets, both ways"
	expect_eq 0 "$(stat h2 shut flows)" "none by a rule that denies"
}

# Denied under way: the flow's packets count, though the rules are not asked again.
denied_under_way() {
	send h1.pa "$(u 500 $B $B4 4200)"
	weft_on h2 acl add red/stop direction in priority 99 protocol udp destination_port 500 action deny
	moves h2 stop 10 "packets of a flow that is denied now" send h1.pa "$(u 500 $B $B4 4200)" 10
	moves h2 open 0 "are no longer its old rule's" send h1.pa "$(u 500 $B $B4 4200)"
	weft_on h2 acl del red/stop
}

flows_made() { counter_get h2 tenants red:flows; }

# A stateless rule lets in what it says, packet by packet, and remembers nothing that anybody could ride on.
stateless() {
	local made
	made=$(flows_made)
	for i in $(seq 40); do send h1.pa "$(u 503 $B $B4 $((7000 + i)))" 10; done
	expect_eq "$made" "$(flows_made)" "400 packets of 40 tuples make no flow"
	expect_eq 0 "$(weft_on h2 -j ct show red | jq '[.[] | select(.destination_port == 503)] | length')" "none is in the table"
	# The asker's host has let them out by a rule with flows: answers come in there, and nothing that only looks like one.
	expect_drop h1 acl_in h2.pb "eth('$A', '$B', ip4('$B4', '$A4', udp(503, 7099)))" "what nobody has asked is no answer"
	expect_drop h1 acl_in h1.pc "eth('$A', '$C', ip4('$C4', '$A4', udp(503, 7001)))" "nor is a stranger's"
	weft_on h2 ct flush red > /dev/null
	weft_on h2 acl add red/bare-out direction out priority 70 protocol udp source_port 503 stateless true action allow
	made=$(flows_made)
	send h2.pb "eth('$A', '$B', ip4('$B4', '$A4', udp(503, 7002)))" 3
	expect_eq "$made" "$(flows_made)" "with a stateless rule for them answers begin no flow either"
	# So what is taken away is away at once, for every tuple that passed before.
	weft_on h2 acl set red/bare action deny
	expect_drop h2 acl_in h1.pa "$(u 503 $B $B4 7001)" "the rule denies now, and no flow remembers otherwise"
	expect_drop h2 acl_in h1.pa "$(u 503 $B $B4 7002)" "nor an answer's"
	weft_on h2 acl set red/bare action allow
	weft_on h2 acl del red/bare-out
}

keys() { bpftool -j map dump pinned "$(root_of h2)/tenants/red/rule_hits" | jq length; }

life() {
	local before had
	before=$(hits h2 shut)
	had=$(keys)
	weft_on h2 acl set red/shut destination_port 501-509
	weft_on h2 acl add red/other direction in priority 7 protocol tcp action deny
	expect_eq "$before" "$(hits h2 shut)" "a rule that is changed keeps its counter"
	send h1.pa "eth('$B', '$A', ip4('$A4', '$B4', tcp(4444, 80, SYN)))"
	expect_eq $((had + 1)) "$(keys)" "a rule's first hit makes its counter"
	weft_on h2 acl del red/other
	expect_eq "$had" "$(keys)" "it goes with the rule"
	# More rules than the map has room for: another one takes its place.
	configure < <(for i in $(seq 100); do
		echo "  - {name: many-$i, direction: in, priority: 5, protocol: tcp, destination_port: $i, action: deny}"
	done)
	expect_eq "$before" "$(hits h2 shut)" "counters move to a larger map"
	moves h2 shut 1 "and go on" send h1.pa "$(u 501 $B $B4)"
	moves h2 many-77 1 "beside new ones" send h1.pa "eth('$B', '$A', ip4('$A4', '$B4', tcp(4444, 77, SYN)))"
	configure <<< ""
	moves h2 shut 1 "and in a smaller one" send h1.pa "$(u 501 $B $B4)"
	expect_eq $((before + 2)) "$(hits h2 shut)" "nothing is lost"
	expect_eq 0 "$(weft_on h2 -s -j acl show red | jq '[keys[] | select(contains("many"))] | length')" "what is gone is gone"
	weft_on h2 acl del red/shut
	weft_on h2 acl add red/shut direction in priority 50 protocol udp destination_port 501 action deny
	expect_eq 0 "$(hits h2 shut)" "a new rule of an old name begins at 0"
}

# verdict HOST KEY VALUE…: what `acl check` says.
check() { weft_on h1 -j acl check red "$@"; }
says() {
	local wanted=$1
	shift
	expect_eq "$wanted" "$(check "$@" | jq -r '[.judged[] | "\(.direction) \(.port) \(.action) \(.rule // "-")"] + [.passes] | join(", ")')" \
		"acl check $*"
}

checks() {
	says "out a allow out-all, in b allow open, true" source $A4 destination $B4 protocol udp destination_port 500
	says "out c allow out-all, in b deny -, false" source $C4 destination $B4 protocol udp destination_port 500
	says "out a deny out-no, false" source port:a destination port:b protocol udp destination_port 600
	says "in b reject no, false" port b direction in source 198.51.100.1 destination $B4 protocol udp destination_port 502
	says "out a allow out-all, in b deny -, false" source $A6 destination $B6 protocol icmpv6
	says "out a deny -, false" source $A4 destination $B4 protocol tcp destination_port 80 tcp_flags ack
	says "out a allow out-all, in b deny -, false" source $A4 destination $B4 protocol tcp destination_port 80
	says "false" source $A4 destination $B4 protocol icmp icmp_type 3 icmp_code 1
	expect_eq 'destination_port is 501' "$(check source $A4 destination $B4 protocol udp destination_port 510 | jq -r '.judged[1].before[] | select(.rule == "shut").why[0]')" \
		"by which key the nearest rule misses"
	expect_status 0 weft_on h1 acl check red source $A4 destination $B4 protocol udp destination_port 500
	expect_status 3 weft_on h1 acl check red source $A4 destination $B4 protocol udp destination_port 501
	run_quietly weft_on h1 acl check red source $A4 destination $B4 protocol udp destination_port 501
	expect_eq "in at port:b: deny, by rule shut (priority 50)" "$(grep '^in ' "$STATE/output")" "and says so"
	expect_refused "neither source nor destination" weft_on h1 acl check red source 192.0.2.1 destination 192.0.2.2 protocol udp destination_port 1
	expect_refused "is a prefix" weft_on h1 acl check red source 10.0.1.0/24 destination $B4 protocol icmp
	expect_refused "protocol is missing" weft_on h1 acl check red source $A4 destination $B4
	expect_refused "no such tenant" weft_on h1 acl check blue source $A4 destination $B4 protocol icmp
}

# The same question to the command and to the datapath: ports 495 to 510 and 600, from both workloads.
check_and_packets() {
	local port ns from mac ip rule before
	for port in 499 500 501 502 503 504 600; do
		for ns in a c; do
			case $ns in
			a) mac=$A ip=$A4 ;;
			c) mac=$C ip=$C4 ;;
			esac
			rule=$(check source $ip destination $B4 protocol udp source_port 5000 destination_port $port | jq -r '.judged[-1] | "\(.direction) \(.rule // "")"')
			case $rule in
			"in ") expect_counter_moved h2 tenants red:default_in send h1.p$ns "eth('$B', '$mac', ip4('$ip', '$B4', udp(5000, $port)))" ;;
			in*) moves h2 "${rule#* }" 1 "as acl check says of port $port from $ns" send h1.p$ns "eth('$B', '$mac', ip4('$ip', '$B4', udp(5000, $port)))" ;;
			out*) moves h1 "${rule#* }" 1 "as acl check says of port $port from $ns" send h1.p$ns "eth('$B', '$mac', ip4('$ip', '$B4', udp(5000, $port)))" ;;
			esac
		done
	done
}

run() {
	configure <<< ""
	counters
	flows_of_rules
	denied_under_way
	stateless
	life
	weft_on h1 ct flush red >/dev/null
	weft_on h2 ct flush red >/dev/null
	check_and_packets
}
echo_serve h2.pb 500
each_mode run
checks
configure "enforcement: monitor" <<< ""
says "out a allow out-all, in b deny shut, true" source $A4 destination $B4 protocol udp destination_port 501
