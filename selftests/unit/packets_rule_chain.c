// SPDX-License-Identifier: BSD-2-Clause
/*
 * Chains that rules choose: which frames take which, in which order, on either host's side and both ways; beside a chain on
 * the wire; and that a function is believed of flows alone whose rule has chosen its chain. The first chain's function is on
 * "s", the second's on "t"; where a frame is sent the counters of both tell.
 */
#include <bpf/bpf.h>

#include "selftests/unit/lib/world.h"

#define CHAINS	   2
#define STOPS	   4
#define TAG_OF(slot) (CHAIN_TAG + (slot) - CHAIN)

/* A visit at a chain's function. */
struct stop {
	uint16_t slot; /* 0: no more */
	enum chain_pcp pcp;
};

#define LEAVING(slot) { slot, PCP_LEAVING }
#define TOWARDS(slot) { slot, PCP_TOWARDS }

static const enum device_name function_of[CHAINS] = { DEVICE_S, DEVICE_T };

static enum device_name at_function(uint16_t slot)
{
	return function_of[slot - CHAIN];
}

static void offer(uint32_t slot, enum who w, uint8_t flags)
{
	enum device_name device = at_function(slot);

	chain_offer(slot, w, flags, &device, 1);
}

/* Both chains at all ports: rules alone tell which flow takes which. */
static void offer_all(uint8_t flags)
{
	for (uint32_t slot = CHAIN; slot <= CHAIN_2; slot++) {
		offer(slot, A, flags);
		offer(slot, B, flags);
	}
}

/* What a port's rules say of flows to port 53, 80, and of pings: through this chain; all else passes without. */
struct rules {
	uint16_t out, in; /* chains; 0: none */
	enum who at; /* whose rules these are; NOBODY: everybody's */
};

static void put_rules(const struct rules *r)
{
	uint16_t port = r->at == A ? 2 : r->at == B ? 3 : 0, chains[4] = { 0 };
	struct acl_entry entries[4] = { 0 };
	uint32_t n = 0;

	for (int direction = FROM_WORKLOAD; direction <= TO_WORKLOAD; direction++) {
		uint16_t chain = direction == FROM_WORKLOAD ? r->out : r->in;

		if (chain) {
			chains[n] = chain;
			entries[n++] = (struct acl_entry){ .direction = direction, .action = ACL_INSPECT, .rule = 90 + n,
							   .port = port, .source_last = 65535, .destination_last = 999 };
		}
		entries[n++] = (struct acl_entry){ .direction = direction, .action = ACL_ALLOW, .rule = 80 + n, ACL_ALL };
	}
	acl_put_chains(entries, chains, n);
}

static enum device_name device_of(enum who w)
{
	return w == R ? DEVICE_U : w == A ? DEVICE_A : DEVICE_B;
}

static struct result send_in(enum flavour flavour, struct packet p, enum outcome outcome, enum drop_reason reason)
{
	struct frame f = packet_frame(p);

	if (p.from == R)
		frame_wrap(&f, &(struct tunnelled){ 0 });
	return expect(p.from == R ? HOOK_UNDERLAY : HOOK_PORT, flavour, device_of(p.from), &f, outcome, reason);
}

static struct packet tagged(struct packet p, struct stop s)
{
	p.tag = s.pcp << 13 | TAG_OF(s.slot);
	return p;
}

/* How often each chain's function has been sent a frame. */
static void read_sent(uint64_t sent[CHAINS])
{
	for (int i = 0; i < CHAINS; i++)
		sent[i] = chain_traffic_of(CHAIN + i, 0).sent;
}

/* The frame, which has just been sent, is at this stop, or at none: it has come to its end. */
static void is_at(const uint64_t before[CHAINS], struct stop s)
{
	uint64_t sent[CHAINS];

	read_sent(sent);
	for (int i = 0; i < CHAINS; i++)
		case_assert(sent[i] - before[i] == (s.slot == CHAIN + i));
}

static void ended(const struct result *r, const struct packet *p, uint64_t delivered)
{
	struct frame plain = packet_frame(*p);

	if (p->to == R) {
		case_assert(r->out.len == 50 + plain.len && !memcmp(r->out.data + 50, plain.data, plain.len));
		return;
	}
	expect_frame(&r->out, &plain);
	case_assert(port_traffic(p->to).to_packets == delivered + 1);
}

