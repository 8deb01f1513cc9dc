// SPDX-License-Identifier: BSD-2-Clause
/*
 * tcp under attack, beyond what packets_tcp_judge plays: scans, a function on the wire, the other
 * host, and what `liberal` lets through.
 */
#include "include/flow_table.h"
#include "selftests/unit/lib/world.h"

static void send_one(enum flavour flavour, struct packet p, enum outcome outcome, enum drop_reason reason)
{
	struct frame f = packet_frame(p);

	expect(HOOK_PORT, flavour, p.from == A ? DEVICE_A : DEVICE_B, &f, outcome, reason);
}

static struct packet to_b(uint8_t flags, uint32_t seq, uint32_t ack, uint16_t payload)
{
	return (struct packet){ A, B, 4, TCP, 1000, 80, flags, seq, ack, payload };
}

static struct packet to_a(uint8_t flags, uint32_t seq, uint32_t ack, uint16_t payload)
{
	return (struct packet){ B, A, 4, TCP, 80, 1000, flags, seq, ack, payload };
}

static void shake_hands(enum flavour flavour)
{
	send_one(flavour, to_b(SYN, 100, 0, 0), SENT, DROP_NONE);
	send_one(flavour, to_a(SYN | ACK, 500, 101, 0), SENT, DROP_NONE);
	send_one(flavour, to_b(ACK, 101, 501, 0), SENT, DROP_NONE);
}

static uint64_t outside(void)
{
	struct tenant_traffic t;

	per_cpu_sum("tenant_stats", TENANT, (uint64_t *)&t, sizeof(t) / 8);
	return t.tcp_outside;
}

/* Scans of every kind, over more ports than the half-open table has room for. */
static void scans(void **state)
{
	static const struct {
		const char *name;
		uint8_t flags;
		enum drop_reason reason;
	} kinds[] = {
		{ "FIN", FIN, DROP_BAD_L4 },
		{ "none", 0, DROP_BAD_L4 },
		{ "Christmas", FIN | PSH | 32, DROP_BAD_L4 },
		{ "SYN and FIN", SYN | FIN, DROP_BAD_L4 },
		{ "ACK", ACK, DROP_CT_INVALID },
		{ "Maimon", FIN | ACK, DROP_CT_INVALID },
		{ "SYN-ACK", SYN | ACK, DROP_CT_INVALID },
		{ "RST", RST, DROP_CT_INVALID },
		{ "SYN", SYN, DROP_NONE },
	};

	for_each_flavour(flavour)
	{
		world_reset(state);
		acl_allow_all();
		shake_hands(flavour);
		for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
			world_case(kinds[i].name, flavour);
			for (int port = 1; port <= 2 * FLOWS_MAX; port++)
				send_one(flavour, (struct packet){ A, B, 4, TCP, 999, port, kinds[i].flags, 7, 7 },
					 kinds[i].reason ? DROPPED : SENT, kinds[i].reason);
			case_assert(flow_count("ct4") == 1);
			case_assert(kinds[i].reason ? !flow_count("half4") : flow_count("half4") <= FLOWS_MAX);
		}
		send_one(flavour, to_b(ACK, 101, 501, 10), SENT, DROP_NONE);
		send_one(flavour, to_a(ACK, 501, 111, 10), SENT, DROP_NONE);
	}
}

/* A denied port tells a scanner nothing, and leaves nothing behind. */
static void scan_of_denied_ports(void **state)
{
	for_each_flavour(flavour)
	{
		world_reset(state);
		world_case("denied", flavour);
		for (int port = 1; port <= FLOWS_MAX; port++)
			send_one(flavour, (struct packet){ A, B, 4, TCP, 999, port, SYN, 7 }, DROPPED, DROP_ACL_IN);
		case_assert(!flow_count("half4") && !flow_count("ct4"));
	}
}

struct liberty {
	const char *name;
	struct packet p;
	uint32_t outside;
	uint8_t half; /* of both ends, afterwards */
};

