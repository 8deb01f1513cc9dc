/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcp: the connection's state, one half an end, as in pf; advanced when a segment really goes on its way.
 * reads:  pkt.tcp_*, both directions of the flow
 * writes: flow.tcp, flow.flags, flow.dir[].tcp_end
 * maps:   none
 * drops:  ct_tcp_state
 */
#ifndef WEFT_STAGE_TCP_H
#define WEFT_STAGE_TCP_H

#include "lib/flow_key.h"

static __always_inline bool tcp_closed(const struct flow *f)
{
	__u32 state = tcp_timeout(FLOW_TCP_HALF(f->tcp[0]), FLOW_TCP_HALF(f->tcp[1]));

	return state == CT_TCP_CLOSED || state == CT_TCP_TIME_WAIT;
}

/* Sequence numbers wrap (RFC 9293, 3.4). */
static __always_inline bool seq_after(__u32 a, __u32 b)
{
	return (__s32)(a - b) > 0;
}

static __always_inline void half_set(__u8 *tcp, enum tcp_half half)
{
	*tcp = FLOW_TCP(half, FLOW_TCP_SCALE(*tcp));
}

/* The state of an end that has sent a FIN or got a RST concerns the other direction's packets too. */
static __always_inline void tcp_mark_closing(struct flow *f)
{
	f->flags[0] |= FLOW_CLOSING;
	f->flags[1] |= FLOW_CLOSING;
}

static __always_inline void tcp_mark_reset(struct flow *f)
{
	half_set(&f->tcp[0], TCP_HALF_RESET);
	half_set(&f->tcp[1], TCP_HALF_RESET);
	tcp_mark_closing(f);
}

static __always_inline enum verdict tcp_syn(struct pkt *p, struct flow *f)
{
	__u8 *us = flow_tcp(f, p->dir), *them = flow_tcp(f, p->dir ^ 1);

	/* SYN-ACK answers a SYN, and may be repeated; a lone SYN begins, repeats, or opens from both sides. */
	if (p->tcp_flags & TCP_ACK) {
		if (FLOW_TCP_HALF(*them) == TCP_HALF_NONE)
			return drop(p, DROP_CT_TCP_STATE);
		if (FLOW_TCP_HALF(*them) == TCP_HALF_SYN)
			half_set(them, TCP_HALF_ESTABLISHED);
	}
	/* In an established flow it changes nothing: the receiver answers with a challenge ACK (RFC 5961, 4). */
	if (FLOW_TCP_HALF(*us) == TCP_HALF_NONE) {
		half_set(us, TCP_HALF_SYN);
		flow_us(f, p)->tcp_end = p->tcp_seq + p->payload + 1;
	}
	return V_NEXT;
}

/* Everything but the plain segment of an established connection. */
static __noinline int tcp_advance_slowly(struct pkt *p, struct flow *f)
{
	__u8 *us = flow_tcp(f, p->dir), *them = flow_tcp(f, p->dir ^ 1);
	struct flow_dir *sent = flow_us(f, p);
	__u32 end = p->tcp_seq + p->payload;

	if (p->tcp_flags & TCP_SYN)
		return tcp_syn(p, f);
	if (p->tcp_flags & TCP_RST) {
		/* The other end must have spoken, else there is nothing to reset. */
		if (FLOW_TCP_HALF(*them) == TCP_HALF_NONE && FLOW_TCP_HALF(*us) == TCP_HALF_NONE)
			return drop(p, DROP_CT_TCP_STATE);
		tcp_mark_reset(f);
		return V_NEXT;
	}
	/* Neither SYN nor RST, from an end that never sent a SYN. */
	if (FLOW_TCP_HALF(*us) == TCP_HALF_NONE || !(p->tcp_flags & TCP_ACK))
		return drop(p, DROP_CT_TCP_STATE);
	if (FLOW_TCP_HALF(*them) == TCP_HALF_SYN)
		half_set(them, TCP_HALF_ESTABLISHED);
	if (p->tcp_flags & TCP_FIN) {
		end++;
		if (FLOW_TCP_HALF(*us) < TCP_HALF_FIN)
			half_set(us, TCP_HALF_FIN);
		tcp_mark_closing(f);
	}
	if (seq_after(end, sent->tcp_end))
		sent->tcp_end = end;
	if (FLOW_TCP_HALF(*them) == TCP_HALF_FIN && !seq_after(flow_them(f, p)->tcp_end, p->tcp_ack))
		half_set(them, TCP_HALF_FIN_ACKED);
	return V_NEXT;
}

/* The segment's first fragment has moved the connection; the bytes of a later one are sent as well. */
static __always_inline enum verdict tcp_advance_fragment(const struct pkt *p, struct flow_dir *us)
{
	__u32 end = p->tcp_seq + p->payload + !!(p->tcp_flags & TCP_SYN) + !!(p->tcp_flags & TCP_FIN);

	if (seq_after(end, us->tcp_end))
		us->tcp_end = end;
	return V_NEXT;
}

static __always_inline enum verdict tcp_advance(struct pkt *p, struct flow *f)
{
	struct flow_dir *sent = flow_us(f, p);
	__u32 end = p->tcp_seq + p->payload;

	if (!WEFT_XDP && p->fragment == FRAGMENT_LATER)
		return tcp_advance_fragment(p, sent);
	/* The one state that most packets meet. */
	if (FLOW_TCP_HALF(*flow_tcp(f, p->dir)) == TCP_HALF_ESTABLISHED &&
	    !(*flow_flags(f, p->dir) & FLOW_CLOSING) &&
	    !(p->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST)) && p->tcp_flags & TCP_ACK &&
	    !(p->flags & PKT_HALF_OPEN)) {
		if (seq_after(end, sent->tcp_end))
			sent->tcp_end = end;
		return V_NEXT;
	}
	return tcp_advance_slowly(p, f);
}

#endif
