// SPDX-License-Identifier: BSD-2-Clause
/*
 * returned: what comes from a function's device: believed only with the tag, the pass and the MAC
 * of a chain there.
 */
#include "selftests/unit/lib/world.h"

#define LEAVING (PCP_LEAVING << 13 | CHAIN_TAG)
#define TOWARDS (PCP_TOWARDS << 13 | CHAIN_TAG)

/* A is protected. Its function has one arm, "s", or two, of which what leaves returns from "t". */
struct returned_case {
	const char *name;
	struct packet packet;
	enum outcome outcome;
	enum drop_reason reason;
	enum device_name device;
	bool two_arms, tc_only;
};

static const struct packet quoted = { B, A, 4, UDP, 9, 9 };

#define OUT A, B, 4, UDP, 1000, 53
#define IN  B, A, 4, UDP, 53, 1000

static const struct returned_case cases[] = {
	{ "leaving", { OUT, .tag = LEAVING }, SENT, DROP_NONE, DEVICE_S },
	{ "leaving, IPv6", { A, B, 6, UDP, 1000, 53, .tag = LEAVING }, SENT, DROP_NONE, DEVICE_S },
	{ "leaving, from the second arm",
	  { OUT, .tag = LEAVING },
	  SENT,
	  DROP_NONE,
	  DEVICE_T,
	  true },
	{ "leaving, for nobody",
	  { A, STRANGER, 4, UDP, 1, 2, .tag = LEAVING },
	  SPENT,
	  DROP_NONE,
	  DEVICE_S,
	  .tc_only = true },
	{ "leaving, a broadcast",
	  { A, ALL, 4, UDP, 1, 2, .tag = LEAVING },
	  SPENT,
	  DROP_NONE,
	  DEVICE_S,
	  .tc_only = true },
	{ "towards, a broadcast",
	  { B, ALL, 4, UDP, 1, 2, .tag = TOWARDS },
	  SPENT,
	  DROP_NONE,
	  DEVICE_S,
	  .tc_only = true },

	{ "no tag", { OUT }, DROPPED, DROP_SF_UNTAGGED, DEVICE_S, .tc_only = true },
	{ "no tag, ARP", { A, B, 0, 1 }, DROPPED, DROP_SF_UNTAGGED, DEVICE_S, .tc_only = true },
	{ "another tag", { OUT, .tag = LEAVING + 1 }, DROPPED, DROP_SF_UNKNOWN, DEVICE_S },
	{ "VLAN 0", { OUT, .tag = PCP_LEAVING << 13 }, DROPPED, DROP_SF_UNKNOWN, DEVICE_S },
	{ "PCP 0", { OUT, .tag = CHAIN_TAG }, DROPPED, DROP_SF_UNKNOWN, DEVICE_S },
	{ "PCP 3", { OUT, .tag = 3 << 13 | CHAIN_TAG }, DROPPED, DROP_SF_UNKNOWN, DEVICE_S },
	{ "PCP 7", { IN, .tag = 7 << 13 | CHAIN_TAG }, DROPPED, DROP_SF_UNKNOWN, DEVICE_S },
	{ "DEI", { OUT, .tag = LEAVING | 1 << 12 }, DROPPED, DROP_SF_UNKNOWN, DEVICE_S },
	{ "a provider's tag",
	  { OUT, .tag = LEAVING, .edit = "12=88a8" },
	  DROPPED,
	  DROP_SF_UNKNOWN,
	  DEVICE_S },
	{ "ARP, which never went there", { A, B, 0, 1, .tag = LEAVING }, DROPPED, DROP_SF_UNKNOWN, DEVICE_S },
	{ "ND towards, which never went there",
	  { B, A, 6, ICMP6, 136 << 8, .tag = TOWARDS },
	  DROPPED,
	  DROP_SF_UNKNOWN,
	  DEVICE_S },
	{ "router advertisement towards",
	  { B, ALL, 6, ICMP6, 134 << 8, .tag = TOWARDS },
	  DROPPED,
	  DROP_SF_UNKNOWN,
	  DEVICE_S },
	{ "a second tag inside",
	  { OUT, .tag = LEAVING, .inner_tag = 9 },
	  DROPPED,
	  DROP_SF_UNKNOWN,
	  DEVICE_S },
	{ "leaving a port that is not protected",
	  { B, A, 4, UDP, 1, 2, .tag = LEAVING },
	  DROPPED,
	  DROP_SF_UNKNOWN,
	  DEVICE_S },
	{ "leaving nobody",
	  { STRANGER, B, 4, UDP, 1, 2, .tag = LEAVING },
	  DROPPED,
	  DROP_SF_UNKNOWN,
	  DEVICE_S },
	{ "towards a port that is not protected",
	  { A, B, 4, UDP, 1, 2, .tag = TOWARDS },
	  DROPPED,
	  DROP_SF_UNKNOWN,
	  DEVICE_S },
	{ "towards nobody",
	  { B, STRANGER, 4, UDP, 1, 2, .tag = TOWARDS },
	  DROPPED,
	  DROP_SF_UNKNOWN,
	  DEVICE_S },
	{ "towards, from nobody",
	  { STRANGER, A, 4, UDP, 1, 2, .tag = TOWARDS },
	  DROPPED,
	  DROP_SF_UNKNOWN,
	  DEVICE_S },
	{ "a broadcast towards, from nobody",
	  { STRANGER, ALL, 4, UDP, 1, 2, .tag = TOWARDS },
	  DROPPED,
	  DROP_SF_UNKNOWN,
	  DEVICE_S },
	{ "from a device of no function",
	  { OUT, .tag = LEAVING },
	  DROPPED,
	  DROP_SF_UNKNOWN,
	  DEVICE_T },
	{ "leaving, from the wrong arm",
	  { OUT, .tag = LEAVING },
	  DROPPED,
	  DROP_SF_UNKNOWN,
	  DEVICE_S,
	  true },
	{ "towards, from the wrong arm",
	  { IN, .tag = TOWARDS },
	  DROPPED,
	  DROP_SF_UNKNOWN,
	  DEVICE_T,
	  true },

	{ "towards, of no flow", { IN, .tag = TOWARDS }, DROPPED, DROP_SF_NO_FLOW, DEVICE_S },
	{ "towards, a ping of no flow",
	  { B, A, 4, ICMP4, 0x0800, 1, .tag = TOWARDS },
	  DROPPED,
	  DROP_SF_NO_FLOW,
	  DEVICE_S },
	{ "towards, a SYN of no flow",
	  { B, A, 6, TCP, 1, 2, SYN, .tag = TOWARDS },
	  DROPPED,
	  DROP_SF_NO_FLOW,
	  DEVICE_S },
	{ "towards, an error of no flow",
	  { B, A, 4, ICMP4, 0x0303, .quote = &quoted, .tag = TOWARDS },
	  DROPPED,
	  DROP_ICMP_UNRELATED,
	  DEVICE_S },
	{ "leaving, in another's name",
	  { OUT, .tag = LEAVING, .edit = "30=0a0001ee" },
	  DROPPED,
	  DROP_SPOOFED_IPV4,
	  DEVICE_S },
	{ "leaving, in another's IPv6 name",
	  { A, B, 6, UDP, 1, 2, .tag = LEAVING, .edit = "41=02" },
	  DROPPED,
	  DROP_SPOOFED_IPV6,
	  DEVICE_S },
	{ "leaving, a router advertisement",
	  { A, B, 6, ICMP6, 0x8600, .tag = LEAVING },
	  DROPPED,
	  DROP_ROUTER_ADVERT,
	  DEVICE_S },
	{ "malformed", { OUT, .tag = LEAVING, .edit = "18=44" }, DROPPED, DROP_BAD_IPV4, DEVICE_S },
	{ "three tags",
	  { OUT, .tag = LEAVING, .inner_tag = 9, .edit = "20=8100" },
	  DROPPED,
	  DROP_BAD_VLAN,
	  DEVICE_S },
};

