// SPDX-License-Identifier: BSD-2-Clause
/*
 * The tenant's flow tables: what is idle too long is gone, a full table takes no more, and gives up
 * what has expired.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <unistd.h>

#include "include/flow_state.h"
#include "include/flow_table.h"
#include "selftests/unit/lib/world.h"

static void send_one(enum flavour flavour, struct packet p, enum outcome outcome,
		     enum drop_reason reason)
{
	struct frame f = packet_frame(p);

	expect(HOOK_PORT, flavour, p.from == A ? DEVICE_A : DEVICE_B, &f, outcome, reason);
}

static uint64_t reclaimed(void)
{
	return tenant_counted().reclaimed;
}

static uint64_t displaced(void)
{
	return tenant_counted().displaced;
}

/* As if nothing had come for so many jiffies. */
static void make_idle(struct flow *f, uint32_t jiffies)
{
	f->dir[0].last_seen = f->dir[1].last_seen = jiffies_now() - jiffies;
}

static void allow_into_b(void)
{
	struct acl_entry in = {
		.direction = TO_WORKLOAD, .action = ACL_ALLOW, .port = 2 + 1, ACL_ALL
	};

	acl_put(&in, 1);
}

/*
 * ---- idle times: the world's are 10,000 jiffies times the place in enum ct_timeout, from 1 ----
 */

static const struct idle_case {
	const char *name;
	struct packet begin, reply;
	bool replied; /* the reply goes before the flow is left alone */
	bool assured; /* and another packet, when it is old enough */
	enum ct_timeout timeout;
} idle[] = {
	{ "UDP", { A, B, 4, UDP, 1000, 53 }, { B, A, 4, UDP, 53, 1000 }, false, false, CT_UDP },
	{ "UDP with a reply",
	  { A, B, 4, UDP, 1000, 53 },
	  { B, A, 4, UDP, 53, 1000 },
	  true,
	  false,
	  CT_UDP },
	{ "UDP, assured",
	  { A, B, 4, UDP, 1000, 53 },
	  { B, A, 4, UDP, 53, 1000 },
	  true,
	  true,
	  CT_UDP_REPLIED },
	{ "UDP6", { A, B, 6, UDP, 1000, 53 }, { B, A, 6, UDP, 53, 1000 }, false, false, CT_UDP },
	{ "UDP6, assured",
	  { A, B, 6, UDP, 1000, 53 },
	  { B, A, 6, UDP, 53, 1000 },
	  true,
	  true,
	  CT_UDP_REPLIED },
	{ "ping", { A, B, 4, ICMP4, 0x0800, 7 }, { B, A, 4, ICMP4, 0x0000, 7 }, true, true, CT_ICMP },
	{ "ping6", { A, B, 6, ICMP6, 0x8000, 7 }, { B, A, 6, ICMP6, 0x8100, 7 }, true, true, CT_ICMPV6 },
	{ "GRE", { A, B, 4, 47 }, { B, A, 4, 47 }, false, false, CT_GRE },
	{ "GRE, answered", { A, B, 4, 47 }, { B, A, 4, 47 }, true, true, CT_GRE_REPLIED },
	{ "ESP", { A, B, 4, 50 }, { B, A, 4, 50 }, true, true, CT_OTHER },
	{ "ESP6", { A, B, 6, 50 }, { B, A, 6, 50 }, false, false, CT_OTHER },
	{ "another protocol", { A, B, 4, 99 }, { B, A, 4, 99 }, true, false, CT_OTHER },
};

static void idle_times(void **state)
{
	for (size_t i = 0; i < sizeof(idle) / sizeof(*idle); i++)
		for_each_flavour(flavour)
		{
			const struct idle_case *c = &idle[i];
			const char *table = c->begin.family == 4 ? "ct4" : "ct6";
			bool reply = c->begin.protocol == ICMP4 || c->begin.protocol == ICMP6;
			uint32_t limit = 10000 * (c->timeout + 1);
			struct flow f;

			world_reset(state);
			allow_into_b();
			world_case(c->name, flavour);
			send_one(flavour, c->begin, SENT, DROP_NONE);
			if (c->replied)
				send_one(flavour, c->reply, SENT, DROP_NONE);
			if (c->assured) {
				flows_grow_older(table, 3 * HZ);
				send_one(flavour, c->begin, SENT, DROP_NONE);
			}
			f = flow_only(table, NULL);
			case_assert(FLOW_STATE(&f) == (c->assured && c->timeout != CT_ICMP && c->timeout != CT_ICMPV6));
			make_idle(&f, limit - 1000);
			flow_change(table, &f);
			send_one(flavour, c->reply, SENT, DROP_NONE);
			/* One direction alone keeps the flow alive. */
			f.dir[0].last_seen = jiffies_now() - limit - 1000;
			f.dir[1].last_seen = jiffies_now() - limit + 1000;
			flow_change(table, &f);
			send_one(flavour, c->reply, SENT, DROP_NONE);
			/* So does what another processor has just seen, by a clock that is a little ahead. */
			f.dir[0].last_seen = jiffies_now() - limit - 1000;
			f.dir[1].last_seen = jiffies_now() + 1000;
			flow_change(table, &f);
			send_one(flavour, c->reply, SENT, DROP_NONE);
			/*
			 * Expired is gone: the reply is a stranger, and the flow's own packet
			 * begins it anew.
			 */
			make_idle(&f, limit + 1000);
			flow_change(table, &f);
			send_one(flavour, c->reply, DROPPED, reply ? DROP_CT_INVALID : DROP_ACL_IN);
			case_assert(!flow_count(table));
			send_one(flavour, c->begin, SENT, DROP_NONE);
			f = flow_only(table, NULL);
			case_assert(f.dir[0].packets + f.dir[1].packets == 1);
		}
}

