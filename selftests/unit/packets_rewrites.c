// SPDX-License-Identifier: BSD-2-Clause
/*
 * A function that alters streams (`rewrites`): the numbers on its two sides differ. A is protected and B's client; what A
 * sends gets 20 bytes shorter in the function, what B sends 10 bytes.
 */
#include "include/flow_state.h"
#include "selftests/unit/lib/world.h"

#define LEAVING (PCP_LEAVING << 13 | CHAIN_TAG)
#define TOWARDS (PCP_TOWARDS << 13 | CHAIN_TAG)

struct segment {
	enum who from;
	uint8_t flags;
	/* As it enters the function, and as it leaves it. */
	uint32_t seq, ack, to_seq, to_ack;
	uint16_t payload, to_payload;
};

static const struct segment handshake[] = {
	{ A, SYN, 100, 0, 100, 0 },
	{ B, SYN | ACK, 500, 101, 500, 101 },
	{ A, ACK, 101, 501, 101, 501 },
};

static const struct segment stream[] = {
	{ A, ACK | PSH, 101, 501, 101, 501, 50, 30 },
	{ B, ACK, 501, 131, 501, 151 },
	{ B, ACK | PSH, 501, 131, 501, 151, 40, 30 },
	{ A, ACK, 151, 531, 131, 541 },
	{ A, ACK | PSH, 151, 531, 131, 541, 5, 5 },
	{ B, ACK | PSH, 541, 136, 531, 156, 7, 7 },
	/* What was lost comes again, from either end. */
	{ A, ACK | PSH, 101, 538, 101, 548, 50, 30 },
	{ B, ACK | PSH, 501, 136, 501, 156, 40, 30 },
};

static const struct segment rst = { A, RST | ACK, 156, 538, 136, 548 };

static const struct segment fins[] = {
	{ A, FIN | ACK, 156, 538, 136, 548 },
	{ B, FIN | ACK, 548, 137, 538, 157 },
	{ A, ACK, 157, 539, 137, 549 },
};

static struct frame enters(const struct segment *s)
{
	return packet_frame((struct packet){ s->from, s->from == A ? B : A, 4, TCP, s->from == A ? 1000 : 80,
					     s->from == A ? 80 : 1000, s->flags, s->seq, s->ack, s->payload });
}

static struct frame leaves(const struct segment *s, uint16_t tag)
{
	return packet_frame((struct packet){ s->from, s->from == A ? B : A, 4, TCP, s->from == A ? 1000 : 80,
					     s->from == A ? 80 : 1000, s->flags, s->to_seq, s->to_ack, s->to_payload,
					     tag });
}

/* Into the function, and out of it altered. */
static void pass(enum flavour flavour, const struct segment *s, enum drop_reason reason)
{
	struct frame in = enters(s), out = leaves(s, s->from == A ? LEAVING : TOWARDS), plain = leaves(s, 0);
	struct result r;

	expect(HOOK_PORT, flavour, s->from == A ? DEVICE_A : DEVICE_B, &in, SENT, DROP_NONE);
	r = expect(HOOK_SF, flavour, DEVICE_S, &out, reason ? DROPPED : SENT, reason);
	if (!reason)
		expect_frame(&r.out, &plain);
}

static void connect_through(void **state, const char *name, enum flavour flavour, bool rewrites)
{
	struct chain chain;

	world_reset(state);
	acl_allow_all();
	chain_protect(A, false);
	chain = chain_now();
	chain.flags = rewrites ? CHAIN_REWRITES : 0;
	chain_put(&chain);
	world_case(name, flavour);
	for (int i = 0; i < 3; i++)
		pass(flavour, &handshake[i], DROP_NONE);
}

static void is_liberal(bool liberal)
{
	struct flow f = flow_only("ct4", NULL);

	for (int i = 0; i < 2; i++)
		case_assert(!!(f.path[i].flags & FLOW_LIBERAL) == liberal);
}

static void altered(void **state)
{
	for_each_flavour(flavour)
	{
		connect_through(state, "it may", flavour, true);
		for (size_t i = 0; i < sizeof(stream) / sizeof(*stream); i++)
			pass(flavour, &stream[i], DROP_NONE);
		is_liberal(true);
		case_assert(tenant_counted().tcp_outside > 0);
		/* Nothing seems to wait for ever for its acknowledgement. */
		{
			struct flow f = flow_only("ct4", NULL);

			case_assert(!tcp_unacknowledged(&f));
		}

		connect_through(state, "it may not", flavour, false);
		pass(flavour, &stream[0], DROP_NONE);
		is_liberal(false);
		pass(flavour, &stream[1], DROP_CT_TCP_WINDOW);
		case_assert(!tenant_counted().tcp_outside);
	}
}