static void liberal(void **state)
{
	const struct liberty cases[] = {
		{ "in the window", to_b(ACK, 101, 501, 10), 0, TCP_HALF_ESTABLISHED },
		{ "beyond it", to_b(ACK, 900000, 501, 10), 1, TCP_HALF_ESTABLISHED },
		{ "before it", to_b(ACK, 101 - 900000, 501, 10), 1, TCP_HALF_ESTABLISHED },
		{ "an ACK of what was not sent", to_b(ACK, 101, 900000, 0), 1, TCP_HALF_ESTABLISHED },
		{ "a RST outside", to_b(RST, 900000, 0, 0), 1, TCP_HALF_ESTABLISHED },
		{ "a RST inside", to_b(RST, 102, 0, 0), 0, TCP_HALF_ESTABLISHED },
		{ "the very RST", to_b(RST, 101, 0, 0), 0, TCP_HALF_RESET },
		{ "a SYN", to_b(SYN, 900000, 0, 0), 0, TCP_HALF_ESTABLISHED },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for_each_flavour(flavour)
			for (int on = 0; on <= 1; on++)
			{
				struct tenant t;
				struct flow f;
				uint64_t before;

				world_reset(state);
				acl_allow_all();
				t = world_tenant();
				t.flags |= on ? TENANT_LIBERAL : 0;
				tenant_put(&t);
				world_case(cases[i].name, flavour);
				shake_hands(flavour);
				before = outside();
				send_one(flavour, cases[i].p, on || !cases[i].outside ? SENT : DROPPED,
					 on || !cases[i].outside ? DROP_NONE : DROP_CT_TCP_WINDOW);
				case_assert(outside() - before == (on ? cases[i].outside : 0));
				f = flow_only("ct4", NULL);
				case_assert(FLOW_TCP_HALF(f.path[0].tcp) == cases[i].half &&
					    FLOW_TCP_HALF(f.path[1].tcp) == cases[i].half);
			}
}

/* A flow that says so itself is liberal where its tenant is not, towards ICMP errors too. */
static void liberal_flow(void **state)
{
	static const struct packet quoted = { A, B, 4, TCP, 1000, 80, ACK, 900000, 501 };

	for_each_flavour(flavour)
	{
		struct flow f;

		world_reset(state);
		acl_allow_all();
		world_case("a liberal flow", flavour);
		shake_hands(flavour);
		send_one(flavour, (struct packet){ B, A, 4, ICMP4, 0x0301, .quote = &quoted }, DROPPED,
			 DROP_ICMP_UNRELATED);
		f = flow_only("ct4", NULL);
		f.path[0].flags |= FLOW_LIBERAL;
		f.path[1].flags |= FLOW_LIBERAL;
		flow_change("ct4", &f);
		send_one(flavour, (struct packet){ B, A, 4, ICMP4, 0x0301, .quote = &quoted }, SENT, DROP_NONE);
		send_one(flavour, to_b(ACK, 900000, 501, 10), SENT, DROP_NONE);
		case_assert(outside() == 1);
	}
}

/*
 * With a function on the receiver's wire: what is outside is not shown to it, and what is shown moves
 * nothing before it comes back. What the function adds outside the window ends there.
 */
static void function_on_the_wire(void **state)
{
	uint16_t tag = PCP_TOWARDS << 13 | CHAIN_TAG;

	for_each_flavour(flavour)
	{
		struct packet data = to_b(ACK, 101, 501, 100), reset = to_b(RST, 201, 0, 0);
		struct frame f;

		world_reset(state);
		acl_allow_all();
		shake_hands(flavour);
		chain_protect(B, false);
		world_case("a function on the wire", flavour);
		send_one(flavour, to_b(ACK, 900000, 501, 100), DROPPED, DROP_CT_TCP_WINDOW);
		send_one(flavour, to_b(RST, 900000, 0, 0), DROPPED, DROP_CT_TCP_WINDOW);
		send_one(flavour, data, SENT, DROP_NONE);
		case_assert(flow_only("ct4", NULL).dir[0].tcp_end == 101);
		data.tag = tag;
		f = packet_frame(data);
		expect(HOOK_SF, flavour, DEVICE_S, &f, SENT, DROP_NONE);
		case_assert(flow_only("ct4", NULL).dir[0].tcp_end == 201);
		/* A RST that the function keeps ends nothing. */
		send_one(flavour, reset, SENT, DROP_NONE);
		case_assert(FLOW_TCP_HALF(flow_only("ct4", NULL).path[0].tcp) == TCP_HALF_ESTABLISHED);
		data.seq = 900000;
		f = packet_frame(data);
		expect(HOOK_SF, flavour, DEVICE_S, &f, DROPPED, DROP_CT_TCP_WINDOW);
		reset.tag = tag;
		f = packet_frame(reset);
		expect(HOOK_SF, flavour, DEVICE_S, &f, SENT, DROP_NONE);
		case_assert(FLOW_TCP_HALF(flow_only("ct4", NULL).path[0].tcp) == TCP_HALF_RESET);
	}
}

/* What comes from another host is held to the same. */
static void from_another_host(void **state)
{
	static const struct {
		struct packet p;
		bool from_us;
		enum drop_reason reason;
	} segments[] = {
		{ { R, A, 4, TCP, 80, 1000, SYN, 500 } },
		{ { A, R, 4, TCP, 1000, 80, SYN | ACK, 100, 501 }, true },
		{ { R, A, 4, TCP, 80, 1000, ACK, 501, 101 } },
		{ { R, A, 4, TCP, 80, 1000, ACK, 900000, 101, 10 }, false, DROP_CT_TCP_WINDOW },
		{ { R, A, 4, TCP, 80, 1000, ACK, 501, 900000, 10 }, false, DROP_CT_TCP_WINDOW },
		{ { R, A, 4, TCP, 80, 1000, RST, 900000 }, false, DROP_CT_TCP_WINDOW },
		{ { A, R, 4, TCP, 1000, 80, ACK, 900000, 501, 10 }, true, DROP_CT_TCP_WINDOW },
		{ { R, A, 4, TCP, 80, 1000, ACK, 501, 101, 10 } },
		{ { A, R, 4, TCP, 1000, 80, ACK, 101, 511, 10 }, true },
	};

	for_each_flavour(flavour)
	{
		world_reset(state);
		acl_allow_all();
		for (size_t i = 0; i < sizeof(segments) / sizeof(*segments); i++) {
			struct frame f = packet_frame(segments[i].p);
			char name[32];

			snprintf(name, sizeof(name), "segment %zu", i + 1);
			world_case(name, flavour);
			if (!segments[i].from_us)
				frame_wrap(&f, &(struct tunnelled){ 0 });
			expect(segments[i].from_us ? HOOK_PORT : HOOK_UNDERLAY, flavour,
			       segments[i].from_us ? DEVICE_A : DEVICE_U, &f,
			       segments[i].reason ? DROPPED : SENT, segments[i].reason);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scans),
		cmocka_unit_test(scan_of_denied_ports),
		cmocka_unit_test(liberal),
		cmocka_unit_test(liberal_flow),
		cmocka_unit_test(function_on_the_wire),
		cmocka_unit_test(from_another_host),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
