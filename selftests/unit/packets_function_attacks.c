// SPDX-License-Identifier: BSD-2-Clause
/*
 * A hostile function, "s", in the wires of two tenants' A, whose MACs and addresses are the same: whatever it does to what it is given,
 * nothing comes into the other tenant, and nothing into flows that do not go through it.
 */
#include <bpf/bpf.h>

#include "include/flow_state.h"
#include "selftests/unit/lib/world.h"

#define LEAVING       (PCP_LEAVING << 13 | CHAIN_TAG)
#define TOWARDS       (PCP_TOWARDS << 13 | CHAIN_TAG)
#define OTHER(pcp)    ((pcp) << 13 | OTHER_TAG)

static void begin(void **state, const char *name, enum flavour flavour)
{
	world_reset(state);
	acl_allow_all();
	flood_to((enum who[]){ A, B, TAGGED }, 3);
	chain_protect(A, false);
	other_tenant();
	world_gives(false);
	world_case(name, flavour);
}

/* The first tenant's frame goes into the function; nothing has been delivered to anybody since. */
static uint64_t others_got, got;

static uint64_t delivered(void)
{
	return port_traffic(A).to_packets + port_traffic(B).to_packets + port_traffic(TAGGED).to_packets;
}

static void send_in(enum flavour flavour, struct packet packet)
{
	struct frame f = packet_frame(packet);
	bool all = packet.to == ALL && packet.from != A;

	expect(HOOK_PORT, all ? IN_TC : flavour, packet.from == A ? DEVICE_A : DEVICE_B, &f, all ? SPENT : SENT,
	       DROP_NONE);
	others_got = other_delivered();
	got = delivered();
}

static void nobody_got_it(void)
{
	case_assert(delivered() == got && other_delivered() == others_got);
}

/* ---- what it does to a frame of the first tenant ---- */

struct attack {
	const char *name;
	struct packet given, returned;
	enum drop_reason reason; /* DROP_NONE: it is let pass, within the tenant */
	bool tc_only;
};

#define OUT  A, B, 4, UDP, 1000, 53
#define IN   B, A, 4, UDP, 53, 1000
#define OUT6 A, B, 6, TCP, 1000, 80, SYN

