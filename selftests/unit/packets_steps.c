// SPDX-License-Identifier: BSD-2-Clause
/*
 * Chains of several functions, on "s", "t" and "v": in which order a frame passes them, what each may say, and what
 * becomes of a frame where one is dead. Where a frame is sent the counters of the steps tell.
 */
#include <bpf/bpf.h>

#include "selftests/unit/lib/world.h"

#define LEAVING (PCP_LEAVING << 13 | CHAIN_TAG)
#define TOWARDS (PCP_TOWARDS << 13 | CHAIN_TAG)
#define STEPS   3

static const enum device_name functions[STEPS] = { DEVICE_S, DEVICE_T, DEVICE_V };

static void protect(enum who w, uint8_t flags)
{
	chain_protect_steps(w, flags, functions, STEPS);
}

static struct frame udp(enum who from, enum who to, uint16_t tag)
{
	return packet_frame((struct packet){ from, to, 4, UDP, from == A ? 1000 : 53,
					     from == A ? 53 : 1000, .payload = 20, .tag = tag });
}

/* "110": which steps have been sent a frame, which have given one back, and which were skipped. */
static void expect_steps(const char *sent, const char *returned, const char *skipped)
{
	for (uint8_t i = 0; i < STEPS; i++) {
		struct chain_traffic t = step_traffic(i);

		case_assert(t.sent == (uint64_t)(sent[i] - '0'));
		case_assert(t.returned == (uint64_t)(returned[i] - '0'));
		case_assert(t.skipped == (uint64_t)(skipped[i] - '0'));
		case_assert(!t.bypassed && !t.kept);
	}
}

/* The frame between two workloads through all three, each time as it was. */
static void pass(enum flavour flavour, enum who from, enum who to, uint16_t tag,
		 const int order[STEPS])
{
	static const char *const sent[2][STEPS] = { { "100", "110", "111" },
						    { "001", "011", "111" } };
	static const char *const back[2][STEPS] = { { "000", "100", "110" },
						    { "000", "001", "011" } };
	struct frame plain = udp(from, to, 0), tagged = udp(from, to, tag);
	bool reverse = order[0] != 0;
	struct result r;

	expect(HOOK_PORT, flavour, from == A ? DEVICE_A : DEVICE_B, &plain, SENT, DROP_NONE);
	for (int i = 0; i < STEPS; i++) {
		expect_steps(sent[reverse][i], back[reverse][i], "000");
		case_assert(!port_traffic(to).to_packets);
		/* It is judged where it leaves the last one, if it leaves the workload. */
		case_assert(tag == TOWARDS || !flow_count("ct4"));
		r = expect(HOOK_SF, flavour, functions[order[i]], &tagged, SENT, DROP_NONE);
		expect_frame(&r.out, i < STEPS - 1 ? &tagged : &plain);
	}
	expect_steps("111", "111", "000");
	case_assert(port_traffic(to).to_packets == 1 && flow_count("ct4") == 1);
}

static void in_order(void **state)
{
	static const int forward[STEPS] = { 0, 1, 2 }, backward[STEPS] = { 2, 1, 0 };

	for (int mirror = 0; mirror <= 1; mirror++)
		for_each_flavour(flavour)
		{
			world_reset(state);
			acl_allow_all();
			protect(A, mirror ? CHAIN_MIRROR : 0);
			world_case("leaving", flavour);
			pass(flavour, A, B, LEAVING, forward);

			world_reset(state);
			acl_allow_all();
			protect(A, mirror ? CHAIN_MIRROR : 0);
			world_case(mirror ? "towards, mirrored" : "towards", flavour);
			pass(flavour, B, A, TOWARDS, mirror ? backward : forward);
		}
}

/* What the policy denies is denied after the last function, not between two. */
static void judged_last(void **state)
{
	struct acl_entry nothing_out = { .direction = FROM_WORKLOAD, .action = ACL_DENY, ACL_ALL };
	struct frame f = udp(A, B, LEAVING);

	(void)state;
	protect(A, 0);
	acl_put(&nothing_out, 1);
	for_each_flavour(flavour)
	{
		world_case("denied out", flavour);
		expect(HOOK_SF, flavour, DEVICE_S, &f, SENT, DROP_NONE);
		expect(HOOK_SF, flavour, DEVICE_T, &f, SENT, DROP_NONE);
		expect(HOOK_SF, flavour, DEVICE_V, &f, DROPPED, DROP_ACL_OUT);
	}
}

