// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a function makes itself: a RST or an ICMP error of a flow that is known, with the chain's tag and PCP 0, by
 * whichever arm. A is protected and a server; B is its client.
 */
#include "selftests/unit/lib/world.h"

#define TAG(pcp) ((pcp) << 13 | CHAIN_TAG)
#define MADE     TAG(PCP_MADE)

#define FROM_A   A, B, 4, TCP, 80, 1000
#define FROM_B   B, A, 4, TCP, 1000, 80

/* The workload's frame to the function, and back from it. */
static void through(enum flavour flavour, struct packet packet)
{
	bool leaving = packet.from == A;
	struct frame plain = packet_frame(packet), back;

	packet.tag = TAG(leaving ? PCP_LEAVING : PCP_TOWARDS);
	back = packet_frame(packet);
	expect(HOOK_PORT, flavour, leaving ? DEVICE_A : DEVICE_B, &plain, SENT, DROP_NONE);
	expect(HOOK_SF, flavour, leaving ? DEVICE_T : DEVICE_S, &back, SENT, DROP_NONE);
}

static void protect(void **state, const char *name, enum flavour flavour)
{
	world_reset(state);
	acl_allow_all();
	chain_protect(A, true);
	world_case(name, flavour);
}

/* Connected; then B's request of 50 bytes, which the function keeps. */
static void request_kept(void **state, const char *name, enum flavour flavour)
{
	struct frame request = packet_frame(
		(struct packet){ FROM_B, ACK | PSH, .seq = 101, .ack = 501, .payload = 50 });

	protect(state, name, flavour);
	through(flavour, (struct packet){ FROM_B, SYN, .seq = 100 });
	through(flavour, (struct packet){ FROM_A, SYN | ACK, .seq = 500, .ack = 101 });
	through(flavour, (struct packet){ FROM_B, ACK, .seq = 101, .ack = 501 });
	expect(HOOK_PORT, flavour, DEVICE_B, &request, SENT, DROP_NONE);
}

struct made {
	const char *name;
	struct packet packet;
	enum outcome outcome;
	enum drop_reason reason;
	enum device_name device;
};

static const struct packet quoted = { FROM_B, .seq = 101 };

static const struct made cases[] = {
	{ "a RST to the client, which acknowledges what the function has kept",
	  { FROM_A, RST | ACK, .seq = 501, .ack = 151, .tag = MADE },
	  SENT,
	  DROP_NONE,
	  DEVICE_S },
	{ "by the other arm",
	  { FROM_A, RST | ACK, .seq = 501, .ack = 151, .tag = MADE },
	  SENT,
	  DROP_NONE,
	  DEVICE_T },
	{ "a RST to the server",
	  { FROM_B, RST | ACK, .seq = 101, .ack = 501, .tag = MADE },
	  SENT,
	  DROP_NONE,
	  DEVICE_S },
	{ "the server's RST by the other arm",
	  { FROM_B, RST | ACK, .seq = 101, .ack = 501, .tag = MADE },
	  SENT,
	  DROP_NONE,
	  DEVICE_T },
	{ "an error to the client",
	  { A, B, 4, ICMP4, 0x030a, .quote = &quoted, .tag = MADE },
	  SENT,
	  DROP_NONE,
	  DEVICE_S },

	{ "a RST with a number of no window",
	  { FROM_A, RST | ACK, .seq = 90000, .ack = 151, .tag = MADE },
	  DROPPED,
	  DROP_CT_TCP_WINDOW,
	  DEVICE_S },
	{ "a workload's RST, which cannot acknowledge what it has not got",
	  { FROM_A, RST | ACK, .seq = 501, .ack = 151, .tag = TAG(PCP_LEAVING) },
	  DROPPED,
	  DROP_CT_TCP_WINDOW,
	  DEVICE_T },
	{ "of another flow",
	  { A, B, 4, TCP, 80, 1001, RST | ACK, .seq = 501, .ack = 151, .tag = MADE },
	  DROPPED,
	  DROP_CT_INVALID,
	  DEVICE_S },
	{ "towards, of another flow",
	  { B, A, 4, TCP, 1001, 80, RST | ACK, .seq = 101, .ack = 501, .tag = MADE },
	  DROPPED,
	  DROP_CT_INVALID,
	  DEVICE_S },
	{ "in another's name",
	  { FROM_A, RST, .seq = 501, .tag = MADE, .edit = "30=0a0001ee" },
	  DROPPED,
	  DROP_SPOOFED_IPV4,
	  DEVICE_S },
	{ "between others",
	  { R, B, 4, TCP, 80, 1000, RST, .seq = 501, .tag = MADE },
	  DROPPED,
	  DROP_SF_UNKNOWN,
	  DEVICE_S },
	{ "another tag",
	  { FROM_A, RST, .seq = 501, .tag = MADE + 1 },
	  DROPPED,
	  DROP_SF_UNKNOWN,
	  DEVICE_S },
	{ "data",
	  { FROM_A, ACK, .seq = 501, .ack = 101, .payload = 9, .tag = MADE },
	  DROPPED,
	  DROP_SF_UNKNOWN,
	  DEVICE_S },
	{ "a SYN", { FROM_A, SYN, .seq = 501, .tag = MADE }, DROPPED, DROP_SF_UNKNOWN, DEVICE_S },
	{ "UDP", { A, B, 4, UDP, 80, 1000, .tag = MADE }, DROPPED, DROP_SF_UNKNOWN, DEVICE_S },
	{ "a RST for all",
	  { A, ALL, 4, TCP, 80, 1000, RST, .tag = MADE },
	  DROPPED,
	  DROP_SF_UNKNOWN,
	  DEVICE_S },
};