/* It ends as any other: by a RST with the right number, whatever that acknowledges, and by its FINs. */
static void ends(void **state)
{
	for_each_flavour(flavour)
	{
		struct segment wrong = rst;
		struct flow f;

		connect_through(state, "reset", flavour, true);
		for (size_t i = 0; i < sizeof(stream) / sizeof(*stream); i++)
			pass(flavour, &stream[i], DROP_NONE);
		wrong.to_seq += 3;
		pass(flavour, &wrong, DROP_NONE);
		f = flow_only("ct4", NULL);
		case_assert(!flow_is_closed(&f, TCP));
		pass(flavour, &rst, DROP_NONE);
		f = flow_only("ct4", NULL);
		case_assert(flow_is_closed(&f, TCP));

		connect_through(state, "closed", flavour, true);
		for (size_t i = 0; i < sizeof(stream) / sizeof(*stream); i++)
			pass(flavour, &stream[i], DROP_NONE);
		for (size_t i = 0; i < sizeof(fins) / sizeof(*fins); i++)
			pass(flavour, &fins[i], DROP_NONE);
		f = flow_only("ct4", NULL);
		case_assert(flow_timeout_kind(&f, TCP) >= CT_TCP_FIN && flow_timeout_kind(&f, TCP) != CT_TCP_ESTABLISHED);
	}
}

/* Into one wire, and into the other: each time as the one before left it. */
static void both_ends(void **state)
{
	static const struct segment twice[][2] = {
		{ { A, ACK | PSH, 101, 501, 101, 501, 50, 30 }, { A, ACK | PSH, 101, 501, 101, 501, 30, 20 } },
		{ { B, ACK, 501, 121, 501, 131 }, { B, ACK, 501, 131, 501, 151 } },
		{ { B, ACK | PSH, 501, 121, 501, 131, 40, 30 }, { B, ACK | PSH, 501, 131, 501, 151, 30, 25 } },
		{ { A, ACK, 151, 526, 131, 531 }, { A, ACK, 131, 531, 121, 541 } },
	};

	for_each_flavour(flavour)
	{
		struct chain chain;

		world_reset(state);
		acl_allow_all();
		chain_protect(A, false);
		chain_protect(B, false);
		chain = chain_now();
		chain.flags = CHAIN_REWRITES;
		chain_put(&chain);
		world_case("both ends", flavour);
		for (int i = 0; i < 3 + 4; i++) {
			const struct segment *s = i < 3 ? &handshake[i] : twice[i - 3];
			const struct segment *again = i < 3 ? s : s + 1;
			struct frame in = enters(s), first = leaves(s, LEAVING), second = leaves(again, TOWARDS),
				     out = leaves(again, 0);
			struct result r;

			expect(HOOK_PORT, flavour, s->from == A ? DEVICE_A : DEVICE_B, &in, SENT, DROP_NONE);
			expect(HOOK_SF, flavour, DEVICE_S, &first, SENT, DROP_NONE);
			r = expect(HOOK_SF, flavour, DEVICE_S, &second, SENT, DROP_NONE);
			expect_frame(&r.out, &out);
		}
		is_liberal(true);
	}
}

/* What does not pass such a chain keeps its windows; so does what a mere datagram's flow has in their place. */
static void others(void **state)
{
	struct frame udp = packet_frame((struct packet){ A, B, 4, UDP, 1000, 53, .tag = LEAVING });
	struct frame syn = packet_frame((struct packet){ B, TAGGED, 4, TCP, 1000, 80, SYN, .seq = 9 });
	struct flow f;

	for_each_flavour(flavour)
	{
		connect_through(state, "a datagram", flavour, true);
		flows_clear();
		expect(HOOK_SF, flavour, DEVICE_S, &udp, SENT, DROP_NONE);
		is_liberal(false);
	}
	connect_through(state, "between others", IN_TC, true);
	flows_clear();
	expect(HOOK_PORT, IN_TC, DEVICE_B, &syn, SENT, DROP_NONE);
	f = flow_only("half4", NULL);
	case_assert(!(f.path[0].flags & FLOW_LIBERAL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(altered, world_reset),
		cmocka_unit_test_setup(ends, world_reset),
		cmocka_unit_test_setup(both_ends, world_reset),
		cmocka_unit_test_setup(others, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
