/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * admit: the slow part of flow: a packet without a flow, or with one that must be judged again, gets its
 * target and its verdict. A function of its own, verified once for all hooks.
 * reads:  struct pkt
 * writes: pkt.to, pkt.rule, PKT_STATELESS; a new flow, or this direction's verdict in a known one
 * maps:   as flow
 * drops:  as flow, chain_no_flow sf_no_flow, and those of chosen and tcp_check
 */
#ifndef WEFT_STAGE_ADMIT_H
#define WEFT_STAGE_ADMIT_H

#include "lib/scratch.h"
#include "stages/assure.h"
#include "stages/given.h"
#include "stages/proxied.h"
#include "stages/reopen.h"

/* What the rules chose can only be passed by packets of a flow. */
static __always_inline enum verdict chosen_of_flow(struct pkt *p, const struct scratch *room, bool again)
{
	if (again || !(p->flags & PKT_STATELESS) || !(room->chosen[FROM_WORKLOAD] | room->chosen[TO_WORKLOAD]))
		return V_NEXT;
	return drop(p, DROP_CHAIN_NO_FLOW);
}

/*
 * V_UP, before any effect, where XDP cannot answer what is refused, or not go where the rules lead. `again`: of a flow that
 * is there. Not inlined, as resolve() is not.
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
	room->chosen[FROM_WORKLOAD] = out && !v ? room->out.chain : 0;
	room->chosen[TO_WORKLOAD] = in && !v ? q->chain : 0;
	if (WEFT_XDP && (v == V_REJECT || !xdp_takes_chosen(room->chosen[FROM_WORKLOAD], again) ||
			 !xdp_takes_chosen(room->chosen[TO_WORKLOAD], again)))
		return V_UP;
	/* Of no flow: if XDP passed it up from the wire, TC would judge it again, and the rules count it twice. */
	if (WEFT_XDP && !v && p->flags & PKT_STATELESS && p->behind != BEHIND_ALL && wire_goes_away(receiver))
		return V_UP;
	if (in)
		account(p, q, again);
	if (out) {
		set_answer(q, FLOW_TARGET_INDEX(sender), FROM_WORKLOAD, &room->out);
		account(p, q, again);
	}
	return v ? v : chosen_of_flow(p, room, again);
}

/* What our direction knows of its target's chain; of what is denied that alone is known of it. */
static __always_inline __u32 known_target(const struct flow_path *us, __u32 to)
{
	return us->flags & FLOW_DENIED ? FLOW_TARGET_CHOSEN(us->target) : chosen_at(us->target, to);
}

static __always_inline __u32 their_target(const struct flow_path *them, __u32 from)
{
	return them->flags & FLOW_DENIED ? 0 : chosen_at(them->target, from);
}

