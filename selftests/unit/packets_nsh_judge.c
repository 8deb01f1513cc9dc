// SPDX-License-Identifier: BSD-2-Clause
/*
 * A function on another host, seen from the one that judges: A's frames go there in NSH, and what comes back is taken as
 * from a function of this host, at that place of that path. What is not believed: packets_nsh_attacks.c.
 */
#include "selftests/unit/nsh_judge.h"
#include "selftests/unit/rule_chains.h"

/* What A sends; XDP leaves it to TC, and has done nothing. */
static void leaves(void **state)
{
	struct frame frames[] = {
		udp(A, B, 4),
		udp(A, R, 6),
		packet_frame((struct packet){ A, B, 4, TCP, 1000, 80, .flags = SYN }),
		packet_frame((struct packet){ A, B, 4, UDP, 1, 2, .edit = "12=9000" }),
		packet_frame((struct packet){ A, B, 4, UDP, 1, 2, .edit = "12=9000 len=20" }),
		packet_frame((struct packet){ A, ALL, 4, UDP, 1, 2 }),
	};

	for (size_t i = 0; i < sizeof(frames) / sizeof(*frames); i++)
		for_each_flavour(flavour)
		{
			struct result r;

			protected(state);
			world_case("leaving", flavour);
			r = expect_tc(HOOK_PORT, flavour, DEVICE_A, &frames[i], SENT, DROP_NONE);
			case_assert(step_traffic(0).sent == (flavour == IN_TC) &&
				    watch_now(0, 0).outstanding == (flavour == IN_TC) &&
				    instance_traffic(0, 0).sent == (flavour == IN_TC));
			case_assert(!flow_count("ct4") && !flow_count("ct6"));
			if (flavour == IN_TC)
				nsh_expect(&r, &frames[i], &to_far);
		}
}

/* And what is back: judged, and on its way. */
static void comes_back(void **state)
{
	for_each_flavour(flavour)
	{
		struct frame plain = udp(A, B, 4), in = plain;
		struct result r;

		protected(state);
		world_case("to a port of this host", flavour);
		expect(HOOK_PORT, IN_TC, DEVICE_A, &plain, SENT, DROP_NONE);
		case_assert(outstanding(0, 0) == 1);
		nsh_wrap(&in, &back);
		r = expect(HOOK_UNDERLAY, flavour, DEVICE_U, &in, SENT, DROP_NONE);
		expect_frame(&r.out, &plain);
		case_assert(flow_count("ct4") == 1 && port_traffic(B).to_packets == 1);
		case_assert(step_traffic(0).returned == 1 && instance_traffic(0, 0).returned == 1);
		case_assert(!outstanding(0, 0));

		protected(state);
		world_case("to another host", flavour);
		plain = in = udp(A, R, 6);
		expect(HOOK_PORT, IN_TC, DEVICE_A, &plain, SENT, DROP_NONE);
		nsh_wrap(&in, &back);
		r = expect(HOOK_UNDERLAY, flavour, DEVICE_U, &in, SENT, DROP_NONE);
		case_assert(r.out.len == plain.len + 50 && flow_count("ct6") == 1);
		case_assert(!memcmp(r.out.data + 50, plain.data, plain.len));
		case_assert(r.out.data[37] == 0xb5); /* UDP 4789 */
	}
}

/* From another host to A: judged, to the function, back, and delivered; a flow begins before, and no function begins one. */
static void arrives(void **state)
{
	for_each_flavour(flavour)
	{
		struct frame plain = udp(R, A, 4), in = plain, home = plain;
		struct result r;

		protected(state);
		world_case("towards", flavour);
		frame_wrap(&in, &(struct tunnelled){ 0 });
		r = expect_tc(HOOK_UNDERLAY, flavour, DEVICE_U, &in, SENT, DROP_NONE);
		case_assert(!port_traffic(A).to_packets);
		if (flavour == IN_TC)
			nsh_expect(&r, &plain, &to_far_towards);
		nsh_wrap(&home, &back_towards);
		if (flavour == IN_XDP)
			/* Of a flow that it knows; and A's chain is TC's. */
			expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &in, SENT, DROP_NONE);
		r = expect_tc(HOOK_UNDERLAY, flavour, DEVICE_U, &home, SENT, DROP_NONE);
		if (flavour == IN_TC) {
			expect_frame(&r.out, &plain);
			case_assert(port_traffic(A).to_packets == 1);
		}

		protected(state);
		world_case("towards, of no flow", flavour);
		expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &home, DROPPED, DROP_SF_NO_FLOW);
	}
}

