// SPDX-License-Identifier: BSD-2-Clause
/*
 * A function with three instances, on "s", "t" and "v": which one a flow gets, and how long it keeps it. Where a frame
 * is sent the counters of the instances tell.
 */
#include <bpf/bpf.h>
#include <string.h>

#include "selftests/unit/lib/world.h"

#define LEAVING	  (PCP_LEAVING << 13 | CHAIN_TAG)
#define INSTANCES 3
#define FLOWS	  300
#define QUICK	  (SILENT_MS * (HZ / 1000) + HZ / 100)

static const enum device_name arms[INSTANCES] = { DEVICE_S, DEVICE_T, DEVICE_V };

static void put_instance(uint8_t place)
{
	uint32_t ifindex = device(arms[place]);

	instance_put(0, place, 71u + place, ifindex, ifindex);
	put_returns(A, ifindex, ifindex, 0, place);
}

static void three(void **state)
{
	world_reset(state);
	acl_allow_all();
	chain_protect(A, false);
	for (uint8_t i = 0; i < INSTANCES; i++)
		put_instance(i);
}

static struct frame udp(uint16_t port, int family)
{
	return packet_frame((struct packet){ A, B, family, UDP, port, 53, .payload = 20 });
}

static struct frame answer(uint16_t port, int family)
{
	return packet_frame((struct packet){ B, A, family, UDP, 53, port, .payload = 20 });
}

/* Which instance gets the frame, by what it was sent. */
static int gets(enum flavour flavour, enum device_name from, const struct frame *f)
{
	uint64_t before[INSTANCES];
	int found = -1;

	for (uint8_t i = 0; i < INSTANCES; i++)
		before[i] = instance_traffic(0, i).sent;
	expect(HOOK_PORT, flavour, from, f, SENT, DROP_NONE);
	for (uint8_t i = 0; i < INSTANCES; i++) {
		uint64_t more = instance_traffic(0, i).sent - before[i];

		case_assert(more <= 1 && !(more && found >= 0));
		if (more)
			found = i;
	}
	/* What is sent comes back at once, as far as the watch knows. */
	if (found >= 0) {
		struct sf_state watch = watch_now(0, (uint8_t)found);

		watch.outstanding = 0;
		watch_put(0, (uint8_t)found, &watch);
	}
	return found;
}

static int flow_gets(enum flavour flavour, uint16_t port)
{
	struct frame f = udp(port, 4);

	return gets(flavour, DEVICE_A, &f);
}

static void all_get(enum flavour flavour, int got[FLOWS])
{
	for (uint16_t i = 0; i < FLOWS; i++)
		got[i] = flow_gets(flavour, 1000 + i);
}

static int count(const int got[FLOWS], int place)
{
	int n = 0;

	for (int i = 0; i < FLOWS; i++)
		n += got[i] == place;
	return n;
}

static void silent(uint8_t place, uint32_t flows, uint32_t since)
{
	uint32_t now = jiffies_now();

	watch_put(0, place,
		  &(struct sf_state){ .waiting_since = now - since,
				      .outstanding = 100,
				      .flows = flows,
				      .last_try = now });
}

/* Each gets its share; both directions of a flow, and both flavours, go to one. */
static void shares(void **state)
{
	int got[FLOWS];

	for_each_flavour(flavour)
	{
		three(state);
		world_case("shares", flavour);
		all_get(flavour, got);
		for (int i = 0; i < INSTANCES; i++) {
			struct sf_traffic t = instance_traffic(0, (uint8_t)i);

			case_assert(count(got, i) > FLOWS / 5 && count(got, i) < FLOWS / 2);
			case_assert(t.flows == t.sent && t.flows == (uint64_t)count(got, i) &&
				    !t.moved);
		}
	}
}

/* A share is as the weights are. */
static void weights(void **state)
{
	struct function f;
	int got[FLOWS];

	three(state);
	f = function_now(0);
	f.instance[1].weight = 8;
	f.instance[2].weight = 1;
	function_put(0, &f);
	world_case("weights of 1, 8 and 1", IN_TC);
	all_get(IN_TC, got);
	case_assert(count(got, 1) > FLOWS * 7 / 10 && count(got, 1) < FLOWS * 9 / 10);
	case_assert(count(got, 0) > FLOWS / 20 && count(got, 2) > FLOWS / 20);
}

/* Towards the workload a flow meets the function that it met when it left, as it is whether it was known or not. */
static void both_directions(void **state)
{
	struct sf_flow_key none;

	for (int family = 4; family <= 6; family += 2)
		for_each_flavour(flavour)
		{
			three(state);
			for (uint16_t i = 0; i < 40; i++) {
				struct frame out = udp(2000 + i, family), in = answer(2000 + i, family);
				int leaving = gets(flavour, DEVICE_A, &out), towards;

				world_case("both directions", flavour);
				case_assert(leaving >= 0);
				towards = gets(flavour, DEVICE_B, &in);
				case_assert(towards == leaving);
				while (!bpf_map_get_next_key(map_fd("sf_flows"), NULL, &none))
					map_delete("sf_flows", &none);
				world_case("forgotten in between", flavour);
				case_assert(gets(flavour, DEVICE_B, &in) == leaving);
			}
		}
}

