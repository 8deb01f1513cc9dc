// SPDX-License-Identifier: BSD-2-Clause
/*
 * A rule gets a chain, another one, or none, while flows are there; what of them is older than the chain (`existing`), and
 * what becomes of that.
 */
#include "rule_chains.h"

static void changes(void **state)
{
	static const struct packet there = { A, B, 4, UDP, 1000, 53 }, back = { B, A, 4, UDP, 53, 1000 };
	struct frame f = packet_frame(tagged(there, (struct stop)LEAVING(CHAIN)));

	for_each_flavour(flavour)
	{
		world_reset(state);
		offer_all(0);
		put_rules(&(struct rules){ .at = A });
		world_case("without a chain", flavour);
		BY(flavour, there, { 0 });
		BY(flavour, back, { 0 });
		world_case("a chain comes", flavour);
		put_rules(&(struct rules){ .out = CHAIN, .at = A });
		/* The rules are there before the epoch. */
		BY(flavour, there, { 0 });
		tenant_bump();
		BY(flavour, back, TOWARDS(CHAIN));
		BY(flavour, there, LEAVING(CHAIN));
		world_case("another one in its place", flavour);
		put_rules(&(struct rules){ .out = CHAIN_2, .at = A });
		tenant_bump();
		BY(flavour, there, LEAVING(CHAIN_2));
		BY(flavour, back, TOWARDS(CHAIN_2));
		expect(HOOK_SF, flavour, DEVICE_S, &f, DROPPED, DROP_SF_NO_FLOW);
		world_case("while a frame is in the function", flavour);
		send_in(flavour, there, SENT, DROP_NONE);
		put_rules(&(struct rules){ .out = CHAIN, .at = A });
		tenant_bump();
		f = packet_frame(tagged(there, (struct stop)LEAVING(CHAIN_2)));
		expect(HOOK_SF, flavour, DEVICE_T, &f, DROPPED, DROP_SF_NO_FLOW);
		f = packet_frame(tagged(there, (struct stop)LEAVING(CHAIN)));
		BY(flavour, there, LEAVING(CHAIN));
		world_case("while it is, and the policy changes elsewhere", flavour);
		send_in(flavour, there, SENT, DROP_NONE);
		tenant_bump();
		expect(HOOK_SF, flavour, DEVICE_S, &f, SENT, DROP_NONE);
		world_case("the chain goes", flavour);
		put_rules(&(struct rules){ .at = A });
		tenant_bump();
		BY(flavour, there, { 0 });
		BY(flavour, back, { 0 });
		expect(HOOK_SF, flavour, DEVICE_S, &f, DROPPED, DROP_SF_NO_FLOW);
		world_case("it is denied, and comes back", flavour);
		acl_put(&(struct acl_entry){ .direction = FROM_WORKLOAD, .action = ACL_DENY, ACL_ALL }, 1);
		tenant_bump();
		send_in(flavour, there, DROPPED, DROP_ACL_OUT);
		put_rules(&(struct rules){ .out = CHAIN, .at = A });
		tenant_bump();
		BY(flavour, there, LEAVING(CHAIN));
	}
}

/* ---- flows that are older than the chain ---- */

struct older {
	const char *name;
	uint8_t flags; /* of the chain */
	uint16_t before; /* the chain that the rule had, 0: none */
	uint8_t flags_before;
	bool inspected; /* a flow that is there */
};

static void old_flow(void **state, const struct older *c, enum flavour flavour, struct packet there, struct packet back)
{
	world_reset(state);
	offer_all(c->flags_before);
	put_rules(&(struct rules){ .out = c->before, .at = A });
	world_case(c->name, flavour);
	passes(flavour, there, (const struct stop[STOPS]){ { c->before, PCP_LEAVING } });
	passes(flavour, back, (const struct stop[STOPS]){ { c->before, PCP_TOWARDS } });
	offer_all(c->flags);
	put_rules(&(struct rules){ .out = CHAIN, .at = A });
	tenant_bump();
}