/* Sent by its workload, by way of these stops, to its end; at each as it was, with the chain's tag. */
static void passes(enum flavour flavour, struct packet p, const struct stop stops[STOPS])
{
	uint64_t delivered = p.to == R ? 0 : port_traffic(p.to).to_packets, sent[CHAINS];
	struct frame plain = packet_frame(p);
	struct result r;

	for (int i = 0;; i++) {
		read_sent(sent);
		if (i) {
			struct frame back = packet_frame(tagged(p, stops[i - 1]));

			r = expect(HOOK_SF, flavour, at_function(stops[i - 1].slot), &back, SENT, DROP_NONE);
		} else {
			r = send_in(flavour, p, SENT, DROP_NONE);
		}
		is_at(sent, stops[i]);
		if (!stops[i].slot)
			break;
		/* TC keeps the tag beside the data. */
		if (flavour == IN_XDP) {
			struct frame wanted = packet_frame(tagged(p, stops[i]));

			expect_frame(&r.out, &wanted);
		} else {
			expect_frame(&r.out, &plain);
		}
		case_assert(p.to == R || port_traffic(p.to).to_packets == delivered);
	}
	ended(&r, &p, delivered);
}

#define PASSES(flavour, packet, ...) passes(flavour, packet, (const struct stop[STOPS]){ __VA_ARGS__ })

/* ---- which way ---- */

