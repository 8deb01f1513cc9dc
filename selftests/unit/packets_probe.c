// SPDX-License-Identifier: BSD-2-Clause
/*
 * probe: weft's own frame through a function. It answers only as it was asked: nonce, chain, step, way, tag and arm;
 * and neither counts as traffic nor tells the watch over the function anything.
 */
#include <errno.h>
#include <bpf/bpf.h>

#include "include/probe.h"
#include "selftests/unit/lib/world.h"

#define LEAVING (PCP_LEAVING << 13 | CHAIN_TAG)
#define TOWARDS (PCP_TOWARDS << 13 | CHAIN_TAG)
#define NONCE	0x1122334455667788ull

static const uint8_t workload[6] = PROBE_MAC_WORKLOAD, network[6] = PROBE_MAC_NETWORK;

/* What is wrong with the frame, if anything: each case changes what probe_frame() made. */
struct probe_case {
	const char *name;
	uint16_t tci;
	enum device_name device;
	const char *edit;
	bool two_arms;
	bool answers; /* else it is dropped as sf_probe */
};

/* Offsets: 12 tag, 18 magic, 22 chain, 26 nonce, 34 step, 35 PCP. */
static const struct probe_case cases[] = {
	{ "leaving, one arm", LEAVING, DEVICE_S, NULL, false, true },
	{ "towards, one arm", TOWARDS, DEVICE_S, NULL, false, true },
	{ "leaving, from the second arm", LEAVING, DEVICE_T, NULL, true, true },
	{ "towards, from the first arm", TOWARDS, DEVICE_S, NULL, true, true },

	{ "leaving, from the arm that it entered", LEAVING, DEVICE_S, NULL, true },
	{ "towards, from the arm that it entered", TOWARDS, DEVICE_T, NULL, true },
	{ "from a device of no function", LEAVING, DEVICE_T },
	{ "another nonce", LEAVING, DEVICE_S, "30=00" },
	{ "another magic", LEAVING, DEVICE_S, "18=00" },
	{ "another chain", LEAVING, DEVICE_S, "22=08" },
	{ "another step", LEAVING, DEVICE_S, "34=01" },
	{ "the other way", LEAVING, DEVICE_S, "35=02" },
	{ "another tag", LEAVING, DEVICE_S, "15=2e" },
	{ "the other PCP", LEAVING, DEVICE_S, "14=41" },
	{ "no PCP", LEAVING, DEVICE_S, "14=01" },
	{ "DEI", LEAVING, DEVICE_S, "14=31" },
	{ "cut off", LEAVING, DEVICE_S, "len=37" },
};

static struct frame probe_frame(uint16_t tci)
{
	bool leaving = tci >> 13 == PCP_LEAVING;
	struct probe_body body = { .magic = PROBE_MAGIC,
				   .chain = CHAIN,
				   .pcp = (uint8_t)(tci >> 13) };
	uint8_t tag[6] = { 0x81, 0, (uint8_t)(tci >> 8), (uint8_t)tci, PROBE_ETHERTYPE >> 8,
			   PROBE_ETHERTYPE & 0xff };
	uint64_t nonce = NONCE;
	struct frame f = { .len = 64 };

	memcpy(body.nonce, &nonce, sizeof(nonce));
	memcpy(f.data, leaving ? network : workload, 6);
	memcpy(f.data + 6, leaving ? workload : network, 6);
	memcpy(f.data + 12, tag, sizeof(tag));
	memcpy(f.data + 18, &body, sizeof(body));
	return f;
}

static void ask(uint8_t pcp)
{
	struct probe_key key = { .nonce = NONCE };
	struct probe asked = { .asked = 1, .chain = CHAIN, .pcp = pcp };

	map_put("probes", &key, &asked);
}

static bool answered(void)
{
	struct probe_key key = { .nonce = NONCE };
	struct probe probe;

	map_get("probes", &key, &probe);
	return probe.answered;
}

/* The function is waited for: three frames have not come back. */
static void wait_for_it(void)
{
	watch_put(0, 0, &(struct sf_state){ .waiting_since = jiffies_now(), .outstanding = 3 });
}

