// SPDX-License-Identifier: BSD-2-Clause
/*
 * insert: into the wire of a chain's function: the frame as it was, with the chain's tag. XDP
 * writes the tag into the data, where its bytes are checked; TC keeps it beside the data, where a
 * test run does not see it (the tests on real devices do), so there the frame must be the same to
 * the byte.
 */
#include "selftests/unit/lib/world.h"

#define TAG_LEAVING "8100 212d" /* PCP 1, VLAN 301 */
#define TAG_TOWARDS "8100 412d" /* PCP 2 */

static void expect_tagged(const struct result *r, enum flavour flavour, const struct frame *plain,
			  const char *tag)
{
	struct frame wanted = *plain;

	if (flavour == IN_TC) {
		expect_frame(&r->out, plain);
		case_assert(r->mark == MARK);
		return;
	}
	memcpy(wanted.data + 16, plain->data + 12, plain->len - 12);
	hex_bytes(tag, wanted.data + 12, 4);
	wanted.len += 4;
	expect_frame(&r->out, &wanted);
}

/* One way through the function and what it must look like there. */
static const struct {
	const char *name;
	enum who protected;
	struct packet packet;
	const char *tag;
	bool flow; /* judged before the function, since the chain is on the receiver's wire */
} passes[] = {
	{ "leaving", A, { A, B, 4, UDP, 1000, 53, .payload = 40 }, TAG_LEAVING, false },
	{ "leaving for another host", A, { A, R, 4, UDP, 1000, 53 }, TAG_LEAVING, false },
	{ "leaving, IPv6", A, { A, B, 6, TCP, 1000, 80, SYN }, TAG_LEAVING, false },
	{ "leaving for nobody", A, { A, STRANGER, 4, UDP, 1, 2 }, TAG_LEAVING, false },
	{ "leaving, neither IPv4 nor IPv6",
	  A,
	  { A, B, 4, UDP, 1, 2, .edit = "12=9000" },
	  TAG_LEAVING,
	  false },
	{ "leaving, a broadcast", A, { A, ALL, 4, UDP, 1, 2 }, TAG_LEAVING, false },
	{ "towards", B, { A, B, 4, UDP, 1000, 53, .payload = 40 }, TAG_TOWARDS, true },
	{ "towards, IPv6", B, { A, B, 6, UDP, 1000, 53 }, TAG_TOWARDS, true },
	{ "towards, from another host", A, { R, A, 4, UDP, 1000, 53 }, TAG_TOWARDS, true },
	{ "towards, from another host, IPv6", A, { R, A, 6, UDP, 1000, 53 }, TAG_TOWARDS, true },
};

static void every_pass(void **state)
{
	for (int two_arms = 0; two_arms <= 1; two_arms++)
		for (size_t i = 0; i < sizeof(passes) / sizeof(*passes); i++)
			for_each_flavour(flavour)
			{
				struct frame plain = packet_frame(passes[i].packet), f = plain;
				bool tunnelled = passes[i].packet.from == R;
				struct result r;
				struct flow flow;

				world_reset(state);
				acl_allow_all();
				chain_protect(passes[i].protected, two_arms);
				world_case(passes[i].name, flavour);
				if (tunnelled)
					frame_wrap(&f, &(struct tunnelled){ 0 });
				r = expect(tunnelled ? HOOK_UNDERLAY : HOOK_PORT, flavour,
					   tunnelled ? DEVICE_U : DEVICE_A, &f, SENT, DROP_NONE);
				expect_tagged(&r, flavour, &plain, passes[i].tag);
				case_assert(step_traffic(0).sent == 1 && !step_traffic(0).bypassed);
				case_assert(!port_traffic(passes[i].protected).to_packets);
				if (!passes[i].flow) {
					case_assert(!flow_count("ct4") && !flow_count("ct6") &&
						    !flow_count("half6"));
					continue;
				}
				/*
				 * The flow is there, and does not move before the function has let
				 * the packet go.
				 */
				flow = flow_only(passes[i].packet.family == 4 ? "ct4" : "ct6",
						 NULL);
				case_assert(!flow.dir[0].packets && !flow.dir[1].packets);
			}
}

/*
 * What the receiver's policy refuses never reaches its function; what leaves does, before the ACL.
 */
static void order_of_acl_and_chain(void **state)
{
	struct acl_entry nothing_out = { .direction = FROM_WORKLOAD, .action = ACL_DENY, ACL_ALL };
	struct frame f = packet_frame((struct packet){ A, B, 4, UDP, 1000, 53 });

	for_each_flavour(flavour)
	{
		world_reset(state);
		chain_protect(B, false);
		world_case("denied towards the workload", flavour);
		expect(HOOK_PORT, flavour, DEVICE_A, &f, DROPPED, DROP_ACL_IN);
		case_assert(!step_traffic(0).sent);

		world_reset(state);
		chain_protect(A, false);
		acl_put(&nothing_out, 1);
		world_case("denied leaving the workload", flavour);
		expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
		case_assert(step_traffic(0).sent == 1);
	}
}

