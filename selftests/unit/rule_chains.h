/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chains that rules choose, for the packet tests: the first chain's function is on "s", the second's on "t"; where a frame is
 * sent the counters of both tell.
 */
#ifndef WEFT_RULE_CHAINS_H
#define WEFT_RULE_CHAINS_H

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

static inline enum device_name at_function(uint16_t slot)
{
	return function_of[slot - CHAIN];
}

static inline void offer(uint32_t slot, enum who w, uint8_t flags)
{
	enum device_name device = at_function(slot);

	chain_offer(slot, w, flags, &device, 1);
}

/* Both chains at all ports: rules alone tell which flow takes which. */
static inline void offer_all(uint8_t flags)
{
	for (uint32_t slot = CHAIN; slot <= CHAIN_2; slot++) {
		offer(slot, A, flags);
		offer(slot, B, flags);
	}
}

/* What a port's rules say of pings, and of flows to ports below 1000: through this chain; all else passes without. */
struct rules {
	uint16_t out, in; /* chains; 0: none */
	enum who at; /* whose rules these are; NOBODY: everybody's */
};

static inline void put_rules(const struct rules *r)
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

static inline enum device_name device_of(enum who w)
{
	return w == R ? DEVICE_U : w == A ? DEVICE_A : DEVICE_B;
}

static inline struct result send_in(enum flavour flavour, struct packet p, enum outcome outcome, enum drop_reason reason)
{
	struct frame f = packet_frame(p);

	if (p.from == R)
		frame_wrap(&f, &(struct tunnelled){ 0 });
	return expect(p.from == R ? HOOK_UNDERLAY : HOOK_PORT, flavour, device_of(p.from), &f, outcome, reason);
}

static inline struct packet tagged(struct packet p, struct stop s)
{
	p.tag = s.pcp << 13 | TAG_OF(s.slot);
	return p;
}

/* How often each chain's function has been sent a frame. */
static inline void read_sent(uint64_t sent[CHAINS])
{
	for (int i = 0; i < CHAINS; i++)
		sent[i] = chain_traffic_of(CHAIN + i, 0).sent;
}

/* The frame, which has just been sent, is at this stop, or at none: it has come to its end. */
static inline void is_at(const uint64_t before[CHAINS], struct stop s)
{
	uint64_t sent[CHAINS];

	read_sent(sent);
	for (int i = 0; i < CHAINS; i++)
		case_assert(sent[i] - before[i] == (s.slot == CHAIN + i));
}

static inline void ended(const struct result *r, const struct packet *p, uint64_t delivered)
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
static inline void passes(enum flavour flavour, struct packet p, const struct stop stops[STOPS])
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

#define BY(flavour, packet, ...) passes(flavour, packet, (const struct stop[STOPS]){ __VA_ARGS__ })

/* A connection of the tests. */
#define CLIENT A, B, 4, TCP, 1000, 80
#define SERVER B, A, 4, TCP, 80, 1000

#endif
