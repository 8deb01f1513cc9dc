// SPDX-License-Identifier: BSD-2-Clause
/*
 * Chains that rules choose: which frames take which, in which order, on either host's side and both ways; beside a chain on
 * the wire; and what becomes of frames where no function is there, or no flow.
 */
#include "rule_chains.h"

static const struct way {
	const char *name;
	struct rules rules;
	struct {
		uint16_t slot; /* on this port's wire; 0: none */
		enum who at;
	} wire;
	struct packet there, back, other; /* `other` is a flow that no rule has a chain for */
	struct stop stops[STOPS], stops_back[STOPS];
	struct stop other_stops[STOPS];
} ways[] = {
	{ .name = "out, to another host",
	  .rules = { .out = CHAIN },
	  .there = { A, R, 4, UDP, 1000, 53, .payload = 20 },
	  .back = { R, A, 4, UDP, 53, 1000, .payload = 20 },
	  .other = { A, R, 4, UDP, 1000, 5353 },
	  .stops = { LEAVING(CHAIN) },
	  .stops_back = { TOWARDS(CHAIN) } },
	{ .name = "out, to another host, IPv6",
	  .rules = { .out = CHAIN },
	  .there = { A, R, 6, UDP, 1000, 53, .payload = 20 },
	  .back = { R, A, 6, UDP, 53, 1000, .payload = 20 },
	  .other = { A, R, 6, UDP, 1000, 5353 },
	  .stops = { LEAVING(CHAIN) },
	  .stops_back = { TOWARDS(CHAIN) } },
	{ .name = "in, from another host",
	  .rules = { .in = CHAIN },
	  .there = { R, A, 4, UDP, 1000, 53, .payload = 20 },
	  .back = { A, R, 4, UDP, 53, 1000, .payload = 20 },
	  .other = { R, A, 4, UDP, 1000, 5353 },
	  .stops = { TOWARDS(CHAIN) },
	  .stops_back = { LEAVING(CHAIN) } },
	{ .name = "in, from another host, IPv6",
	  .rules = { .in = CHAIN },
	  .there = { R, A, 6, UDP, 1000, 53, .payload = 20 },
	  .back = { A, R, 6, UDP, 53, 1000, .payload = 20 },
	  .other = { R, A, 6, UDP, 1000, 5353 },
	  .stops = { TOWARDS(CHAIN) },
	  .stops_back = { LEAVING(CHAIN) } },
	{ .name = "out, of one end alone",
	  .rules = { .out = CHAIN, .at = A },
	  .there = { A, B, 4, UDP, 1000, 53 },
	  .back = { B, A, 4, UDP, 53, 1000 },
	  .other = { B, A, 4, UDP, 1000, 54 },
	  .stops = { LEAVING(CHAIN) },
	  .stops_back = { TOWARDS(CHAIN) } },
	{ .name = "in, of one end alone",
	  .rules = { .in = CHAIN, .at = B },
	  .there = { A, B, 6, UDP, 1000, 53 },
	  .back = { B, A, 6, UDP, 53, 1000 },
	  .other = { B, A, 6, UDP, 1000, 54 },
	  .stops = { TOWARDS(CHAIN) },
	  .stops_back = { LEAVING(CHAIN) } },
	{ .name = "pings",
	  .rules = { .in = CHAIN, .at = B },
	  .there = { A, B, 4, ICMP4, 0x0800, 7 },
	  .back = { B, A, 4, ICMP4, 0, 7 },
	  .other = { B, A, 4, ICMP4, 0x0800, 7 },
	  .stops = { TOWARDS(CHAIN) },
	  .stops_back = { LEAVING(CHAIN) } },
	{ .name = "both ends, the sender's first",
	  .rules = { .out = CHAIN, .in = CHAIN_2 },
	  .there = { A, B, 4, UDP, 1000, 53 },
	  .back = { B, A, 4, UDP, 53, 1000 },
	  .other = { A, B, 4, UDP, 1000, 5353 },
	  .stops = { LEAVING(CHAIN), TOWARDS(CHAIN_2) },
	  .stops_back = { LEAVING(CHAIN_2), TOWARDS(CHAIN) } },
	{ .name = "both ends, one chain",
	  .rules = { .out = CHAIN, .in = CHAIN },
	  .there = { A, B, 6, UDP, 1000, 53 },
	  .back = { B, A, 6, UDP, 53, 1000 },
	  .other = { A, B, 6, UDP, 1000, 5353 },
	  .stops = { LEAVING(CHAIN), TOWARDS(CHAIN) },
	  .stops_back = { LEAVING(CHAIN), TOWARDS(CHAIN) } },
	{ .name = "out, and another one on the sender's wire",
	  .rules = { .out = CHAIN, .at = A },
	  .wire = { CHAIN_2, A },
	  .there = { A, R, 4, UDP, 1000, 53 },
	  .back = { R, A, 4, UDP, 53, 1000 },
	  .other = { A, R, 4, UDP, 1000, 5353 },
	  .stops = { LEAVING(CHAIN_2), LEAVING(CHAIN) },
	  .stops_back = { TOWARDS(CHAIN), TOWARDS(CHAIN_2) },
	  .other_stops = { LEAVING(CHAIN_2) } },
	{ .name = "in, and another one on the receiver's wire",
	  .rules = { .in = CHAIN, .at = A },
	  .wire = { CHAIN_2, A },
	  .there = { R, A, 6, UDP, 1000, 53 },
	  .back = { A, R, 6, UDP, 53, 1000 },
	  .other = { R, A, 6, UDP, 1000, 5353 },
	  .stops = { TOWARDS(CHAIN), TOWARDS(CHAIN_2) },
	  .stops_back = { LEAVING(CHAIN_2), LEAVING(CHAIN) },
	  .other_stops = { TOWARDS(CHAIN_2) } },
	{ .name = "both ends, and another one on the receiver's wire",
	  .rules = { .out = CHAIN, .in = CHAIN },
	  .wire = { CHAIN_2, B },
	  .there = { A, B, 4, UDP, 1000, 53 },
	  .back = { B, A, 4, UDP, 53, 1000 },
	  .other = { A, B, 4, UDP, 1000, 5353 },
	  .stops = { LEAVING(CHAIN), TOWARDS(CHAIN), TOWARDS(CHAIN_2) },
	  .stops_back = { LEAVING(CHAIN_2), LEAVING(CHAIN), TOWARDS(CHAIN) },
	  .other_stops = { TOWARDS(CHAIN_2) } },
	{ .name = "out, by a rule and on the wire: once",
	  .rules = { .out = CHAIN, .at = A },
	  .wire = { CHAIN, A },
	  .there = { A, R, 4, UDP, 1000, 53 },
	  .back = { R, A, 4, UDP, 53, 1000 },
	  .other = { A, R, 4, UDP, 1000, 5353 },
	  .stops = { LEAVING(CHAIN) },
	  .stops_back = { TOWARDS(CHAIN) },
	  .other_stops = { LEAVING(CHAIN) } },
	{ .name = "in, by a rule and on the wire: once",
	  .rules = { .in = CHAIN, .at = B },
	  .wire = { CHAIN, B },
	  .there = { A, B, 4, UDP, 1000, 53 },
	  .back = { B, A, 4, UDP, 53, 1000 },
	  .other = { A, B, 4, UDP, 1000, 5353 },
	  .stops = { TOWARDS(CHAIN) },
	  .stops_back = { LEAVING(CHAIN) },
	  .other_stops = { TOWARDS(CHAIN) } },
	{ .name = "on the sender's wire, and by the receiver's rule: twice",
	  .rules = { .in = CHAIN, .at = B },
	  .wire = { CHAIN, A },
	  .there = { A, B, 4, UDP, 1000, 53 },
	  .back = { B, A, 4, UDP, 53, 1000 },
	  .other = { A, B, 4, UDP, 1000, 5353 },
	  .stops = { LEAVING(CHAIN), TOWARDS(CHAIN) },
	  .stops_back = { LEAVING(CHAIN), TOWARDS(CHAIN) },
	  .other_stops = { LEAVING(CHAIN) } },
};