static void every_kind(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct made *c = &cases[i];
		struct frame f = packet_frame(c->packet);

		for_each_flavour(flavour)
		{
			bool is_rst = c->packet.protocol == TCP;
			struct packet plain = c->packet;
			struct frame wanted;
			struct result r;

			request_kept(state, c->name, flavour);
			r = expect(HOOK_SF, flavour, c->device, &f, c->outcome, c->reason);
			if (c->outcome == SENT) {
				plain.tag = 0;
				packet_build(&plain, &wanted);
				expect_frame(&r.out, &wanted);
			}
			case_assert(!!(flow_only("ct4", NULL).path[0].flags & FLOW_CLOSING) ==
				    (c->outcome == SENT && is_rst));
		}
	}
}

/* A SYN that the function keeps is refused by it: its flow is known where it was to enter the workload's wire. */
static void syn_refused(void **state)
{
	struct frame syn = packet_frame((struct packet){ FROM_B, SYN, .seq = 100 });
	struct frame rst =
		packet_frame((struct packet){ FROM_A, RST | ACK, .ack = 101, .tag = MADE });

	for_each_flavour(flavour)
	{
		protect(state, "a SYN refused", flavour);
		expect(HOOK_PORT, flavour, DEVICE_B, &syn, SENT, DROP_NONE);
		expect(HOOK_SF, flavour, DEVICE_S, &rst, SENT, DROP_NONE);
	}
}

/* Both ends are behind the function: what it makes for one of them goes there, and not into the function once more. */
static void both_ends(void **state)
{
	static const struct packet handshake[] = {
		{ FROM_B, SYN, .seq = 100 },
		{ FROM_A, SYN | ACK, .seq = 500, .ack = 101 },
		{ FROM_B, ACK, .seq = 101, .ack = 501 },
	};
	struct packet rst = { FROM_A, RST | ACK, .seq = 501, .ack = 151, .tag = MADE };
	struct frame made = packet_frame(rst), wanted;

	rst.tag = 0;
	packet_build(&rst, &wanted);
	for_each_flavour(flavour)
	{
		struct result r;

		protect(state, "both ends", flavour);
		chain_protect(B, true);
		for (int i = 0; i < 3; i++) {
			struct packet packet = handshake[i];
			struct frame plain = packet_frame(packet), first, second;

			packet.tag = TAG(PCP_LEAVING);
			first = packet_frame(packet);
			packet.tag = TAG(PCP_TOWARDS);
			second = packet_frame(packet);
			expect(HOOK_PORT, flavour, packet.from == A ? DEVICE_A : DEVICE_B, &plain,
			       SENT, DROP_NONE);
			expect(HOOK_SF, flavour, DEVICE_T, &first, SENT, DROP_NONE);
			expect(HOOK_SF, flavour, DEVICE_S, &second, SENT, DROP_NONE);
		}
		r = expect(HOOK_SF, flavour, DEVICE_S, &made, SENT, DROP_NONE);
		expect_frame(&r.out, &wanted);
		case_assert(port_traffic(B).to_packets == 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_kind, world_reset),
		cmocka_unit_test_setup(syn_refused, world_reset),
		cmocka_unit_test_setup(both_ends, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