static void keep(void **state)
{
	static const struct older cases[] = {
		{ "keep", CHAIN_KEEP, 0, 0, false },
		{ "insert", 0, 0, 0, true },
		{ "keep, in place of one that inspected", CHAIN_KEEP, CHAIN_2, 0, true },
		{ "told to keep after it came", CHAIN_KEEP, CHAIN, 0, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for_each_flavour(flavour)
		{
			const struct packet there = { A, B, 4, UDP, 1000, 53 }, back = { B, A, 4, UDP, 53, 1000 };
			struct frame f = packet_frame(tagged(there, (struct stop)LEAVING(CHAIN)));
			const struct older *c = &cases[i];
			uint16_t slot = c->inspected ? CHAIN : 0;
			uint64_t kept;

			old_flow(state, c, flavour, there, back);
			kept = chain_traffic_of(CHAIN, 0).kept;
			for (int n = 0; n < 3; n++) {
				passes(flavour, n ? there : back,
				       (const struct stop[STOPS]){ { slot, n ? PCP_LEAVING : PCP_TOWARDS } });
				passes(flavour, n ? back : there,
				       (const struct stop[STOPS]){ { slot, n ? PCP_TOWARDS : PCP_LEAVING } });
				/* Judged again, it is as old as before. */
				tenant_bump();
			}
			case_assert(chain_traffic_of(CHAIN, 0).kept - kept == (c->inspected ? 0 : 6));
			/* A new one is not. */
			BY(flavour, ((struct packet){ A, B, 4, UDP, 1001, 53 }), LEAVING(CHAIN));
			if (c->inspected)
				continue;
			/* The function has no part in what goes round it. */
			expect(HOOK_SF, flavour, DEVICE_S, &f, DROPPED, DROP_SF_NO_FLOW);
			world_case("keep, and another one in its place", flavour);
			put_rules(&(struct rules){ .out = CHAIN_2, .at = A });
			tenant_bump();
			BY(flavour, there, { 0 });
			world_case("which is told to insert", flavour);
			offer_all(0);
			tenant_bump();
			BY(flavour, there, LEAVING(CHAIN_2));
			BY(flavour, back, TOWARDS(CHAIN_2));
		}
}

/* One direction alone was heard while the chain inspected: the other has been inspected as well. */
static void keep_of_one_direction(void **state)
{
	const struct packet there = { A, B, 4, UDP, 1000, 53 }, back = { B, A, 4, UDP, 53, 1000 };

	for_each_flavour(flavour)
	{
		old_flow(state, &(struct older){ "one direction", 0, 0, 0 }, flavour, there, back);
		BY(flavour, there, LEAVING(CHAIN));
		offer_all(CHAIN_KEEP);
		tenant_bump();
		BY(flavour, back, TOWARDS(CHAIN));
		BY(flavour, there, LEAVING(CHAIN));
	}
}

/* Towards another workload it is another flow, and as new as any. */
static void keep_is_of_one_receiver(void **state)
{
	const struct packet there = { A, R, 4, UDP, 1000, 53 }, back = { R, A, 4, UDP, 53, 1000 };

	for_each_flavour(flavour)
	{
		struct packet moved = { A, B, 4, UDP, 1000, 53, .edit = "30=0a000103" };
		uint64_t sent[CHAINS];

		old_flow(state, &(struct older){ "another receiver", CHAIN_KEEP, 0, 0 }, flavour, there, back);
		BY(flavour, there, { 0 });
		read_sent(sent);
		send_in(flavour, moved, SENT, DROP_NONE);
		is_at(sent, (struct stop)LEAVING(CHAIN));
	}
}

/* `reset`: a segment ends the connection for both, a datagram is dropped once; what begins then is inspected. */
static void reset(void **state)
{
	static const struct older c = { "reset", CHAIN_RESET, 0, 0 };
	const struct packet there = { A, B, 4, UDP, 1000, 53 }, back = { B, A, 4, UDP, 53, 1000 };

	for_each_flavour(flavour)
	{
		struct frame f = packet_frame(there);

		old_flow(state, &c, flavour, there, back);
		expect_tc(HOOK_PORT, flavour, DEVICE_A, &f, DROPPED, DROP_CHAIN_RESET);
		if (flavour == IN_XDP)
			continue;
		BY(flavour, there, LEAVING(CHAIN));
		BY(flavour, back, TOWARDS(CHAIN));
		/* Of the same chain no flow is older than it was. */
		tenant_bump();
		BY(flavour, there, LEAVING(CHAIN));
	}
}

static void reset_connection(void **state)
{
	static const struct packet handshake[] = {
		{ CLIENT, SYN, .seq = 100 },
		{ SERVER, SYN | ACK, .seq = 500, .ack = 101 },
		{ CLIENT, ACK, .seq = 101, .ack = 501 },
	};
	struct packet data = { CLIENT, ACK | PSH, .seq = 101, .ack = 501, .payload = 9 };
	struct frame f = packet_frame(data);

	for_each_flavour(flavour)
	{
		world_reset(state);
		offer_all(CHAIN_RESET);
		put_rules(&(struct rules){ .at = A });
		world_case("a connection is reset", flavour);
		for (int i = 0; i < 3; i++)
			BY(flavour, handshake[i], { 0 });
		put_rules(&(struct rules){ .in = CHAIN, .at = B });
		tenant_bump();
		expect_tc(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_CHAIN_RESET);
		if (flavour == IN_XDP)
			continue;
		case_assert(flow_only("ct4", NULL).path[0].flags & FLOW_CLOSING);
		/* Each further segment of it gets the same answer, and a SYN begins anew, through the chain. */
		expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_CHAIN_RESET);
		BY(flavour, ((struct packet){ CLIENT, SYN, .seq = 9000 }), TOWARDS(CHAIN));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(changes, world_reset),
		cmocka_unit_test_setup(keep, world_reset),
		cmocka_unit_test_setup(keep_of_one_direction, world_reset),
		cmocka_unit_test_setup(keep_is_of_one_receiver, world_reset),
		cmocka_unit_test_setup(reset, world_reset),
		cmocka_unit_test_setup(reset_connection, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
