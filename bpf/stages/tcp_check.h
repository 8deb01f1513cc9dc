/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcp_check: may the segment pass, and does the connection move with it when it really goes on its way (tcp.h)? Asked in
 * each hook before anything comes of the packet, so no function on the receiver's wire is shown what the receiver must not
 * get. docs/CONNTRACK.md has the rules, and where nf_conntrack differs.
 * reads:  pkt.tcp_*, both directions of the flow
 * writes: pkt.tcp_fit
 * maps:   tenants
 * drops:  ct_tcp_state ct_tcp_window icmp_unrelated
 */
#ifndef WEFT_STAGE_TCP_CHECK_H
#define WEFT_STAGE_TCP_CHECK_H

#include "stages/tcp_window.h"

/* What is beside the numbers' bounds passes where the tenant, or what is known of the flow, says that they cannot be told. */
static __always_inline bool is_liberal(const struct pkt *p, const struct flow *f)
{
	const struct tenant *t;

	if (*flow_flags(f, p->dir) & FLOW_LIBERAL)
		return true;
	t = tenant_at(p->tenant);
	return t && t->flags & TENANT_LIBERAL;
}

static __always_inline enum verdict stays(struct pkt *p)
{
	p->tcp_fit |= TCP_STAYS;
	return V_NEXT;
}

static __always_inline enum verdict outside(struct pkt *p, const struct flow *f)
{
	if (!is_liberal(p, f))
		return drop(p, DROP_CT_TCP_WINDOW);
	p->tcp_fit |= TCP_OUTSIDE;
	return V_NEXT;
}

static __always_inline bool is_original(const struct pkt *p, const struct flow *f)
{
	return *flow_flags(f, p->dir) & FLOW_ORIGINAL;
}

/* Exactly the other end's SYN, and what data it carried (RFC 7413), not a byte more or less. */
static __always_inline bool acks_syn(const struct pkt *p, const struct flow *f)
{
	return seq_between(flow_us(f, p)->tcp_max_ack, p->tcp_ack, flow_them(f, p)->tcp_end);
}

static __always_inline enum verdict check_syn(struct pkt *p, const struct flow *f, __u8 us, __u8 them)
{
	/* Begins, repeats, or opens from both sides. */
	if (us <= TCP_HALF_SYN && them <= TCP_HALF_SYN)
		return V_NEXT;
	/*
	 * It changes nothing in a connection, but who began that may have forgotten it: the receiver's challenge ACK
	 * (RFC 5961, 4), and the RST that answers that, tell.
	 */
	return is_original(p, f) ? stays(p) : drop(p, DROP_CT_TCP_STATE);
}

static __always_inline enum verdict check_syn_ack(struct pkt *p, const struct flow *f, __u8 us, __u8 them)
{
	if (them == TCP_HALF_NONE)
		return drop(p, DROP_CT_TCP_STATE);
	/* The second: SYN-ACKs that cross, where both ends opened at once. */
	if (us <= TCP_HALF_SYN || them == TCP_HALF_SYN)
		return acks_syn(p, f) ? V_NEXT : outside(p, f);
	/* Repeated, since the ACK for it was lost. */
	stays(p);
	return ack_fits(p, f) && seq_fits_after_excess(p, f) ? V_NEXT : outside(p, f);
}

/*
 * RFC 5961, 3: only a RST with the very number that the receiver waits for ends the connection: that after the last byte that
 * it acknowledged, or after the last that was sent. Another in the receiver's window passes and ends nothing here: the receiver
 * answers it with a challenge ACK, and a sender that means it then hits the number.
 */
