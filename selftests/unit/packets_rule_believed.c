// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a function is believed whose chain a rule chose: of flows alone that its chain is part of, at the end where it is, and
 * as it was sent; what it makes itself, likewise.
 */
#include "rule_chains.h"

/* A talks to B on port 53 through the first chain, by A's rule out; B to A on 54 without; R to A by A's rule in, through the second. */
static void three_flows(void **state, const char *name, enum flavour flavour)
{
	const struct acl_entry entries[] = {
		{ .direction = FROM_WORKLOAD, .action = ACL_INSPECT, .rule = 91, .port = 2, .source_last = 65535,
		  .destination_first = 53, .destination_last = 53 },
		{ .direction = TO_WORKLOAD, .action = ACL_INSPECT, .rule = 92, .port = 2, .source_last = 65535,
		  .destination_first = 55, .destination_last = 55 },
		{ .direction = TO_WORKLOAD, .action = ACL_DENY, .rule = 93, .source_last = 65535, .destination_first = 99,
		  .destination_last = 99 },
		{ .direction = TO_WORKLOAD, .action = ACL_ALLOW, .rule = 94, ACL_ALL },
	};

	world_reset(state);
	offer_all(0);
	acl_put_chains(entries, (uint16_t[]){ CHAIN, CHAIN_2, 0, 0 }, 4);
	world_case(name, flavour);
	BY(flavour, ((struct packet){ A, B, 4, UDP, 1000, 53 }), LEAVING(CHAIN));
	BY(flavour, ((struct packet){ B, A, 4, UDP, 1000, 54 }), { 0 });
	BY(flavour, ((struct packet){ R, A, 4, UDP, 1000, 55 }), TOWARDS(CHAIN_2));
	/* Denied, and known as such. */
	send_in(flavour, (struct packet){ A, B, 4, UDP, 1000, 99 }, DROPPED, DROP_ACL_IN);
}

static const struct forged {
	const char *name;
	struct packet packet;
	uint16_t slot;
	enum chain_pcp pcp;
	enum device_name device;
	enum drop_reason reason;
} forgeries[] = {
	/* Flows that have no chain, or another one. */
	{ "a flow without a chain", { B, A, 4, UDP, 1000, 54 }, CHAIN, PCP_TOWARDS, DEVICE_S, DROP_SF_NO_FLOW },
	{ "its answer", { A, B, 4, UDP, 54, 1000 }, CHAIN, PCP_LEAVING, DEVICE_S, DROP_SF_NO_FLOW },
	{ "a flow of another chain", { R, A, 4, UDP, 1000, 55 }, CHAIN, PCP_TOWARDS, DEVICE_S, DROP_SF_NO_FLOW },
	{ "a flow of another chain, the other way", { A, B, 4, UDP, 1000, 53 }, CHAIN_2, PCP_LEAVING, DEVICE_T,
	  DROP_SF_NO_FLOW },
	{ "a flow that was denied", { A, B, 4, UDP, 1000, 99 }, CHAIN, PCP_LEAVING, DEVICE_S, DROP_SF_NO_FLOW },
	{ "no flow", { A, B, 4, UDP, 1001, 53 }, CHAIN, PCP_LEAVING, DEVICE_S, DROP_SF_NO_FLOW },
	{ "no flow, which a rule would allow", { A, B, 4, TCP, 1001, 53, SYN }, CHAIN, PCP_LEAVING, DEVICE_S,
	  DROP_SF_NO_FLOW },
	{ "no flow, towards", { B, A, 6, UDP, 1001, 53 }, CHAIN, PCP_TOWARDS, DEVICE_S, DROP_SF_NO_FLOW },
	/* The pass of the other end, which has no chain. */
	{ "its flow, as at the receiver", { A, B, 4, UDP, 1000, 53 }, CHAIN, PCP_TOWARDS, DEVICE_S, DROP_SF_NO_FLOW },
	{ "its flow's answer, as at the sender", { B, A, 4, UDP, 53, 1000 }, CHAIN, PCP_LEAVING, DEVICE_S,
	  DROP_SF_NO_FLOW },
	{ "as at the receiver, of another chain", { R, A, 4, UDP, 1000, 55 }, CHAIN_2, PCP_LEAVING, DEVICE_T,
	  DROP_SF_UNKNOWN },
	/* Its own flow, but to somebody else, or from. */
	{ "its flow, to another", { A, R, 4, UDP, 1000, 53, .edit = "34=0a000102" }, CHAIN, PCP_LEAVING, DEVICE_S,
	  DROP_SF_NO_FLOW },
	{ "its flow, from another host", { B, A, 4, UDP, 1000, 55, .edit = "30=0a000103" }, CHAIN_2, PCP_TOWARDS, DEVICE_T,
	  DROP_SF_NO_FLOW },
	{ "its flow, from nobody", { R, A, 4, UDP, 1000, 55, .edit = "6=0299" }, CHAIN_2, PCP_TOWARDS, DEVICE_T,
	  DROP_SF_UNKNOWN },
	{ "its flow, from another address", { A, B, 4, UDP, 1000, 53, .edit = "30=0a000109" }, CHAIN, PCP_LEAVING, DEVICE_S,
	  DROP_SPOOFED_IPV4 },
	/* What is no flow's. */
	{ "a broadcast", { A, ALL, 4, UDP, 1000, 53 }, CHAIN, PCP_LEAVING, DEVICE_S, DROP_SF_NO_FLOW },
	{ "a broadcast towards", { B, ALL, 4, UDP, 1000, 53 }, CHAIN, PCP_TOWARDS, DEVICE_S, DROP_SF_UNKNOWN },
	{ "no IP", { A, B, 4, UDP, 1, 2, .edit = "16=9000" }, CHAIN, PCP_LEAVING, DEVICE_S, DROP_SF_NO_FLOW },
	{ "ARP", { A, B, 0, 1 }, CHAIN, PCP_LEAVING, DEVICE_S, DROP_SF_UNKNOWN },
	{ "an ICMP error of no flow", { A, B, 4, ICMP4, 0x0301, .quote = &(struct packet){ B, A, 4, UDP, 1, 2 } }, CHAIN,
	  PCP_LEAVING, DEVICE_S, DROP_SF_NO_FLOW },
	/* Not as it was sent. */
	{ "by another function's device", { A, B, 4, UDP, 1000, 53 }, CHAIN, PCP_LEAVING, DEVICE_T, DROP_SF_UNKNOWN },
	{ "with another tag", { A, B, 4, UDP, 1000, 53 }, CHAIN_2, PCP_LEAVING, DEVICE_S, DROP_SF_UNKNOWN },
	{ "with PCP 0", { A, B, 4, UDP, 1000, 53 }, CHAIN, PCP_MADE, DEVICE_S, DROP_SF_UNKNOWN },
	{ "with PCP 3", { A, B, 4, UDP, 1000, 53 }, CHAIN, 3, DEVICE_S, DROP_SF_UNKNOWN },
	{ "for a workload of another host", { A, R, 4, UDP, 1000, 53 }, CHAIN, PCP_TOWARDS, DEVICE_S, DROP_SF_UNKNOWN },
};

