/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * account: what a judgement leaves behind: the rule's hits, its log, and what `monitor` let pass. After the judgement of
 * both ends, since XDP may leave a packet to TC in between.
 * reads:  struct pkt, struct acl_query with its answer
 * writes: nothing of the packet
 * maps:   rule_hits tenant_stats tenant_limits events tenants
 * drops:  none
 */
#ifndef WEFT_STAGE_ACCOUNT_H
#define WEFT_STAGE_ACCOUNT_H

#include "lib/count.h"
#include "lib/limit.h"
#include "stages/acl.h"

#define ENOMEM_TRIES 2		/* the second finds what another CPU has made in between */

/* The first hit makes the rule's counter: rules that decide nothing cost nothing. */
static __always_inline bool hit_rule(__u32 tenant, __u32 rule, __u32 bytes)
{
	struct rule_hits_key key = { .rule = rule };
	struct rule_hits fresh = { .packets = 1, .bytes = bytes }, *hits;
	void *table = bpf_map_lookup_elem(&rule_hits, &tenant);

	for (int i = 0; table && i < ENOMEM_TRIES; i++) {
		hits = bpf_map_lookup_elem(table, &key);
		if (hits) {
			hits->packets++;
			hits->bytes += bytes;
			return true;
		}
		if (!bpf_map_update_elem(table, &key, &fresh, BPF_NOEXIST))
			return true;
	}
	return false;
}

/* Rule 0: no rule, the tenant's default for this direction. */
static __always_inline void hit(__u32 tenant, __u32 rule, __u32 direction, __u32 bytes)
{
	bool lost = rule && !hit_rule(tenant, rule, bytes);
	struct tenant_traffic *stats;

	if (rule && !lost)
		return;
	stats = tenant_counters(tenant);
	if (!stats)
		return;
	if (lost)
		stats->hits_lost++;
	else if (direction == FROM_WORKLOAD)
		stats->default_out++;
	else
		stats->default_in++;
}

/* Of a packet that is denied without another question. */
__noinline int count_hit(const struct pkt *p, __u32 direction)
{
	if (p)
		hit(p->tenant, p->rule, direction, p->len);
	return 0;
}

/* Verified once. Of a query that is handed in, values alone may go to helpers: see key_of(). */
__noinline int log_event(const struct acl_query *q)
{
	struct tenant_traffic *stats;
	struct event *e;

	if (!q)
		return 0;
	stats = tenant_counters(q->tenant);
	if (!may_log(q->tenant)) {
		if (stats)
			stats->logs_suppressed++;
		return 0;
	}
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		if (stats)
			stats->logs_lost++;
		return 0;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->kind = EVENT_ACL_LOG;
	e->tenant = q->tenant;
	e->time = bpf_ktime_get_tai_ns();
	e->rule = q->rule;
	e->port = q->port;
	e->direction = q->direction;
	e->action = q->action;
	e->family = q->family;
	e->protocol = q->protocol;
	e->source_port = q->source_port;
	e->destination_port = q->destination_port;
	e->source = q->source;
	e->destination = q->destination;
	bpf_ringbuf_submit(e, 0);
	return 0;
}

/*
 * `again`: the packet's flow was there before. It counts, and is told, where it is denied now; a flow that goes on has
 * been, and else would be at each change of policy, once for each of its directions.
 */
__noinline int account(const struct pkt *p, const struct acl_query *q, bool again)
{
	struct tenant_traffic *stats;
	const struct tenant *t;

	if (!p || !q)
		return 0;
	if (!again || q->action != ACL_ALLOW) {
		hit(p->tenant, q->rule, q->direction, p->len);
		if (q->entry_flags & ENTRY_LOG)
			log_event(q);
	}
	t = tenant_at(q->tenant);
	if (q->action == ACL_ALLOW || !t || !(t->flags & TENANT_MONITOR))
		return 0;
	stats = tenant_counters(q->tenant);
	if (stats && q->direction == FROM_WORKLOAD)
		stats->would_drop_out++;
	else if (stats)
		stats->would_drop_in++;
	return 0;
}

#endif
