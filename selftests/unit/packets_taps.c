// SPDX-License-Identifier: BSD-2-Clause
/*
 * Taps: steps of a chain that get copies. Up to three functions on "s", "t" and "v"; which is a tap a string says, in the
 * order of leaving: "TI" is a tap before a function in the wire. What a tap has got is read at the other end of its device.
 */
#include <unistd.h>

#include "selftests/unit/lib/world.h"

#define LEAVING (PCP_LEAVING << 13 | CHAIN_TAG)
#define TOWARDS (PCP_TOWARDS << 13 | CHAIN_TAG)
#define STEPS   3

static const enum device_name functions[STEPS] = { DEVICE_S, DEVICE_T, DEVICE_V };
static int wires[STEPS];

/* The chain as a compiler would write it: XDP takes no part. */
static void tap_some(const char *kinds)
{
	struct chain chain = chain_now();

	for (int i = 0; kinds[i]; i++)
		chain.step[i].flags = kinds[i] == 'T' ? STEP_TAP | STEP_OPEN : 0;
	chain_put(&chain);
}

static void protect(enum who w, const char *kinds, uint8_t flags)
{
	chain_protect_steps(w, flags, functions, (uint8_t)strlen(kinds));
	tap_some(kinds);
}

static void begin(void **state, const char *name, const char *kinds, uint8_t flags)
{
	struct frame f;

	world_reset(state);
	acl_allow_all();
	protect(A, kinds, flags);
	world_case(name, IN_TC);
	for (int i = 0; i < STEPS; i++)
		while (copies_read(wires[i], &f))
			;
}

static struct frame udp(enum who from, enum who to, uint16_t tag)
{
	return packet_frame((struct packet){ from, to, 4, UDP, from == A ? 1000 : 53,
					     to == A ? 1000 : 53, .payload = 20, .tag = tag });
}

/* These have come to the tap since it was asked last, and no others: `n` times the same frame. */
static void expect_copies(int step, uint32_t n, const struct frame *wanted)
{
	struct frame f;

	for (uint32_t i = 0; i < n; i++) {
		case_assert(copies_read(wires[step], &f));
		expect_frame(&f, wanted);
	}
	case_assert(!copies_read(wires[step], &f));
}

static void expect_no_copies(void)
{
	for (int i = 0; i < STEPS; i++)
		expect_copies(i, 0, NULL);
}

/* ---- where a tap stands, there it listens ---- */

/*
 * Through the chain, hook by hook. After each, the taps before the next function have got their copy, and no others; the
 * last ones when the last function has given the frame back.
 */
static void walk(const char *kinds, enum who from, bool mirrored)
{
	bool leaving = from == A;
	struct frame plain = udp(from, leaving ? B : A, 0);
	struct frame tagged = udp(from, leaving ? B : A, leaving ? LEAVING : TOWARDS);
	int n = (int)strlen(kinds), place = 0;
	const struct frame *in = &plain;
	enum hook hook = HOOK_PORT;
	enum device_name device = leaving ? DEVICE_A : DEVICE_B;

	do {
		struct result r;

		/* The function that is at work, if the frame was with one. */
		if (hook == HOOK_SF)
			place++;
		r = expect(hook, IN_TC, device, in, SENT, DROP_NONE);
		for (; place < n; place++) {
			int step = mirrored && !leaving ? n - 1 - place : place;

			if (kinds[step] == 'I')
				break;
			expect_copies(step, 1, &tagged);
			case_assert(step_traffic((uint8_t)step).sent == 1);
		}
		/* The frame itself is what it was, and vetted only where it goes to a device of ours. */
		expect_frame(&r.out, hook == HOOK_SF && place < n ? &tagged : &plain);
		case_assert(r.mark == MARK);
		expect_no_copies();
		hook = HOOK_SF;
		in = &tagged;
		if (place < n)
			device = functions[mirrored && !leaving ? n - 1 - place : place];
	} while (place < n);
	case_assert(port_traffic(leaving ? B : A).to_packets == 1);
	for (int i = 0; i < n; i++) {
		struct chain_traffic t = step_traffic((uint8_t)i);

		case_assert(t.sent == 1 && t.returned == (kinds[i] == 'I') && !t.skipped);
		case_assert(instance_traffic((uint8_t)i, 0).sent == 1);
		/* Nobody waits for a tap. */
		case_assert(!outstanding((uint8_t)i, 0));
	}
}

