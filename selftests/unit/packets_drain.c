// SPDX-License-Identifier: BSD-2-Clause
/*
 * An instance that drains, on "s", beside another one, on "t": it gets no new flow and keeps its own, until its time is up; then
 * it is as one that is down. Packets hold to that by themselves.
 */
#include <bpf/bpf.h>
#include <string.h>

#include "selftests/unit/lib/world.h"

#define FLOWS 60
#define QUICK (SILENT_MS * (HZ / 1000) + HZ / 100)

enum { DRAINS, OTHER, INSTANCES };

static void put(uint8_t place, uint8_t flags)
{
	uint32_t ifindex = device(place == DRAINS ? DEVICE_S : DEVICE_T);
	struct function f;

	instance_put(0, place, 71u + place, ifindex, ifindex);
	put_returns(A, ifindex, ifindex, 0, place);
	f = function_now(0);
	f.instance[place].flags = flags;
	if (flags & (INSTANCE_DRAIN | INSTANCE_DOWN))
		f.fresh &= (uint16_t) ~(1 << place);
	if (flags & INSTANCE_DOWN)
		f.present &= (uint16_t) ~(1 << place);
	function_put(0, &f);
}

static void two(void **state)
{
	world_reset(state);
	acl_allow_all();
	chain_protect(A, false);
	put(DRAINS, 0);
	put(OTHER, 0);
}

/* As if all that was sent had come back. */
static void answer_all(void)
{
	for (uint8_t i = 0; i < INSTANCES; i++)
		watch_put(0, i, &(struct sf_state){ 0 });
}

/* Which instance gets a frame of the flow; -1: it is dropped, since nobody may. */
static int gets(enum flavour flavour, uint16_t flow)
{
	struct frame f = packet_frame((struct packet){ A, B, 4, UDP, 1000 + flow, 53 });
	uint64_t sent = instance_traffic(0, DRAINS).sent;
	struct result r = world_run(HOOK_PORT, flavour, DEVICE_A, &f);

	answer_all();
	if (r.outcome != SENT) {
		case_assert(r.drops[DROP_SF_DOWN] == 1 && r.all_drops == 1);
		return -1;
	}
	case_assert(!r.all_drops);
	return instance_traffic(0, DRAINS).sent > sent ? DRAINS : OTHER;
}

static int all_get(enum flavour flavour, uint16_t first, int got[FLOWS])
{
	int n = 0;

	for (uint16_t i = 0; i < FLOWS; i++) {
		got[i] = gets(flavour, first + i);
		n += got[i] == DRAINS;
	}
	return n;
}

/* Its flows stay, and no new one comes; when its time is up they go, and are counted where they go to. */
static void until_its_end(void **state)
{
	int before[FLOWS], now[FLOWS], own;

	for_each_flavour(flavour)
	{
		two(state);
		world_case("before", flavour);
		own = all_get(flavour, 0, before);
		case_assert(own > FLOWS / 4 && own < FLOWS * 3 / 4);

		put(DRAINS, INSTANCE_DRAIN);
		for (int i = 0; i < 2; i++) {
			world_case(i ? "nobody has said until when" : "in time", flavour);
			drain_put(0, DRAINS, i ? 0 : jiffies64_now() + 1000 * HZ);
			all_get(flavour, 0, now);
			case_assert(!memcmp(before, now, sizeof(now)));
			case_assert(!all_get(flavour, (uint16_t)(1000 + 1000 * i), now));
			case_assert(!instance_traffic(0, OTHER).moved);
		}
		world_case("its time is up", flavour);
		drain_put(0, DRAINS, jiffies64_now());
		case_assert(!all_get(flavour, 0, now));
		case_assert(instance_traffic(0, OTHER).moved == (uint64_t)own);
		case_assert(!all_get(flavour, 5000, now));

		world_case("it is up again", flavour);
		put(DRAINS, 0);
		case_assert(!all_get(flavour, 0, now));
		case_assert(all_get(flavour, 6000, now) > 0);
	}
}

