/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * admit: the slow part of flow: a packet without a flow, or with one that must be judged again, gets its
 * target and its verdict. A function of its own, verified once for all hooks.
 * reads:  struct pkt
 * writes: pkt.to, pkt.rule, PKT_STATELESS; a new flow, or this direction's verdict in a known one
 * maps:   as flow
 * drops:  as flow, and those of tcp_check
 */
#ifndef WEFT_STAGE_ADMIT_H
#define WEFT_STAGE_ADMIT_H

#include "lib/scratch.h"
#include "stages/assure.h"
#include "stages/existing.h"
#include "stages/proxied.h"
#include "stages/reopen.h"

/*
 * V_UP, before any effect, where XDP cannot answer what is refused. `again`: of a flow that is there. Not inlined, as
 * resolve() is not.
 */
__noinline int judge_ends(struct pkt *p, struct acl_query *q, __u32 sender, __u32 receiver, bool again)
{
	bool out = FLOW_TARGET_KIND(sender) == TARGET_PORT, in = FLOW_TARGET_KIND(receiver) == TARGET_PORT;
	struct scratch *room = scratch_here();
	const struct tenant *t;
	enum verdict v = V_NEXT;

	if (!p || !q)
		return V_DROP;
	t = tenant_at(p->tenant);
	if (!t || !room)
		return drop(p, DROP_INTERNAL);
	if (out) {
		v = judge_port(p, q, t, FLOW_TARGET_INDEX(sender), FROM_WORKLOAD);
		room->out = answer_of(q);
		in = in && !v;
	}
	if (in)
		v = judge_port(p, q, t, FLOW_TARGET_INDEX(receiver), TO_WORKLOAD);
	if (WEFT_XDP && v == V_REJECT)
		return V_UP;
	if (in)
		account(p, q, again);
	if (out) {
		set_answer(q, FLOW_TARGET_INDEX(sender), FROM_WORKLOAD, &room->out);
		account(p, q, again);
	}
	return v;
}

static __always_inline void flow_remember(struct flow *f, const struct pkt *p, __u32 epoch, enum verdict v)
{
	struct flow_path *us = flow_our_path(f, p);

	us->flags &= ~(FLOW_DENIED | FLOW_REJECT);
	if (v)
		us->flags |= v == V_REJECT ? FLOW_DENIED | FLOW_REJECT : FLOW_DENIED;
	f->rule = p->rule;
	us->target = v ? p->reason : p->to;
	us->source = p->from;
	/* Judging again makes no flow younger, nor older; but towards another MAC it is another flow. */
	if (!mac_equal(us->mac, p->destination_mac))
		f->born = flow_birth(p, epoch);
	mac_copy(us->mac, p->destination_mac);
	/* Last: a packet on another CPU that sees the epoch sees the verdict too. */
	barrier();
	us->epoch = epoch;
}

/* Where packets of this direction went; where they are denied, the other's origin is known. */
static __always_inline __u32 flow_leads_to(const struct flow *f, const struct pkt *p)
{
	const struct flow_path *us = flow_our_path(f, p);

	return us->flags & FLOW_DENIED ? flow_their_path(f, p)->source : us->target;
}

static __always_inline enum verdict flow_create(struct pkt *p, const struct tenant *t, __u32 epoch)
{
	struct tenant_traffic *stats;
	struct scratch *room = scratch_here();
	struct flow *f;
	long error;

	if (p->flags & PKT_NO_CREATE)
		return drop(p, DROP_SF_NO_FLOW);
	if (!room)
		return drop(p, DROP_INTERNAL);
	f = &room->flow;
	flow_begin(f, p, t, epoch);
	if (p->proxy == PROXY_OPENS) {
		if (!proxied_put(p))
			return drop(p, DROP_CT_FULL);
		f->path[0].flags |= FLOW_PROXIED;
		f->path[1].flags |= FLOW_PROXIED;
	}
	error = flow_store(p, f);
	if (error)
		return flow_inserted(p, f, error);
	stats = tenant_counters(p->tenant);
	if (stats)
		stats->flows++;
	if (stats && p->proxy == PROXY_OPENS)
		stats->syn_cookies_valid++;
	flow_tell(p, f, FLOW_EVENT_NEW, 0);
	return V_NEXT;
}

static __always_inline enum verdict cookie_forged(struct pkt *p)
{
	struct tenant_traffic *stats = tenant_counters(p->tenant);

	if (p->reason != DROP_CT_INVALID)
		return V_DROP;
	if (stats)
		stats->syn_cookies_invalid++;
	return drop(p, DROP_SYN_COOKIE);
}