static void position(void **state)
{
	static const char *const chains[] = { "T",   "TI",  "IT",  "TT",  "TII", "ITI", "IIT",
					      "TTI", "TIT", "ITT", "TTT" };

	for (size_t i = 0; i < sizeof(chains) / sizeof(*chains); i++)
		for (int mirror = 0; mirror <= 1; mirror++)
			for (int towards = 0; towards <= 1; towards++) {
				begin(state, chains[i], chains[i], mirror ? CHAIN_MIRROR : 0);
				walk(chains[i], towards ? B : A, mirror);
			}
}

/* A workload whose own frames are tagged: the function gets the chain's tag, and no other. */
static void tagged_port(void **state)
{
	struct packet packet = { TAGGED, B, 4, UDP, 1000, 53, .tag = PORT_VLAN };
	struct frame in = packet_frame(packet), copy, plain;
	struct result r;

	packet.tag = LEAVING;
	copy = packet_frame(packet);
	packet.tag = 0;
	plain = packet_frame(packet);
	begin(state, "from a tagged port", "T", 0);
	protect(TAGGED, "T", 0);
	r = expect(HOOK_PORT, IN_TC, DEVICE_A, &in, SENT, DROP_NONE);
	expect_frame(&r.out, &plain);
	expect_copies(0, 1, &copy);
}

/* From another host, and to one: the copy has nothing of the tunnel. */
static void through_the_tunnel(void **state)
{
	struct frame in = udp(R, A, 0), out = udp(A, R, 0), copy_in = udp(R, A, TOWARDS), copy_out = udp(A, R, LEAVING);
	struct result r;

	frame_wrap(&in, &(struct tunnelled){ 0 });
	begin(state, "from another host", "T", 0);
	expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &in, SENT, DROP_NONE);
	expect_copies(0, 1, &copy_in);
	begin(state, "to another host", "T", 0);
	r = expect(HOOK_PORT, IN_TC, DEVICE_A, &out, SENT, DROP_NONE);
	expect_copies(0, 1, &copy_out);
	case_assert(r.out.len == out.len + 50 && !memcmp(r.out.data + 50, out.data, out.len));
	/* To the underlay no mark goes. */
	case_assert(!r.mark);
}

static void both_ends(void **state)
{
	struct frame plain = udp(A, B, 0), first = udp(A, B, LEAVING), second = udp(A, B, TOWARDS);

	begin(state, "both ends", "T", 0);
	protect(B, "T", 0);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &plain, SENT, DROP_NONE);
	{
		struct frame f;

		case_assert(copies_read(wires[0], &f));
		expect_frame(&f, &first);
		case_assert(copies_read(wires[0], &f));
		expect_frame(&f, &second);
	}
	expect_no_copies();
}

/* ---- what is denied ---- */

/* Leaving, a chain comes before the rules, whatever is in it; towards a workload after them. */
static void denied(void **state)
{
	static const char *const chains[] = { "T", "IT", "TI" };
	struct acl_entry nothing_out = { .direction = FROM_WORKLOAD, .action = ACL_DENY, ACL_ALL };

	for (size_t i = 0; i < sizeof(chains) / sizeof(*chains); i++) {
		bool after = chains[i][0] == 'I', before = chains[i][1] == 'I';
		struct frame out = udp(A, B, after || before ? LEAVING : 0), in = udp(B, A, 0);
		struct frame copy = udp(A, B, LEAVING);
		int tap = after ? 1 : 0;

		begin(state, "denied out", chains[i], 0);
		acl_put(&nothing_out, 1);
		if (after || before)
			expect(HOOK_SF, IN_TC, functions[after ? 0 : 1], &out, DROPPED, DROP_ACL_OUT);
		else
			expect(HOOK_PORT, IN_TC, DEVICE_A, &out, DROPPED, DROP_ACL_OUT);
		expect_copies(tap, !before, &copy);

		begin(state, "denied in", chains[i], 0);
		acl_put(NULL, 0);
		expect(HOOK_PORT, IN_TC, DEVICE_B, &in, DROPPED, DROP_ACL_IN);
		expect_no_copies();
	}
	/* The policy changed while the frame was in the function: it is not delivered, and so not shown. */
	{
		struct frame in = udp(B, A, 0), back = udp(B, A, TOWARDS);

		begin(state, "denied in, after the function", "IT", 0);
		expect(HOOK_PORT, IN_TC, DEVICE_B, &in, SENT, DROP_NONE);
		acl_put(NULL, 0);
		tenant_bump();
		expect(HOOK_SF, IN_TC, DEVICE_S, &back, DROPPED, DROP_ACL_IN);
		expect_no_copies();
	}
}