/* `chosen`: the chains that the rules chose for this packet's sender and receiver. */
static __always_inline void flow_remember(struct flow *f, const struct pkt *p, __u32 epoch, enum verdict v,
					  __u32 chosen_from, __u32 chosen_to)
{
	struct flow_path *us = flow_our_path(f, p), *them = flow_their_path(f, p);
	bool same = mac_equal(us->mac, p->destination_mac);
	__u32 from = known_of(chosen_at(us->source, p->from), their_target(them, p->from));
	__u32 to = known_of(known_target(us, p->to), chosen_at(them->source, p->to));

	/* What is not let pass keeps what is known, for the next time. */
	if (!v || !same) {
		from = chosen_from || chosen_to ? chosen_end(chosen_from, same ? from : chosen_from << 16) : 0;
		to = chosen_from || chosen_to ? chosen_end(chosen_to, same ? to : chosen_to << 16) : 0;
	}
	us->flags &= ~(FLOW_DENIED | FLOW_REJECT);
	if (v)
		us->flags |= v == V_REJECT ? FLOW_DENIED | FLOW_REJECT : FLOW_DENIED;
	f->rule = p->rule;
	us->target = (v ? p->reason : p->to) | to;
	us->source = p->from | from;
	/* Judging again makes no flow younger, nor older; but towards another MAC it is another flow. */
	if (!same)
		f->born = flow_birth(p, epoch);
	mac_copy(us->mac, p->destination_mac);
	/* Last: a packet on another CPU that sees the epoch sees the verdict too. */
	barrier();
	us->epoch = epoch;
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
	flow_begin(f, p, t, epoch, room->chosen);
	if (p->proxy == PROXY_OPENS) {
		/* The cookie was given before the client's rule had a chain, which has not seen the SYN. */
		if (room->chosen[FROM_WORKLOAD])
			return drop(p, DROP_SYN_COOKIE);
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
	struct flow_path *us;
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
	if (!f && is_made_up(p))
		return drop(p, DROP_SF_NO_FLOW);
	original = !f || *flow_flags(f, p->dir) & FLOW_ORIGINAL;
	if (f) {
		if (WEFT_XDP && ends_towards(p, f))
			return V_UP;
		query_again(q, p, f, original);
		/*
		 * Judged in this epoch, and between the same ends. Other ends are another question, since ACL in is
		 * asked of the port that gets the packet: whoever sends picks the MAC that leads there.
		 */
		us = flow_our_path(f, p);
		if (us->epoch == epoch && flow_leads_to(f, p) == p->to && FLOW_TARGET_PLACE(us->source) == p->from &&
		    !(us->flags & FLOW_DENIED)) {
			p->rule = f->rule;
			flow_remember(f, p, epoch, V_NEXT, FLOW_TARGET_CHAIN(us->source), FLOW_TARGET_CHAIN(us->target));
			return V_NEXT;
		}
		/* A reply goes back to who began: with another MAC it is somebody's else, whose ACL in was not asked. */
		if (!original && us->epoch == epoch && flow_leads_to(f, p) != p->to)
			return drop(p, DROP_CT_INVALID);
	}
	v = judge_ends(p, q, original ? p->from : p->to, original ? p->to : p->from, f);
	if (v == V_UP)
		return v;
	if (f) {
		/* A flow in progress stays one, also where a stateless rule matches now. */
		p->flags &= ~PKT_STATELESS;
		flow_remember(f, p, epoch, v, original ? room->chosen[FROM_WORKLOAD] : room->chosen[TO_WORKLOAD],
			      original ? room->chosen[TO_WORKLOAD] : room->chosen[FROM_WORKLOAD]);
		return v;
	}
	if (p->proxy == PROXY_FORGED && v == V_DROP)
		return cookie_forged(p);
	if (v || p->flags & PKT_STATELESS)
		return v;
	return !room->chosen[FROM_WORKLOAD] && wants_cookie(p) ? V_COOKIE : flow_create(p, t, epoch);
}

/* ---- the fast part ---- */

static __always_inline bool flow_is_settled(const struct flow *f, const struct pkt *p, const struct tenant *t)
{
	const struct flow_path *us = flow_our_path(f, p);

	return us->epoch == t->epoch && FLOW_TARGET_PLACE(us->source) == p->from && mac_equal(us->mac, p->destination_mac) &&
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

/* A function alters the stream: its two sides have numbers of their own. Both directions must know before one is judged. */
static __always_inline void flow_is_rewritten(struct flow *f)
{
	for (int i = 0; i < 2; i++)
		if (!(f->path[i].flags & FLOW_LIBERAL))
			f->path[i].flags |= FLOW_LIBERAL;
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
	if (p->back_chain ? !f || !is_back(p, f) : p->on_wire && f && leads_past(p, f))
		return drop(p, DROP_SF_NO_FLOW);
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
		return flow_denied(p, us->flags & FLOW_REJECT, FLOW_TARGET_INDEX(us->target));
	p->to = FLOW_TARGET_PLACE(us->target);
	*flow = f;
	if (!can_output(p))
		return V_UP;
	if (FLOW_TARGET_CHOSEN(us->source | us->target) || p->back_chain) {
		v = chosen(p, f);
		if (v)
			return v;
	}
	if (us->flags & FLOW_PROXIED) {
		v = proxied_numbers(p, f);
		if (v)
			return v;
	}
	if (p->rewritten && p->flow_protocol == IPPROTO_TCP)
		flow_is_rewritten(f);
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