static void every_frame(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct returned_case *c = &cases[i];
		struct frame f = packet_frame(c->packet);

		for_each_flavour(flavour)
		{
			struct result r;

			world_reset(state);
			acl_allow_all();
			chain_protect(A, c->two_arms);
			world_case(c->name, flavour);
			r = (c->tc_only ? expect_tc : expect)(HOOK_SF, flavour, c->device, &f,
							      c->outcome, c->reason);
			if (c->outcome == SENT) {
				struct packet plain = c->packet;
				struct frame wanted;

				plain.tag = 0;
				packet_build(&plain, &wanted);
				expect_frame(&r.out, &wanted);
				case_assert(port_traffic(B).to_packets == 1 &&
					    step_traffic(0).returned == 1);
			} else {
				case_assert(!flow_count("ct4") && !flow_count("ct6") &&
					    !flow_count("half4"));
			}
		}
	}
}

/*
 * Towards the workload: the flow was admitted before the function, and moves when the function has
 * let it go.
 */
static void towards(void **state)
{
	for (int family = 4; family <= 6; family += 2)
		for_each_flavour(flavour)
		{
			struct frame sent = packet_frame(
				(struct packet){ B, A, family, UDP, 53, 1000, .payload = 30 });
			struct frame back = packet_frame((struct packet){
				B, A, family, UDP, 53, 1000, .payload = 30, .tag = TOWARDS });
			const char *table = family == 4 ? "ct4" : "ct6";
			struct result r;
			struct flow f;

			world_reset(state);
			acl_allow_all();
			chain_protect(A, false);
			world_case("towards", flavour);
			expect(HOOK_PORT, flavour, DEVICE_B, &sent, SENT, DROP_NONE);
			r = expect(HOOK_SF, flavour, DEVICE_S, &back, SENT, DROP_NONE);
			expect_frame(&r.out, &sent);
			f = flow_only(table, NULL);
			case_assert(f.dir[0].packets + f.dir[1].packets == 1);
			case_assert(f.dir[0].bytes + f.dir[1].bytes == sent.len);
			case_assert(port_traffic(A).to_packets == 1 &&
				    port_traffic(A).to_bytes == sent.len);
			case_assert(step_traffic(0).sent == 1 && step_traffic(0).returned == 1);

			/* The policy changed while the frame was in the function. */
			acl_put(NULL, 0);
			tenant_bump();
			expect(HOOK_SF, flavour, DEVICE_S, &back, DROPPED, DROP_ACL_IN);
		}
}