/* What is spoofed, or returned in another's name, is no workload's frame, and nobody sees it. */
static void not_of_the_workload(void **state)
{
	struct frame lie = packet_frame((struct packet){ A, B, 4, UDP, 1, 2, .edit = "26=0a000102" });
	struct frame back = packet_frame(
		(struct packet){ A, B, 4, UDP, 1, 2, .tag = LEAVING, .edit = "30=0a000102" });

	begin(state, "spoofed", "T", 0);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &lie, DROPPED, DROP_SPOOFED_IPV4);
	expect_no_copies();
	begin(state, "spoofed by the function", "IT", 0);
	expect(HOOK_SF, IN_TC, DEVICE_S, &back, DROPPED, DROP_SPOOFED_IPV4);
	expect_no_copies();
}

/* ---- the flow is never hurt ---- */

/* "absent", "no such device", "down", "silent": the frame goes its way; the copy that could not be is counted, and named. */
static void broken_taps(void **state)
{
	static const struct {
		const char *name;
		bool copied;
	} cases[] = { { "absent", false }, { "no such device", false }, { "down", false }, { "silent", true } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (int towards = 0; towards <= 1; towards++) {
			enum who from = towards ? B : A, to = towards ? A : B;
			struct frame plain = udp(from, to, 0);
			struct result r;

			begin(state, cases[i].name, "T", 0);
			switch (i) {
			case 0:
				instance_put(0, 0, 1, 0, 0);
				break;
			case 1:
				instance_put(0, 0, 1, 9999, 9999);
				break;
			case 2:
				assert_int_equal(system("ip link set dev s down"), 0);
				break;
			case 3:
				watch_put(0, 0,
					  &(struct sf_state){ .waiting_since = jiffies_now() - 2 * HZ,
							      .outstanding = 100,
							      .last_try = jiffies_now(),
							      .down = DOWN_PROBES,
							      .looked = jiffies_now() });
				break;
			}
			r = expect(HOOK_PORT, IN_TC, from == A ? DEVICE_A : DEVICE_B, &plain, SENT,
				   cases[i].copied ? DROP_NONE : DROP_TAP_FAILED);
			assert_int_equal(system("ip link set dev s up"), 0);
			expect_frame(&r.out, &plain);
			case_assert(port_traffic(to).to_packets == 1);
			case_assert(step_traffic(0).sent == cases[i].copied &&
				    step_traffic(0).skipped == !cases[i].copied);
			case_assert(outstanding(0, 0) == (cases[i].copied ? 100 : 0));
		}
}

/* A tap that fails keeps neither the next tap nor the function behind it waiting. */
static void one_of_several(void **state)
{
	struct frame plain = udp(A, B, 0), copy = udp(A, B, LEAVING);

	begin(state, "the first of two", "TTI", 0);
	instance_put(0, 0, 1, 0, 0);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &plain, SENT, DROP_TAP_FAILED);
	expect_copies(1, 1, &copy);
	case_assert(step_traffic(2).sent == 1 && !port_traffic(B).to_packets);
	case_assert(outstanding(2, 0) == 1 && instance_traffic(2, 0).sent == 1);
	/* And a function that is dead is so also behind a tap, which has nothing to see then. */
	begin(state, "before a dead one", "TI", 0);
	instance_put(1, 0, 2, 0, 0);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &plain, DROPPED, DROP_SF_DOWN);
	expect_no_copies();
}