static void forged(void **state)
{
	for (const struct forged *c = forgeries; c < forgeries + sizeof(forgeries) / sizeof(*forgeries); c++)
		for_each_flavour(flavour)
		{
			struct frame f = packet_frame(tagged(c->packet, (struct stop){ c->slot, c->pcp }));
			uint64_t sent[CHAINS], a, b;

			three_flows(state, c->name, flavour);
			read_sent(sent);
			a = port_traffic(A).to_packets;
			b = port_traffic(B).to_packets;
			expect(HOOK_SF, flavour, c->device, &f, DROPPED, c->reason);
			is_at(sent, (struct stop){ 0 });
			case_assert(port_traffic(A).to_packets == a && port_traffic(B).to_packets == b);
			/* And the flow goes on where it went. */
			BY(flavour, ((struct packet){ A, B, 4, UDP, 1000, 53 }), LEAVING(CHAIN));
			BY(flavour, ((struct packet){ B, A, 4, UDP, 53, 1000 }), TOWARDS(CHAIN));
		}
}

/* What the workload forges itself never gets near. */
static void forged_by_workload(void **state)
{
	struct frame f = packet_frame((struct packet){ A, B, 4, UDP, 1000, 53, .tag = PCP_LEAVING << 13 | CHAIN_TAG });

	three_flows(state, "a workload's tag", IN_TC);
	expect(HOOK_PORT, IN_TC, DEVICE_A, &f, DROPPED, DROP_VLAN_NOT_ALLOWED);
}