/* Both ends behind the chain: all of it leaving, then all of it towards. */
static void both_ends(void **state)
{
	struct frame plain = udp(A, B, 0), first = udp(A, B, LEAVING), second = udp(A, B, TOWARDS);

	for (int mirror = 0; mirror <= 1; mirror++)
		for_each_flavour(flavour)
		{
			struct result r;

			world_reset(state);
			acl_allow_all();
			protect(A, mirror ? CHAIN_MIRROR : 0);
			protect(B, mirror ? CHAIN_MIRROR : 0);
			world_case("both ends protected", flavour);
			expect(HOOK_PORT, flavour, DEVICE_A, &plain, SENT, DROP_NONE);
			for (int i = 0; i < STEPS; i++)
				r = expect(HOOK_SF, flavour, functions[i], &first, SENT, DROP_NONE);
			expect_frame(&r.out, flavour == IN_XDP ? &second : &plain);
			case_assert(step_traffic(mirror ? 2 : 0).sent == 2 &&
				    step_traffic(mirror ? 0 : 2).sent == 1);
			for (int i = 0; i < STEPS; i++)
				r = expect(HOOK_SF, flavour, functions[mirror ? STEPS - 1 - i : i],
					   &second, SENT, DROP_NONE);
			expect_frame(&r.out, &plain);
			expect_steps("222", "222", "000");
			case_assert(port_traffic(B).to_packets == 1);
		}
}

/* A function says what its own step was sent, and the next one hears it: none can speak for a later one. */
static void no_step_is_missed(void **state)
{
	static const struct {
		const char *name;
		struct packet packet;
		enum device_name device;
		const char *sent; /* NULL: dropped as sf_unknown */
	} attacks[] = {
		{ "the first", { A, B, 4, UDP, 1000, 53, .tag = LEAVING }, DEVICE_S, "010" },
		{ "the second", { A, B, 4, UDP, 1000, 53, .tag = LEAVING }, DEVICE_T, "001" },
		{ "the first, towards",
		  { B, A, 4, UDP, 53, 1000, .tag = TOWARDS },
		  DEVICE_S,
		  "010" },
		{ "the second, towards",
		  { B, A, 4, UDP, 53, 1000, .tag = TOWARDS },
		  DEVICE_T,
		  "001" },
		{ "PCP of the other pass, for an unprotected workload",
		  { A, B, 4, UDP, 1000, 53, .tag = TOWARDS },
		  DEVICE_T,
		  NULL },
		{ "PCP of the other pass, from an unprotected workload",
		  { B, A, 4, UDP, 53, 1000, .tag = LEAVING },
		  DEVICE_T,
		  NULL },
		{ "no PCP", { A, B, 4, UDP, 1000, 53, .tag = CHAIN_TAG }, DEVICE_T, NULL },
		{ "another tag", { A, B, 4, UDP, 1000, 53, .tag = LEAVING + 1 }, DEVICE_T, NULL },
		{ "of another workload",
		  { B, A, 4, UDP, 53, 1000, .tag = LEAVING },
		  DEVICE_S,
		  NULL },
	};

	for (size_t i = 0; i < sizeof(attacks) / sizeof(*attacks); i++)
		for_each_flavour(flavour)
		{
			struct frame f = packet_frame(attacks[i].packet);

			world_reset(state);
			acl_allow_all();
			protect(A, 0);
			world_case(attacks[i].name, flavour);
			if (attacks[i].sent) {
				expect(HOOK_SF, flavour, attacks[i].device, &f, SENT, DROP_NONE);
				for (uint8_t k = 0; k < STEPS; k++)
					case_assert(step_traffic(k).sent ==
						    (uint64_t)(attacks[i].sent[k] - '0'));
			} else {
				expect(HOOK_SF, flavour, attacks[i].device, &f, DROPPED,
				       DROP_SF_UNKNOWN);
			}
			case_assert(!flow_count("ct4") && !port_traffic(A).to_packets &&
				    !port_traffic(B).to_packets);
		}
}

/* While a command changes the steps: what one map says of the device and the other does not is nobody's. */
static void half_changed(void **state)
{
	struct frame f = udp(A, B, LEAVING);

	for_each_flavour(flavour)
	{
		struct chain chain;

		world_reset(state);
		acl_allow_all();
		protect(A, 0);
		chain = chain_now();
		chain.step[1] = chain.step[2];
		chain.step[2].function = FUNCTION + 1;
		chain_put(&chain);
		world_case("two steps have changed places", flavour);
		expect(HOOK_SF, flavour, DEVICE_T, &f, DROPPED, DROP_SF_UNKNOWN);
		expect(HOOK_SF, flavour, DEVICE_V, &f, DROPPED, DROP_SF_UNKNOWN);
		chain.steps = 1;
		chain_put(&chain);
		world_case("fewer steps", flavour);
		expect(HOOK_SF, flavour, DEVICE_T, &f, DROPPED, DROP_SF_UNKNOWN);
	}
}

