// SPDX-License-Identifier: BSD-2-Clause
/*
 * watch: when an instance of a function is taken for dead, by its traffic and by the agent's word, and where flows go
 * then. The function has two instances, on "s" (place 0) and "t" (place 1); which one a frame went to the counters tell.
 */
#include <string.h>

#include "include/probe.h"
#include "selftests/unit/lib/world.h"

#define LEAVING	  (PCP_LEAVING << 13 | CHAIN_TAG)
#define TICKS(ms) ((uint32_t)((ms) * (uint64_t)HZ / 1000))
#define LONG_AGO  TICKS(SILENT_LONG_MS + 1000)
#define FIRST	  1000 /* source port of the first flow */

static const enum device_name arms[2] = { DEVICE_S, DEVICE_T };

static struct frame flow(uint16_t port, uint16_t tag)
{
	return packet_frame(
		(struct packet){ A, B, 4, UDP, port, 53, .payload = 20, .tag = tag });
}

/* To which place a frame of the flow goes now; -1: nowhere. */
static int sent_to(enum flavour flavour, uint16_t port)
{
	struct sf_traffic before[2] = { instance_traffic(0, 0), instance_traffic(0, 1) };
	struct frame f = flow(port, 0);

	world_run(HOOK_PORT, flavour, DEVICE_A, &f);
	for (uint8_t i = 0; i < 2; i++)
		if (instance_traffic(0, i).sent > before[i].sent)
			return i;
	return -1;
}

static void answer(enum flavour flavour, uint8_t place, uint16_t port)
{
	struct frame f = flow(port, LEAVING);

	expect(HOOK_SF, flavour, arms[place], &f, SENT, DROP_NONE);
}

static void quiet(uint8_t place)
{
	watch_put(0, place, &(struct sf_state){ 0 });
}

/* Two instances; then a flow of which frames go to this place. Their watch has seen nothing yet. */
static uint16_t two(void **state, enum flavour flavour, int place)
{
	world_reset(state);
	acl_allow_all();
	chain_protect(A, false);
	instance_put(0, 1, 2, device(DEVICE_T), device(DEVICE_T));
	put_returns(A, device(DEVICE_T), device(DEVICE_T), 0, 1);
	for (uint16_t port = FIRST; port < FIRST + 64; port++)
		if (sent_to(flavour, port) == place) {
			quiet(0);
			quiet(1);
			return port;
		}
	case_assert(false);
	return 0;
}

static void open_step(void)
{
	struct chain chain = chain_now();

	chain.step[0].flags |= STEP_OPEN;
	chain_put(&chain);
}

static struct sf_state silent_for(uint32_t jiffies)
{
	return (struct sf_state){ .waiting_since = jiffies_now() - jiffies,
				  .outstanding = SILENT_FRAMES,
				  .last_try = jiffies_now() };
}

static struct sf_state said(uint32_t down, uint32_t looked_ago)
{
	return (struct sf_state){ .down = down, .looked = jiffies_now() - looked_ago };
}

/* ---- what its traffic says ---- */

