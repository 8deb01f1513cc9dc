/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcp_window: what may be on its way in each direction of a connection, learned from what both ends have said
 * (G. van Rooij, Real Stateful TCP Packet Filtering in IP Filter, 2001). Each direction writes its own line alone, but for
 * the handshake.
 * reads:  pkt.tcp_*, pkt.payload, both directions of the flow
 * writes: flow.dir[].tcp_*, flow.tcp_max_window, flow.path[].tcp
 * maps:   none
 * drops:  none
 */
#ifndef WEFT_STAGE_TCP_WINDOW_H
#define WEFT_STAGE_TCP_WINDOW_H

#include "lib/flow_key.h"

/* An acknowledgement may always be this far behind (as in nf_conntrack): 64 KB and a segment. */
#define TCP_ACK_BEHIND 66000

/* Sequence numbers wrap (RFC 9293, 3.4). What is half a round away counts as after, whichever way it is asked. */
static __always_inline bool seq_after(__u32 a, __u32 b)
{
	return (__s32)(b - a) < 0;
}

static __always_inline bool seq_between(__u32 first, __u32 seq, __u32 last)
{
	return seq - first <= last - first;
}

static __always_inline void half_set(__u8 *tcp, enum tcp_half half)
{
	*tcp = FLOW_TCP(half, FLOW_TCP_SCALE(*tcp));
}

/* The number after the segment's last: a FIN counts as a byte, and so does a SYN. */
static __always_inline __u32 segment_end(const struct pkt *p)
{
	return p->tcp_seq + p->payload + !!(p->tcp_flags & TCP_SYN) + !!(p->tcp_flags & TCP_FIN);
}

/* Bytes of the largest window that the end has announced. */
static __always_inline __u32 window_of(const struct flow *f, __u32 dir)
{
	return (__u32)*flow_window(f, dir) << FLOW_TCP_SCALE(*flow_tcp(f, dir));
}

/* Conditions III and IV: it acknowledges what was sent, and not what was acknowledged long ago. */
static __always_inline bool ack_fits(const struct pkt *p, const struct flow *f)
{
	__u32 sent = flow_them(f, p)->tcp_end, behind = window_of(f, p->dir);

	if (behind < TCP_ACK_BEHIND)
		behind = TCP_ACK_BEHIND;
	return seq_between(sent - behind, p->tcp_ack, sent);
}

/*
 * Conditions I and II: it begins no later than the other end allows, and ends no earlier than what that can still wait
 * for: a segment may have been sent again, be a keep-alive with the number before, or try a closed window with a byte too many.
 */
static __always_inline bool seq_fits(const struct pkt *p, const struct flow *f, __u32 sent)
{
	return !seq_after(p->tcp_seq, flow_them(f, p)->tcp_max_end) &&
	       !seq_after(sent - window_of(f, p->dir ^ 1), segment_end(p));
}

/* Who was allowed less than a segment, and sent a whole one, may yet repeat all before that. */
static __always_inline bool seq_fits_after_excess(const struct pkt *p, const struct flow *f)
{
	__u32 sent = flow_us(f, p)->tcp_end, allowed = flow_them(f, p)->tcp_max_end;

	return seq_fits(p, f, seq_after(sent, allowed) ? allowed : sent);
}

/* ---- learning ---- */

#define ADVANCE_TRIES 8	/* each fails once for another CPU that has gone on in between */

/*
 * Only forwards, whatever other CPUs write: segments of one direction meet on two where a sender writes on one while
 * acknowledgements let it go on on the other. The lower number, if it came last, would make what is right look forged.
 */
static __always_inline void seq_advance(__u32 *number, __u32 to)
{
	__u32 was = *(volatile __u32 *)number;

	for (int i = 0; i < ADVANCE_TRIES && seq_after(to, was); i++) {
		__u32 now = __sync_val_compare_and_swap(number, was, to);

		if (now == was)
			return;
		was = now;
	}
}