/* Whose instance is silent goes to another, and stays there when it is back; nobody else moves. */
static void death(void **state)
{
	int before[FLOWS], during[FLOWS], after[FLOWS];

	for_each_flavour(flavour)
	{
		three(state);
		all_get(flavour, before);
		world_case("one is silent", flavour);
		silent(1, 1, QUICK);
		for (uint16_t i = 0; i < FLOWS; i++) {
			during[i] = flow_gets(flavour, 1000 + i);
			case_assert(before[i] == 1 ? during[i] != 1 : during[i] == before[i]);
		}
		case_assert(instance_traffic(0, 0).moved + instance_traffic(0, 2).moved ==
			    (uint64_t)count(before, 1));
		world_case("it is back", flavour);
		watch_put(0, 1, &(struct sf_state){ 0 });
		all_get(flavour, after);
		case_assert(!memcmp(during, after, sizeof(after)));
		case_assert(flow_gets(flavour, 5000) >= 0);
		for (uint16_t i = 0; i < FLOWS && instance_traffic(0, 1).flows == (uint64_t)count(before, 1);
		     i++)
			flow_gets(flavour, 6000 + i);
		case_assert(instance_traffic(0, 1).flows > (uint64_t)count(before, 1));
	}
}

static void rebalance(void **state)
{
	int before[FLOWS], after[FLOWS];
	struct function f;

	three(state);
	f = function_now(0);
	f.flags = FUNCTION_REBALANCE;
	function_put(0, &f);
	all_get(IN_TC, before);
	silent(1, 1, QUICK);
	all_get(IN_TC, after);
	world_case("they return", IN_TC);
	case_assert(!count(after, 1));
	watch_put(0, 1, &(struct sf_state){ 0 });
	all_get(IN_TC, after);
	case_assert(!memcmp(before, after, sizeof(after)));
}