static __always_inline enum verdict check_rst(struct pkt *p, const struct flow *f, __u8 us, __u8 them)
{
	const struct flow_dir *sent = flow_us(f, p), *received = flow_them(f, p);
	/*
	 * A function's own acknowledges what it was shown and has kept, which has not gone on its way; and where a function
	 * alters streams, or the beginning was not seen, the two directions' numbers need not fit each other.
	 */
	bool exact, ack = p->tcp_flags & TCP_ACK && !(p->flags & PKT_MADE) && !(*flow_flags(f, p->dir) & FLOW_LIBERAL);

	/* A function has kept the SYN. */
	if (us == TCP_HALF_NONE && them == TCP_HALF_NONE)
		return p->flags & PKT_MADE ? V_NEXT : drop(p, DROP_CT_TCP_STATE);
	/* A SYN refused: only what it acknowledges tells that the sender got it (RFC 9293, 3.10.7.3). */
	if (us == TCP_HALF_NONE && ack && acks_syn(p, f))
		return V_NEXT;
	exact = us != TCP_HALF_NONE &&
		(p->tcp_seq == sent->tcp_end ||
		 p->tcp_seq == (them == TCP_HALF_NONE ? received->tcp_end : received->tcp_max_ack));
	/* Some stacks set ACK without a number. */
	if (us != TCP_HALF_NONE && (!ack || !p->tcp_ack || (them != TCP_HALF_NONE && ack_fits(p, f)))) {
		if (exact)
			return V_NEXT;
		if (them != TCP_HALF_NONE && seq_between(received->tcp_max_ack, p->tcp_seq, received->tcp_max_end))
			return stays(p);
	}
	stays(p);
	return outside(p, f);
}

/*
 * A pure ACK to a SYN, by an end that has not sent its own: it believes in an older connection of the same ports, and the RST
 * that this ACK asks for will have its number (RFC 9293, 3.5.1, half-open connections). tcp.h leaves it in that end's tcp_end.
 */
static __always_inline bool is_challenge(const struct pkt *p, const struct flow *f, __u8 us, __u8 them)
{
	return us <= TCP_HALF_SYN && them == TCP_HALF_SYN && !is_original(p, f) && !p->payload &&
	       !(p->tcp_flags & TCP_FIN);
}

static __always_inline enum verdict check_ack(struct pkt *p, const struct flow *f, __u8 us, __u8 them)
{
	if (them == TCP_HALF_NONE)
		return drop(p, DROP_CT_TCP_STATE);
	if (us == TCP_HALF_NONE || (us == TCP_HALF_SYN && them == TCP_HALF_SYN))
		return is_challenge(p, f, us, them) ? stays(p) : drop(p, DROP_CT_TCP_STATE);
	if (!seq_fits_after_excess(p, f) || !(them == TCP_HALF_SYN ? acks_syn(p, f) : ack_fits(p, f)))
		return outside(p, f);
	return V_NEXT;
}

/* Everything but the plain segment of an established connection. Verified once for all hooks. */
__noinline int tcp_check_slowly(struct pkt *p, const struct flow *f)
{
	__u8 us, them;

	if (!p || !f)
		return V_DROP;
	us = FLOW_TCP_HALF(*flow_tcp(f, p->dir));
	them = FLOW_TCP_HALF(*flow_tcp(f, p->dir ^ 1));
	if (p->tcp_flags & TCP_RST)
		return check_rst(p, f, us, them);
	/* Reset before there was a connection: no windows are known by which anything else could pass. */
	if (p->flags & PKT_HALF_OPEN && us == TCP_HALF_RESET)
		return drop(p, DROP_CT_TCP_STATE);
	if (p->tcp_flags & TCP_SYN)
		return p->tcp_flags & TCP_ACK ? check_syn_ack(p, f, us, them) : check_syn(p, f, us, them);
	return check_ack(p, f, us, them);
}

/* The one kind of segment that most packets are, in the one state that most meet. */
static __always_inline bool tcp_is_plain(const struct pkt *p, const struct flow *f)
{
	return (p->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK)) == TCP_ACK &&
	       !(p->flags & PKT_HALF_OPEN) && !(*flow_flags(f, p->dir) & FLOW_CLOSING);
}

static __always_inline enum verdict tcp_check(struct pkt *p, const struct flow *f)
{
	if (tcp_is_plain(p, f) && seq_fits(p, f, flow_us(f, p)->tcp_end) && ack_fits(p, f))
		return V_NEXT;
	return tcp_check_slowly(p, f);
}

/*
 * An ICMP error that quotes a segment of the other direction: one that may still be on its way, so that who does not see the
 * connection cannot forge it (RFC 5927, 4.1). A keep-alive has the number before.
 */
static __always_inline enum verdict icmp_check(struct pkt *p, const struct flow *f)
{
	const struct flow_dir *us = flow_us(f, p), *them = flow_them(f, p);

	if ((FLOW_TCP_HALF(*flow_tcp(f, p->dir ^ 1)) != TCP_HALF_NONE &&
	     seq_between(us->tcp_max_ack - 1, p->tcp_seq, them->tcp_end)) || is_liberal(p, f))
		return V_NEXT;
	return drop(p, DROP_ICMP_UNRELATED);
}

#endif
