/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * reset: ends a TCP connection for both its ends at once: each gets a RST with the very sequence number that it
 * waits for (RFC 5961, 3.2), since the segment at hand tells both. The one for a port of this host goes as a copy. TC alone.
 * reads:  struct pkt, the segment, without what it came in
 * writes: the frame, made into the two answers
 * maps:   port_slots fdb, and those of output
 * drops:  chain_reset (the segment itself)
 */
#ifndef WEFT_STAGE_RESET_H
#define WEFT_STAGE_RESET_H

#include "stages/flood.h"
#include "stages/reject.h"

#if !WEFT_XDP

/* From the RST that is in the frame to the one for the other end: as if an ACK of that end were to be answered. */
static __always_inline void turn(struct pkt *p)
{
	exchange_ends(p);
	swap(p->from, p->to);
	swap(p->tcp_seq, p->tcp_ack);
	p->tcp_flags = TCP_ACK;
}

/* The two ends are p->from and p->to, at least one of them a port of this host. */
static __always_inline enum verdict reset_both(ctx_t *ctx, struct pkt *p)
{
	const struct port *port;

	if (FLOW_TARGET_KIND(p->from) != TARGET_PORT)
		turn(p);
	if (reject_tcp(ctx, p))
		return V_CONSUMED;
	port = port_at(FLOW_TARGET_INDEX(p->from));
	if (port && port->ifindex && is_of_network(port, p))
		copy_to_port(ctx, port);
	ctx->mark = 0;
	turn(p);
	return reject_tcp(ctx, p) ? V_CONSUMED : answer_sender(ctx, p);
}

/* Where the other end is, a segment from a workload has not asked yet. What tells one end's numbers alone has one answer. */
static __always_inline bool both_known(struct pkt *p)
{
	return p->tcp_flags & TCP_ACK && (p->to || !resolve(p));
}

#endif

/* What is reset counts as dropped; that the answers went out is V_SENT. */
__noinline int reset(ctx_t *ctx, struct pkt *p)
{
#if WEFT_XDP
	return V_UP;
#else
	if (!p)
		return V_DROP;
	count_drop(DROP_CHAIN_RESET);
	/* The first fragment's answer was enough. */
	if (p->fragment == FRAGMENT_LATER || unwrap(ctx, p))
		return V_CONSUMED;
	if (both_known(p))
		return reset_both(ctx, p);
	return reject_tcp(ctx, p) ? V_CONSUMED : answer_sender(ctx, p);
#endif
}

#endif