/* From another host, through the tunnel and the function. */
static void towards_from_another_host(void **state)
{
	(void)state;
	acl_allow_all();
	chain_protect(A, false);
	for_each_flavour(flavour)
	{
		struct packet packet = { R, A, 4, UDP, 53, 1000 };
		struct frame plain = packet_frame(packet), sent = plain, back;
		struct result r;

		packet.tag = TOWARDS;
		back = packet_frame(packet);
		frame_wrap(&sent, &(struct tunnelled){ 0 });
		flows_clear();
		world_case("from another host", flavour);
		expect(HOOK_UNDERLAY, flavour, DEVICE_U, &sent, SENT, DROP_NONE);
		r = expect(HOOK_SF, flavour, DEVICE_S, &back, SENT, DROP_NONE);
		expect_frame(&r.out, &plain);
	}
}

/* Both ends behind one function: the frame passes it twice, PCP 1 and then PCP 2. */
static void both_ends(void **state)
{
	for_each_flavour(flavour)
	{
		struct frame plain = packet_frame((struct packet){ OUT });
		struct frame first = packet_frame((struct packet){ OUT, .tag = LEAVING });
		struct frame second = packet_frame((struct packet){ OUT, .tag = TOWARDS });
		struct result r;

		world_reset(state);
		acl_allow_all();
		chain_protect(A, false);
		chain_protect(B, false);
		world_case("both ends protected", flavour);
		r = expect(HOOK_PORT, flavour, DEVICE_A, &plain, SENT, DROP_NONE);
		expect_frame(&r.out, flavour == IN_XDP ? &first : &plain);
		r = expect(HOOK_SF, flavour, DEVICE_S, &first, SENT, DROP_NONE);
		expect_frame(&r.out, flavour == IN_XDP ? &second : &plain);
		case_assert(!port_traffic(B).to_packets);
		r = expect(HOOK_SF, flavour, DEVICE_S, &second, SENT, DROP_NONE);
		expect_frame(&r.out, &plain);
		case_assert(port_traffic(B).to_packets == 1 && step_traffic(0).sent == 2 &&
			    step_traffic(0).returned == 2);
	}
}