/* ---- nothing that a tap sends is believed ---- */

static void believed_nothing(void **state)
{
	static const struct packet quoted = { B, A, 4, UDP, 53, 1000 };
	static const struct packet frames[] = {
		{ A, B, 4, UDP, 1000, 53, .payload = 20, .tag = LEAVING },
		{ B, A, 4, UDP, 53, 1000, .payload = 20, .tag = TOWARDS },
		{ A, B, 4, UDP, 1000, 53, .tag = CHAIN_TAG },
		{ B, A, 4, TCP, 80, 1000, RST | ACK, .seq = 1, .ack = 1, .tag = CHAIN_TAG },
		{ A, B, 4, TCP, 1000, 80, RST, .seq = 1, .tag = LEAVING },
		{ B, A, 4, TCP, 80, 1000, RST, .seq = 1, .tag = TOWARDS },
		{ A, B, 4, ICMP4, 0x0303, .quote = &quoted, .tag = CHAIN_TAG },
		{ A, B, 4, ICMP4, 0x0303, .quote = &quoted, .tag = LEAVING },
		{ B, ALL, 4, UDP, 1, 2, .tag = TOWARDS },
		{ A, ALL, 4, UDP, 1, 2, .tag = LEAVING },
	};

	for (size_t i = 0; i < sizeof(frames) / sizeof(*frames); i++)
		for_each_flavour(flavour)
		{
			struct frame f = packet_frame(frames[i]), plain = udp(B, A, 0);

			begin(state, "a tap's frame", "TI", 0);
			world_case("a tap's frame", flavour);
			/* Its flow is there, and the map of returns still has what it had as a function in the wire. */
			expect(HOOK_PORT, IN_TC, DEVICE_B, &plain, SENT, DROP_NONE);
			expect(HOOK_SF, flavour, DEVICE_S, &f, DROPPED, DROP_SF_UNKNOWN);
			case_assert(!step_traffic(0).returned);
			/* And as a compiler leaves it. */
			clear_returns(DEVICE_S);
			expect(HOOK_SF, flavour, DEVICE_S, &f, DROPPED, DROP_SF_UNKNOWN);
			case_assert(!port_traffic(A).to_packets && !port_traffic(B).to_packets);
		}
}

/* ---- XDP cannot copy ---- */

static void left_to_tc(void **state)
{
	struct frame out = udp(A, B, 0), in = udp(B, A, 0), far = udp(R, A, 0), back = udp(A, B, LEAVING);

	frame_wrap(&far, &(struct tunnelled){ 0 });
	for_each_flavour(flavour)
	{
		begin(state, "left to TC", "ITI", 0);
		world_case("left to TC", flavour);
		expect_tc(HOOK_PORT, flavour, DEVICE_A, &out, SENT, DROP_NONE);
		expect_tc(HOOK_PORT, flavour, DEVICE_B, &in, SENT, DROP_NONE);
		expect_tc(HOOK_UNDERLAY, flavour, DEVICE_U, &far, SENT, DROP_NONE);
		expect_tc(HOOK_SF, flavour, DEVICE_S, &back, SENT, DROP_NONE);
		if (flavour == IN_TC)
			continue;
		expect_no_copies();
		case_assert(!flow_count("ct4"));
		for (uint8_t i = 0; i < STEPS; i++)
			case_assert(!step_traffic(i).sent && !step_traffic(i).returned);
	}
	/* From the last function on there is no tap any more: XDP goes on. */
	begin(state, "past the last tap", "TI", 0);
	world_case("past the last tap", IN_XDP);
	expect(HOOK_SF, IN_XDP, DEVICE_T, &back, SENT, DROP_NONE);
	/* Where the operator bypasses the chain there is none either. */
	for_each_flavour(flavour)
	{
		begin(state, "bypass", "TT", CHAIN_BYPASS);
		world_case("bypass", flavour);
		expect(HOOK_PORT, flavour, DEVICE_A, &out, SENT, DROP_NONE);
		expect_no_copies();
		case_assert(step_traffic(0).bypassed == 1 && !step_traffic(0).sent);
	}
}

