// SPDX-License-Identifier: BSD-2-Clause
/*
 * account: hits, logs and limits where something is missing or spent: what cannot be counted or told is counted as such,
 * and the packet is judged all the same. (Whether each rule's hits are right is for packets_acl.c.)
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "selftests/unit/lib/world.h"

enum { LOGGED = 21, PLAIN = 22, REFUSED = 23 };

static const struct acl_entry logged = { .direction = FROM_WORKLOAD, .action = ACL_ALLOW, .rule = LOGGED,
					 .flags = ENTRY_LOG, ACL_ALL };
static const struct acl_entry denied = { .direction = FROM_WORKLOAD, .action = ACL_DENY, .rule = LOGGED,
					 .flags = ENTRY_LOG, ACL_ALL };
static const struct acl_entry refused = { .direction = FROM_WORKLOAD, .action = ACL_REJECT, .rule = REFUSED,
					  ACL_ALL };

static struct frame udp(uint16_t port)
{
	return packet_frame((struct packet){ A, B, 4, UDP, 1000, port, .payload = 4 });
}

/* ---- events ---- */

static struct event last;
static unsigned int events;

static int take(void *arg, void *data, size_t size)
{
	(void)arg;
	case_assert(size == sizeof(last));
	memcpy(&last, data, sizeof(last));
	events++;
	return 0;
}

/* How many events came since the last call. */
static unsigned int read_events(void)
{
	events = 0;
	ring_read("events", take);
	return events;
}

static void told(void **state)
{
	struct frame f = udp(53);

	(void)state;
	for_each_flavour(flavour)
	{
		world_case("logged", flavour);
		flows_clear();
		read_events();
		acl_put((const struct acl_entry[]){ logged, { .direction = TO_WORKLOAD, .action = ACL_ALLOW,
							      .rule = PLAIN, ACL_ALL } }, 2);
		expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
		case_assert(read_events() == 1);
		case_assert(last.kind == EVENT_ACL_LOG && last.rule == LOGGED && last.tenant == TENANT);
		case_assert(last.direction == FROM_WORKLOAD && last.action == ACL_ALLOW && last.port == 1);
		case_assert(last.family == 4 && last.protocol == UDP && last.source_port == 1000 &&
			    last.destination_port == 53);
		case_assert(!memcmp(last.source.bytes, people[A].ip4, 4) &&
			    !memcmp(last.destination.bytes, people[B].ip4, 4));
		/* The flow goes on, also when it is judged again. */
		expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
		tenant_bump();
		expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
		case_assert(!read_events());
		case_assert(rule_counted(LOGGED).packets == 1 && rule_counted(PLAIN).packets == 1);
		case_assert(rule_counted(LOGGED).bytes == f.len);
		hits_clear();
	}
}

/* What leaves and is refused at the other end: XDP leaves that to TC, before it has counted or told anything. */
static void refused_at_the_other_end(void **state)
{
	struct frame f = udp(53);

	(void)state;
	acl_put((const struct acl_entry[]){ logged, { .direction = TO_WORKLOAD, .action = ACL_REJECT,
						      .rule = REFUSED, .flags = ENTRY_LOG, ACL_ALL } }, 2);
	world_case("refused at the other end", IN_XDP);
	read_events();
	expect(HOOK_PORT, IN_XDP, DEVICE_A, &f, UP, DROP_NONE);
	case_assert(!read_events() && !rule_counted(LOGGED).packets && !rule_counted(REFUSED).packets);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_REJECTED);
	case_assert(read_events() == 2 && rule_counted(LOGGED).packets == 1 &&
		    rule_counted(REFUSED).packets == 1);
}

/* ---- limits ---- */

static void spend(uint64_t rejects, uint64_t logs)
{
	struct tenant_limits limits = { .rejects_until = rejects, .logs_until = logs };
	uint32_t tenant = TENANT;

	map_put("tenant_limits", &tenant, &limits);
}