static const struct way {
	const char *name;
	struct rules rules;
	struct {
		uint16_t slot; /* on this port's wire; 0: none */
		enum who at;
	} wire;
	struct packet there, back, other; /* `other` is a flow that no rule has a chain for */
	struct stop stops[STOPS], stops_back[STOPS];
	struct stop other_stops[STOPS];
} ways[] = {
	{ .name = "out, to another host",
	  .rules = { .out = CHAIN },
	  .there = { A, R, 4, UDP, 1000, 53, .payload = 20 },
	  .back = { R, A, 4, UDP, 53, 1000, .payload = 20 },
	  .other = { A, R, 4, UDP, 1000, 5353 },
	  .stops = { LEAVING(CHAIN) },
	  .stops_back = { TOWARDS(CHAIN) } },
	{ .name = "out, to another host, IPv6",
	  .rules = { .out = CHAIN },
	  .there = { A, R, 6, UDP, 1000, 53, .payload = 20 },
	  .back = { R, A, 6, UDP, 53, 1000, .payload = 20 },
	  .other = { A, R, 6, UDP, 1000, 5353 },
	  .stops = { LEAVING(CHAIN) },
	  .stops_back = { TOWARDS(CHAIN) } },
	{ .name = "in, from another host",
	  .rules = { .in = CHAIN },
	  .there = { R, A, 4, UDP, 1000, 53, .payload = 20 },
	  .back = { A, R, 4, UDP, 53, 1000, .payload = 20 },
	  .other = { R, A, 4, UDP, 1000, 5353 },
	  .stops = { TOWARDS(CHAIN) },
	  .stops_back = { LEAVING(CHAIN) } },
	{ .name = "in, from another host, IPv6",
	  .rules = { .in = CHAIN },
	  .there = { R, A, 6, UDP, 1000, 53, .payload = 20 },
	  .back = { A, R, 6, UDP, 53, 1000, .payload = 20 },
	  .other = { R, A, 6, UDP, 1000, 5353 },
	  .stops = { TOWARDS(CHAIN) },
	  .stops_back = { LEAVING(CHAIN) } },
	{ .name = "out, of one end alone",
	  .rules = { .out = CHAIN, .at = A },
	  .there = { A, B, 4, UDP, 1000, 53 },
	  .back = { B, A, 4, UDP, 53, 1000 },
	  .other = { B, A, 4, UDP, 1000, 54 },
	  .stops = { LEAVING(CHAIN) },
	  .stops_back = { TOWARDS(CHAIN) } },
	{ .name = "in, of one end alone",
	  .rules = { .in = CHAIN, .at = B },
	  .there = { A, B, 6, UDP, 1000, 53 },
	  .back = { B, A, 6, UDP, 53, 1000 },
	  .other = { B, A, 6, UDP, 1000, 54 },
	  .stops = { TOWARDS(CHAIN) },
	  .stops_back = { LEAVING(CHAIN) } },
	{ .name = "pings",
	  .rules = { .in = CHAIN, .at = B },
	  .there = { A, B, 4, ICMP4, 0x0800, 7 },
	  .back = { B, A, 4, ICMP4, 0, 7 },
	  .other = { B, A, 4, ICMP4, 0x0800, 7 },
	  .stops = { TOWARDS(CHAIN) },
	  .stops_back = { LEAVING(CHAIN) } },
	{ .name = "both ends, the sender's first",
	  .rules = { .out = CHAIN, .in = CHAIN_2 },
	  .there = { A, B, 4, UDP, 1000, 53 },
	  .back = { B, A, 4, UDP, 53, 1000 },
	  .other = { A, B, 4, UDP, 1000, 5353 },
	  .stops = { LEAVING(CHAIN), TOWARDS(CHAIN_2) },
	  .stops_back = { LEAVING(CHAIN_2), TOWARDS(CHAIN) } },
	{ .name = "both ends, one chain",
	  .rules = { .out = CHAIN, .in = CHAIN },
	  .there = { A, B, 6, UDP, 1000, 53 },
	  .back = { B, A, 6, UDP, 53, 1000 },
	  .other = { A, B, 6, UDP, 1000, 5353 },
	  .stops = { LEAVING(CHAIN), TOWARDS(CHAIN) },
	  .stops_back = { LEAVING(CHAIN), TOWARDS(CHAIN) } },
	{ .name = "out, and another one on the sender's wire",
	  .rules = { .out = CHAIN, .at = A },
	  .wire = { CHAIN_2, A },
	  .there = { A, R, 4, UDP, 1000, 53 },
	  .back = { R, A, 4, UDP, 53, 1000 },
	  .other = { A, R, 4, UDP, 1000, 5353 },
	  .stops = { LEAVING(CHAIN_2), LEAVING(CHAIN) },
	  .stops_back = { TOWARDS(CHAIN), TOWARDS(CHAIN_2) },
	  .other_stops = { LEAVING(CHAIN_2) } },
	{ .name = "in, and another one on the receiver's wire",
	  .rules = { .in = CHAIN, .at = A },
	  .wire = { CHAIN_2, A },
	  .there = { R, A, 6, UDP, 1000, 53 },
	  .back = { A, R, 6, UDP, 53, 1000 },
	  .other = { R, A, 6, UDP, 1000, 5353 },
	  .stops = { TOWARDS(CHAIN), TOWARDS(CHAIN_2) },
	  .stops_back = { LEAVING(CHAIN_2), LEAVING(CHAIN) },
	  .other_stops = { TOWARDS(CHAIN_2) } },
	{ .name = "both ends, and another one on the receiver's wire",
	  .rules = { .out = CHAIN, .in = CHAIN },
	  .wire = { CHAIN_2, B },
	  .there = { A, B, 4, UDP, 1000, 53 },
	  .back = { B, A, 4, UDP, 53, 1000 },
	  .other = { A, B, 4, UDP, 1000, 5353 },
	  .stops = { LEAVING(CHAIN), TOWARDS(CHAIN), TOWARDS(CHAIN_2) },
	  .stops_back = { LEAVING(CHAIN_2), LEAVING(CHAIN), TOWARDS(CHAIN) },
	  .other_stops = { TOWARDS(CHAIN_2) } },
	{ .name = "out, by a rule and on the wire: once",
	  .rules = { .out = CHAIN, .at = A },
	  .wire = { CHAIN, A },
	  .there = { A, R, 4, UDP, 1000, 53 },
	  .back = { R, A, 4, UDP, 53, 1000 },
	  .other = { A, R, 4, UDP, 1000, 5353 },
	  .stops = { LEAVING(CHAIN) },
	  .stops_back = { TOWARDS(CHAIN) },
	  .other_stops = { LEAVING(CHAIN) } },
	{ .name = "in, by a rule and on the wire: once",
	  .rules = { .in = CHAIN, .at = B },
	  .wire = { CHAIN, B },
	  .there = { A, B, 4, UDP, 1000, 53 },
	  .back = { B, A, 4, UDP, 53, 1000 },
	  .other = { A, B, 4, UDP, 1000, 5353 },
	  .stops = { TOWARDS(CHAIN) },
	  .stops_back = { LEAVING(CHAIN) },
	  .other_stops = { TOWARDS(CHAIN) } },
	{ .name = "on the sender's wire, and by the receiver's rule: twice",
	  .rules = { .in = CHAIN, .at = B },
	  .wire = { CHAIN, A },
	  .there = { A, B, 4, UDP, 1000, 53 },
	  .back = { B, A, 4, UDP, 53, 1000 },
	  .other = { A, B, 4, UDP, 1000, 5353 },
	  .stops = { LEAVING(CHAIN), TOWARDS(CHAIN) },
	  .stops_back = { LEAVING(CHAIN), TOWARDS(CHAIN) },
	  .other_stops = { LEAVING(CHAIN) } },
};

static void put_way(void **state, const struct way *w, enum flavour flavour)
{
	world_reset(state);
	offer_all(0);
	put_rules(&w->rules);
	if (w->wire.slot) {
		struct port port = port_get(w->wire.at);

		port.chain = w->wire.slot;
		port_put(w->wire.at, &port);
	}
	world_case(w->name, flavour);
}