/* ---- who sees nothing ---- */

/* Flows that are older than the chain go on without it, and so unseen. */
static void kept_out(void **state)
{
	struct frame out = udp(A, B, 0), in = udp(B, A, 0);
	struct port port;

	begin(state, "older than the chain", "T", CHAIN_KEEP);
	port = port_get(A);
	port.chain = 0;
	port_put(A, &port);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &out, SENT, DROP_NONE);
	tenant_bump();
	port.chain = CHAIN;
	port.chain_since = world_tenant().epoch;
	port_put(A, &port);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &out, SENT, DROP_NONE);
	expect(HOOK_PORT, IN_TC, DEVICE_B, &in, SENT, DROP_NONE);
	expect_no_copies();
	case_assert(step_traffic(0).kept == 2 && !step_traffic(0).sent);
	flows_clear();
	expect(HOOK_PORT, IN_TC, DEVICE_A, &out, SENT, DROP_NONE);
	case_assert(step_traffic(0).sent == 1);
}

/* ---- what goes to everybody ---- */

static struct frame for_all(enum who from, uint16_t tag)
{
	return packet_frame((struct packet){ from, ALL, 4, UDP, 1, 2, .tag = tag });
}

static void broadcast(void **state)
{
	static const char *const chains[] = { "T", "IT", "TI" };

	for (size_t i = 0; i < sizeof(chains) / sizeof(*chains); i++) {
		struct frame all = for_all(B, 0), copy = for_all(B, TOWARDS);
		int tap = chains[i][0] == 'I';

		begin(state, "to two of the chain", chains[i], 0);
		flood_to((enum who[]){ A, TAGGED }, 2);
		protect(TAGGED, chains[i], 0);
		expect(HOOK_PORT, IN_TC, DEVICE_B, &all, SPENT, DROP_NONE);
		if (chains[i][1] == 'I') {
			expect_copies(0, 1, &copy);
			expect(HOOK_SF, IN_TC, DEVICE_T, &copy, SPENT, DROP_NONE);
		} else if (tap) {
			struct frame f;

			/* The function's own copy. */
			case_assert(copies_read(wires[0], &f));
			case_assert(!step_traffic(1).sent && !port_traffic(A).to_packets);
			expect(HOOK_SF, IN_TC, DEVICE_S, &copy, SPENT, DROP_NONE);
			expect_copies(1, 1, &copy);
		} else {
			expect_copies(0, 1, &copy);
		}
		case_assert(port_traffic(A).to_packets == 1 && port_traffic(TAGGED).to_packets == 1);
		case_assert(step_traffic((uint8_t)tap).sent == 1);

		begin(state, "to nobody who may get it", chains[i], 0);
		acl_put(NULL, 0);
		flood_to((enum who[]){ A }, 1);
		expect(HOOK_PORT, IN_TC, DEVICE_B, &all, DROPPED, DROP_ACL_IN);
		if (tap)
			expect(HOOK_SF, IN_TC, DEVICE_S, &copy, DROPPED, DROP_ACL_IN);
		expect_no_copies();
	}
}

static void broadcast_leaving(void **state)
{
	struct frame all = for_all(A, 0), copy = for_all(A, LEAVING);

	begin(state, "a broadcast leaving", "T", 0);
	flood_to((enum who[]){ A, B, TAGGED }, 3);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &all, SPENT, DROP_NONE);
	expect_copies(0, 1, &copy);
	case_assert(port_traffic(B).to_packets == 1 && port_traffic(TAGGED).to_packets == 1);
	begin(state, "a broadcast to a dead tap", "T", 0);
	flood_to((enum who[]){ A }, 1);
	instance_put(0, 0, 1, 0, 0);
	all = for_all(B, 0);
	{
		struct result r = world_run(HOOK_PORT, IN_TC, DEVICE_B, &all);

		case_assert(r.all_drops == 1 && r.drops[DROP_TAP_FAILED] == 1);
	}
	case_assert(port_traffic(A).to_packets == 1);
}

/* ---- several instances ---- */

