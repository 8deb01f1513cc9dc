// SPDX-License-Identifier: BSD-2-Clause
/*
 * Events of flows: told while somebody follows, and of the tenant that he follows; a table that is full is told in any
 * case, once a second.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <arpa/inet.h>

#include "include/flow_event.h"
#include "include/flow_state.h"
#include "selftests/unit/lib/world.h"

/* ---- what is told ---- */

#define EVENTS_KEPT 32

static struct flow_event told[EVENTS_KEPT];
static unsigned int n_told;

static int take(void *arg, void *data, size_t size)
{
	(void)arg;
	case_assert(size == sizeof(told[0]));
	if (n_told < EVENTS_KEPT)
		memcpy(&told[n_told], data, size);
	n_told++;
	return 0;
}

/* How many since the last call. */
static unsigned int read_events(void)
{
	n_told = 0;
	ring_read("flow_events", take);
	return n_told;
}

static bool was_told(unsigned int i, enum flow_event_kind kind, enum flow_gone reason, uint16_t port)
{
	const struct flow_event *e = &told[i];
	bool four = e->family == FAMILY_IPV4;
	uint16_t low = four ? e->key4.low_port : e->key6.low_port, high = four ? e->key4.high_port : e->key6.high_port;

	return i < n_told && e->kind == kind && e->reason == reason && e->tenant == TENANT && e->time &&
	       !e->flow.spill && (low == htons(port) || high == htons(port));
}

/* Until so many jiffies from now; `tenant` is a slot plus 1, or 0. */
static void follow(int64_t jiffies, uint32_t tenant)
{
	/* Not the low half alone: a program takes all of it. */
	struct flow_watch watch = { .until = jiffies64_now() + (uint64_t)jiffies, .tenant = tenant };
	uint32_t zero = 0;

	map_put("flow_watch", &zero, &watch);
	read_events();
}

static void follow_nobody(void)
{
	struct flow_watch watch = { 0 };
	uint32_t zero = 0;

	map_put("flow_watch", &zero, &watch);
	read_events();
}

static void send_one(enum flavour flavour, struct packet p, enum outcome outcome, enum drop_reason reason)
{
	struct frame f = packet_frame(p);

	expect(HOOK_PORT, flavour, p.from == A ? DEVICE_A : DEVICE_B, &f, outcome, reason);
}

static void allow_into_b(void)
{
	struct acl_entry in = { .direction = TO_WORKLOAD, .action = ACL_ALLOW, .port = 2 + 1, ACL_ALL };

	acl_put(&in, 1);
}

/* ---- the tests ---- */

static void a_life(void **state)
{
	for (int family = 4; family <= 6; family += 2)
		for_each_flavour(flavour)
		{
			world_reset(state);
			allow_into_b();
			follow(100000, 0);
			world_case("a flow is told", flavour);
			send_one(flavour, (struct packet){ A, B, family, UDP, 1000, 53 }, SENT, DROP_NONE);
			send_one(flavour, (struct packet){ A, B, family, UDP, 1000, 53 }, SENT, DROP_NONE);
			case_assert(read_events() == 1 && was_told(0, FLOW_EVENT_NEW, FLOW_MOVED, 1000));
			send_one(flavour, (struct packet){ B, A, family, UDP, 53, 1000 }, SENT, DROP_NONE);
			send_one(flavour, (struct packet){ B, A, family, UDP, 53, 1000 }, SENT, DROP_NONE);
			case_assert(read_events() == 1 && was_told(0, FLOW_EVENT_REPLIED, FLOW_MOVED, 1000));
			case_assert(told[0].flow.dir[0].packets + told[0].flow.dir[1].packets == 3);

			world_case("a handshake that is reset is told", flavour);
			send_one(flavour, (struct packet){ A, B, family, TCP, 2000, 80, SYN, .seq = 100 }, SENT,
				 DROP_NONE);
			send_one(flavour,
				 (struct packet){ B, A, family, TCP, 80, 2000, RST | ACK, .seq = 0, .ack = 101 }, SENT,
				 DROP_NONE);
			case_assert(read_events() == 2 && was_told(0, FLOW_EVENT_NEW, FLOW_MOVED, 2000) &&
				    was_told(1, FLOW_EVENT_CLOSED, FLOW_MOVED, 2000));
			send_one(flavour, (struct packet){ A, B, family, TCP, 2000, 80, SYN, .seq = 5000 }, SENT,
				 DROP_NONE);
			case_assert(read_events() == 2 && was_told(0, FLOW_EVENT_DESTROYED, FLOW_REPLACED, 2000) &&
				    was_told(1, FLOW_EVENT_NEW, FLOW_MOVED, 2000));
		}
	follow_nobody();
}