static void every_way(void **state)
{
	for (const struct way *w = ways; w < ways + sizeof(ways) / sizeof(*ways); w++)
		for_each_flavour(flavour)
		{
			put_way(state, w, flavour);
			for (int i = 0; i < 2; i++) {
				passes(flavour, w->there, w->stops);
				passes(flavour, w->back, w->stops_back);
			}
			/* A flow beside it takes its own way. */
			passes(flavour, w->other, w->other_stops);
			/* Judged again in another epoch, whichever end speaks first. */
			tenant_bump();
			passes(flavour, w->back, w->stops_back);
			passes(flavour, w->there, w->stops);
			case_assert(!tenant_traffic().full);
		}
}

/* The handshake and what follows, through both chains; nothing moves before the last function gives it back. */
static void connection(void **state)
{
	static const struct stop there[STOPS] = { LEAVING(CHAIN), TOWARDS(CHAIN_2) },
				 back[STOPS] = { LEAVING(CHAIN_2), TOWARDS(CHAIN) };
	static const struct rules rules = { .out = CHAIN, .in = CHAIN_2 };

	for_each_flavour(flavour)
		for (int family = 4; family <= 6; family += 2) {
			const char *half = family == 4 ? "half4" : "half6", *ct = family == 4 ? "ct4" : "ct6";
			struct packet data = { A, B, family, TCP, 1000, 80, ACK | PSH, 101, 501, 50 };
			struct frame f = packet_frame(data);
			uint64_t sent[CHAINS];

			world_reset(state);
			offer_all(0);
			put_rules(&rules);
			world_case("a connection", flavour);
			passes(flavour, (struct packet){ A, B, family, TCP, 1000, 80, SYN, 100 }, there);
			case_assert(flow_count(half) == 1);
			passes(flavour, (struct packet){ B, A, family, TCP, 80, 1000, SYN | ACK, 500, 101 }, back);
			passes(flavour, (struct packet){ A, B, family, TCP, 1000, 80, ACK, 101, 501 }, there);
			case_assert(flow_count(ct) == 1 && !flow_count(half));
			/* The function keeps a segment, and the window stays where it was. */
			read_sent(sent);
			expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_NONE);
			is_at(sent, (struct stop)LEAVING(CHAIN));
			case_assert(flow_only(ct, NULL).dir[0].packets + flow_only(ct, NULL).dir[1].packets == 3);
			passes(flavour, data, there);
			/* What it lets pass of it must fit still. */
			data.tag = PCP_LEAVING << 13 | CHAIN_TAG;
			data.seq = 90000;
			f = packet_frame(data);
			expect(HOOK_SF, flavour, DEVICE_S, &f, DROPPED, DROP_CT_TCP_WINDOW);
		}
}

/* ---- what a function is believed ---- */

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
	PASSES(flavour, ((struct packet){ A, B, 4, UDP, 1000, 53 }), LEAVING(CHAIN));
	PASSES(flavour, ((struct packet){ B, A, 4, UDP, 1000, 54 }), { 0 });
	PASSES(flavour, ((struct packet){ R, A, 4, UDP, 1000, 55 }), TOWARDS(CHAIN_2));
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
			PASSES(flavour, ((struct packet){ A, B, 4, UDP, 1000, 53 }), LEAVING(CHAIN));
			PASSES(flavour, ((struct packet){ B, A, 4, UDP, 53, 1000 }), TOWARDS(CHAIN));
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

#define CLIENT A, B, 4, TCP, 1000, 80
#define SERVER B, A, 4, TCP, 80, 1000

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

/* ---- another chain, or none, for flows that are there ---- */