/* The same on the real clock. */
static void short_timeout(void **state)
{
	struct tenant t = world_tenant();

	(void)state;
	t.timeout[CT_UDP] = t.shortest = 2;
	tenant_put(&t);
	allow_into_b();
	for_each_flavour(flavour)
	{
		flows_clear();
		world_case("two jiffies", flavour);
		send_one(flavour, (struct packet){ A, B, 4, UDP, 1, 2 }, SENT, DROP_NONE);
		usleep(60000);
		send_one(flavour, (struct packet){ B, A, 4, UDP, 2, 1 }, DROPPED, DROP_ACL_IN);
	}
}

/* ---- a full table ---- */

static void assure(enum flavour flavour, uint8_t family, const char *table, uint16_t port)
{
	flows_grow_older(table, 3 * HZ);
	send_one(flavour, (struct packet){ A, B, family, UDP, port, 53 }, SENT, DROP_NONE);
}

static void full_table(void **state)
{
	for (int family = 4; family <= 6; family += 2)
		for_each_flavour(flavour)
		{
			const char *table = family == 4 ? "ct4" : "ct6";
			uint8_t first[40];
			struct flow f;

			world_reset(state);
			allow_into_b();
			inner_resize(table, 1);
			world_case("a full table", flavour);
			for (int i = 0; i < 4; i++) {
				send_one(flavour,
					 (struct packet){ A, B, family, UDP, 1000 + i, 53 }, SENT,
					 DROP_NONE);
				send_one(flavour,
					 (struct packet){ B, A, family, UDP, 53, 1000 + i }, SENT,
					 DROP_NONE);
				if (!i)
					flow_only(table, first);
				assure(flavour, family, table, 1000 + i);
			}
			send_one(flavour, (struct packet){ A, B, family, UDP, 1004, 53 }, DROPPED,
				 DROP_CT_FULL);
			send_one(flavour, (struct packet){ A, B, family, UDP, 1005, 53 }, DROPPED,
				 DROP_CT_FULL);
			case_assert(flow_count(table) == 4 && !reclaimed());
			/* Those within go on. */
			send_one(flavour, (struct packet){ A, B, family, UDP, 1000, 53 }, SENT,
				 DROP_NONE);
			send_one(flavour, (struct packet){ B, A, family, UDP, 53, 1003 }, SENT,
				 DROP_NONE);

			world_case("one of them has expired", flavour);
			case_assert(flow_get(table, first, &f));
			make_idle(&f, 10000 * (CT_UDP_REPLIED + 1) + 1000);
			flow_set(table, first, &f);
			send_one(flavour, (struct packet){ A, B, family, UDP, 1004, 53 }, SENT,
				 DROP_NONE);
			case_assert(flow_count(table) == 4 && reclaimed() == 1 && !displaced());
			case_assert(!flow_get(table, first, &f));

			world_case("one has no reply yet", flavour);
			send_one(flavour, (struct packet){ A, B, family, UDP, 1005, 53 }, SENT, DROP_NONE);
			case_assert(flow_count(table) == 4 && displaced() == 1);
			send_one(flavour, (struct packet){ B, A, family, UDP, 53, 1004 }, DROPPED, DROP_ACL_IN);
			send_one(flavour, (struct packet){ B, A, family, UDP, 53, 1005 }, SENT, DROP_NONE);

			world_case("one was answered, but is not assured", flavour);
			send_one(flavour, (struct packet){ A, B, family, UDP, 1006, 53 }, SENT, DROP_NONE);
			case_assert(flow_count(table) == 4 && displaced() == 2);
			send_one(flavour, (struct packet){ B, A, family, UDP, 53, 1005 }, DROPPED, DROP_ACL_IN);
			send_one(flavour, (struct packet){ B, A, family, UDP, 53, 1006 }, SENT, DROP_NONE);
			assure(flavour, family, table, 1006);
			send_one(flavour, (struct packet){ A, B, family, UDP, 1007, 53 }, DROPPED,
				 DROP_CT_FULL);
			case_assert(displaced() == 2);
		}
}