static void put_way(void **state, const struct way *w, enum flavour flavour)
{
	world_reset(state);
	offer_all(0);
	put_rules(&w->rules);
	if (w->wire.slot) {
		struct port port = port_get(w->wire.at);

		port.chain = w->wire.slot;
		port_put(w->wire.at, &port);
	}
	world_case(w->name, flavour);
}

static void every_way(void **state)
{
	for (const struct way *w = ways; w < ways + sizeof(ways) / sizeof(*ways); w++)
		for_each_flavour(flavour)
		{
			put_way(state, w, flavour);
			for (int i = 0; i < 2; i++) {
				passes(flavour, w->there, w->stops);
				passes(flavour, w->back, w->stops_back);
			}
			/* A flow beside it takes its own way. */
			passes(flavour, w->other, w->other_stops);
			/* Judged again in another epoch, whichever end speaks first. */
			tenant_bump();
			passes(flavour, w->back, w->stops_back);
			passes(flavour, w->there, w->stops);
			case_assert(!tenant_traffic().full);
		}
}

/* The handshake and what follows, through both chains; nothing moves before the last function gives it back. */
static void connection(void **state)
{
	static const struct stop there[STOPS] = { LEAVING(CHAIN), TOWARDS(CHAIN_2) },
				 back[STOPS] = { LEAVING(CHAIN_2), TOWARDS(CHAIN) };
	static const struct rules rules = { .out = CHAIN, .in = CHAIN_2 };

	for_each_flavour(flavour)
		for (int family = 4; family <= 6; family += 2) {
			const char *half = family == 4 ? "half4" : "half6", *ct = family == 4 ? "ct4" : "ct6";
			struct packet data = { A, B, family, TCP, 1000, 80, ACK | PSH, 101, 501, 50 };
			struct frame f = packet_frame(data);
			uint64_t sent[CHAINS];

			world_reset(state);
			offer_all(0);
			put_rules(&rules);
			world_case("a connection", flavour);
			passes(flavour, (struct packet){ A, B, family, TCP, 1000, 80, SYN, 100 }, there);
			case_assert(flow_count(half) == 1);
			passes(flavour, (struct packet){ B, A, family, TCP, 80, 1000, SYN | ACK, 500, 101 }, back);
			passes(flavour, (struct packet){ A, B, family, TCP, 1000, 80, ACK, 101, 501 }, there);
			case_assert(flow_count(ct) == 1 && !flow_count(half));
			/* The function keeps a segment, and the window stays where it was. */
			read_sent(sent);
			expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
			is_at(sent, (struct stop)LEAVING(CHAIN));
			case_assert(flow_only(ct, NULL).dir[0].packets + flow_only(ct, NULL).dir[1].packets == 3);
			passes(flavour, data, there);
			/* What it lets pass of it must fit still. */
			data.tag = PCP_LEAVING << 13 | CHAIN_TAG;
			data.seq = 90000;
			f = packet_frame(data);
			expect(HOOK_SF, flavour, DEVICE_S, &f, DROPPED, DROP_CT_TCP_WINDOW);
		}
}