static const struct attack attacks[] = {
	{ "as it was given", { OUT }, { OUT, .tag = LEAVING }, DROP_NONE },
	{ "as it was given, IPv6", { OUT6 }, { OUT6, .tag = LEAVING }, DROP_NONE },
	{ "as it was given, towards", { IN }, { IN, .tag = TOWARDS }, DROP_NONE },
	{ "as it was given, no IP",
	  { OUT, .edit = "12=9000" },
	  { OUT, .tag = LEAVING, .edit = "16=9000" },
	  DROP_NONE },

	{ "the other's tag", { OUT }, { OUT, .tag = OTHER(PCP_LEAVING) }, DROP_SF_NO_FLOW },
	{ "the other's tag, IPv6", { OUT6 }, { OUT6, .tag = OTHER(PCP_LEAVING) }, DROP_SF_NO_FLOW },
	{ "the other's tag, no IP",
	  { OUT, .edit = "12=9000" },
	  { OUT, .tag = OTHER(PCP_LEAVING), .edit = "16=9000" },
	  DROP_SF_NO_FLOW },
	{ "the other's tag, towards", { IN }, { IN, .tag = OTHER(PCP_TOWARDS) }, DROP_SF_NO_FLOW },
	{ "the other's tag, and turned round", { OUT }, { IN, .tag = OTHER(PCP_TOWARDS) }, DROP_SF_NO_FLOW },
	{ "the other's tag, to nobody",
	  { OUT },
	  { A, STRANGER, 4, UDP, 1000, 53, .tag = OTHER(PCP_LEAVING) },
	  DROP_SF_NO_FLOW,
	  true },
	{ "the other's tag, to everybody",
	  { A, ALL, 4, UDP, 1, 2 },
	  { A, ALL, 4, UDP, 1, 2, .tag = OTHER(PCP_LEAVING) },
	  DROP_SF_NO_FLOW,
	  true },
	{ "the other's tag, towards everybody",
	  { B, ALL, 4, UDP, 1, 2 },
	  { B, ALL, 4, UDP, 1, 2, .tag = OTHER(PCP_TOWARDS) },
	  DROP_SF_NO_FLOW,
	  true },
	{ "the other's tag on a RST of its own",
	  { OUT },
	  { B, A, 4, TCP, 80, 1000, RST | ACK, .seq = 1, .tag = OTHER(PCP_MADE) },
	  DROP_SF_NO_FLOW },
	{ "both tags",
	  { OUT },
	  { OUT, .tag = OTHER(PCP_LEAVING), .inner_tag = LEAVING },
	  DROP_SF_UNKNOWN },
	{ "a tag of nobody", { OUT }, { OUT, .tag = LEAVING + 7 }, DROP_SF_UNKNOWN },
	{ "a tag of no VLAN", { OUT }, { OUT, .tag = PCP_LEAVING << 13 }, DROP_SF_UNKNOWN },
	{ "no tag", { OUT }, { OUT }, DROP_SF_UNTAGGED, true },

	{ "another's MAC", { OUT }, { B, A, 4, UDP, 1000, 53, .tag = LEAVING }, DROP_SF_UNKNOWN },
	{ "a stranger's MAC",
	  { OUT },
	  { STRANGER, B, 4, UDP, 1000, 53, .tag = LEAVING },
	  DROP_SF_UNKNOWN },
	{ "another's address", { OUT }, { OUT, .tag = LEAVING, .edit = "30=0a000102" }, DROP_SPOOFED_IPV4 },
	{ "the pass of an unprotected workload", { OUT }, { OUT, .tag = TOWARDS }, DROP_SF_UNKNOWN },

	{ "a connection that it has made up",
	  { OUT },
	  { A, B, 4, TCP, 1000, 22, SYN, .tag = LEAVING },
	  DROP_SF_NO_FLOW },
	{ "a datagram that it has made up", { OUT }, { A, B, 4, UDP, 1001, 53, .tag = LEAVING }, DROP_SF_NO_FLOW },
	{ "a ping that it has made up",
	  { OUT },
	  { A, B, 4, ICMP4, 0x0800, 7, .tag = LEAVING },
	  DROP_SF_NO_FLOW },
	{ "no IP, made up", { OUT }, { OUT, .tag = LEAVING, .edit = "16=9000" }, DROP_SF_NO_FLOW },
	{ "a broadcast that it has made up",
	  { OUT },
	  { A, ALL, 4, UDP, 1, 2, .tag = LEAVING },
	  DROP_SF_NO_FLOW,
	  true },
	{ "a broadcast towards that it has made up",
	  { IN },
	  { B, ALL, 4, UDP, 1, 2, .tag = TOWARDS },
	  DROP_SF_NO_FLOW,
	  true },
	{ "an ARP request of the workload's", { OUT }, { A, B, 0, 1, .tag = LEAVING }, DROP_SF_UNKNOWN },
};

static void what_it_returns(void **state)
{
	for (size_t i = 0; i < sizeof(attacks) / sizeof(*attacks); i++)
		for_each_flavour(flavour)
		{
			const struct attack *a = &attacks[i];
			struct frame f = packet_frame(a->returned);

			begin(state, a->name, flavour);
			send_in(flavour, a->given);
			(a->tc_only ? expect_tc : expect)(HOOK_SF, flavour, DEVICE_S, &f, a->reason ? DROPPED : SENT,
							  a->reason);
			if (a->reason) {
				nobody_got_it();
				continue;
			}
			case_assert(delivered() == got + 1);
			case_assert(other_delivered() == others_got);
		}
}

/* The other tenant has the very flow: then its tag leads there, as what the function says of that flow does anyway. */
static void the_same_flow_twice(void **state)
{
	struct frame plain = packet_frame((struct packet){ OUT });
	struct frame other = packet_frame((struct packet){ OUT, .tag = OTHER(PCP_LEAVING) });

	for_each_flavour(flavour)
	{
		begin(state, "the same flow in both", flavour);
		expect(HOOK_PORT, flavour, DEVICE_T, &plain, SENT, DROP_NONE);
		others_got = other_delivered();
		expect(HOOK_SF, flavour, DEVICE_S, &other, SENT, DROP_NONE);
		case_assert(other_delivered() == others_got + 1);
		case_assert(!port_traffic(B).to_packets && !flow_count("ct4"));
	}
}

/* ---- again, later ---- */

static void sent_ago(uint32_t jiffies)
{
	struct sf_flow_key key, *last = NULL;
	struct sf_flow sent;

	while (!bpf_map_get_next_key(map_fd("sf_flows"), last, &key)) {
		map_get("sf_flows", &key, &sent);
		sent.seen = jiffies_now() - jiffies;
		map_put("sf_flows", &key, &sent);
		last = &key;
	}
}