/* ARP is answered at the port, and a liar's frame goes nowhere: neither meets the function. */
static void not_for_the_function(void **state)
{
	struct frame arp = packet_frame((struct packet){ A, B, 0, 1 });
	struct frame lie =
		packet_frame((struct packet){ A, B, 4, UDP, 1, 2, .edit = "26=0a000102" });
	struct frame tagged = packet_frame(
		(struct packet){ A, B, 4, UDP, 1, 2, .tag = PCP_LEAVING << 13 | CHAIN_TAG });

	(void)state;
	chain_protect(A, false);
	for_each_flavour(flavour)
	{
		world_case("ARP", flavour);
		expect_tc(HOOK_PORT, flavour, DEVICE_A, &arp, SENT, DROP_NONE);
		world_case("a spoofed address", flavour);
		expect(HOOK_PORT, flavour, DEVICE_A, &lie, DROPPED, DROP_SPOOFED_IPV4);
		world_case("a forged tag", flavour);
		expect_tc(HOOK_PORT, flavour, DEVICE_A, &tagged, DROPPED, DROP_VLAN_NOT_ALLOWED);
	}
	case_assert(!step_traffic(0).sent);
}

static void bypass(void **state)
{
	struct frame f = packet_frame((struct packet){ A, B, 4, UDP, 1000, 53 });

	for (enum who protected = A; protected <= B; protected ++)
		for_each_flavour(flavour)
		{
			struct chain chain;
			struct result r;

			world_reset(state);
			acl_allow_all();
			chain_protect(protected, false);
			chain = chain_now();
			chain.flags = CHAIN_BYPASS;
			chain_put(&chain);
			world_case("bypass", flavour);
			r = expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
			expect_frame(&r.out, &f);
			case_assert(!step_traffic(0).sent && step_traffic(0).bypassed == 1);
			case_assert(port_traffic(B).to_packets == 1);
		}
}

/* A function without a device: closed. One that takes no XDP: TC does it. */
static void function_devices(void **state)
{
	struct frame f = packet_frame((struct packet){ A, B, 4, UDP, 1000, 53 });

	for (enum who protected = A; protected <= B; protected ++)
		for_each_flavour(flavour)
		{
			struct chain chain;

			world_reset(state);
			acl_allow_all();
			chain_protect(protected, false);
			instance_put(0, 0, 1, 0, 0);
			world_case("no device", flavour);
			expect(HOOK_PORT, flavour, DEVICE_A, &f, DROPPED, DROP_SF_DOWN);
			case_assert(!step_traffic(0).sent);

			world_reset(state);
			acl_allow_all();
			chain_protect(protected, false);
			chain = chain_now();
			chain.step[0].flags = 0;
			chain_put(&chain);
			world_case("no XDP at the function", flavour);
			expect_tc(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
			case_assert(step_traffic(0).sent == (flavour == IN_TC));
			case_assert(flavour == IN_TC || !flow_count("ct4"));
		}
}

static void put_state(uint32_t waiting, uint32_t frames)
{
	uint32_t now = jiffies_now();

	watch_put(0, 0,
		  &(struct sf_state){ .waiting_since = now - waiting,
				      .outstanding = frames,
				      .last_try = now });
}

/*
 * Nothing back for a second, of more than a few frames: sf_down, but for one frame a tick. An
 * answer ends it.
 */
static void silent_function(void **state)
{
	struct frame f = packet_frame((struct packet){ A, B, 4, UDP, 1000, 53 });
	struct frame back = packet_frame(
		(struct packet){ A, B, 4, UDP, 1000, 53, .tag = PCP_LEAVING << 13 | CHAIN_TAG });

	(void)state;
	acl_allow_all();
	chain_protect(A, false);
	for_each_flavour(flavour)
	{
		int tries = 0;
		struct result r;

		world_case("a function that was just asked", flavour);
		put_state(10, 100);
		expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
		world_case("a function that was asked little", flavour);
		put_state(2 * HZ, 2);
		expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
		world_case("a silent function", flavour);
		put_state(2 * HZ, 100);
		do {
			r = world_run(HOOK_PORT, flavour, DEVICE_A, &f);
			case_assert(r.drops[DROP_SF_DOWN] == 1 && r.all_drops == 1);
		} while (r.outcome == SENT && ++tries < 20);
		case_assert(r.outcome == DROPPED);
		world_case("a function that answers again", flavour);
		expect(HOOK_SF, flavour, DEVICE_S, &back, SENT, DROP_NONE);
		case_assert(!outstanding(0, 0));
		expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_pass, world_reset),
		cmocka_unit_test_setup(order_of_acl_and_chain, world_reset),
		cmocka_unit_test_setup(not_for_the_function, world_reset),
		cmocka_unit_test_setup(bypass, world_reset),
		cmocka_unit_test_setup(function_devices, world_reset),
		cmocka_unit_test_setup(silent_function, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