/* Steps here and there, in both orders: each index once. */
static void several_steps(void **state)
{
	static const enum device_name more[] = { DEVICE_T, DEVICE_V };
	struct frame plain = udp(A, B, 4), in = plain, again, tagged;
	struct result r;

	world_reset(state);
	acl_allow_all();
	nsh_protect(A, 0, more, 2);
	nsh_remote(2, 0, 0x7009, FAR_HOST);
	world_case("far, near, far", IN_TC);
	r = expect(HOOK_PORT, IN_TC, DEVICE_A, &plain, SENT, DROP_NONE);
	nsh_expect(&r, &plain, &to_far);
	nsh_wrap(&in, &back);
	r = expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &in, SENT, DROP_NONE);
	tagged = packet_frame((struct packet){ A, B, 4, UDP, 1000, 53, .payload = 20, .tag = OUTWARD });
	case_assert(step_traffic(1).sent == 1 && step_traffic(0).returned == 1);
	expect_frame(&r.out, &plain); /* the tag is beside it */
	r = expect(HOOK_SF, IN_TC, DEVICE_T, &tagged, SENT, DROP_NONE);
	nsh_expect(&r, &plain,
		   &(struct service){
			   .destination = FARS, .si = 253, .ttl = 63, .instance = 0x7009 });
	case_assert(step_traffic(2).sent == 1 && !flow_count("ct4"));
	again = plain;
	nsh_wrap(&again, &(struct service){ .si = 252, .instance = 0x7009 });
	r = expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &again, SENT, DROP_NONE);
	expect_frame(&r.out, &plain);
	case_assert(flow_count("ct4") == 1 && port_traffic(B).to_packets == 1);

	world_reset(state);
	acl_allow_all();
	nsh_protect(A, CHAIN_MIRROR, more, 2);
	nsh_remote(2, 0, 0x7009, FAR_HOST);
	world_case("mirrored", IN_TC);
	plain = in = udp(B, A, 4);
	r = expect(HOOK_PORT, IN_TC, DEVICE_B, &plain, SENT, DROP_NONE);
	nsh_expect(&r, &plain,
		   &(struct service){ .destination = FARS,
				      .si = 255,
				      .ttl = 63,
				      .spi = PATH << 1 | 1,
				      .tci = INWARD,
				      .instance = 0x7009 });
	nsh_wrap(&in, &(struct service){ .spi = PATH << 1 | 1, .tci = INWARD, .instance = 0x7009 });
	expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &in, SENT, DROP_NONE);
	case_assert(step_traffic(1).sent == 1 && step_traffic(2).returned == 1);

	/* From one far function to the next, a decapsulated frame goes into a tunnel again. */
	world_reset(state);
	acl_allow_all();
	nsh_protect(A, 0, more, 1);
	nsh_remote(1, 0, 0x7008, FAR_HOST);
	world_case("far, far", IN_TC);
	plain = in = udp(A, B, 4);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &plain, SENT, DROP_NONE);
	nsh_wrap(&in, &back);
	r = expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &in, SENT, DROP_NONE);
	nsh_expect(&r, &plain,
		   &(struct service){ .destination = FARS, .si = 254, .ttl = 63, .instance = 0x7008 });
}

/* 24 bytes more than to a workload. */
static void too_big(void **state)
{
	uint32_t slot = FAR_HOST;
	struct frame fits = udp(A, B, 4);
	struct next_hop hop;

	protected(state);
	map_get("next_hops", &slot, &hop);
	hop.mtu = fits.len - 14 + 74;
	map_put("next_hops", &slot, &hop);
	world_case("fits", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &fits, SENT, DROP_NONE);
	hop.mtu--;
	map_put("next_hops", &slot, &hop);
	world_case("too big", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &fits, DROPPED, DROP_TOO_BIG);
}