static __always_inline void window_learn(const struct pkt *p, struct flow *f)
{
	__u32 edge = p->tcp_ack + ((__u32)p->tcp_window << FLOW_TCP_SCALE(*flow_tcp(f, p->dir))), end = segment_end(p);
	__u16 *window = flow_window(f, p->dir);
	struct flow_dir *us = flow_us(f, p);

	seq_advance(&us->tcp_end, end);
	/* This and the window may fall behind so: no segment in order is dropped for it, and the next one says as much again. */
	if (seq_after(p->tcp_ack, us->tcp_max_ack))
		us->tcp_max_ack = p->tcp_ack;
	if (p->tcp_window > *window)
		*window = p->tcp_window;
	/* A closed window is tried with a byte beyond it. */
	if (!p->tcp_window)
		edge++;
	seq_advance(&us->tcp_max_end, edge);
}

static __always_inline __u16 scaled_down(__u16 bytes, __u32 scale)
{
	return (bytes + (1U << scale) - 1) >> scale;
}

/* Both SYNs have been seen, this one last: scales count if both ends offered one (RFC 7323, 2.2). */
static __always_inline void scales_settle(const struct pkt *p, struct flow *f)
{
	__u8 *us = flow_tcp(f, p->dir), *them = flow_tcp(f, p->dir ^ 1);
	__u16 *window = flow_window(f, p->dir ^ 1);

	if (FLOW_TCP_SCALE(*us) == FLOW_TCP_UNSCALED || FLOW_TCP_SCALE(*them) == FLOW_TCP_UNSCALED) {
		*us = FLOW_TCP_HALF(*us);
		*them = FLOW_TCP_HALF(*them);
	}
	*window = scaled_down(*window, FLOW_TCP_SCALE(*them));
}

/*
 * A SYN of an end whose SYN has not been acknowledged: the first, the same again, or one with other numbers (a server that
 * keeps nothing but a cookie counts on with each). A scale that was offered stays so: the answer says whether it was taken up.
 */
static __always_inline void syn_learn(const struct pkt *p, struct flow *f)
{
	__u8 *our_tcp = flow_tcp(f, p->dir), *their_tcp = flow_tcp(f, p->dir ^ 1);
	struct flow_dir *us = flow_us(f, p), *them = flow_them(f, p);
	__u16 *our_window = flow_window(f, p->dir), window = p->tcp_window ? p->tcp_window : 1;
	bool first = FLOW_TCP_HALF(*our_tcp) == TCP_HALF_NONE;
	bool both = FLOW_TCP_HALF(*their_tcp) != TCP_HALF_NONE;
	bool again = !first && them->tcp_max_ack == p->tcp_seq + 1;
	__u32 theirs = window_of(f, p->dir ^ 1), end = segment_end(p);

	if (first || (!both && p->tcp_scale != FLOW_TCP_UNSCALED))
		*our_tcp = FLOW_TCP(TCP_HALF_SYN, p->tcp_scale);
	/* Sent again it may leave out its data, which the other end may have got all the same. */
	if (!again || seq_after(end, us->tcp_end))
		us->tcp_end = end;
	*our_window = window;
	them->tcp_max_ack = p->tcp_seq + 1;
	if (!both)
		return;
	if (first) {
		theirs = *flow_window(f, p->dir ^ 1);
		scales_settle(p, f);
	}
	*our_window = scaled_down(window, FLOW_TCP_SCALE(*our_tcp));
	if (p->tcp_flags & TCP_ACK)
		us->tcp_max_ack = p->tcp_ack;
	/* A SYN's own window is never scaled. */
	us->tcp_max_end = us->tcp_max_ack + window;
	them->tcp_max_end = p->tcp_seq + 1 + theirs;
}

/*
 * Picked up in the middle: what one segment tells, with the largest scale there is. What was on its way before nobody knows,
 * so nothing is dropped by these windows.
 */
static __always_inline void window_pick_up(const struct pkt *p, struct flow *f)
{
	struct flow_dir *us = flow_us(f, p), *them = flow_them(f, p);

	for (int i = 0; i < 2; i++) {
		f->path[i].tcp = FLOW_TCP(TCP_HALF_ESTABLISHED, FLOW_TCP_SCALE_MAX);
		f->path[i].flags |= FLOW_LIBERAL;
	}
	us->tcp_end = us->tcp_max_end = them->tcp_max_ack = p->tcp_seq;
	us->tcp_max_ack = them->tcp_end = them->tcp_max_end = p->tcp_ack;
	window_learn(p, f);
	them->tcp_max_end = us->tcp_end;
}

#endif