static void changes(void **state)
{
	static const struct packet there = { A, B, 4, UDP, 1000, 53 }, back = { B, A, 4, UDP, 53, 1000 };
	struct frame f = packet_frame(tagged(there, (struct stop)LEAVING(CHAIN)));

	for_each_flavour(flavour)
	{
		world_reset(state);
		offer_all(0);
		put_rules(&(struct rules){ .at = A });
		world_case("without a chain", flavour);
		PASSES(flavour, there, { 0 });
		PASSES(flavour, back, { 0 });
		world_case("a chain comes", flavour);
		put_rules(&(struct rules){ .out = CHAIN, .at = A });
		/* The rules are there before the epoch. */
		PASSES(flavour, there, { 0 });
		tenant_bump();
		PASSES(flavour, back, TOWARDS(CHAIN));
		PASSES(flavour, there, LEAVING(CHAIN));
		world_case("another one in its place", flavour);
		put_rules(&(struct rules){ .out = CHAIN_2, .at = A });
		tenant_bump();
		PASSES(flavour, there, LEAVING(CHAIN_2));
		PASSES(flavour, back, TOWARDS(CHAIN_2));
		expect(HOOK_SF, flavour, DEVICE_S, &f, DROPPED, DROP_SF_NO_FLOW);
		world_case("while a frame is in the function", flavour);
		send_in(flavour, there, SENT, DROP_NONE);
		put_rules(&(struct rules){ .out = CHAIN, .at = A });
		tenant_bump();
		f = packet_frame(tagged(there, (struct stop)LEAVING(CHAIN_2)));
		expect(HOOK_SF, flavour, DEVICE_T, &f, DROPPED, DROP_SF_NO_FLOW);
		f = packet_frame(tagged(there, (struct stop)LEAVING(CHAIN)));
		PASSES(flavour, there, LEAVING(CHAIN));
		world_case("while it is, and the policy changes elsewhere", flavour);
		send_in(flavour, there, SENT, DROP_NONE);
		tenant_bump();
		expect(HOOK_SF, flavour, DEVICE_S, &f, SENT, DROP_NONE);
		world_case("the chain goes", flavour);
		put_rules(&(struct rules){ .at = A });
		tenant_bump();
		PASSES(flavour, there, { 0 });
		PASSES(flavour, back, { 0 });
		expect(HOOK_SF, flavour, DEVICE_S, &f, DROPPED, DROP_SF_NO_FLOW);
		world_case("it is denied, and comes back", flavour);
		acl_put(&(struct acl_entry){ .direction = FROM_WORKLOAD, .action = ACL_DENY, ACL_ALL }, 1);
		tenant_bump();
		send_in(flavour, there, DROPPED, DROP_ACL_OUT);
		put_rules(&(struct rules){ .out = CHAIN, .at = A });
		tenant_bump();
		PASSES(flavour, there, LEAVING(CHAIN));
	}
}

/* ---- flows that are older than the chain ---- */

struct older {
	const char *name;
	uint8_t flags; /* of the chain */
	uint16_t before; /* the chain that the rule had, 0: none */
	uint8_t flags_before;
	bool inspected; /* a flow that is there */
};

static void old_flow(void **state, const struct older *c, enum flavour flavour, struct packet there, struct packet back)
{
	world_reset(state);
	offer_all(c->flags_before);
	put_rules(&(struct rules){ .out = c->before, .at = A });
	world_case(c->name, flavour);
	passes(flavour, there, (const struct stop[STOPS]){ { c->before, PCP_LEAVING } });
	passes(flavour, back, (const struct stop[STOPS]){ { c->before, PCP_TOWARDS } });
	offer_all(c->flags);
	put_rules(&(struct rules){ .out = CHAIN, .at = A });
	tenant_bump();
}