/* A flow's copies go to one instance, both directions, also when that one has long been silent; another's to another. */
static void instances(void **state)
{
	uint32_t seen[2] = { 0, 0 };

	begin(state, "instances", "T", 0);
	instance_put(0, 1, 2, device(DEVICE_T), device(DEVICE_T));
	for (int silent = 0; silent <= 1; silent++) {
		for (uint16_t flow = 0; flow < 20; flow++) {
			struct packet packet = { A, B, 4, UDP, 2000 + flow, 53 };
			struct packet answer = { B, A, 4, UDP, 53, 2000 + flow };
			uint64_t before[2], after[2];

			for (uint8_t i = 0; i < 2; i++)
				before[i] = instance_traffic(0, i).sent;
			for (int k = 0; k < 3; k++) {
				struct frame f = packet_frame(packet), g = packet_frame(answer);

				expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);
				expect(HOOK_PORT, IN_TC, DEVICE_B, &g, SENT, DROP_NONE);
			}
			for (uint8_t i = 0; i < 2; i++)
				after[i] = instance_traffic(0, i).sent - before[i];
			case_assert((after[0] == 6 && !after[1]) || (after[1] == 6 && !after[0]));
			seen[0] += !!after[0];
			seen[1] += !!after[1];
		}
		if (!silent)
			case_assert(seen[0] && seen[1]);
		for (uint8_t i = 0; i < 2; i++)
			watch_put(0, i,
				  &(struct sf_state){ .waiting_since = jiffies_now() - 2 * HZ,
						      .outstanding = 100,
						      .last_try = jiffies_now() });
	}
	/* All are silent, and each has what it had. */
	case_assert(seen[0] % 2 == 0 && seen[1] % 2 == 0);
	/* One goes: its flows' copies go to the other. */
	instance_put(0, 0, 1, 0, 0);
	for (uint16_t flow = 0; flow < 20; flow++) {
		struct frame f = packet_frame((struct packet){ A, B, 4, UDP, 2000 + flow, 53 });

		expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);
	}
	case_assert(!step_traffic(0).skipped);
}

/* A fragment that waits for its first is shown once, when it goes on. */
static void fragments(void **state)
{
	struct frame whole = packet_frame((struct packet){ A, B, 4, UDP, 1000, 53, .payload = 392 });
	struct frame late = frame_fragment(&whole, 200, 400, 7), first = frame_fragment(&whole, 0, 200, 7), f;
	int again = again_open(DEVICE_A), n = 0;

	begin(state, "fragments", "T", 0);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &late, SPENT, DROP_NONE);
	expect_no_copies();
	expect(HOOK_PORT, IN_TC, DEVICE_A, &first, SPENT, DROP_NONE);
	expect_no_copies();
	while (n < 2 && again_read(again, &f)) {
		if (f.len < 150)
			continue;
		expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_NONE);
		n++;
	}
	case_assert(n == 2 && step_traffic(0).sent == 2);
	close(again);
}

static int open_wires(void **state)
{
	if (world_open(state))
		return -1;
	for (int i = 0; i < STEPS; i++)
		wires[i] = copies_open(functions[i]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(position, world_reset),
		cmocka_unit_test_setup(tagged_port, world_reset),
		cmocka_unit_test_setup(through_the_tunnel, world_reset),
		cmocka_unit_test_setup(both_ends, world_reset),
		cmocka_unit_test_setup(denied, world_reset),
		cmocka_unit_test_setup(not_of_the_workload, world_reset),
		cmocka_unit_test_setup(broken_taps, world_reset),
		cmocka_unit_test_setup(one_of_several, world_reset),
		cmocka_unit_test_setup(believed_nothing, world_reset),
		cmocka_unit_test_setup(left_to_tc, world_reset),
		cmocka_unit_test_setup(kept_out, world_reset),
		cmocka_unit_test_setup(broadcast, world_reset),
		cmocka_unit_test_setup(broadcast_leaving, world_reset),
		cmocka_unit_test_setup(instances, world_reset),
		cmocka_unit_test_setup(fragments, world_reset),
	};

	return cmocka_run_group_tests(tests, open_wires, world_close);
}