/* Four frames of two flows for five milliseconds: no more, if somebody else can take them; else a second. */
static void silence(void **state)
{
	static const struct {
		const char *name;
		uint32_t ms, frames, flow;
		bool alone, other_doubted, came_back, patient, agent_dead;
		int goes_to;
	} cases[] = {
		{ "silent", 6, 4, 0, .goes_to = 1 },
		{ "for less time", 4, 4, 0, .goes_to = 0 },
		{ "of fewer frames", 900, 3, 0, .goes_to = 0 },
		{ "of one flow", 900, 4, 77, .goes_to = 0 },
		{ "of one flow, for a second", 1001, 4, 77, .goes_to = 1 },
		{ "alone", 900, 4, 0, .alone = true, .goes_to = 0 },
		{ "the other one is, too", 900, 4, 0, .other_doubted = true, .goes_to = 0 },
		{ "something came back", 900, 4, 0, .came_back = true, .goes_to = 0 },
		{ "the agent knows better", 19, 4, 0, .patient = true, .goes_to = 0 },
		{ "but not for ever", 21, 4, 0, .patient = true, .goes_to = 1 },
		{ "unless it is dead", 6, 4, 0, .patient = true, .agent_dead = true, .goes_to = 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for_each_flavour(flavour)
		{
			uint16_t port = two(state, flavour, 0);
			struct sf_state s = silent_for(TICKS(cases[i].ms) + 1);

			world_case(cases[i].name, flavour);
			s.outstanding = cases[i].frames;
			s.flow = cases[i].flow;
			s.returned[1] = cases[i].came_back;
			s.patience = cases[i].patient ? 20 : 0;
			s.looked = jiffies_now() - (cases[i].agent_dead ? 2 * HZ : 0);
			watch_put(0, 0, &s);
			s = silent_for(TICKS(6) + 1);
			if (cases[i].other_doubted)
				watch_put(0, 1, &s);
			if (cases[i].alone)
				instance_put(0, 1, 2, 0, 0);
			case_assert(sent_to(flavour, port) == cases[i].goes_to);
			case_assert(instance_traffic(0, 1).moved == (uint64_t)cases[i].goes_to);
		}
}

/* Another CPU may have begun to wait a tick later than this one says that it is. */
static void clocks(void **state)
{
	for_each_flavour(flavour)
	{
		uint16_t port = two(state, flavour, 0);
		struct sf_state s = silent_for(0);

		world_case("a tick ahead", flavour);
		s.waiting_since = jiffies_now() + 1000;
		watch_put(0, 0, &s);
		case_assert(sent_to(flavour, port) == 0);
	}
}

/* Frames of one flow that wait, of several, and that anything comes back, of whichever pass. */
static void counted(void **state)
{
	for_each_flavour(flavour)
	{
		uint16_t port = two(state, flavour, 0), other = port;
		struct frame back = packet_frame((struct packet){
			B, A, 4, UDP, 53, port, .tag = PCP_TOWARDS << 13 | CHAIN_TAG });

		world_case("one flow", flavour);
		for (uint32_t n = 1; n <= 5; n++) {
			case_assert(sent_to(flavour, port) == 0);
			case_assert(outstanding(0, 0) == n && watch_now(0, 0).flow);
		}
		world_case("another", flavour);
		do
			other++;
		while (sent_to(flavour, other) != 0);
		case_assert(outstanding(0, 0) == 6 && !watch_now(0, 0).flow);
		world_case("something comes back", flavour);
		answer(flavour, 0, port);
		case_assert(!outstanding(0, 0) && watch_now(0, 0).returned[0] == 1);
		answer(flavour, 0, port);
		case_assert(watch_now(0, 0).returned[0] == 1);
		world_case("the next one", flavour);
		case_assert(sent_to(flavour, port) == 0);
		case_assert(outstanding(0, 0) == 1 && watch_now(0, 0).flow);
		world_case("the other pass", flavour);
		expect(HOOK_SF, flavour, DEVICE_S, &back, SENT, DROP_NONE);
		case_assert(!outstanding(0, 0) && watch_now(0, 0).returned[1] == 1);
		case_assert(!outstanding(0, 1));
	}
}

/* ---- what the agent says ---- */

static void agents_word(void **state)
{
	static const struct {
		const char *name;
		uint32_t down;
		int32_t looked_ago;
		int goes_to;
	} cases[] = {
		{ "probes", DOWN_PROBES, 0, 1 },
		{ "link", DOWN_LINK, 0, 1 },
		{ "up", DOWN_NOT, 0, 0 },
		{ "almost a second ago", DOWN_PROBES, HZ - TICKS(20), 1 },
		{ "its clock is ahead", DOWN_PROBES, -(int32_t)TICKS(20), 1 },
		{ "more than a second ago", DOWN_PROBES, HZ + TICKS(20), 0 },
		{ "long ago", DOWN_LINK, 1000 * HZ, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for_each_flavour(flavour)
		{
			uint16_t port = two(state, flavour, 0);
			struct sf_state s = said(cases[i].down, (uint32_t)cases[i].looked_ago);

			world_case(cases[i].name, flavour);
			watch_put(0, 0, &s);
			case_assert(sent_to(flavour, port) == cases[i].goes_to);
		}
}

/* Without another: a closed step drops, an open one is skipped; one that nobody looks after any more is neither. */
static void alone(void **state)
{
	struct sf_state down = said(DOWN_PROBES, 0), forgotten = said(DOWN_PROBES, 2 * HZ);

	for_each_flavour(flavour)
	{
		uint16_t port = two(state, flavour, 0);
		struct frame f = flow(port, 0);

		instance_put(0, 1, 2, 0, 0);
		down.last_try = jiffies_now();
		world_case("open", flavour);
		open_step();
		watch_put(0, 0, &down);
		expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
		case_assert(step_traffic(0).skipped == 1 && port_traffic(B).to_packets == 1);
		world_case("open, and its agent is dead", flavour);
		watch_put(0, 0, &forgotten);
		case_assert(sent_to(flavour, port) == 0);
		case_assert(step_traffic(0).skipped == 1 && port_traffic(B).to_packets == 1);

		port = two(state, flavour, 0);
		f = flow(port, 0);
		instance_put(0, 1, 2, 0, 0);
		world_case("closed", flavour);
		for (int tries = 0; tries < 20; tries++) {
			down.last_try = jiffies_now();
			watch_put(0, 0, &down);
			if (world_run(HOOK_PORT, flavour, DEVICE_A, &f).outcome == DROPPED)
				break;
			case_assert(tries < 19);
		}
		case_assert(!port_traffic(B).to_packets);
		world_case("closed, and its agent is dead", flavour);
		watch_put(0, 0, &forgotten);
		case_assert(sent_to(flavour, port) == 0);
	}
}

/* ---- the way back ---- */

/* Nobody looks whether a silent one is back, but for a new flow, once a second; unless the agent does. */
static void tries(void **state)
{
	static const struct {
		const char *name;
		uint32_t silent_ms, tried_ms, down;
		bool forgotten;
		int goes_to;
	} cases[] = {
		{ "just tried", 6, 900, DOWN_NOT, false, 1 },
		{ "a second ago", 6, 1001, DOWN_NOT, false, 0 },
		{ "dead, a second ago", 5000, 1001, DOWN_NOT, false, 0 },
		{ "the agent says that it is down", 5000, 1001, DOWN_PROBES, false, 1 },
		{ "it has no carrier", 5000, 1001, DOWN_LINK, false, 1 },
		{ "so said an agent that is dead", 5000, 1001, DOWN_PROBES, true, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for_each_flavour(flavour)
		{
			uint16_t port = two(state, flavour, 0);
			struct sf_state s = silent_for(TICKS(cases[i].silent_ms) + 1);

			world_case(cases[i].name, flavour);
			s.last_try = jiffies_now() - TICKS(cases[i].tried_ms);
			s.down = cases[i].down;
			s.looked = jiffies_now() - (cases[i].forgotten ? 2 * HZ : 0);
			/* A flow that is known there leaves it in any case. */
			watch_put(0, 0, &s);
			case_assert(sent_to(flavour, port) == 1);
			steering_forget();
			watch_put(0, 0, &s);
			case_assert(sent_to(flavour, port) == cases[i].goes_to);
		}
}

/* It is back: what moved stays where it is, unless flows are to be rebalanced; new ones go to it. */
static void back(void **state)
{
	for (int rebalance = 0; rebalance <= 1; rebalance++)
		for_each_flavour(flavour)
		{
			uint16_t port = two(state, flavour, 0);
			struct function f = function_now(0);
			struct sf_state s = silent_for(TICKS(6) + 1);

			world_case(rebalance ? "rebalanced" : "sticky", flavour);
			f.flags = rebalance ? FUNCTION_REBALANCE : 0;
			function_put(0, &f);
			watch_put(0, 0, &s);
			case_assert(sent_to(flavour, port) == 1);
			case_assert(sent_to(flavour, port) == 1);
			answer(flavour, 0, port);
			case_assert(sent_to(flavour, port) == !rebalance);
			case_assert(instance_traffic(0, 0).moved == (uint64_t)rebalance);
			steering_forget();
			case_assert(sent_to(flavour, port) == 0);
		}
}

/* ---- attacks ---- */

/*
 * What the function drops, all of it, of many flows: with an agent its answers to probes keep the wire closed; and without
 * one, a second instance that is sent the same does not make two dead ones of them.
 */
static void all_is_dropped(void **state)
{
	for_each_flavour(flavour)
	{
		struct sf_state s = silent_for(TICKS(6) + 1);
		uint16_t port = two(state, flavour, 0);

		open_step();
		world_case("answered probes", flavour);
		s.returned[0]++; /* as probe_returned() does: packets_probe.c */
		watch_put(0, 0, &s);
		for (uint16_t n = 0; n < 64; n++)
			case_assert(sent_to(flavour, port) == 0);
		case_assert(!step_traffic(0).skipped);

		world_case("two of them", flavour);
		port = two(state, flavour, 0);
		open_step();
		for (uint8_t i = 0; i < 2; i++) {
			s = silent_for(TICKS(900));
			watch_put(0, i, &s);
		}
		for (uint16_t n = 0; n < 64; n++)
			case_assert(sent_to(flavour, (uint16_t)(port + n)) >= 0);
		case_assert(!step_traffic(0).skipped && !port_traffic(B).to_packets);

		world_case("one is dead already", flavour);
		s = silent_for(LONG_AGO);
		watch_put(0, 1, &s);
		s = silent_for(TICKS(900));
		watch_put(0, 0, &s);
		for (uint16_t n = 0; n < 64; n++)
			case_assert(sent_to(flavour, (uint16_t)(port + n)) == 0);
		case_assert(!step_traffic(0).skipped && !port_traffic(B).to_packets);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(silence, world_reset),
		cmocka_unit_test_setup(clocks, world_reset),
		cmocka_unit_test_setup(counted, world_reset),
		cmocka_unit_test_setup(agents_word, world_reset),
		cmocka_unit_test_setup(alone, world_reset),
		cmocka_unit_test_setup(tries, world_reset),
		cmocka_unit_test_setup(back, world_reset),
		cmocka_unit_test_setup(all_is_dropped, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