/* A function may hold a frame for a while, and play a flow again while it is known; what is long over it cannot begin anew. */
static void replays(void **state)
{
	struct frame f = packet_frame((struct packet){ OUT, .tag = LEAVING });

	for_each_flavour(flavour)
	{
		begin(state, "held for a while", flavour);
		send_in(flavour, (struct packet){ OUT });
		sent_ago(9 * HZ);
		expect(HOOK_SF, flavour, DEVICE_S, &f, SENT, DROP_NONE);
		world_case("again, while the flow is known", flavour);
		sent_ago(1000u * HZ);
		expect(HOOK_SF, flavour, DEVICE_S, &f, SENT, DROP_NONE);
		world_case("again, when it is no more", flavour);
		flows_clear();
		expect(HOOK_SF, flavour, DEVICE_S, &f, DROPPED, DROP_SF_NO_FLOW);
		case_assert(!flow_count("ct4"));
	}
}

/* ---- flows that do not go through it ---- */

static void connect(enum flavour flavour, enum who from, enum who to, enum device_name out, enum device_name back)
{
	struct frame syn = packet_frame((struct packet){ from, to, 4, TCP, 1000, 80, SYN, .seq = 100 });
	struct frame answer = packet_frame((struct packet){ to, from, 4, TCP, 80, 1000, SYN | ACK, .seq = 500, .ack = 101 });
	struct frame ack = packet_frame((struct packet){ from, to, 4, TCP, 1000, 80, ACK, .seq = 101, .ack = 501 });

	expect(HOOK_PORT, flavour, out, &syn, SENT, DROP_NONE);
	expect(HOOK_PORT, flavour, back, &answer, SENT, DROP_NONE);
	expect(HOOK_PORT, flavour, out, &ack, SENT, DROP_NONE);
}

/*
 * B talks to C, who has no chain. The function in A's wire says to A, by its MAC, what B would say to C: A must not get it, and of that
 * connection nothing may move.
 */
static void into_another_flow(void **state)
{
	static const char c4[] = "0a000104"; /* TAGGED's */
	static const struct {
		const char *name;
		struct packet packet;
	} lies[] = {
		{ "data", { B, A, 4, TCP, 1000, 80, ACK | PSH, .seq = 101, .ack = 501, .payload = 30, .tag = TOWARDS } },
		{ "a RST", { B, A, 4, TCP, 1000, 80, RST, .seq = 101, .tag = TOWARDS } },
		{ "a RST of its own", { B, A, 4, TCP, 1000, 80, RST, .seq = 101, .tag = CHAIN_TAG } },
		{ "a FIN", { B, A, 4, TCP, 1000, 80, FIN | ACK, .seq = 101, .ack = 501, .tag = TOWARDS } },
	};

	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		struct packet packet = { TAGGED, B, 4, TCP, 80, 1000, SYN | ACK, .seq = 500, .ack = 101, .tag = PORT_VLAN };
		struct frame syn = packet_frame((struct packet){ B, TAGGED, 4, TCP, 1000, 80, SYN, .seq = 100 });
		struct frame answer = packet_frame(packet);
		struct frame ack = packet_frame((struct packet){ B, TAGGED, 4, TCP, 1000, 80, ACK, .seq = 101, .ack = 501 });
		struct frame f = packet_frame(lies[i].packet);
		char edit[32];
		struct flow before, after;

		begin(state, lies[i].name, IN_TC);
		expect(HOOK_PORT, IN_TC, DEVICE_B, &syn, SENT, DROP_NONE);
		expect(HOOK_PORT, IN_TC, DEVICE_A, &answer, SENT, DROP_NONE);
		expect(HOOK_PORT, IN_TC, DEVICE_B, &ack, SENT, DROP_NONE);
		before = flow_only("ct4", NULL);
		snprintf(edit, sizeof(edit), "34=%s", c4);
		frame_edit(&f, edit);
		world_gives(true);
		for_each_flavour(flavour)
		{
			world_case(lies[i].name, flavour);
			expect(HOOK_SF, flavour, DEVICE_S, &f, DROPPED, DROP_SF_NO_FLOW);
			after = flow_only("ct4", NULL);
			case_assert(!memcmp(&before, &after, sizeof(after)));
			case_assert(!port_traffic(A).to_packets);
		}
	}
}