/* Towards everybody: one copy, and what comes back goes to all that the chain protects. */
static void broadcast(void **state)
{
	struct frame all = packet_frame((struct packet){ B, ALL, 4, UDP, 1, 2 }), home = all;
	struct frame plain = packet_frame((struct packet){ B, ALL, 4, UDP, 1, 2, .edit = "12=9000" });

	protected(state);
	flood_to((enum who[]){ A, TAGGED }, 2);
	world_case("a broadcast towards", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_B, &all, SPENT, DROP_NONE);
	expect(HOOK_PORT, IN_TC, DEVICE_B, &plain, SPENT, DROP_NONE);
	case_assert(step_traffic(0).sent == 2 && !port_traffic(A).to_packets &&
		    port_traffic(TAGGED).to_packets == 2);
	nsh_wrap(&home, &back_towards);
	expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &home, SPENT, DROP_NONE);
	case_assert(port_traffic(A).to_packets == 1 && port_traffic(TAGGED).to_packets == 2);
	case_assert(step_traffic(0).returned == 1);
	world_case("a broadcast towards, in XDP", IN_XDP);
	expect(HOOK_UNDERLAY, IN_XDP, DEVICE_U, &home, UP, DROP_NONE);
}

/* A rule's chain, whose function is on another host. */
static void chosen_far(void **state)
{
	static const enum device_name on_s = DEVICE_S;
	struct chain chain;

	world_reset(state);
	chain_offer(CHAIN, A, 0, &on_s, 1);
	chain = chain_now();
	chain.flags |= CHAIN_AWAY;
	chain.step[0].flags = 0;
	chain.vnis[0] = VNI;
	chain.id = 6;
	chain_put(&chain);
	nsh_far_host();
	nsh_remote(0, 0, FAR_INSTANCE, FAR_HOST);
	nsh_path(OUR_HOST);
	put_rules(&(struct rules){ .in = CHAIN, .at = A });
}

static void fragments_of_chosen(void **state)
{
	static const uint32_t cuts[] = { 0, 48, 88, 108 };
	struct frame whole = packet_frame((struct packet){ R, A, 4, UDP, 5353, 53, .payload = 100 });
	struct frame answer = packet_frame((struct packet){ A, R, 4, UDP, 53, 5353, .payload = 100 });

	chosen_far(state);
	for (uint32_t i = 0; i + 1 < sizeof(cuts) / sizeof(*cuts); i++) {
		struct frame piece = frame_fragment(&whole, cuts[i], cuts[i + 1], 77), in = piece, home = piece;
		struct result r;

		world_case("a fragment towards", IN_TC);
		frame_wrap(&in, &(struct tunnelled){ 0 });
		r = expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &in, SENT, DROP_NONE);
		nsh_expect(&r, &piece, &to_far_towards);
		nsh_wrap(&home, &back_towards);
		r = expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &home, SENT, DROP_NONE);
		expect_frame(&r.out, &piece);
		case_assert(port_traffic(A).to_packets == i + 1);
	}
	for (uint32_t i = 0; i + 1 < sizeof(cuts) / sizeof(*cuts); i++) {
		struct frame piece = frame_fragment(&answer, cuts[i], cuts[i + 1], 78), home = piece;
		struct result r;

		world_case("a fragment leaving", IN_TC);
		r = expect(HOOK_PORT, IN_TC, DEVICE_A, &piece, SENT, DROP_NONE);
		nsh_expect(&r, &piece, &to_far);
		nsh_wrap(&home, &back);
		r = expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &home, SENT, DROP_NONE);
		case_assert(r.out.len == piece.len + 50 && !memcmp(r.out.data + 50, piece.data, piece.len));
	}
	case_assert(step_traffic(0).sent == 6 && step_traffic(0).returned == 6 && flow_count("ct4") == 1);
	world_case("of a flow that does not name the chain", IN_TC);
	{
		struct frame other = packet_frame((struct packet){ R, A, 4, UDP, 5353, 2000 }), in = other;

		frame_wrap(&in, &(struct tunnelled){ 0 });
		expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &in, SENT, DROP_NONE);
		nsh_wrap(&other, &back_towards);
		expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &other, DROPPED, DROP_SF_NO_FLOW);
	}
}

