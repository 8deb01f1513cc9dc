/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * fragment: the first fragment of a datagram has the ports, and is judged; later ones are taken for what it was, and
 * judged by the same question, so no rule is got round. Each is looked at once on every way: from the workload or the
 * tunnel, and back from a function. TC alone.
 * reads:  struct pkt
 * writes: a later fragment's fields of L4; the datagram's entry
 * maps:   fragments early tenants tenant_stats
 * drops:  fragment fragment_bad fragment_tiny fragment_overlap fragment_duplicate fragment_scattered fragment_early
 *         fragment_table
 */
#ifndef WEFT_STAGE_FRAGMENT_H
#define WEFT_STAGE_FRAGMENT_H

#include "lib/count.h"
#include "lib/fragment_table.h"
#include "stages/early.h"

#if !WEFT_XDP

static __always_inline void first_says(struct fragment_entry *e, const struct pkt *p)
{
	e->state = FRAGMENT_JUDGED;
	e->flags = p->flags;
	e->tcp_seq = p->tcp_seq;
	e->source_port = p->source_port;
	e->destination_port = p->destination_port;
	e->upper = p->protocol;
	e->flow_protocol = p->flow_protocol;
	e->icmp_type = p->icmp_type;
	e->icmp_code = p->icmp_code;
	e->tcp_flags = p->tcp_flags;
	e->header = p->l4 + p->l4_len - p->fragment_at;
}

/* The fragment's bytes count as the segment's, as far as they go. */
static __always_inline void later_is(struct pkt *p, const struct fragment_entry *e)
{
	p->flags |= e->flags & (PKT_ICMP_ERROR | PKT_ICMP_QUERY | PKT_ICMP_REPLY);
	p->tcp_seq = e->tcp_seq;
	p->source_port = e->source_port;
	p->destination_port = e->destination_port;
	p->protocol = e->upper;
	p->flow_protocol = e->flow_protocol;
	p->icmp_type = e->icmp_type;
	p->icmp_code = e->icmp_code;
	p->tcp_flags = e->tcp_flags;
	p->payload = p->fragment_end - e->header;
}

/*
 * Those that wait are woken by the first fragment, which then comes in again in front of them; and, since some may have
 * begun to wait until it did, by a later one that finds it has passed. Never by one that may have to wait itself, or two
 * CPUs' fragments could wake each other for ever.
 */
static __always_inline bool fragment_wakes(const struct fragment_entry *e, const struct pkt *p)
{
	return e->early && e->state == (p->fragment == FRAGMENT_FIRST ? FRAGMENT_WAITING : FRAGMENT_JUDGED);
}

static __always_inline __u32 fragment_wake(struct fragment_entry *e)
{
	__u32 waiting = e->early;

	e->early = 0;
	if (e->state == FRAGMENT_WAITING)
		e->state = FRAGMENT_COMING;
	return waiting;
}

/* In the locked set. V_HELD: it is to wait. */
static __always_inline enum verdict fragment_meets(struct pkt *p, struct fragment_entry *e, __u32 now)
{
	enum drop_reason reason;

	if (e->state == FRAGMENT_REFUSED)
		return drop(p, DROP_FRAGMENT);
	if (fragment_waits(e) && p->fragment == FRAGMENT_LATER)
		return V_HELD;
	reason = fragment_add(e, p);
	if (reason) {
		if (reason != DROP_FRAGMENT_DUPLICATE)
			e->state = FRAGMENT_REFUSED;
		return drop(p, reason);
	}
	if (p->fragment == FRAGMENT_FIRST)
		first_says(e, p);
	else
		later_is(p, e);
	if (fragment_is_whole(e)) {
		e->state = FRAGMENT_COMPLETE;
		e->since = now;
	}
	return V_NEXT;
}

static __always_inline void count_evicted(const struct pkt *p)
{
	struct tenant_traffic *stats = tenant_counters(p->tenant);

	if (stats)
		stats->fragments_evicted++;
}

__noinline int fragment_tracked(ctx_t *ctx, struct pkt *p, __u32 pass)
{
	const struct host_config *us = this_host();
	struct fragment_clock clock = { .now = bpf_jiffies64() };
	__u32 stamp = 0, waiting = 0;
	struct fragment_entry *e;
	struct fragment_set *set;
	bool evicted = false;
	enum verdict v;

	if (!p || !us)
		return V_DROP;
	clock.hz = us->hz;
	clock.tenant = tenant_at(p->tenant);
	set = fragment_set_of(p);
	if (!clock.tenant || !set || !set_lock(set))
		return drop(p, DROP_FRAGMENT_TABLE);
	e = fragment_find(set, p, pass, &clock, &evicted);
	if (!e) {
		v = drop(p, DROP_FRAGMENT_EARLY);
	} else {
		stamp = e->stamp;
		if (fragment_wakes(e, p))
			waiting = fragment_wake(e);
		v = waiting ? V_HELD : fragment_meets(p, e, clock.now);
	}
	set_unlock(set);
	if (evicted)
		count_evicted(p);
	if (waiting)
		return early_release(ctx, p, stamp, waiting);
	return v == V_HELD ? early_hold(ctx, p, pass, stamp) : v;
}

#endif

/* `pass`: 0 from a workload or a host, else the PCP with which a function returned it; that of a chosen chain PASS_CHOSEN above. */
static __always_inline enum verdict fragment(ctx_t *ctx, struct pkt *p, __u32 pass)
{
#if WEFT_XDP
	return V_NEXT;
#else
	return p->fragment ? fragment_tracked(ctx, p, pass) : V_NEXT;
#endif
}

#endif