/* Jiffies are counted for longer than 32 bits last. */
static void long_ago(void **state)
{
	int got[FLOWS];

	two(state);
	put(DRAINS, INSTANCE_DRAIN);
	world_case("its time was up long ago", IN_TC);
	all_get(IN_TC, 0, got);
	drain_put(0, DRAINS, 1);
	case_assert(!all_get(IN_TC, 0, got));
	drain_put(0, DRAINS, jiffies64_now() + (1ull << 33));
	world_case("it is not for long", IN_TC);
	put(OTHER, INSTANCE_DOWN);
	case_assert(all_get(IN_TC, 0, got) == FLOWS);
}

/* Rather one that drains than none, while it drains; when its time is up it is none. */
static void nobody_else(void **state)
{
	for_each_flavour(flavour)
	{
		struct chain chain;

		two(state);
		put(OTHER, INSTANCE_DOWN);
		put(DRAINS, INSTANCE_DRAIN);
		drain_put(0, DRAINS, jiffies64_now() + 1000 * HZ);
		world_case("nobody else", flavour);
		case_assert(gets(flavour, 1) == DRAINS);
		world_case("and its time is up", flavour);
		drain_put(0, DRAINS, jiffies64_now());
		case_assert(gets(flavour, 1) == -1 && gets(flavour, 2) == -1);
		chain = chain_now();
		chain.step[0].flags |= STEP_OPEN;
		chain_put(&chain);
		world_case("open", flavour);
		for (uint16_t i = 0; i < 3 * OPEN_TRIES; i++) {
			struct frame f = packet_frame((struct packet){ A, B, 4, UDP, 1000, 53 });

			expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
		}
		case_assert(step_traffic(0).skipped == 3 * OPEN_TRIES && step_traffic(0).sent == 1);
	}
}

/* Whose time is up confirms nothing: who is left is the only one, and has a second. */
static void patience(void **state)
{
	struct frame f = packet_frame((struct packet){ A, B, 4, UDP, 1000, 53 });

	for_each_flavour(flavour)
	{
		for (int over = 0; over <= 1; over++) {
			uint64_t sent;

			two(state);
			put(DRAINS, INSTANCE_DRAIN);
			world_case(over ? "its time is up" : "it drains", flavour);
			expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
			case_assert(instance_traffic(0, OTHER).sent == 1);
			drain_put(0, DRAINS, jiffies64_now() + (over ? 0 : 1000 * HZ));
			watch_put(0, OTHER,
				  &(struct sf_state){ .waiting_since = jiffies_now() - QUICK,
						      .outstanding = 100,
						      .last_try = jiffies_now() });
			sent = instance_traffic(0, OTHER).sent;
			expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
			case_assert(instance_traffic(0, OTHER).sent == sent + (over ? 1 : 0));
		}
	}
}

/* A flow does not return to one that drains, whatever the function's `rebalance` says. */
static void rebalance(void **state)
{
	int before[FLOWS], now[FLOWS];
	struct function f;

	two(state);
	all_get(IN_TC, 0, before);
	put(DRAINS, INSTANCE_DRAIN);
	drain_put(0, DRAINS, jiffies64_now());
	f = function_now(0);
	f.flags = FUNCTION_REBALANCE;
	function_put(0, &f);
	world_case("its time is up", IN_TC);
	case_assert(!all_get(IN_TC, 0, now));
	case_assert(!all_get(IN_TC, 0, now));
	world_case("it is up again", IN_TC);
	put(DRAINS, 0);
	all_get(IN_TC, 0, now);
	case_assert(!memcmp(before, now, sizeof(now)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(until_its_end, world_reset),
		cmocka_unit_test_setup(long_ago, world_reset),
		cmocka_unit_test_setup(nobody_else, world_reset),
		cmocka_unit_test_setup(patience, world_reset),
		cmocka_unit_test_setup(rebalance, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