static void nobody_noticed(void)
{
	struct chain_traffic traffic;

	per_cpu_sum("chain_stats", CHAIN, (uint64_t *)&traffic, sizeof(traffic) / 8);
	case_assert(!traffic.sent && !traffic.returned && !traffic.bypassed);
	case_assert(!port_traffic(A).from_packets && !port_traffic(A).to_packets &&
		    !port_traffic(A).drops);
	case_assert(!flow_count("ct4") && !flow_count("half4"));
}

static void every_probe(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for_each_flavour(flavour)
		{
			const struct probe_case *c = &cases[i];
			struct frame f = probe_frame(c->tci);

			if (c->edit)
				frame_edit(&f, c->edit);
			world_reset(state);
			chain_protect(A, c->two_arms);
			ask((uint8_t)(c->tci >> 13));
			wait_for_it();
			world_case(c->name, flavour);
			expect(HOOK_SF, flavour, c->device, &f, c->answers ? SPENT : DROPPED,
			       c->answers ? DROP_NONE : DROP_SF_PROBE);
			case_assert(answered() == c->answers);
			/* The function is alive, and that is all. */
			case_assert(outstanding(0, 0) == (c->answers ? 0 : 3));
			nobody_noticed();
		}
}

/* ---- the agent's, whose question stands in the record of the watch ---- */

#define AGENTS_NONCE 0x1eaf1eafu
#define NUMBER	     0x01020304u

/* Offsets as above; 26 nonce, 36 instance, 38 number. */
static const struct probe_case agents[] = {
	{ "leaving, one arm", LEAVING, DEVICE_S, NULL, false, true },
	{ "towards, one arm", TOWARDS, DEVICE_S, NULL, false, true },
	{ "leaving, from the second arm", LEAVING, DEVICE_T, NULL, true, true },
	{ "towards, from the first arm", TOWARDS, DEVICE_S, NULL, true, true },

	{ "leaving, from the arm that it entered", LEAVING, DEVICE_S, NULL, true },
	{ "towards, from the arm that it entered", TOWARDS, DEVICE_T, NULL, true },
	{ "from a device of no function", LEAVING, DEVICE_V },
	{ "another nonce", LEAVING, DEVICE_S, "26=00" },
	{ "more nonce than there is", LEAVING, DEVICE_S, "30=01" },
	{ "another magic", LEAVING, DEVICE_S, "18=00" },
	{ "another chain", LEAVING, DEVICE_S, "22=08" },
	{ "a chain that there cannot be", LEAVING, DEVICE_S, "22=ffffffff" },
	{ "another step", LEAVING, DEVICE_S, "34=01" },
	{ "a step that there cannot be", LEAVING, DEVICE_S, "34=ff" },
	{ "the other way", LEAVING, DEVICE_S, "35=02" },
	{ "another instance", LEAVING, DEVICE_S, "36=01" },
	{ "an instance that there cannot be", LEAVING, DEVICE_S, "36=ff" },
	{ "another tag", LEAVING, DEVICE_S, "15=2e" },
	{ "the other PCP", LEAVING, DEVICE_S, "14=41" },
	{ "cut off", LEAVING, DEVICE_S, "len=41" },
};

static struct frame agents_frame(uint16_t tci)
{
	struct frame f = probe_frame(tci);
	uint64_t nonce = AGENTS_NONCE;
	uint32_t number = NUMBER;

	memcpy(f.data + 26, &nonce, sizeof(nonce));
	memcpy(f.data + 38, &number, sizeof(number));
	return f;
}

