/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Telling what happens to flows. Each is a function of its own, verified once; while nobody follows it is a look at one
 * word. None is called for each packet.
 */
#ifndef WEFT_BPF_FLOW_EVENT_H
#define WEFT_BPF_FLOW_EVENT_H

#include "lib/count.h"
#include "lib/limit.h"

static __always_inline bool is_followed(__u32 tenant)
{
	__u32 zero = 0;
	const struct flow_watch *w = bpf_map_lookup_elem(&flow_watch, &zero);

	return w && w->until && (__s64)(w->until - bpf_jiffies64()) > 0 && (!w->tenant || w->tenant == tenant + 1);
}

static __always_inline struct flow_event *event_reserve(__u32 tenant, __u32 kind, __u32 reason, __u8 family)
{
	struct flow_event *e = bpf_ringbuf_reserve(&flow_events, sizeof(*e), 0);
	struct tenant_traffic *stats;

	if (!e) {
		stats = tenant_counters(tenant);
		if (stats)
			stats->events_lost++;
		return NULL;
	}
	e->kind = kind;
	e->reason = reason;
	e->family = family;
	e->pad = 0;
	e->tenant = tenant;
	e->time = bpf_ktime_get_tai_ns();
	return e;
}

static __always_inline void event_submit(struct flow_event *e, const struct flow *f)
{
	e->flow = *f;
	e->flow.spill = 0;
	bpf_ringbuf_submit(e, 0);
}

static __always_inline void event_of_packet(const struct pkt *p, const struct flow *f, __u32 kind, __u32 reason)
{
	struct flow_event *e = event_reserve(p->tenant, kind, reason, p->family);

	if (!e)
		return;
	for (int i = 0; i < CT6_KEY_WORDS; i++)
		e->key_words[i] = p->key_words[i];
	event_submit(e, f);
}

/* Of the packet's flow. */
__noinline int flow_tell(const struct pkt *p, const struct flow *f, __u32 kind, __u32 reason)
{
	if (p && f && is_followed(p->tenant))
		event_of_packet(p, f, kind, reason);
	return 0;
}

/* Of a flow that found no room: it counts, and is told to who follows now or later. */
__noinline int flow_tell_full(const struct pkt *p, const struct flow *f)
{
	struct tenant_traffic *stats;
	struct tenant_limits *l;

	if (!p || !f)
		return 0;
	stats = tenant_counters(p->tenant);
	if (stats)
		stats->full++;
	l = limits_of(p->tenant);
	if (l && grant(&l->full_until, FULL_EVENTS_PER_S, FULL_EVENTS_PER_S))
		event_of_packet(p, f, FLOW_EVENT_FULL, 0);
	return 0;
}

/* A place is given up: its flow, and the end of the key that the flow had there. `gone`: enum flow_gone. */
__noinline int flow_tell_place4(const struct ct4_place *place, __u64 end, __u32 tenant, __u32 gone)
{
	struct flow_event *e;

	if (!place || !is_followed(tenant))
		return 0;
	e = event_reserve(tenant, FLOW_EVENT_DESTROYED, gone, FAMILY_IPV4);
	if (!e)
		return 0;
	__builtin_memset(e->key_words, 0, sizeof(e->key_words));
	e->key_words[0] = *(const __u64 *)&place->key;
	e->key_words[1] = end;
	event_submit(e, &place->flow);
	return 0;
}

__noinline int flow_tell_place6(const struct ct6_place *place, __u64 end, __u32 tenant, __u32 gone)
{
	const __u64 *words = (const void *)place;
	struct flow_event *e;

	if (!place || !is_followed(tenant))
		return 0;
	e = event_reserve(tenant, FLOW_EVENT_DESTROYED, gone, FAMILY_IPV6);
	if (!e)
		return 0;
	for (int i = 0; i < CT6_KEY_WORDS - 1; i++)
		e->key_words[i] = words[i];
	e->key_words[CT6_KEY_WORDS - 1] = end;
	event_submit(e, &place->flow);
	return 0;
}

#endif