static void keep(void **state)
{
	static const struct older cases[] = {
		{ "keep", CHAIN_KEEP, 0, 0, false },
		{ "insert", 0, 0, 0, true },
		{ "keep, in place of one that inspected", CHAIN_KEEP, CHAIN_2, 0, true },
		{ "told to keep after it came", CHAIN_KEEP, CHAIN, 0, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for_each_flavour(flavour)
		{
			const struct packet there = { A, B, 4, UDP, 1000, 53 }, back = { B, A, 4, UDP, 53, 1000 };
			struct frame f = packet_frame(tagged(there, (struct stop)LEAVING(CHAIN)));
			const struct older *c = &cases[i];
			uint16_t slot = c->inspected ? CHAIN : 0;
			uint64_t kept;

			old_flow(state, c, flavour, there, back);
			kept = chain_traffic_of(CHAIN, 0).kept;
			for (int n = 0; n < 3; n++) {
				passes(flavour, n ? there : back,
				       (const struct stop[STOPS]){ { slot, n ? PCP_LEAVING : PCP_TOWARDS } });
				passes(flavour, n ? back : there,
				       (const struct stop[STOPS]){ { slot, n ? PCP_TOWARDS : PCP_LEAVING } });
				/* Judged again, it is as old as before. */
				tenant_bump();
			}
			case_assert(chain_traffic_of(CHAIN, 0).kept - kept == (c->inspected ? 0 : 6));
			/* A new one is not. */
			PASSES(flavour, ((struct packet){ A, B, 4, UDP, 1001, 53 }), LEAVING(CHAIN));
			if (c->inspected)
				continue;
			/* The function has no part in what goes round it. */
			expect(HOOK_SF, flavour, DEVICE_S, &f, DROPPED, DROP_SF_NO_FLOW);
			world_case("keep, and another one in its place", flavour);
			put_rules(&(struct rules){ .out = CHAIN_2, .at = A });
			tenant_bump();
			PASSES(flavour, there, { 0 });
			world_case("which is told to insert", flavour);
			offer_all(0);
			tenant_bump();
			PASSES(flavour, there, LEAVING(CHAIN_2));
			PASSES(flavour, back, TOWARDS(CHAIN_2));
		}
}

/* One direction alone was heard while the chain inspected: the other has been inspected as well. */
static void keep_of_one_direction(void **state)
{
	const struct packet there = { A, B, 4, UDP, 1000, 53 }, back = { B, A, 4, UDP, 53, 1000 };

	for_each_flavour(flavour)
	{
		old_flow(state, &(struct older){ "one direction", 0, 0, 0 }, flavour, there, back);
		PASSES(flavour, there, LEAVING(CHAIN));
		offer_all(CHAIN_KEEP);
		tenant_bump();
		PASSES(flavour, back, TOWARDS(CHAIN));
		PASSES(flavour, there, LEAVING(CHAIN));
	}
}

/* Towards another workload it is another flow, and as new as any. */
static void keep_is_of_one_receiver(void **state)
{
	const struct packet there = { A, R, 4, UDP, 1000, 53 }, back = { R, A, 4, UDP, 53, 1000 };

	for_each_flavour(flavour)
	{
		struct packet moved = { A, B, 4, UDP, 1000, 53, .edit = "30=0a000103" };
		uint64_t sent[CHAINS];

		old_flow(state, &(struct older){ "another receiver", CHAIN_KEEP, 0, 0 }, flavour, there, back);
		PASSES(flavour, there, { 0 });
		read_sent(sent);
		send_in(flavour, moved, SENT, DROP_NONE);
		is_at(sent, (struct stop)LEAVING(CHAIN));
	}
}

/* `reset`: a segment ends the connection for both, a datagram is dropped once; what begins then is inspected. */
static void reset(void **state)
{
	static const struct older c = { "reset", CHAIN_RESET, 0, 0 };
	const struct packet there = { A, B, 4, UDP, 1000, 53 }, back = { B, A, 4, UDP, 53, 1000 };

	for_each_flavour(flavour)
	{
		struct frame f = packet_frame(there);

		old_flow(state, &c, flavour, there, back);
		expect_tc(HOOK_PORT, flavour, DEVICE_A, &f, DROPPED, DROP_CHAIN_RESET);
		if (flavour == IN_XDP)
			continue;
		PASSES(flavour, there, LEAVING(CHAIN));
		PASSES(flavour, back, TOWARDS(CHAIN));
		/* Of the same chain no flow is older than it was. */
		tenant_bump();
		PASSES(flavour, there, LEAVING(CHAIN));
	}
}

static void reset_connection(void **state)
{
	static const struct packet handshake[] = {
		{ CLIENT, SYN, .seq = 100 },
		{ SERVER, SYN | ACK, .seq = 500, .ack = 101 },
		{ CLIENT, ACK, .seq = 101, .ack = 501 },
	};
	struct packet data = { CLIENT, ACK | PSH, .seq = 101, .ack = 501, .payload = 9 };
	struct frame f = packet_frame(data);

	for_each_flavour(flavour)
	{
		world_reset(state);
		offer_all(CHAIN_RESET);
		put_rules(&(struct rules){ .at = A });
		world_case("a connection is reset", flavour);
		for (int i = 0; i < 3; i++)
			PASSES(flavour, handshake[i], { 0 });
		put_rules(&(struct rules){ .in = CHAIN, .at = B });
		tenant_bump();
		expect_tc(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_CHAIN_RESET);
		if (flavour == IN_XDP)
			continue;
		case_assert(flow_only("ct4", NULL).path[0].flags & FLOW_CLOSING);
		/* Each further segment of it gets the same answer, and a SYN begins anew, through the chain. */
		expect(HOOK_PORT, flavour, DEVICE_A, &f, SENT, DROP_CHAIN_RESET);
		PASSES(flavour, ((struct packet){ CLIENT, SYN, .seq = 9000 }), TOWARDS(CHAIN));
	}
}

/* ---- no function, no flow ---- */

static void change_chain(void (*change)(struct chain *))
{
	struct chain chain = chain_now();

	change(&chain);
	chain_put(&chain);
}

static void is_bypassed(struct chain *c) { c->flags |= CHAIN_BYPASS; }
static void is_dead(struct chain *c) { c->step[0].function = FUNCTION + 2 * CHAIN_STEPS; /* of nobody */ }
static void is_dead_and_open(struct chain *c) { is_dead(c); c->step[0].flags |= STEP_OPEN; }
static void is_gone(struct chain *c) { memset(c, 0, sizeof(*c)); }
static void is_anothers(struct chain *c) { c->tenant++; }

static void without_function(void **state)
{
	static const struct {
		const char *name;
		void (*change)(struct chain *);
		enum drop_reason reason;
		uint64_t bypassed, skipped;
		bool up; /* XDP does not know where to send it */
	} cases[] = {
		{ "bypass", is_bypassed, DROP_NONE, 1, 0 },
		{ "dead", is_dead, DROP_SF_DOWN, 0, 0 },
		{ "dead and open", is_dead_and_open, DROP_NONE, 0, 1 },
		{ "the chain is gone", is_gone, DROP_SF_DOWN, 0, 0, true },
		{ "the chain is another tenant's", is_anothers, DROP_SF_DOWN, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (int in = 0; in <= 1; in++)
			for_each_flavour(flavour)
			{
				const struct packet there = { A, B, 4, UDP, 1000, 53 };

				world_reset(state);
				offer_all(0);
				put_rules(&(struct rules){ .out = in ? 0 : CHAIN, .in = in ? CHAIN : 0 });
				change_chain(cases[i].change);
				world_case(cases[i].name, flavour);
				if (cases[i].up && flavour == IN_XDP)
					send_in(flavour, there, UP, DROP_NONE);
				else if (cases[i].reason)
					send_in(flavour, there, DROPPED, cases[i].reason);
				else
					PASSES(flavour, there, { 0 });
				case_assert(chain_traffic_of(CHAIN, 0).bypassed == cases[i].bypassed);
				case_assert(chain_traffic_of(CHAIN, 0).skipped == cases[i].skipped);
				case_assert(!chain_traffic_of(CHAIN, 0).sent && !chain_traffic_of(CHAIN, 0).kept);
			}
}

/* A rule whose chain is not told denies: nothing passes round what was to inspect it. */
static void chain_not_told(void **state)
{
	for_each_flavour(flavour)
	{
		world_reset(state);
		acl_put(&(struct acl_entry){ .direction = TO_WORKLOAD, .action = ACL_INSPECT, .rule = 5, ACL_ALL }, 1);
		world_case("no chain", flavour);
		send_in(flavour, (struct packet){ A, B, 4, UDP, 1000, 53 }, DROPPED, DROP_ACL_IN);
	}
}

/* What belongs to no flow cannot come back, and does not pass without having gone. */
static void no_flow(void **state)
{
	static const struct {
		const char *name;
		struct packet packet;
		bool flooded;
	} cases[] = {
		{ "a broadcast", { A, ALL, 4, UDP, 1000, 53 }, true },
		{ "a multicast", { A, ALL, 6, UDP, 1000, 53 }, true },
		{ "to a MAC that nobody has", { A, STRANGER, 4, UDP, 1000, 53 }, true },
		{ "neither IPv4 nor IPv6", { A, B, 4, UDP, 1, 2, .edit = "12=9000" }, false },
		{ "ICMP that is neither question, answer nor error", { A, B, 6, ICMP6, 0x8500, 0 }, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (int in = 0; in <= 1; in++)
			for_each_flavour(flavour)
			{
				struct frame f = packet_frame(cases[i].packet);
				const struct rules without = { .at = A };

				world_reset(state);
				flood_to((enum who[]){ B }, 1);
				offer_all(0);
				put_rules(&(struct rules){ .out = in ? 0 : CHAIN, .in = in ? CHAIN : 0 });
				world_case(cases[i].name, flavour);
				if (cases[i].flooded)
					expect_tc(HOOK_PORT, flavour, DEVICE_A, &f, DROPPED, DROP_CHAIN_NO_FLOW);
				else
					expect(HOOK_PORT, flavour, DEVICE_A, &f, DROPPED, DROP_CHAIN_NO_FLOW);
				case_assert(!port_traffic(B).to_packets && !chain_traffic_of(CHAIN, 0).sent);
				/* The rule has decided. */
				case_assert(flavour == IN_XDP || rule_counted(in ? 92 : 91).packets == 1);
				/* Without the chain it passes. */
				put_rules(&without);
				world_run(HOOK_PORT, IN_TC, DEVICE_A, &f);
				case_assert(port_traffic(B).to_packets == 1);
			}
}

/* One end's rule knows no flows, the other's has a chain. */
static void stateless(void **state)
{
	const struct acl_entry entries[] = {
		{ .direction = FROM_WORKLOAD, .action = ACL_ALLOW, .flags = ENTRY_STATELESS, .rule = 1, ACL_ALL },
		{ .direction = TO_WORKLOAD, .action = ACL_INSPECT, .rule = 2, ACL_ALL },
	};

	for_each_flavour(flavour)
	{
		world_reset(state);
		offer_all(0);
		acl_put_chains(entries, (uint16_t[]){ 0, CHAIN }, 2);
		world_case("a stateless rule at the other end", flavour);
		send_in(flavour, (struct packet){ A, B, 4, UDP, 1000, 53 }, DROPPED, DROP_CHAIN_NO_FLOW);
		case_assert(!flow_count("ct4") && !chain_traffic_of(CHAIN, 0).sent);
	}
}

/* ---- XDP and TC ---- */

/* XDP leaves to TC what it cannot send, before it has counted anything: a new flow, a known one, and what comes back. */
static void left_to_tc(void **state)
{
	const struct packet there = { A, B, 4, UDP, 1000, 53 };

	for (int in = 0; in <= 1; in++) {
		struct chain chain;

		world_reset(state);
		offer_all(0);
		put_rules(&(struct rules){ .out = in ? 0 : CHAIN, .in = in ? CHAIN : 0 });
		chain = chain_now();
		chain.step[0].flags = 0;
		chain_put(&chain);
		world_case("a chain that XDP cannot send to", IN_XDP);
		send_in(IN_XDP, there, UP, DROP_NONE);
		case_assert(!flow_count("ct4") && !rule_counted(91).packets && !rule_counted(92).packets);
		PASSES(IN_TC, there, { CHAIN, in ? PCP_TOWARDS : PCP_LEAVING });
		send_in(IN_XDP, there, UP, DROP_NONE);
		case_assert(chain_traffic_of(CHAIN, 0).sent == 1);
	}
}

/* ---- fragments ---- */

/* Each goes where the first does, and is looked at once on each of its ways. */
static void fragments(void **state)
{
	static const struct stop stops[] = { LEAVING(CHAIN), TOWARDS(CHAIN), TOWARDS(CHAIN_2) };
	struct frame whole = packet_frame((struct packet){ A, B, 4, UDP, 1000, 53, .payload = 392 });
	const uint32_t cuts[] = { 0, 160, 320, 400 };
	struct port port;

	world_reset(state);
	offer_all(0);
	put_rules(&(struct rules){ .out = CHAIN, .in = CHAIN });
	port = port_get(B);
	port.chain = CHAIN_2;
	port_put(B, &port);
	world_case("fragments through three", IN_TC);
	for (int i = 0; i < 3; i++) {
		struct frame piece = frame_fragment(&whole, cuts[i], cuts[i + 1], 77), at;
		uint64_t sent[CHAINS];

		read_sent(sent);
		expect_tc(HOOK_PORT, IN_TC, DEVICE_A, &piece, SENT, DROP_NONE);
		for (int s = 0; s < 3; s++) {
			is_at(sent, stops[s]);
			read_sent(sent);
			at = piece;
			memmove(at.data + 16, piece.data + 12, piece.len - 12);
			at.len += 4;
			at.data[12] = 0x81;
			at.data[13] = 0;
			at.data[14] = (stops[s].pcp << 13 | TAG_OF(stops[s].slot)) >> 8;
			at.data[15] = TAG_OF(stops[s].slot) & 0xff;
			expect_tc(HOOK_SF, IN_TC, at_function(stops[s].slot), &at, SENT, DROP_NONE);
			/* Given back twice, it passes once. */
			expect_tc(HOOK_SF, IN_TC, at_function(stops[s].slot), &at, DROPPED, DROP_FRAGMENT_DUPLICATE);
		}
		case_assert(port_traffic(B).to_packets == (uint64_t)i + 1);
	}
	case_assert(flow_only("ct4", NULL).dir[0].packets + flow_only("ct4", NULL).dir[1].packets == 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_way, world_reset),
		cmocka_unit_test_setup(connection, world_reset),
		cmocka_unit_test_setup(forged, world_reset),
		cmocka_unit_test_setup(forged_by_workload, world_reset),
		cmocka_unit_test_setup(between_steps, world_reset),
		cmocka_unit_test_setup(made, world_reset),
		cmocka_unit_test_setup(changes, world_reset),
		cmocka_unit_test_setup(keep, world_reset),
		cmocka_unit_test_setup(keep_of_one_direction, world_reset),
		cmocka_unit_test_setup(keep_is_of_one_receiver, world_reset),
		cmocka_unit_test_setup(reset, world_reset),
		cmocka_unit_test_setup(reset_connection, world_reset),
		cmocka_unit_test_setup(without_function, world_reset),
		cmocka_unit_test_setup(chain_not_told, world_reset),
		cmocka_unit_test_setup(no_flow, world_reset),
		cmocka_unit_test_setup(stateless, world_reset),
		cmocka_unit_test_setup(left_to_tc, world_reset),
		cmocka_unit_test_setup(fragments, world_reset),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