static void agents_probes(void **state)
{
	for (size_t i = 0; i < sizeof(agents) / sizeof(*agents); i++)
		for_each_flavour(flavour)
		{
			const struct probe_case *c = &agents[i];
			struct frame f = agents_frame(c->tci);
			struct sf_state s = { .waiting_since = jiffies_now(),
					      .outstanding = 3,
					      .nonce = AGENTS_NONCE };
			int pass = c->tci == TOWARDS;

			if (c->edit)
				frame_edit(&f, c->edit);
			world_reset(state);
			chain_protect(A, c->two_arms);
			watch_put(0, 0, &s);
			world_case(c->name, flavour);
			expect(HOOK_SF, flavour, c->device, &f, c->answers ? SPENT : DROPPED,
			       c->answers ? DROP_NONE : DROP_SF_PROBE);
			s = watch_now(0, 0);
			case_assert(s.answered[pass] == (c->answers ? NUMBER : 0));
			case_assert(s.answers[pass] == c->answers);
			case_assert(!s.answered[!pass] && !s.answers[!pass]);
			case_assert(outstanding(0, 0) == (c->answers ? 0 : 3));
			nobody_noticed();
		}
}

/* Nobody waits: there is no agent, or the record is another instance's since. Nor does an answer to somebody else's question. */
static void no_agent_waits(void **state)
{
	for_each_flavour(flavour)
	{
		struct frame f = agents_frame(LEAVING);

		world_reset(state);
		chain_protect(A, false);
		ask(PCP_LEAVING);
		world_case("no agent", flavour);
		memset(f.data + 26, 0, 8);
		expect(HOOK_SF, flavour, DEVICE_S, &f, DROPPED, DROP_SF_PROBE);
		world_case("of a command", flavour);
		f = probe_frame(LEAVING);
		f.data[38] = 1;
		expect(HOOK_SF, flavour, DEVICE_S, &f, DROPPED, DROP_SF_PROBE);
		case_assert(!answered() && !watch_now(0, 0).answers[0]);
	}
}

/*
 * One function plays another's answers: what an instance is asked only it can answer, since it has to come from its own
 * device.
 */
static void of_another_function(void **state)
{
	static const enum device_name functions[] = { DEVICE_S, DEVICE_T };

	for_each_flavour(flavour)
	{
		struct frame f = agents_frame(LEAVING);

		world_reset(state);
		chain_protect_steps(A, 0, functions, 2);
		for (uint8_t i = 0; i < 2; i++)
			watch_put(i, 0, &(struct sf_state){ .nonce = AGENTS_NONCE });
		world_case("from the other's device", flavour);
		expect(HOOK_SF, flavour, DEVICE_T, &f, DROPPED, DROP_SF_PROBE);
		world_case("from its own", flavour);
		expect(HOOK_SF, flavour, DEVICE_S, &f, SPENT, DROP_NONE);
		case_assert(watch_now(0, 0).answers[0] == 1 && !watch_now(1, 0).answers[0]);
	}
}

/* ---- both ---- */

/* Asked of one chain, a probe is no answer once the chain is gone or has fewer steps. */
static void of_a_chain_that_went(void **state)
{
	struct frame f = probe_frame(LEAVING);
	uint32_t slot = CHAIN;

	for_each_flavour(flavour)
	{
		world_reset(state);
		ask(PCP_LEAVING);
		map_put("chains", &slot, &(struct chain){ 0 });
		world_case("no such chain", flavour);
		expect(HOOK_SF, flavour, DEVICE_S, &f, DROPPED, DROP_SF_PROBE);
		case_assert(!answered());
	}
}

/* What nobody has asked, or has stopped waiting for. */
static void unasked(void **state)
{
	struct probe_key key = { .nonce = NONCE };
	struct frame f = probe_frame(LEAVING);

	for_each_flavour(flavour)
	{
		world_reset(state);
		chain_protect(A, false);
		map_delete("probes", &key);
		world_case("unasked", flavour);
		expect(HOOK_SF, flavour, DEVICE_S, &f, DROPPED, DROP_SF_PROBE);
	}
}