/* How long it takes: with one flow alone, or with nobody else to go to, a second. */
static void patience(void **state)
{
	static const struct {
		const char *name;
		uint32_t flows, since, outstanding;
		bool alone, dead;
	} cases[] = {
		{ "several flows", 1, QUICK, 100, false, true },
		{ "too soon", 1, SILENT_MS * (HZ / 1000) / 2, 100, false, false },
		{ "too few", 1, QUICK, SILENT_FRAMES - 1, false, false },
		{ "one flow", 0, QUICK, 100, false, false },
		{ "one flow for a second", 0, HZ + HZ / 10, 100, false, true },
		{ "nobody else", 1, QUICK, 100, true, false },
		{ "nobody else for a second", 1, HZ + HZ / 10, 100, true, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for_each_flavour(flavour)
		{
			uint32_t now = jiffies_now();
			struct frame f = udp(1000, 4);
			struct result r;
			int mine;

			three(state);
			mine = flow_gets(flavour, 1000);
			for (uint8_t k = 0; k < INSTANCES && cases[i].alone; k++)
				if (k != mine)
					instance_put(0, k, 71u + k, 0, 0);
			world_case(cases[i].name, flavour);
			watch_put(0, (uint8_t)mine,
				  &(struct sf_state){ .waiting_since = now - cases[i].since,
						      .outstanding = cases[i].outstanding,
						      .flows = cases[i].flows,
						      .last_try = now });
			if (cases[i].alone && cases[i].dead) {
				/* It gets a frame a tick, to see whether it answers; that is counted as lost. */
				r = world_run(HOOK_PORT, flavour, DEVICE_A, &f);
				case_assert(r.drops[DROP_SF_DOWN] == 1 && r.all_drops == 1);
			} else {
				case_assert((flow_gets(flavour, 1000) == mine) == !cases[i].dead);
			}
		}
}

/* What frames that wait tell: of one flow or of several. */
static void who_waits(void **state)
{
	struct frame one = udp(1000, 4), other = udp(1001, 4);

	for_each_flavour(flavour)
	{
		three(state);
		for (uint8_t k = 1; k < INSTANCES; k++)
			instance_put(0, k, 71u + k, 0, 0);
		world_case("one flow waits", flavour);
		expect(HOOK_PORT, flavour, DEVICE_A, &one, SENT, DROP_NONE);
		expect(HOOK_PORT, flavour, DEVICE_A, &one, SENT, DROP_NONE);
		case_assert(watch_now(0, 0).outstanding == 2 && !watch_now(0, 0).flows);
		world_case("two wait", flavour);
		expect(HOOK_PORT, flavour, DEVICE_A, &other, SENT, DROP_NONE);
		case_assert(watch_now(0, 0).outstanding == 3 && watch_now(0, 0).flows == 1);
	}
}

/* Without an agent a new flow's first frame is risked once a second; what it finds alive gets flows again. */
static void tried(void **state)
{
	int got[FLOWS];

	for_each_flavour(flavour)
	{
		struct sf_state watch;

		three(state);
		world_case("not yet", flavour);
		silent(1, 1, QUICK);
		all_get(flavour, got);
		case_assert(!count(got, 1));
		world_case("no flow that is known", flavour);
		three(state);
		all_get(flavour, got);
		silent(1, 1, QUICK);
		watch = watch_now(0, 1);
		watch.last_try = jiffies_now() - HZ - 1;
		watch_put(0, 1, &watch);
		all_get(flavour, got);
		case_assert(!count(got, 1));
		world_case("once", flavour);
		three(state);
		silent(1, 1, QUICK);
		watch = watch_now(0, 1);
		watch.last_try = jiffies_now() - HZ - 1;
		watch_put(0, 1, &watch);
		for (uint16_t i = 0; i < 50; i++) {
			struct frame f = udp(3000 + i, 4);

			expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
		}
		case_assert(instance_traffic(0, 1).sent == 1);
		world_case("the agent looks after it", flavour);
		watch = watch_now(0, 1);
		watch.last_try = jiffies_now() - HZ - 1;
		watch.looked = jiffies_now();
		watch_put(0, 1, &watch);
		for (uint16_t i = 0; i < 50; i++)
			case_assert(flow_gets(flavour, 4000 + i) != 1);
	}
}

/* The agent's word, as long as it is alive. */
static void told(void **state)
{
	int before[FLOWS], got[FLOWS];

	for_each_flavour(flavour)
	{
		uint32_t now = jiffies_now();

		three(state);
		all_get(flavour, before);
		world_case("down, says the agent", flavour);
		watch_put(0, 2, &(struct sf_state){ .down = DOWN_PROBES, .looked = now });
		all_get(flavour, got);
		case_assert(count(before, 2) && !count(got, 2));
		three(state);
		world_case("it said so long ago", flavour);
		watch_put(0, 2, &(struct sf_state){ .down = DOWN_PROBES, .looked = now - HZ - 1 });
		all_get(flavour, got);
		case_assert(count(got, 2) == count(before, 2));
	}
}

/* New flows elsewhere, old ones stay; then nothing at all; and rather one that drains than none. */
static void drained(void **state)
{
	int before[FLOWS], got[FLOWS];

	for_each_flavour(flavour)
	{
		struct function f;

		three(state);
		all_get(flavour, before);
		f = function_now(0);
		f.fresh &= (uint16_t)~2;
		function_put(0, &f);
		world_case("drained", flavour);
		all_get(flavour, got);
		case_assert(!memcmp(before, got, sizeof(got)));
		for (uint16_t i = 0; i < 50; i++)
			case_assert(flow_gets(flavour, 3000 + i) != 1);
		world_case("all others are dead", flavour);
		silent(0, 1, HZ + HZ / 10);
		silent(2, 1, HZ + HZ / 10);
		case_assert(flow_gets(flavour, 4000) == 1);
		watch_put(0, 0, &(struct sf_state){ 0 });
		watch_put(0, 2, &(struct sf_state){ 0 });
		f.present &= (uint16_t)~2;
		function_put(0, &f);
		world_case("down", flavour);
		all_get(flavour, got);
		case_assert(!count(got, 1));
	}
}

/* Another instance at the same place is another; its flows are none of the former's. */
static void replaced(void **state)
{
	for_each_flavour(flavour)
	{
		int moved = 0;

		three(state);
		world_case("another one in its place", flavour);
		for (uint16_t i = 0; i < 60; i++)
			flow_gets(flavour, 1000 + i);
		instance_put(0, 1, 99, device(DEVICE_T), device(DEVICE_T));
		for (uint16_t i = 0; i < 60; i++)
			flow_gets(flavour, 1000 + i);
		for (uint8_t k = 0; k < INSTANCES; k++)
			moved += (int)instance_traffic(0, k).moved;
		case_assert(moved > 5 && moved < 40);
	}
}

/* All fragments of a datagram meet, whichever way it goes, and wherever its flow's other datagrams are. */
static void fragments(void **state)
{
	for (int family = 4; family <= 6; family += 2) {
		int first = -1;

		three(state);
		for (uint16_t i = 0; i < 20; i++) {
			struct frame whole = packet_frame((struct packet){
				A, B, family, UDP, 1000 + i, 53, .payload = 600 });

			for (uint32_t k = 0; k < 3; k++) {
				struct frame f =
					frame_fragment(&whole, 208 * k, 208 * (k + 1), 7u + i);
				int got;

				world_case("fragments", IN_TC);
				got = gets(IN_TC, DEVICE_A, &f);
				case_assert(got >= 0 && (first < 0 || got == first));
				first = got;
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares),	  cmocka_unit_test(weights),
		cmocka_unit_test(both_directions), cmocka_unit_test(death),
		cmocka_unit_test(rebalance),	  cmocka_unit_test(patience),
		cmocka_unit_test(who_waits),	  cmocka_unit_test(tried),
		cmocka_unit_test(told),		  cmocka_unit_test(drained),
		cmocka_unit_test(replaced),	  cmocka_unit_test(fragments),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
