/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcp: the connection's state, one half an end, as in pf; advanced when a segment, which tcp_check has let pass, really goes
 * on its way.
 * reads:  pkt.tcp_*, both directions of the flow
 * writes: flow.path[].tcp, flow.path[].flags, flow.dir[].tcp_*, flow.tcp_max_window
 * maps:   tenant_stats flow_watch flow_events
 * drops:  none
 */
#ifndef WEFT_STAGE_TCP_H
#define WEFT_STAGE_TCP_H

#include "include/flow_state.h"
#include "lib/count.h"
#include "lib/flow_event.h"
#include "stages/tcp_check.h"

/* The state of an end that has sent a FIN or got a RST concerns the other direction's packets too. */
static __always_inline void tcp_mark_closing(struct flow *f)
{
	f->path[0].flags |= FLOW_CLOSING;
	f->path[1].flags |= FLOW_CLOSING;
}

static __always_inline void tcp_mark_reset(struct flow *f)
{
	half_set(&f->path[0].tcp, TCP_HALF_RESET);
	half_set(&f->path[1].tcp, TCP_HALF_RESET);
	tcp_mark_closing(f);
}

static __always_inline void count_outside(const struct pkt *p)
{
	struct tenant_traffic *stats = tenant_counters(p->tenant);

	if (stats)
		stats->tcp_outside++;
}

static __always_inline void advance_syn(const struct pkt *p, struct flow *f)
{
	__u8 *us = flow_tcp(f, p->dir), *them = flow_tcp(f, p->dir ^ 1);

	if (FLOW_TCP_HALF(*us) <= TCP_HALF_SYN)
		syn_learn(p, f);
	if (p->tcp_flags & TCP_ACK && FLOW_TCP_HALF(*them) == TCP_HALF_SYN)
		half_set(them, TCP_HALF_ESTABLISHED);
}

static __always_inline void advance_ack(const struct pkt *p, struct flow *f)
{
	__u8 *us = flow_tcp(f, p->dir), *them = flow_tcp(f, p->dir ^ 1);

	if (FLOW_TCP_HALF(*them) == TCP_HALF_SYN)
		half_set(them, TCP_HALF_ESTABLISHED);
	if (p->tcp_flags & TCP_FIN) {
		if (FLOW_TCP_HALF(*us) < TCP_HALF_FIN)
			half_set(us, TCP_HALF_FIN);
		tcp_mark_closing(f);
	}
	window_learn(p, f);
	if (FLOW_TCP_HALF(*them) == TCP_HALF_FIN && !seq_after(flow_them(f, p)->tcp_end, p->tcp_ack))
		half_set(them, TCP_HALF_FIN_ACKED);
}

/* The segment's first fragment has moved the connection; the bytes of a later one are sent as well. */
static __always_inline void tcp_advance_fragment(const struct pkt *p, struct flow_dir *us)
{
	__u32 end = p->tcp_seq + p->payload + !!(p->tcp_flags & TCP_SYN) + !!(p->tcp_flags & TCP_FIN);

	seq_advance(&us->tcp_end, end);
}

/* See tcp_check_slowly. */
__noinline int tcp_advance_slowly(struct pkt *p, struct flow *f)
{
	bool closed;

	if (!p || !f)
		return 0;
	closed = flow_is_closed(f, IPPROTO_TCP);
	if (p->tcp_fit & TCP_OUTSIDE)
		count_outside(p);
	if (p->tcp_fit & TCP_STAYS) {
		/* A challenge: see is_challenge. */
		if (FLOW_TCP_HALF(*flow_tcp(f, p->dir)) == TCP_HALF_NONE)
			flow_us(f, p)->tcp_end = p->tcp_ack;
	} else if (p->tcp_flags & TCP_RST) {
		tcp_mark_reset(f);
	} else if (p->tcp_flags & TCP_SYN) {
		advance_syn(p, f);
	} else {
		advance_ack(p, f);
	}
	if (!closed && flow_is_closed(f, IPPROTO_TCP))
		flow_tell(p, f, FLOW_EVENT_CLOSED, 0);
	return 0;
}

static __always_inline void tcp_advance(struct pkt *p, struct flow *f)
{
	if (!WEFT_XDP && p->fragment == FRAGMENT_LATER)
		tcp_advance_fragment(p, flow_us(f, p));
	else if (tcp_is_plain(p, f) && !p->tcp_fit)
		window_learn(p, f);
	else
		tcp_advance_slowly(p, f);
}

#endif