/* Between two steps of a chain, too: what is of no flow that takes it is not shown to the next function. */
static void between_steps(void **state)
{
	static const enum device_name functions[] = { DEVICE_S, DEVICE_V };
	struct frame mine = packet_frame((struct packet){ A, B, 4, UDP, 1000, 53, .tag = PCP_LEAVING << 13 | CHAIN_TAG });
	struct frame other = packet_frame((struct packet){ A, B, 4, UDP, 1001, 53, .tag = PCP_LEAVING << 13 | CHAIN_TAG });

	for_each_flavour(flavour)
	{
		world_reset(state);
		chain_offer(CHAIN, A, 0, functions, 2);
		put_rules(&(struct rules){ .out = CHAIN, .at = A });
		world_case("two steps", flavour);
		send_in(flavour, (struct packet){ A, B, 4, UDP, 1000, 53 }, SENT, DROP_NONE);
		expect(HOOK_SF, flavour, DEVICE_S, &other, DROPPED, DROP_SF_NO_FLOW);
		case_assert(!chain_traffic_of(CHAIN, 1).sent && chain_traffic_of(CHAIN, 0).returned == 1);
		expect(HOOK_SF, flavour, DEVICE_S, &mine, SENT, DROP_NONE);
		case_assert(chain_traffic_of(CHAIN, 1).sent == 1 && !port_traffic(B).to_packets);
		expect(HOOK_SF, flavour, DEVICE_V, &mine, SENT, DROP_NONE);
		case_assert(port_traffic(B).to_packets == 1);
	}
}

/* ---- what a function makes itself ---- */


/* A client's request of 50 bytes, which the function of this end's chain keeps; both ends' MACs are the chain's. */
static void request_kept(void **state, const char *name, enum flavour flavour, bool out)
{
	static const struct packet handshake[] = {
		{ CLIENT, SYN, .seq = 100 },
		{ SERVER, SYN | ACK, .seq = 500, .ack = 101 },
		{ CLIENT, ACK, .seq = 101, .ack = 501 },
	};

	world_reset(state);
	offer_all(0);
	put_rules(&(struct rules){ .out = out ? CHAIN : 0, .in = out ? 0 : CHAIN });
	world_case(name, flavour);
	for (int i = 0; i < 3; i++) {
		bool client = handshake[i].from == A;

		passes(flavour, handshake[i], (const struct stop[STOPS]){ { CHAIN, client == out ? PCP_LEAVING : PCP_TOWARDS } });
	}
	send_in(flavour, (struct packet){ CLIENT, ACK | PSH, .seq = 101, .ack = 501, .payload = 50 }, SENT, DROP_NONE);
}

static const struct packet quoted = { CLIENT, .seq = 101 };

static const struct made {
	const char *name;
	struct packet packet;
	uint16_t slot;
	enum drop_reason reason; /* none: it arrives */
} mades[] = {
	{ "a RST to the client", { SERVER, RST | ACK, .seq = 501, .ack = 151 }, CHAIN, DROP_NONE },
	{ "a RST to the server", { CLIENT, RST | ACK, .seq = 101, .ack = 501 }, CHAIN, DROP_NONE },
	{ "an ICMP error to the client", { B, A, 4, ICMP4, 0x030a, .quote = &quoted }, CHAIN, DROP_NONE },
	{ "by a chain that the flow does not take", { SERVER, RST | ACK, .seq = 501, .ack = 151 }, CHAIN_2, DROP_SF_NO_FLOW },
	{ "an ICMP error by such", { B, A, 4, ICMP4, 0x030a, .quote = &quoted }, CHAIN_2, DROP_SF_NO_FLOW },
	{ "of another flow", { B, A, 4, TCP, 80, 1001, RST, .seq = 501 }, CHAIN, DROP_SF_NO_FLOW },
	{ "with a number of no window", { SERVER, RST | ACK, .seq = 90000, .ack = 151 }, CHAIN, DROP_CT_TCP_WINDOW },
	{ "data", { SERVER, ACK, .seq = 501, .ack = 101, .payload = 9 }, CHAIN, DROP_SF_UNKNOWN },
};

static void made(void **state)
{
	for (const struct made *c = mades; c < mades + sizeof(mades) / sizeof(*mades); c++)
		for (int out = 0; out <= 1; out++)
			for_each_flavour(flavour)
			{
				struct frame f = packet_frame(tagged(c->packet, (struct stop){ c->slot, PCP_MADE })), plain;
				bool is_rst = c->packet.protocol == TCP;
				uint64_t delivered;
				struct result r;

				request_kept(state, c->name, flavour, out);
				delivered = port_traffic(c->packet.to).to_packets;
				r = expect(HOOK_SF, flavour, at_function(c->slot), &f, c->reason ? DROPPED : SENT, c->reason);
				if (!c->reason) {
					plain = packet_frame(c->packet);
					expect_frame(&r.out, &plain);
				}
				case_assert(port_traffic(c->packet.to).to_packets == delivered + !c->reason);
				case_assert(!!(flow_only("ct4", NULL).path[0].flags & FLOW_CLOSING) == (!c->reason && is_rst));
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(forged, world_reset),
		cmocka_unit_test_setup(forged_by_workload, world_reset),
		cmocka_unit_test_setup(between_steps, world_reset),
		cmocka_unit_test_setup(made, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