static void limited(void **state)
{
	struct frame f = udp(53);

	(void)state;
	acl_put(&refused, 1);
	for_each_flavour(flavour)
	{
		world_case("no answers left", flavour);
		spend(UINT64_MAX / 2, 0);
		expect_tc(HOOK_PORT, flavour, DEVICE_A, &f, DROPPED, DROP_REJECT_LIMITED);
		world_case("answers left", flavour);
		spend(0, UINT64_MAX / 2);
		expect_tc(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_REJECTED);
	}
	/* As many as there may be at once: the first is at a time of its own. */
	world_case("a flood", IN_TC);
	spend(0, 0);
	for (int i = 0; i < REJECTS_AT_ONCE; i++)
		expect(HOOK_PORT, IN_TC, DEVICE_A, &f, SENT, DROP_REJECTED);
	case_assert(rule_counted(REFUSED).packets == REJECTS_AT_ONCE + 2);
}

static void logs_spent(void **state)
{
	struct frame f = udp(53);

	(void)state;
	acl_put(&denied, 1);
	for_each_flavour(flavour)
	{
		struct tenant_traffic before = tenant_counted();

		world_case("no events left", flavour);
		read_events();
		spend(0, UINT64_MAX / 2);
		expect(HOOK_PORT, flavour, DEVICE_A, &f, DROPPED, DROP_ACL_OUT);
		case_assert(!read_events());
		case_assert(tenant_counted().logs_suppressed == before.logs_suppressed + 1);
		world_case("events left", flavour);
		spend(UINT64_MAX / 2, 0);
		expect(HOOK_PORT, flavour, DEVICE_A, &f, DROPPED, DROP_ACL_OUT);
		case_assert(read_events() == 1);
		case_assert(tenant_counted().logs_suppressed == before.logs_suppressed + 1);
	}
}

static void no_room_for_events(void **state)
{
	struct frame f = udp(53);
	struct tenant_traffic before = tenant_counted();

	(void)state;
	acl_put(&denied, 1);
	world_case("the ring is full", IN_TC);
	read_events();
	for (int i = 0; i < 20000 && tenant_counted().logs_lost == before.logs_lost; i++) {
		if (i % LOGS_AT_ONCE == 0)
			spend(0, 0);
		world_run_uncounted(HOOK_PORT, IN_TC, DEVICE_A, &f);
	}
	case_assert(tenant_counted().logs_lost == before.logs_lost + 1);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, DROPPED, DROP_ACL_OUT);
	case_assert(tenant_counted().logs_lost + tenant_counted().logs_suppressed >
		    before.logs_lost + before.logs_suppressed + 1);
	case_assert(read_events() > 10000);
}

/* ---- hits ---- */

static void no_room_for_hits(void **state)
{
	struct frame f = udp(53);

	(void)state;
	world_case("no map of hits", IN_TC);
	acl_put(&denied, 1);
	inner_remove("rule_hits");
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, DROPPED, DROP_ACL_OUT);
	case_assert(tenant_counted().hits_lost == 1);
	world_case("a map of hits that is full", IN_TC);
	inner_resize("rule_hits", 1);
	acl_put((const struct acl_entry[]){ logged, { .direction = TO_WORKLOAD, .action = ACL_DENY,
						      .rule = PLAIN, ACL_ALL } }, 2);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, DROPPED, DROP_ACL_IN);
	case_assert(tenant_counted().hits_lost == 2);
	case_assert(rule_counted(LOGGED).packets + rule_counted(PLAIN).packets == 1);
}

/* A flow that is denied under way counts each packet, though the rules are asked of the first alone. */
static void denied_under_way(void **state)
{
	struct frame f = udp(53);

	(void)state;
	for_each_flavour(flavour)
	{
		world_case("denied under way", flavour);
		flows_clear();
		hits_clear();
		acl_allow_all();
		expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
		acl_put(&denied, 1);
		tenant_bump();
		for (int i = 0; i < 5; i++)
			expect(HOOK_PORT, flavour, DEVICE_A, &f, DROPPED, DROP_ACL_OUT);
		case_assert(rule_counted(LOGGED).packets == 5 && rule_counted(LOGGED).bytes == 5 * f.len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(told, world_reset),
		cmocka_unit_test_setup(refused_at_the_other_end, world_reset),
		cmocka_unit_test_setup(limited, world_reset),
		cmocka_unit_test_setup(logs_spent, world_reset),
		cmocka_unit_test_setup(no_room_for_events, world_reset),
		cmocka_unit_test_setup(no_room_for_hits, world_reset),
		cmocka_unit_test_setup(denied_under_way, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