/* A flow that is older than the chain goes round it, and the function is not believed of it, be it what the workload says or hears. */
static void into_a_flow_kept_out(void **state)
{
	static const struct packet lies[] = {
		{ A, B, 4, TCP, 1000, 80, ACK | PSH, .seq = 101, .ack = 501, .payload = 30, .tag = LEAVING },
		{ B, A, 4, TCP, 80, 1000, ACK | PSH, .seq = 501, .ack = 101, .payload = 30, .tag = TOWARDS },
		{ A, B, 4, TCP, 1000, 80, RST, .seq = 101, .tag = LEAVING },
		{ A, B, 4, TCP, 1000, 80, RST, .seq = 101, .tag = CHAIN_TAG },
		{ B, A, 4, TCP, 80, 1000, RST, .seq = 501, .tag = CHAIN_TAG },
	};

	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++)
		for_each_flavour(flavour)
		{
			struct frame f = packet_frame(lies[i]);
			struct flow before, after;
			struct chain chain;
			struct port port;

			begin(state, "kept out", flavour);
			port = port_get(A);
			port.chain = 0;
			port_put(A, &port);
			connect(flavour, A, B, DEVICE_A, DEVICE_B);
			tenant_bump();
			chain = chain_now();
			chain.flags = CHAIN_KEEP;
			chain_put(&chain);
			port.chain = CHAIN;
			port.chain_since = world_tenant().epoch;
			port_put(A, &port);
			world_gives(true);
			before = flow_only("ct4", NULL);
			expect(HOOK_SF, flavour, DEVICE_S, &f, DROPPED, DROP_SF_NO_FLOW);
			after = flow_only("ct4", NULL);
			case_assert(!memcmp(&before, &after, sizeof(after)));
			case_assert(port_traffic(A).to_packets == 1 && port_traffic(B).to_packets == 2);
		}
}

/* ---- a function says to the next what it was told itself, and no more ---- */

static void to_the_next_step(void **state)
{
	static const enum device_name functions[2] = { DEVICE_S, DEVICE_T };
	struct frame told = packet_frame((struct packet){ OUT, .tag = LEAVING });
	struct frame made_up = packet_frame((struct packet){ A, B, 4, UDP, 1001, 53, .tag = LEAVING });
	struct frame later = packet_frame((struct packet){ OUT, .payload = 392 });

	for_each_flavour(flavour)
	{
		world_reset(state);
		acl_allow_all();
		chain_protect_steps(A, 0, functions, 2);
		world_gives(false);
		world_case("onward", flavour);
		send_in(flavour, (struct packet){ OUT });
		expect(HOOK_SF, flavour, DEVICE_S, &told, SENT, DROP_NONE);
		case_assert(step_traffic(1).sent == 1);
		expect(HOOK_SF, flavour, DEVICE_S, &made_up, DROPPED, DROP_SF_NO_FLOW);
		case_assert(step_traffic(1).sent == 1 && step_traffic(0).returned == 2);
		/* What was not told to the second, the second cannot say. */
		clear_given();
		expect(HOOK_SF, flavour, DEVICE_T, &told, DROPPED, DROP_SF_NO_FLOW);
		/* A flow that is known needs no memory. */
		world_gives(true);
		expect(HOOK_SF, flavour, DEVICE_T, &told, SENT, DROP_NONE);
		world_gives(false);
		clear_given();
		expect(HOOK_SF, flavour, DEVICE_S, &told, SENT, DROP_NONE);
	}
	/* Fragments go by their addresses, on the way in and back. */
	world_reset(state);
	acl_allow_all();
	chain_protect_steps(A, 0, functions, 2);
	world_gives(false);
	world_case("fragments", IN_TC);
	for (int n = 0; n < 2; n++) {
		struct frame part = frame_fragment(&later, n ? 200 : 0, n ? 400 : 200, 7), back = part;

		expect(HOOK_PORT, IN_TC, DEVICE_A, &part, SENT, DROP_NONE);
		memmove(back.data + 16, part.data + 12, part.len - 12);
		memcpy(back.data + 12, (uint8_t[]){ 0x81, 0, LEAVING >> 8, LEAVING & 0xff }, 4);
		back.len += 4;
		expect(HOOK_SF, IN_TC, DEVICE_S, &back, SENT, DROP_NONE);
		expect(HOOK_SF, IN_TC, DEVICE_T, &back, SENT, DROP_NONE);
	}
	case_assert(port_traffic(B).to_packets == 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_it_returns, world_reset),
		cmocka_unit_test_setup(the_same_flow_twice, world_reset),
		cmocka_unit_test_setup(replays, world_reset),
		cmocka_unit_test_setup(into_another_flow, world_reset),
		cmocka_unit_test_setup(into_a_flow_kept_out, world_reset),
		cmocka_unit_test_setup(to_the_next_step, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