/* One frame for ports behind more chains than it can pass on one host: those behind the others get none, and that counts. */
static void broadcast_of_many(void **state)
{
	struct frame all = packet_frame((struct packet){ B, ALL, 4, UDP, 1, 2 });
	uint32_t vni = VNI, s = device(DEVICE_S);
	struct network network;

	protected(state);
	instance_put(0, 0, FAR_INSTANCE, s, s);
	map_get("networks", &vni, &network);
	network.flood = 5;
	map_put("networks", &vni, &network);
	for (uint32_t i = 0; i < 5; i++) {
		struct flood_key key = { .vni = VNI, .n = i };
		struct flood_target target = { TARGET_PORT, 20 + i };
		struct chain chain = chain_now();
		struct port port = port_get(A);
		uint32_t slot = 40 + i;

		port.chain = (uint16_t)slot;
		port.mac[5] = (uint8_t)(0x60 + i);
		map_put("chains", &slot, &chain);
		map_put("port_slots", &target.index, &port);
		map_put("flood", &key, &target);
	}
	world_case("five chains", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_B, &all, DROPPED, DROP_FLOOD_FAILED);
	case_assert(instance_traffic(0, 0).sent == 4);
	for (uint32_t i = 0; i < 5; i++) {
		uint32_t slot = 20 + i;

		map_put("port_slots", &slot, &(struct port){ 0 });
	}
}

/* A segment to the function, and home. */
static void through(struct packet packet)
{
	bool leaving = packet.from == A;
	struct frame plain = packet_frame(packet), home = plain;

	expect(HOOK_PORT, IN_TC, leaving ? DEVICE_A : DEVICE_B, &plain, SENT, DROP_NONE);
	nsh_wrap(&home, leaving ? &back : &back_towards);
	expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &home, SENT, DROP_NONE);
}

/* What the function has made itself, for either end of a flow that there is. A is the server. */
static void made(void **state)
{
	static const struct service towards = { .spi = PATH << 1 | 1, .tci = CHAIN_TAG },
				    leaving = { .tci = CHAIN_TAG };
	static const struct packet quoted = { B, A, 4, TCP, 1000, 80, .seq = 101 };
	static const struct {
		const char *name;
		struct packet packet;
		const struct service *service;
		enum drop_reason reason;
	} cases[] = {
		{ "a RST to the client",
		  { A, B, 4, TCP, 80, 1000, RST | ACK, .seq = 501, .ack = 101 },
		  &leaving,
		  DROP_NONE },
		{ "a RST to the server",
		  { B, A, 4, TCP, 1000, 80, RST | ACK, .seq = 101, .ack = 501 },
		  &towards,
		  DROP_NONE },
		{ "an error to the client",
		  { A, B, 4, ICMP4, 0x030a, .quote = &quoted },
		  &leaving,
		  DROP_NONE },
		{ "a RST with a number of no window",
		  { A, B, 4, TCP, 80, 1000, RST | ACK, .seq = 90000, .ack = 101 },
		  &leaving,
		  DROP_CT_TCP_WINDOW },
		{ "a RST on the path of the other pass",
		  { B, A, 4, TCP, 1000, 80, RST | ACK, .seq = 101, .ack = 501 },
		  &leaving,
		  DROP_SF_NO_FLOW },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct frame f = packet_frame(cases[i].packet);

		protected(state);
		world_case(cases[i].name, IN_TC);
		through((struct packet){ B, A, 4, TCP, 1000, 80, SYN, .seq = 100 });
		through((struct packet){ A, B, 4, TCP, 80, 1000, SYN | ACK, .seq = 500, .ack = 101 });
		through((struct packet){ B, A, 4, TCP, 1000, 80, ACK, .seq = 101, .ack = 501 });
		nsh_wrap(&f, cases[i].service);
		expect(HOOK_UNDERLAY, IN_TC, DEVICE_U, &f, cases[i].reason ? DROPPED : SENT,
		       cases[i].reason);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(leaves, world_reset),
		cmocka_unit_test_setup(comes_back, world_reset),
		cmocka_unit_test_setup(arrives, world_reset),
		cmocka_unit_test_setup(several_steps, world_reset),
		cmocka_unit_test_setup(too_big, world_reset),
		cmocka_unit_test_setup(broadcast, world_reset),
		cmocka_unit_test_setup(fragments_of_chosen, world_reset),
		cmocka_unit_test_setup(broadcast_of_many, world_reset),
		cmocka_unit_test_setup(made, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