/* Connections picked up in the middle are connections, also where one end alone was heard yet: none gives way. */
static void full_of_connections(void **state)
{
	for_each_flavour(flavour)
	{
		struct tenant t;

		world_reset(state);
		allow_into_b();
		t = world_tenant();
		t.flags |= TENANT_LOOSE;
		tenant_put(&t);
		inner_resize("ct4", 1);
		world_case("full of connections", flavour);
		for (int i = 0; i < FLOW_PLACES; i++)
			send_one(flavour, (struct packet){ A, B, 4, TCP, 1000 + i, 80, ACK, 7, 7 }, SENT, DROP_NONE);
		send_one(flavour, (struct packet){ A, B, 4, UDP, 1000, 53 }, DROPPED, DROP_CT_FULL);
		case_assert(flow_count("ct4") == FLOW_PLACES && !displaced());
	}
}

/*
 * Flows that find no place at home are put elsewhere, and found there: every flow of a table as full as its tenant may
 * make it, in any order, and none twice.
 */
static void crowded_table(void **state)
{
	enum { FLOWS = 400 };

	for (int family = 4; family <= 6; family += 2)
		for_each_flavour(flavour)
		{
			const char *table = family == 4 ? "ct4" : "ct6";

			world_reset(state);
			acl_put(&(struct acl_entry){ .direction = TO_WORKLOAD, .action = ACL_ALLOW, .port = 2 + 1,
						     ACL_ALL }, 1);
			inner_resize(table, flow_buckets(FLOWS));
			world_case("a crowded table", flavour);
			for (int i = 0; i < FLOWS; i++)
				send_one(flavour, (struct packet){ A, B, family, UDP, 1000 + i, 53 }, SENT,
					 DROP_NONE);
			case_assert(flow_count(table) == FLOWS);
			/* Nothing but its flow lets a reply pass. */
			for (int i = FLOWS; i-- > 0;)
				send_one(flavour, (struct packet){ B, A, family, UDP, 53, 1000 + i }, SENT,
					 DROP_NONE);
			send_one(flavour, (struct packet){ B, A, family, UDP, 53, 999 }, DROPPED, DROP_ACL_IN);
			case_assert(flow_count(table) == FLOWS && !reclaimed());
		}
}

/* Flows that differ in one address alone, in one bucket: each key is looked at whole. */
static void one_bucket(void **state)
{
	for (int family = 4; family <= 6; family += 2)
		for_each_flavour(flavour)
		{
			const char *table = family == 4 ? "ct4" : "ct6";

			world_reset(state);
			allow_into_b();
			inner_resize(table, 1);
			world_case("one bucket", flavour);
			send_one(flavour, (struct packet){ A, B, family, UDP, 1000, 53 }, SENT, DROP_NONE);
			send_one(flavour, (struct packet){ A, R, family, UDP, 1000, 53 }, SENT, DROP_NONE);
			case_assert(flow_count(table) == 2);
			send_one(flavour, (struct packet){ B, A, family, UDP, 53, 1000 }, SENT, DROP_NONE);
			send_one(flavour, (struct packet){ A, B, family, UDP, 1000, 53 }, SENT, DROP_NONE);
			case_assert(flow_count(table) == 2);
		}
}