__noinline int flow_admit(struct pkt *p)
{
	struct scratch *room = scratch_here();
	const struct tenant *t;
	struct acl_query *q;
	struct flow *f = NULL;
	bool original;
	enum verdict v;
	__u32 epoch;

	if (!p)
		return V_DROP;
	t = tenant_at(p->tenant);
	if (!t || !room)
		return drop(p, DROP_INTERNAL);
	q = &room->query;
	/* Before the ACL is looked at: the writer swaps that first and bumps the epoch after. */
	epoch = *(const volatile __u32 *)&t->epoch;
	v = resolve(p);
	if (v)
		return v;
	if (WEFT_XDP && !can_output(p))
		return V_UP;
	/* Of a known flow too: its packets may come from elsewhere than before, but not from anywhere. */
	v = check_origin(p);
	if (v)
		return v;
	__builtin_memset(q, 0, sizeof(*q));
	query_from(q, p);
	if (is_stateless(p)) {
		p->flags |= PKT_STATELESS;
	} else {
		f = flow_find(p, t);
		if (f && flow_is_over(f, p, t)) {
			flow_remove(p, flow_expired(f, p->flow_protocol, t) ? FLOW_EXPIRED : FLOW_REPLACED);
			f = NULL;
		}
		if (!f && p->flags & PKT_ICMP_ERROR)
			return drop(p, DROP_ICMP_UNRELATED);
		if (WEFT_XDP && !f && has_syn_proxy(t) && is_syn(p) && !can_send(p, p->from))
			return V_UP;
		if (!f && has_syn_proxy(t) && cookie_opens(p)) {
			if (WEFT_XDP)
				return V_UP;
			q->tcp_flags = p->tcp_flags;
		}
		if (!f && !may_begin(p, t))
			q->ct_state = CT_STATE_INVALID;
	}
	original = !f || *flow_flags(f, p->dir) & FLOW_ORIGINAL;
	if (f) {
		if (WEFT_XDP && ends_towards(p, f))
			return V_UP;
		query_again(q, p, f, original);
		/*
		 * Judged in this epoch, and between the same ends. Other ends are another question, since ACL in is
		 * asked of the port that gets the packet: whoever sends picks the MAC that leads there.
		 */
		if (flow_our_path(f, p)->epoch == epoch && flow_leads_to(f, p) == p->to &&
		    !(*flow_flags(f, p->dir) & FLOW_DENIED)) {
			p->rule = f->rule;
			flow_remember(f, p, epoch, V_NEXT);
			return V_NEXT;
		}
		/* A reply goes back to who began: with another MAC it is somebody's else, whose ACL in was not asked. */
		if (!original && flow_our_path(f, p)->epoch == epoch && flow_leads_to(f, p) != p->to)
			return drop(p, DROP_CT_INVALID);
	}
	v = judge_ends(p, q, original ? p->from : p->to, original ? p->to : p->from, f);
	if (v == V_UP)
		return v;
	if (f) {
		/* A flow in progress stays one, also where a stateless rule matches now. */
		p->flags &= ~PKT_STATELESS;
		flow_remember(f, p, epoch, v);
		return v;
	}
	if (p->proxy == PROXY_FORGED && v == V_DROP)
		return cookie_forged(p);
	if (v || p->flags & PKT_STATELESS)
		return v;
	return wants_cookie(p) ? V_COOKIE : flow_create(p, t, epoch);
}

/* ---- the fast part ---- */

static __always_inline bool flow_is_settled(const struct flow *f, const struct pkt *p, const struct tenant *t)
{
	const struct flow_path *us = flow_our_path(f, p);

	return us->epoch == t->epoch && us->source == p->from && mac_equal(us->mac, p->destination_mac) &&
	       (jiffies32() - flow_us(f, p)->last_seen < t->shortest || !flow_expired(f, p->flow_protocol, t)) &&
	       !(us->flags & (FLOW_CLOSING | FLOW_PROXIED) && asks_anew(p));
}

/* Each packet that is denied counts, also where the rules need not be asked again. */
static __always_inline enum verdict flow_denied(struct pkt *p, bool answered, __u8 reason)
{
	p->reason = reason;
	if (WEFT_XDP && answered)
		return V_UP;
	count_hit(p, reason == DROP_ACL_OUT ? FROM_WORKLOAD : TO_WORKLOAD);
	return answered ? V_REJECT : V_DROP;
}

/* Does the packet fit the connection's state and windows, or tags? */
static __always_inline enum verdict flow_check(struct pkt *p, const struct flow *f)
{
	/* Of a packet in pieces the first tells. */
	if (!shakes_hands(p->flow_protocol) || (!WEFT_XDP && p->fragment == FRAGMENT_LATER))
		return V_NEXT;
	if (p->flow_protocol == IPPROTO_SCTP)
		return p->flags & PKT_ICMP_ERROR ? sctp_icmp_check(p, f) : sctp_check(p, f);
	return p->flags & PKT_ICMP_ERROR ? icmp_check(p, f) : tcp_check(p, f);
}