/* "co-": a step's policy, closed or open, of those whose function is there; in capitals of those whose is not. */
static void kill_some(const char *steps)
{
	struct chain chain = chain_now();

	for (int i = 0; i < STEPS; i++) {
		if (steps[i] == 'o' || steps[i] == 'O')
			chain.step[i].flags |= STEP_OPEN;
		if (steps[i] == 'O' || steps[i] == 'C')
			instance_put((uint8_t)i, 0, (uint32_t)i + 1, 0, 0);
	}
	chain_put(&chain);
}

/* From the port to its end, by way of the functions that are alive. */
static void dead_ones(void **state)
{
	static const struct {
		const char *steps;
		const char *skipped; /* by a frame that arrives; NULL: sf_down */
	} cases[] = {
		{ "Occ", "100" }, { "cOc", "010" }, { "ccO", "001" }, { "OOc", "110" },
		{ "cOO", "011" }, { "OcO", "101" }, { "OOO", "111" }, { "ooo", "000" },
		{ "Ccc", NULL },  { "cCc", NULL },  { "ccC", NULL },  { "OCc", NULL },
		{ "COO", NULL },  { "OOC", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (int towards = 0; towards <= 1; towards++)
			for_each_flavour(flavour)
			{
				enum who from = towards ? B : A, to = towards ? A : B;
				struct frame plain = udp(from, to, 0);
				struct frame tagged = udp(from, to, towards ? TOWARDS : LEAVING);
				const char *steps = cases[i].steps;
				const struct frame *f = &plain;
				enum device_name at = towards ? DEVICE_B : DEVICE_A;
				enum hook hook = HOOK_PORT;
				struct result r = { 0 };

				world_reset(state);
				acl_allow_all();
				protect(A, 0);
				kill_some(steps);
				world_case(steps, flavour);
				for (int n = 0; n <= STEPS; n++) {
					if (n && (steps[n - 1] == 'O' || steps[n - 1] == 'C'))
						continue;
					if (n) {
						hook = HOOK_SF;
						f = &tagged;
						at = functions[n - 1];
					}
					r = world_run(hook, flavour, at, f);
					if (r.outcome != SENT)
						break;
				}
				if (!cases[i].skipped) {
					case_assert(r.outcome == DROPPED && r.all_drops == 1 &&
						    r.drops[DROP_SF_DOWN] == 1);
					case_assert(!port_traffic(to).to_packets);
					continue;
				}
				case_assert(r.outcome == SENT && !r.all_drops);
				expect_frame(&r.out, &plain);
				case_assert(port_traffic(to).to_packets == 1);
				for (uint8_t k = 0; k < STEPS; k++)
					case_assert(step_traffic(k).skipped ==
						    (uint64_t)(cases[i].skipped[k] - '0'));
			}
}

static void put_state(uint8_t step, uint32_t tried)
{
	uint32_t now = jiffies_now();

	watch_put(step, 0,
		  &(struct sf_state){ .waiting_since = now - 2 * HZ,
				      .outstanding = 100,
				      .last_try = now - tried });
}

/* A silent function that is open is skipped, and tried so rarely that a slow flow does not suffer. */
static void silent_and_open(void **state)
{
	struct frame f = udp(A, B, LEAVING);

	for_each_flavour(flavour)
	{
		world_reset(state);
		acl_allow_all();
		protect(A, 0);
		kill_some("coc");
		world_case("skipped", flavour);
		put_state(1, 2 * HZ);
		for (int i = 0; i < OPEN_TRIES - 1; i++)
			expect(HOOK_SF, flavour, DEVICE_S, &f, SENT, DROP_NONE);
		case_assert(!step_traffic(1).sent && step_traffic(1).skipped == OPEN_TRIES - 1 &&
			    step_traffic(2).sent == OPEN_TRIES - 1);
		world_case("tried", flavour);
		expect(HOOK_SF, flavour, DEVICE_S, &f, SENT, DROP_SF_DOWN);
		case_assert(step_traffic(1).sent == 1);
		world_case("not again before a second has gone by", flavour);
		put_state(1, HZ / 2);
		for (int i = 0; i < 2 * OPEN_TRIES; i++)
			expect(HOOK_SF, flavour, DEVICE_S, &f, SENT, DROP_NONE);
		case_assert(step_traffic(1).sent == 1);
		world_case("it answers", flavour);
		expect(HOOK_SF, flavour, DEVICE_T, &f, SENT, DROP_NONE);
		case_assert(!outstanding(1, 0));
		expect(HOOK_SF, flavour, DEVICE_S, &f, SENT, DROP_NONE);
		case_assert(step_traffic(1).sent == 2);
		world_case("one's silence is not another's", flavour);
		put_state(0, 0);
		expect(HOOK_SF, flavour, DEVICE_S, &f, SENT, DROP_NONE);
		case_assert(step_traffic(1).sent == 3 && !outstanding(0, 0));
	}
}

/* XDP leaves it to TC, and has counted nothing: a broadcast past dead functions, and a chain not all of which takes XDP. */
static void left_to_tc(void **state)
{
	struct frame all = packet_frame((struct packet){ A, ALL, 4, UDP, 1, 2 }),
		     f = udp(A, B, LEAVING);
	struct chain chain;

	for_each_flavour(flavour)
	{
		world_reset(state);
		acl_allow_all();
		protect(A, 0);
		kill_some("OOO");
		world_case("a broadcast past three dead ones", flavour);
		expect_tc(HOOK_PORT, flavour, DEVICE_A, &all, SPENT, DROP_NONE);
		case_assert(step_traffic(0).skipped == (flavour == IN_TC));

		world_reset(state);
		acl_allow_all();
		protect(A, 0);
		chain = chain_now();
		for (int i = 0; i < STEPS; i++)
			chain.step[i].flags = 0;
		chain_put(&chain);
		world_case("no XDP", flavour);
		expect_tc(HOOK_SF, flavour, DEVICE_S, &f, SENT, DROP_NONE);
		case_assert(step_traffic(1).sent == (flavour == IN_TC) &&
			    step_traffic(0).returned == (flavour == IN_TC));
	}
}

/* A broadcast towards: one copy through the chain, or past it if nothing in it is alive and all are open. */
static void broadcast(void **state)
{
	struct frame all = packet_frame((struct packet){ B, ALL, 4, UDP, 1, 2 });
	struct frame back = packet_frame((struct packet){ B, ALL, 4, UDP, 1, 2, .tag = TOWARDS });

	world_reset(state);
	acl_allow_all();
	flood_to((enum who[]){ A, TAGGED }, 2);
	protect(A, 0);
	protect(TAGGED, 0);
	world_case("through", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_B, &all, SPENT, DROP_NONE);
	case_assert(step_traffic(0).sent == 1 && !port_traffic(A).to_packets);
	expect(HOOK_SF, IN_TC, DEVICE_S, &back, SENT, DROP_NONE);
	expect(HOOK_SF, IN_TC, DEVICE_T, &back, SENT, DROP_NONE);
	case_assert(!port_traffic(A).to_packets);
	expect(HOOK_SF, IN_TC, DEVICE_V, &back, SPENT, DROP_NONE);
	expect_steps("111", "111", "000");
	case_assert(port_traffic(A).to_packets == 1 && port_traffic(TAGGED).to_packets == 1);

	world_reset(state);
	acl_allow_all();
	flood_to((enum who[]){ A, TAGGED }, 2);
	protect(A, 0);
	protect(TAGGED, 0);
	kill_some("OOO");
	world_case("past", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_B, &all, SPENT, DROP_NONE);
	case_assert(port_traffic(A).to_packets == 1 && port_traffic(TAGGED).to_packets == 1);
	expect_steps("000", "000", "111");

	world_reset(state);
	acl_allow_all();
	flood_to((enum who[]){ A, TAGGED }, 2);
	protect(A, 0);
	kill_some("OCO");
	world_case("down", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_B, &all, DROPPED, DROP_SF_DOWN);
	expect_steps("000", "000", "000");
	case_assert(!port_traffic(A).to_packets);
}

/* The operator's bypass holds for what is in a function, too. */
static void bypass(void **state)
{
	struct frame plain = udp(A, B, 0), f = udp(A, B, LEAVING);

	for_each_flavour(flavour)
	{
		struct result r;

		world_reset(state);
		acl_allow_all();
		protect(A, CHAIN_BYPASS);
		world_case("bypass", flavour);
		expect(HOOK_PORT, flavour, DEVICE_A, &plain, SENT, DROP_NONE);
		case_assert(step_traffic(0).bypassed == 1 && !step_traffic(0).sent);
		r = expect(HOOK_SF, flavour, DEVICE_S, &f, SENT, DROP_NONE);
		expect_frame(&r.out, &plain);
		case_assert(port_traffic(B).to_packets == 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(in_order, world_reset),
		cmocka_unit_test_setup(judged_last, world_reset),
		cmocka_unit_test_setup(both_ends, world_reset),
		cmocka_unit_test_setup(no_step_is_missed, world_reset),
		cmocka_unit_test_setup(half_changed, world_reset),
		cmocka_unit_test_setup(dead_ones, world_reset),
		cmocka_unit_test_setup(silent_and_open, world_reset),
		cmocka_unit_test_setup(left_to_tc, world_reset),
		cmocka_unit_test_setup(broadcast, world_reset),
		cmocka_unit_test_setup(bypass, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
