/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sctp: an association's state and tags; advanced when a packet, which sctp_check has let pass, really goes on its way.
 * reads:  pkt.sctp_*, both directions of the flow
 * writes: flow.path[].tcp, flow.path[].flags, flow.dir[].sctp_*
 * maps:   flow_watch flow_events tenant_stats
 * drops:  none
 */
#ifndef WEFT_STAGE_SCTP_H
#define WEFT_STAGE_SCTP_H

#include "lib/flow_event.h"
#include "stages/sctp_check.h"

static __always_inline void sctp_set(struct flow *f, enum sctp_state state)
{
	*flow_tcp(f, 0) = *flow_tcp(f, 1) = state;
	if (state == SCTP_CLOSED) {
		*flow_flags(f, 0) |= FLOW_CLOSING;
		*flow_flags(f, 1) |= FLOW_CLOSING;
	}
}

/* As if nothing had been seen of it. */
static __always_inline void sctp_forget(struct flow *f)
{
	for (int i = 0; i < 2; i++)
		f->dir[i].sctp_tag = f->dir[i].sctp_first_tag = 0;
	sctp_set(f, SCTP_NONE);
}

/*
 * What packets of this direction shall carry, says the other end. It may say something else with each INIT ACK, since it keeps
 * nothing but a cookie; which of them counts, the COOKIE ECHO tells. The first stays good until then, so that a forged
 * INIT ends no handshake.
 */
static __always_inline void tag_offer(struct flow_dir *dir, __u32 tag)
{
	if (dir->sctp_tag && dir->sctp_tag != tag && !dir->sctp_first_tag)
		dir->sctp_first_tag = dir->sctp_tag;
	dir->sctp_tag = tag;
}

static __always_inline void tag_settle(struct flow_dir *dir, __u32 tag)
{
	dir->sctp_tag = tag;
	dir->sctp_first_tag = 0;
}

static __always_inline enum sctp_state advance_heartbeat(const struct pkt *p, struct flow *f)
{
	struct flow_dir *us = flow_us(f, p);

	if (p->sctp_chunks & SCTP_CHUNK(ABORT))
		return SCTP_CLOSED;
	if (!us->sctp_tag)
		us->sctp_tag = p->sctp_tag;
	return p->sctp_chunks & SCTP_CHUNK(HEARTBEAT_ACK) && !is_original(p, f) ? SCTP_ESTABLISHED :
										 SCTP_HEARTBEAT_SENT;
}

static __always_inline enum sctp_state advance_opening(const struct pkt *p, struct flow *f, enum sctp_state state)
{
	__u16 chunks = p->sctp_chunks;

	if (chunks & (SCTP_CHUNK(INIT) | SCTP_CHUNK(INIT_ACK)))
		tag_offer(flow_them(f, p), p->sctp_init_tag);
	if (chunks & SCTP_CHUNK(ABORT))
		return SCTP_CLOSED;
	if (chunks & SCTP_CHUNK(INIT_ACK) && state == SCTP_INIT)
		return SCTP_COOKIE_WAIT;
	if (chunks & SCTP_CHUNK(COOKIE_ECHO)) {
		tag_settle(flow_us(f, p), p->sctp_tag);
		return SCTP_COOKIE_ECHOED;
	}
	if (chunks & SCTP_CHUNK(COOKIE_ACK)) {
		tag_settle(flow_us(f, p), p->sctp_tag);
		return SCTP_ESTABLISHED;
	}
	return state;
}

static __always_inline enum sctp_state advance_open(const struct pkt *p, struct flow *f, enum sctp_state state)
{
	__u16 chunks = p->sctp_chunks;

	if (!flow_us(f, p)->sctp_tag)
		flow_us(f, p)->sctp_tag = p->sctp_tag;
	if (chunks & SCTP_CHUNK(ABORT))
		return SCTP_CLOSED;
	if (chunks & SCTP_CHUNK(SHUTDOWN) && state == SCTP_ESTABLISHED)
		return is_original(p, f) ? SCTP_SHUTDOWN_SENT : SCTP_SHUTDOWN_RECEIVED;
	if (chunks & SCTP_CHUNK(SHUTDOWN_ACK) && (state == SCTP_SHUTDOWN_SENT || state == SCTP_SHUTDOWN_RECEIVED))
		return SCTP_SHUTDOWN_ACK_SENT;
	if (chunks & SCTP_CHUNK(SHUTDOWN_COMPLETE) && state == SCTP_SHUTDOWN_ACK_SENT)
		return SCTP_CLOSED;
	return state;
}

static __always_inline enum sctp_state advanced(const struct pkt *p, struct flow *f, enum sctp_state state)
{
	switch (state) {
	case SCTP_NONE:
	case SCTP_HEARTBEAT_SENT:
		if (!(p->sctp_chunks & SCTP_CHUNK(INIT)))
			return advance_heartbeat(p, f);
		sctp_forget(f);
		tag_offer(flow_them(f, p), p->sctp_init_tag);
		return SCTP_INIT;
	case SCTP_INIT:
	case SCTP_COOKIE_WAIT:
	case SCTP_COOKIE_ECHOED:
		return advance_opening(p, f, state);
	default:
		return advance_open(p, f, state);
	}
}

/* Verified once for all hooks. */
__noinline int sctp_advance(struct pkt *p, struct flow *f)
{
	enum sctp_state before, after;

	if (!p || !f || p->tcp_fit & TCP_STAYS)
		return 0;
	before = sctp_state(f);
	/* Of an older version of the maps, which knew no states. */
	if (before == SCTP_NONE && !(p->flags & PKT_HALF_OPEN))
		before = SCTP_ESTABLISHED;
	after = advanced(p, f, before);
	if (after != sctp_state(f))
		sctp_set(f, after);
	if (after == SCTP_CLOSED && before != SCTP_CLOSED)
		flow_tell(p, f, FLOW_EVENT_CLOSED, 0);
	return 0;
}

/* An INIT or HEARTBEAT that the flow itself does not move with: see reopen.h. */
static __always_inline void sctp_begin_beside(const struct pkt *p, struct flow *f)
{
	sctp_forget(f);
	sctp_set(f, advanced(p, f, SCTP_NONE));
}

/* Of a packet in pieces the first moves it. */
static __always_inline void sctp_advance_whole(struct pkt *p, struct flow *f)
{
	if (WEFT_XDP || p->fragment != FRAGMENT_LATER)
		sctp_advance(p, f);
}

#endif