/* The packet's flow, judged, in *flow; NULL there if the packet passes without one. */
static __always_inline enum verdict flow(struct pkt *p, struct flow **flow)
{
	const struct tenant *t = tenant_at(p->tenant);
	struct flow *f = NULL;
	const struct flow_path *us;
	enum verdict v;

	*flow = NULL;
	if (!t)
		return drop(p, DROP_INTERNAL);
	if (!is_stateless(p)) {
		flow_key(p);
		f = flow_find(p, t);
	}
	if (!f || !flow_is_settled(f, p, t)) {
		v = flow_admit(p);
		if (v || p->flags & PKT_STATELESS)
			return v;
		f = flow_find(p, t);
		if (!f)
			return drop(p, DROP_INTERNAL);
	}
	us = flow_our_path(f, p);
	p->rule = f->rule;
	if (us->flags & FLOW_DENIED)
		return flow_denied(p, us->flags & FLOW_REJECT, us->target);
	p->to = us->target;
	*flow = f;
	if (!can_output(p))
		return V_UP;
	if (us->flags & FLOW_PROXIED) {
		v = proxied_numbers(p, f);
		if (v)
			return v;
	}
	v = flow_check(p, f);
	if ((v || p->tcp_fit) && may_reopen(p, us->flags)) {
		f = reopen_find(p);
		if (f) {
			*flow = f;
			return V_NEXT;
		}
	}
	return v;
}

/*
 * Another CPU has been faster with another segment of the connection, of its flow as it was before this one or after. What
 * this one has told may be in the handshake's alone, which goes.
 */
static __always_inline void learn_again(struct pkt *p)
{
	struct flow *f;

	if (p->protocol != IPPROTO_TCP)
		return;
	f = p->family == FAMILY_IPV4 ? flow_anywhere(p, true) : flow_anywhere(p, false);
	if (f)
		tcp_advance_slowly(p, f);
}

/* A handshake is done: the flow moves to where nothing evicts it. */
static __noinline int flow_promote(struct pkt *p, struct flow *f)
{
	const struct tenant *t = tenant_at(p->tenant);
	struct scratch *room = scratch_here();
	enum verdict v;
	long error;

	if (!room)
		return drop(p, DROP_INTERNAL);
	room->flow = *f;
	if (p->tcp_fit & TCP_BESIDE) {
		p->flags &= ~PKT_HALF_OPEN;
		flow_remove(p, FLOW_REPLACED);
		p->flags |= PKT_HALF_OPEN;
	}
	error = flow_insert(p);
	v = flow_inserted(p, &room->flow, error);
	if (v)
		return v;
	flow_remove(p, FLOW_MOVED);
	if (error) {
		learn_again(p);
		return V_NEXT;
	}
	flow_tell(p, &room->flow, FLOW_EVENT_ESTABLISHED, 0);
	if (t && p->protocol == IPPROTO_TCP && !(room->flow.path[0].flags & FLOW_PROXIED))
		handshake_relieves(p, t);
	return v;
}

static __always_inline bool handshake_done(const struct flow *f, __u8 protocol)
{
	__u8 a = FLOW_TCP_HALF(f->path[0].tcp), b = FLOW_TCP_HALF(f->path[1].tcp);

	if (protocol == IPPROTO_SCTP)
		return sctp_state(f) == SCTP_ESTABLISHED;
	return a >= TCP_HALF_ESTABLISHED && b >= TCP_HALF_ESTABLISHED && a != TCP_HALF_RESET &&
	       b != TCP_HALF_RESET;
}

/* The packet really goes on its way: only now does the flow move, so a segment that a function drops does not. */
static __always_inline enum verdict flow_advance(struct pkt *p, struct flow *f)
{
	struct flow_dir *us;

	if (!f || p->flags & PKT_ICMP_ERROR)
		return V_NEXT;
	us = flow_us(f, p);
	if (p->protocol == IPPROTO_TCP)
		tcp_advance(p, f);
	else if (p->protocol == IPPROTO_SCTP)
		sctp_advance_whole(p, f);
	else
		assure(p, f);
	if (p->tcp_fit & TCP_STAYS && may_reopen(p, *flow_flags(f, p->dir)) && begins_beside(p))
		reopen_begin(p, f);
	flow_add_packet(us, p->len);
	us->last_seen = jiffies32();
	if (p->flags & PKT_HALF_OPEN)
		return handshake_done(f, p->protocol) ? flow_promote(p, f) : V_NEXT;
	if (us->packets == 1 && !us->packets_high && !(*flow_flags(f, p->dir) & FLOW_ORIGINAL))
		flow_tell(p, f, FLOW_EVENT_REPLIED, 0);
	return V_NEXT;
}

#endif