/* ---- no function, no flow ---- */

static void change_chain(void (*change)(struct chain *))
{
	struct chain chain = chain_now();

	change(&chain);
	chain_put(&chain);
}

static void is_bypassed(struct chain *c) { c->flags |= CHAIN_BYPASS; }
static void is_dead(struct chain *c) { c->step[0].function = FUNCTION + 2 * CHAIN_STEPS; /* of nobody */ }
static void is_dead_and_open(struct chain *c) { is_dead(c); c->step[0].flags |= STEP_OPEN; }
static void is_gone(struct chain *c) { memset(c, 0, sizeof(*c)); }
static void is_anothers(struct chain *c) { c->tenant++; }

static void without_function(void **state)
{
	static const struct {
		const char *name;
		void (*change)(struct chain *);
		enum drop_reason reason;
		uint64_t bypassed, skipped;
		bool up; /* XDP does not know where to send it */
	} cases[] = {
		{ "bypass", is_bypassed, DROP_NONE, 1, 0 },
		{ "dead", is_dead, DROP_SF_DOWN, 0, 0 },
		{ "dead and open", is_dead_and_open, DROP_NONE, 0, 1 },
		{ "the chain is gone", is_gone, DROP_SF_DOWN, 0, 0, true },
		{ "the chain is another tenant's", is_anothers, DROP_SF_DOWN, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (int in = 0; in <= 1; in++)
			for_each_flavour(flavour)
			{
				const struct packet there = { A, B, 4, UDP, 1000, 53 };

				world_reset(state);
				offer_all(0);
				put_rules(&(struct rules){ .out = in ? 0 : CHAIN, .in = in ? CHAIN : 0 });
				change_chain(cases[i].change);
				world_case(cases[i].name, flavour);
				if (cases[i].up && flavour == IN_XDP)
					send_in(flavour, there, UP, DROP_NONE);
				else if (cases[i].reason)
					send_in(flavour, there, DROPPED, cases[i].reason);
				else
					BY(flavour, there, { 0 });
				case_assert(chain_traffic_of(CHAIN, 0).bypassed == cases[i].bypassed);
				case_assert(chain_traffic_of(CHAIN, 0).skipped == cases[i].skipped);
				case_assert(!chain_traffic_of(CHAIN, 0).sent && !chain_traffic_of(CHAIN, 0).kept);
			}
}

/* A rule whose chain is not told denies: nothing passes round what was to inspect it. */
static void chain_not_told(void **state)
{
	for_each_flavour(flavour)
	{
		world_reset(state);
		acl_put(&(struct acl_entry){ .direction = TO_WORKLOAD, .action = ACL_INSPECT, .rule = 5, ACL_ALL }, 1);
		world_case("no chain", flavour);
		send_in(flavour, (struct packet){ A, B, 4, UDP, 1000, 53 }, DROPPED, DROP_ACL_IN);
	}
}

/* What belongs to no flow cannot come back, and does not pass without having gone. */
static void no_flow(void **state)
{
	static const struct {
		const char *name;
		struct packet packet;
		bool flooded;
	} cases[] = {
		{ "a broadcast", { A, ALL, 4, UDP, 1000, 53 }, true },
		{ "a multicast", { A, ALL, 6, UDP, 1000, 53 }, true },
		{ "to a MAC that nobody has", { A, STRANGER, 4, UDP, 1000, 53 }, true },
		{ "neither IPv4 nor IPv6", { A, B, 4, UDP, 1, 2, .edit = "12=9000" }, false },
		{ "ICMP that is neither question, answer nor error", { A, B, 6, ICMP6, 0x8500, 0 }, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (int in = 0; in <= 1; in++)
			for_each_flavour(flavour)
			{
				struct frame f = packet_frame(cases[i].packet);
				const struct rules without = { .at = A };

				world_reset(state);
				flood_to((enum who[]){ B }, 1);
				offer_all(0);
				put_rules(&(struct rules){ .out = in ? 0 : CHAIN, .in = in ? CHAIN : 0 });
				world_case(cases[i].name, flavour);
				if (cases[i].flooded)
					expect_tc(HOOK_PORT, flavour, DEVICE_A, &f, DROPPED, DROP_CHAIN_NO_FLOW);
				else
					expect(HOOK_PORT, flavour, DEVICE_A, &f, DROPPED, DROP_CHAIN_NO_FLOW);
				case_assert(!port_traffic(B).to_packets && !chain_traffic_of(CHAIN, 0).sent);
				/* The rule has decided. */
				case_assert(flavour == IN_XDP || rule_counted(in ? 92 : 91).packets == 1);
				/* Without the chain it passes. */
				put_rules(&without);
				world_run(HOOK_PORT, IN_TC, DEVICE_A, &f);
				case_assert(port_traffic(B).to_packets == 1);
			}
}

/* One end's rule knows no flows, the other's has a chain. */
static void stateless(void **state)
{
	const struct acl_entry entries[] = {
		{ .direction = FROM_WORKLOAD, .action = ACL_ALLOW, .flags = ENTRY_STATELESS, .rule = 1, ACL_ALL },
		{ .direction = TO_WORKLOAD, .action = ACL_INSPECT, .rule = 2, ACL_ALL },
	};

	for_each_flavour(flavour)
	{
		world_reset(state);
		offer_all(0);
		acl_put_chains(entries, (uint16_t[]){ 0, CHAIN }, 2);
		world_case("a stateless rule at the other end", flavour);
		send_in(flavour, (struct packet){ A, B, 4, UDP, 1000, 53 }, DROPPED, DROP_CHAIN_NO_FLOW);
		case_assert(!flow_count("ct4") && !chain_traffic_of(CHAIN, 0).sent);
	}
}

/* ---- XDP and TC ---- */

/* XDP leaves to TC what it cannot send, before it has counted anything: a new flow, a known one, and what comes back. */
static void left_to_tc(void **state)
{
	const struct packet there = { A, B, 4, UDP, 1000, 53 };

	for (int in = 0; in <= 1; in++) {
		struct chain chain;

		world_reset(state);
		offer_all(0);
		put_rules(&(struct rules){ .out = in ? 0 : CHAIN, .in = in ? CHAIN : 0 });
		chain = chain_now();
		chain.step[0].flags = 0;
		chain_put(&chain);
		world_case("a chain that XDP cannot send to", IN_XDP);
		send_in(IN_XDP, there, UP, DROP_NONE);
		case_assert(!flow_count("ct4") && !rule_counted(91).packets && !rule_counted(92).packets);
		BY(IN_TC, there, { CHAIN, in ? PCP_TOWARDS : PCP_LEAVING });
		send_in(IN_XDP, there, UP, DROP_NONE);
		case_assert(chain_traffic_of(CHAIN, 0).sent == 1);
	}
}

/* ---- fragments ---- */

/* Each goes where the first does, and is looked at once on each of its ways. */
static void fragments(void **state)
{
	static const struct stop stops[] = { LEAVING(CHAIN), TOWARDS(CHAIN), TOWARDS(CHAIN_2) };
	struct frame whole = packet_frame((struct packet){ A, B, 4, UDP, 1000, 53, .payload = 392 });
	const uint32_t cuts[] = { 0, 160, 320, 400 };
	struct port port;

	world_reset(state);
	offer_all(0);
	put_rules(&(struct rules){ .out = CHAIN, .in = CHAIN });
	port = port_get(B);
	port.chain = CHAIN_2;
	port_put(B, &port);
	world_case("fragments through three", IN_TC);
	for (int i = 0; i < 3; i++) {
		struct frame piece = frame_fragment(&whole, cuts[i], cuts[i + 1], 77), at;
		uint64_t sent[CHAINS];

		read_sent(sent);
		expect_tc(HOOK_PORT, IN_TC, DEVICE_A, &piece, SENT, DROP_NONE);
		for (int s = 0; s < 3; s++) {
			is_at(sent, stops[s]);
			read_sent(sent);
			at = piece;
			memmove(at.data + 16, piece.data + 12, piece.len - 12);
			at.len += 4;
			at.data[12] = 0x81;
			at.data[13] = 0;
			at.data[14] = (stops[s].pcp << 13 | TAG_OF(stops[s].slot)) >> 8;
			at.data[15] = TAG_OF(stops[s].slot) & 0xff;
			expect_tc(HOOK_SF, IN_TC, at_function(stops[s].slot), &at, SENT, DROP_NONE);
			/* Given back twice, it passes once. */
			expect_tc(HOOK_SF, IN_TC, at_function(stops[s].slot), &at, DROPPED, DROP_FRAGMENT_DUPLICATE);
		}
		case_assert(port_traffic(B).to_packets == (uint64_t)i + 1);
	}
	case_assert(flow_only("ct4", NULL).dir[0].packets + flow_only("ct4", NULL).dir[1].packets == 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_way, world_reset),
		cmocka_unit_test_setup(connection, world_reset),
		cmocka_unit_test_setup(without_function, world_reset),
		cmocka_unit_test_setup(chain_not_told, world_reset),
		cmocka_unit_test_setup(no_flow, world_reset),
		cmocka_unit_test_setup(stateless, world_reset),
		cmocka_unit_test_setup(left_to_tc, world_reset),
		cmocka_unit_test_setup(fragments, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