/* A tenant without a table for a family: the reason says so. */
static void missing_table(void **state)
{
	static const struct {
		const char *table;
		struct packet packet;
	} cases[] = {
		{ "ct4", { A, B, 4, UDP, 1, 2 } },        { "ct6", { A, B, 6, UDP, 1, 2 } },
		{ "half4", { A, B, 4, TCP, 1, 2, SYN } }, { "half6", { A, B, 6, TCP, 1, 2, SYN } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for_each_flavour(flavour)
		{
			world_reset(state);
			allow_into_b();
			inner_remove(cases[i].table);
			world_case(cases[i].table, flavour);
			send_one(flavour, cases[i].packet, DROPPED, DROP_CT_MISSING);
		}
}

/*
 * A SYN flood fills the half-open table alone, takes the oldest's place there, and drops no one's
 * packet.
 */
static void syn_flood(void **state)
{
	for_each_flavour(flavour)
	{
		world_reset(state);
		allow_into_b();
		world_case("SYN flood", flavour);
		send_one(flavour, (struct packet){ A, B, 4, UDP, 1, 2 }, SENT, DROP_NONE);
		for (int i = 0; i < 4 * FLOWS_MAX; i++)
			send_one(flavour, (struct packet){ A, B, 4, TCP, 1000 + i, 80, SYN }, SENT,
				 DROP_NONE);
		case_assert(flow_count("half4") && flow_count("half4") <= FLOWS_MAX);
		case_assert(flow_count("ct4") == 1);
		send_one(flavour, (struct packet){ B, A, 4, UDP, 2, 1 }, SENT, DROP_NONE);
	}
}

/* INIT and HEARTBEAT do the same, and an association that is open stays. */
static void init_flood(void **state)
{
	static const char *const handshake[] = {
		"01000014 a1a1a1a1 00010000 000a000a 00000001",
		"02000014 b2b2b2b2 00010000 000a000a 00000001",
		"0a000008 c00c1e00",
		"0b000004",
	};
	static const char data[] = "00030014 00000001 00000000 00000000 64617461";

	for_each_flavour(flavour)
	{
		world_reset(state);
		allow_into_b();
		world_case("an association", flavour);
		for (int i = 0; i < 4; i++) {
			struct packet p = { A, B, 4, SCTP, 1000, 80, .seq = i ? 0xb2b2b2b2 : 0, .options = handshake[i] };

			if (i & 1)
				p = (struct packet){ B, A, 4, SCTP, 80, 1000, .seq = 0xa1a1a1a1, .options = handshake[i] };
			send_one(flavour, p, SENT, DROP_NONE);
		}
		case_assert(flow_count("ct4") == 1 && !flow_count("half4"));
		world_case("a flood of INIT and HEARTBEAT", flavour);
		for (int i = 0; i < 4 * FLOWS_MAX; i++)
			send_one(flavour,
				 i & 1 ? (struct packet){ A, B, 4, SCTP, 2000 + i, 80 } :
					 (struct packet){ A, B, 4, SCTP, 2000 + i, 80, .seq = 1 + i,
							  .options = "0400000c 00010008 12345678" },
				 SENT, DROP_NONE);
		case_assert(flow_count("half4") && flow_count("half4") <= FLOWS_MAX && flow_count("ct4") == 1);
		send_one(flavour, (struct packet){ B, A, 4, SCTP, 80, 1000, .seq = 0xa1a1a1a1, .options = data }, SENT,
			 DROP_NONE);
		send_one(flavour, (struct packet){ B, A, 4, SCTP, 80, 1000, .seq = 0xa1a1a1a2, .options = data }, DROPPED,
			 DROP_CT_SCTP_TAG);
	}
}

/* A flood of one-way UDP pushes out what nobody has answered, and leaves what is assured. */
static void udp_flood(void **state)
{
	for_each_flavour(flavour)
	{
		world_reset(state);
		allow_into_b();
		send_one(flavour, (struct packet){ A, B, 4, UDP, 1000, 53 }, SENT, DROP_NONE);
		send_one(flavour, (struct packet){ B, A, 4, UDP, 53, 1000 }, SENT, DROP_NONE);
		assure(flavour, 4, "ct4", 1000);
		world_case("a flood of one-way UDP", flavour);
		for (int i = 0; i < 4 * FLOWS_MAX; i++)
			send_one(flavour, (struct packet){ A, B, 4, UDP, 2000 + i, 53 }, SENT, DROP_NONE);
		case_assert(displaced() >= FLOWS_MAX);
		send_one(flavour, (struct packet){ B, A, 4, UDP, 53, 1000 }, SENT, DROP_NONE);
		/* Who comes meanwhile, and is answered, gets his answer. */
		send_one(flavour, (struct packet){ A, B, 4, UDP, 1001, 53 }, SENT, DROP_NONE);
		send_one(flavour, (struct packet){ B, A, 4, UDP, 53, 1001 }, SENT, DROP_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(idle_times, world_reset),
		cmocka_unit_test_setup(short_timeout, world_reset),
		cmocka_unit_test_setup(full_table, world_reset),
		cmocka_unit_test_setup(full_of_connections, world_reset),
		cmocka_unit_test_setup(crowded_table, world_reset),
		cmocka_unit_test_setup(one_bucket, world_reset),
		cmocka_unit_test_setup(missing_table, world_reset),
		cmocka_unit_test_setup(syn_flood, world_reset),
		cmocka_unit_test_setup(init_flood, world_reset),
		cmocka_unit_test_setup(udp_flood, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