static void nobody_follows(void **state)
{
	static const struct {
		const char *name;
		int64_t until;
		uint32_t tenant;
		unsigned int events;
	} cases[] = {
		{ "all are followed", 100000, 0, 1 },
		{ "this one is followed", 100000, TENANT + 1, 1 },
		{ "another one is followed", 100000, TENANT + 2, 0 },
		{ "who followed has died", -1, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for_each_flavour(flavour)
		{
			world_reset(state);
			allow_into_b();
			follow(cases[i].until, cases[i].tenant);
			world_case(cases[i].name, flavour);
			send_one(flavour, (struct packet){ A, B, 4, UDP, 1000, 53 }, SENT, DROP_NONE);
			case_assert(read_events() == cases[i].events);
		}
	follow_nobody();
	for_each_flavour(flavour)
	{
		flows_clear();
		world_case("nobody follows", flavour);
		send_one(flavour, (struct packet){ A, B, 4, UDP, 1000, 53 }, SENT, DROP_NONE);
		case_assert(!read_events());
	}
}

/* Flows give way in a table of one bucket; both families, since each has places of its own size. */
static void given_up(void **state)
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
			for (int i = 0; i < 4; i++) {
				send_one(flavour, (struct packet){ A, B, family, UDP, 1000 + i, 53 }, SENT, DROP_NONE);
				if (!i)
					flow_only(table, first);
			}
			case_assert(flow_get(table, first, &f));
			f.dir[0].last_seen = f.dir[1].last_seen = jiffies_now() - 1000000;
			flow_set(table, first, &f);
			follow(100000, 0);
			world_case("an expired flow's place is taken", flavour);
			send_one(flavour, (struct packet){ A, B, family, UDP, 2000, 53 }, SENT, DROP_NONE);
			case_assert(read_events() == 2 && was_told(0, FLOW_EVENT_DESTROYED, FLOW_EXPIRED, 1000) &&
				    was_told(1, FLOW_EVENT_NEW, FLOW_MOVED, 2000));
			world_case("a flow without a reply gives way", flavour);
			send_one(flavour, (struct packet){ A, B, family, UDP, 2001, 53 }, SENT, DROP_NONE);
			case_assert(read_events() == 2 && told[0].kind == FLOW_EVENT_DESTROYED &&
				    told[0].reason == FLOW_DISPLACED &&
				    was_told(1, FLOW_EVENT_NEW, FLOW_MOVED, 2001));
		}
	follow_nobody();
}

static void full(void **state)
{
	struct tenant_limits spent = { 0 };
	uint32_t tenant = TENANT;
	uint8_t key[40];
	struct flow f;

	for_each_flavour(flavour)
	{
		world_reset(state);
		allow_into_b();
		inner_resize("ct4", 1);
		map_put("tenant_limits", &tenant, &spent);
		follow_nobody();
		world_case("a full table", flavour);
		for (int i = 0; i < 4; i++) {
			struct packet packet = { A, B, 4, UDP, 1000 + i, 53 };

			send_one(flavour, packet, SENT, DROP_NONE);
			if (!i)
				flow_only("ct4", key);
		}
		/* Four that are assured: the first's key leads to the others'. */
		for (int i = 0; i < 4; i++) {
			((struct ct4_key *)key)->low_port = htons((uint16_t)(1000 + i));
			case_assert(flow_get("ct4", key, &f));
			f.path[0].tcp = f.path[1].tcp = FLOW_ASSURED;
			flow_set("ct4", key, &f);
		}
		for (int i = 0; i < 5; i++)
			send_one(flavour, (struct packet){ A, B, 4, UDP, 2000 + i, 53 }, DROPPED, DROP_CT_FULL);
		case_assert(read_events() == 1 && was_told(0, FLOW_EVENT_FULL, FLOW_MOVED, 2000));
		case_assert(tenant_counted().full == 5);
	}
}

/* What does not fit is lost, and counted; packets pass all the same. */
static void no_room(void **state)
{
	enum { FLOWS = 200, ROUNDS = 40 };
	unsigned int sent = 0;

	world_reset(state);
	allow_into_b();
	inner_resize("ct4", flow_buckets(2 * FLOWS));
	follow(100000, 0);
	world_case("no room for events", IN_TC);
	for (int round = 0; round < ROUNDS; round++) {
		flows_clear();
		for (int i = 0; i < FLOWS; i++, sent++)
			send_one(IN_TC, (struct packet){ A, B, 4, UDP, 1000 + i, 53 }, SENT, DROP_NONE);
	}
	read_events();
	print_message("%u of %u events were told\n", n_told, sent);
	case_assert(n_told > 5000 && n_told < sent);
	case_assert(tenant_counted().events_lost == sent - n_told);
	follow_nobody();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_life, world_reset),
		cmocka_unit_test_setup(nobody_follows, world_reset),
		cmocka_unit_test_setup(given_up, world_reset),
		cmocka_unit_test_setup(full, world_reset),
		cmocka_unit_test_setup(no_room, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