/* The ethertype is anybody's: between other MACs it is a workload's frame like any other. */
static void of_a_workload(void **state)
{
	for_each_flavour(flavour)
	{
		struct frame f = probe_frame(LEAVING);
		struct probe_key key = { .nonce = NONCE };

		world_reset(state);
		acl_allow_all();
		chain_protect(A, false);
		ask(PCP_LEAVING);
		memcpy(f.data, people[B].mac, 6);
		memcpy(f.data + 6, people[A].mac, 6);
		world_case("a workload's", flavour);
		expect(HOOK_SF, flavour, DEVICE_S, &f, SENT, DROP_NONE);
		case_assert(!answered() && port_traffic(B).to_packets == 1);
		/* A workload that takes one of weft's MACs for its peer is still none of weft. */
		memcpy(f.data, network, 6);
		expect_tc(HOOK_SF, flavour, DEVICE_S, &f, SPENT, DROP_NONE);
		case_assert(!answered());
		map_delete("probes", &key);
	}
}

/* From a workload the probe's own frame is a tagged one, or of a stranger's MAC. */
static void from_a_port(void **state)
{
	struct frame f = probe_frame(LEAVING);

	(void)state;
	chain_protect(A, false);
	ask(PCP_LEAVING);
	world_case("from a workload", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, DROPPED, DROP_VLAN_NOT_ALLOWED);
	memmove(f.data + 12, f.data + 16, f.len - 16);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, DROPPED, DROP_SPOOFED_MAC);
	case_assert(!answered());
}

/* Without its tag it is not what was sent; XDP may not have seen the tag, and TC knows. */
static void untagged(void **state)
{
	struct frame f = probe_frame(LEAVING);

	(void)state;
	chain_protect(A, false);
	ask(PCP_LEAVING);
	memmove(f.data + 12, f.data + 16, f.len - 16);
	for_each_flavour(flavour)
	{
		world_case("untagged", flavour);
		expect_tc(HOOK_SF, flavour, DEVICE_S, &f, DROPPED, DROP_SF_PROBE);
		case_assert(!answered());
	}
}

/* Offsets without the tag: 14 magic, 18 chain, 22 nonce, 34 number. */
static const struct {
	const char *name, *edit;
	enum drop_reason reason;
} devices[] = {
	{ "of a device", NULL, DROP_NONE },
	{ "with a nonce", "29=01", DROP_SF_PROBE },
	{ "with a number", "34=01", DROP_SF_PROBE },
	{ "another magic", "14=00", DROP_SF_PROBE },
	{ "cut off", "len=37", DROP_SF_PROBE },
	{ "with a tag", "12=8100212d88b574666577", DROP_SF_PROBE },
	{ "of somebody else", "0=020000000001", DROP_SF_UNTAGGED },
};

/* What asked a device whether it takes what XDP sends comes back from the function too; it says nothing of that. */
static void of_a_device(void **state)
{
	for (size_t i = 0; i < sizeof(devices) / sizeof(*devices); i++)
		for_each_flavour(flavour)
		{
			enum drop_reason reason = devices[i].reason;
			struct frame f = probe_frame(LEAVING);

			memmove(f.data + 12, f.data + 16, f.len - 16);
			memset(f.data + 18, 0, f.len - 18);
			frame_edit(&f, devices[i].edit);
			world_reset(state);
			chain_protect(A, false);
			ask(PCP_LEAVING);
			wait_for_it();
			world_case(devices[i].name, flavour);
			(f.data[12] == 0x81 ? expect : expect_tc)(HOOK_SF, flavour, DEVICE_S, &f,
								  reason ? DROPPED : SPENT, reason);
			case_assert(!answered() && outstanding(0, 0) == 3);
			nobody_noticed();
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_probe, world_reset),
		cmocka_unit_test_setup(agents_probes, world_reset),
		cmocka_unit_test_setup(no_agent_waits, world_reset),
		cmocka_unit_test_setup(of_another_function, world_reset),
		cmocka_unit_test_setup(of_a_chain_that_went, world_reset),
		cmocka_unit_test_setup(unasked, world_reset),
		cmocka_unit_test_setup(of_a_workload, world_reset),
		cmocka_unit_test_setup(from_a_port, world_reset),
		cmocka_unit_test_setup(untagged, world_reset),
		cmocka_unit_test_setup(of_a_device, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