/* Leaving for another host: the tag goes, the tunnel's header comes. */
/* Also if it is as long as the tunnel takes without the tag. */
static void leaving_for_another_host(void **state)
{
	static const int sizes[] = { 5, 1452 };

	(void)state;
	chain_protect(A, false);
	for (int i = 0; i < 2; i++)
		for_each_flavour(flavour)
		{
			struct packet packet = { A, R, 6, UDP, 1000, 53, .payload = sizes[i] };
			struct frame plain = packet_frame(packet), back;
			struct result r;

			packet.tag = LEAVING;
			back = packet_frame(packet);
			flows_clear();
			world_case(i ? "leaving for another host, full" : "leaving for another host", flavour);
			r = expect(HOOK_SF, flavour, DEVICE_S, &back, SENT, DROP_NONE);
			case_assert(r.out.len == 50 + plain.len &&
				    !memcmp(r.out.data + 50, plain.data, plain.len));
			case_assert((r.out.data[16] << 8 | r.out.data[17]) == (int)r.out.len - 14);
		}
}

/* A port that has lost its chain: what is still in the function is of no chain any more, but of a flow whose rule chose it. */
static void chain_taken_away(void **state)
{
	struct frame leaving = packet_frame((struct packet){ OUT, .tag = LEAVING });
	struct port port;

	(void)state;
	acl_allow_all();
	chain_protect(A, false);
	port = port_get(A);
	port.chain = 0;
	port_put(A, &port);
	for_each_flavour(flavour)
	{
		world_case("the port has no chain any more", flavour);
		expect(HOOK_SF, flavour, DEVICE_S, &leaving, DROPPED, DROP_SF_NO_FLOW);
	}
}

/* To everybody that the chain protects, but not to who is in another network of the chain's. */
static void broadcast_stays_in_network(void **state)
{
	struct frame back = packet_frame((struct packet){ B, ALL, 4, UDP, 1, 2, .tag = TOWARDS });
	struct port ours, other;

	(void)state;
	acl_allow_all();
	flood_to((enum who[]){ A }, 1);
	chain_protect(A, false);
	ours = other = port_get(A);
	other.network++;
	port_put(A, &other);
	world_case("broadcast, and a port of another network", IN_TC);
	expect_tc(HOOK_SF, IN_TC, DEVICE_S, &back, SPENT, DROP_NONE);
	case_assert(!port_traffic(A).to_packets);
	port_put(A, &ours);
	expect_tc(HOOK_SF, IN_TC, DEVICE_S, &back, SPENT, DROP_NONE);
	case_assert(port_traffic(A).to_packets == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_frame, world_reset),
		cmocka_unit_test_setup(towards, world_reset),
		cmocka_unit_test_setup(towards_from_another_host, world_reset),
		cmocka_unit_test_setup(both_ends, world_reset),
		cmocka_unit_test_setup(leaving_for_another_host, world_reset),
		cmocka_unit_test_setup(chain_taken_away, world_reset),
		cmocka_unit_test_setup(broadcast_stays_in_network, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
