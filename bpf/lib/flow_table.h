/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tenant's conntrack tables: established flows in ct4/ct6, TCP handshakes in half4/half6 (least
 * recently used first out, so that a SYN flood fills only that), and the ring of keys in which an insert
 * into a full table looks for flows that have expired.
 */
#ifndef WEFT_BPF_FLOW_TABLE_H
#define WEFT_BPF_FLOW_TABLE_H

#include "lib/count.h"
#include "lib/scratch.h"
#include "stages/tcp.h"

#define ENOENT 2
#define E2BIG 7
#define EEXIST 17
#define RECLAIM_TRIES 8		/* live flows that one insert looks at */
#define RECLAIM_STALE_TRIES 64	/* and keys of flows that are gone */

/*
 * The packet's key, on the stack: until 6.2 or so the verifier takes no key or value from memory that a function
 * was handed. The IPv4 key is the first 16 of the 40 bytes.
 */
union flow_key {
	struct ct4_key v4;
	struct ct6_key v6;
};

static __always_inline union flow_key key_of(const struct pkt *p)
{
	return (union flow_key){ .v6 = p->key6 };
}

static __always_inline void *tenant_table(void *outer, const struct pkt *p)
{
	__u32 tenant = p->tenant;

	return bpf_map_lookup_elem(outer, &tenant);
}

static __always_inline struct flow *table_find(void *outer, const struct pkt *p)
{
	void *inner = tenant_table(outer, p);
	union flow_key key = key_of(p);

	return inner ? bpf_map_lookup_elem(inner, &key) : NULL;
}

/* The flow of the packet, or NULL. Sets PKT_HALF_OPEN where it is a handshake. */
static __always_inline struct flow *flow_find(struct pkt *p)
{
	struct flow *f;

	p->flags &= ~PKT_HALF_OPEN;
	if (p->family == FAMILY_IPV4)
		f = table_find(&ct4, p);
	else
		f = table_find(&ct6, p);
	if (f || p->flow_protocol != IPPROTO_TCP)
		return f;
	if (p->family == FAMILY_IPV4)
		f = table_find(&half4, p);
	else
		f = table_find(&half6, p);
	if (f)
		p->flags |= PKT_HALF_OPEN;
	return f;
}

static __always_inline __u32 jiffies32(void)
{
	return bpf_jiffies64();
}

/* Which timeout the flow's state gives it. */
static __always_inline __u32 flow_timeout(const struct flow *f, __u8 protocol, const struct tenant *t)
{
	const struct flow_dir *a = &f->dir[0], *b = &f->dir[1];

	switch (protocol) {
	case IPPROTO_TCP:
		return t->timeout[tcp_timeout(a->tcp_state, b->tcp_state)];
	case IPPROTO_UDP:
		return t->timeout[a->packets && b->packets ? CT_UDP_REPLIED : CT_UDP];
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return t->timeout[CT_ICMP];
	}
	return t->timeout[CT_OTHER];
}

static __always_inline bool flow_has_expired(const struct flow *f, __u8 protocol, const struct tenant *t)
{
	__u32 now = jiffies32();
	__u32 idle0 = now - f->dir[0].last_seen, idle1 = now - f->dir[1].last_seen;

	return (idle0 < idle1 ? idle0 : idle1) > flow_timeout(f, protocol, t);
}

/* Verified once, since it has many outcomes. */
__noinline int flow_expired(const struct flow *f, __u8 protocol, const struct tenant *t)
{
	return !f || !t || flow_has_expired(f, protocol, t);
}

enum reclaimed {
	RECLAIM_NOTHING = 0,	/* the queue is empty */
	RECLAIM_STALE,		/* a key whose flow is gone: off the queue */
	RECLAIM_ALIVE,		/* to the queue's end */
	RECLAIM_FREED,		/* its flow had expired, and is gone now */
};

/* A key in the queue has its flow's stamp where the tables' keys have nothing. */
static __always_inline __u8 *stamp_of(union flow_key *key, bool ipv4)
{
	return ipv4 ? &key->v4.pad : &key->v6.pad;
}

/*
 * bpf_loop: unrolled, the verifier would walk through every sequence of outcomes. Small, since it lies deep in the
 * stack: the verifier of older kernels counts each call's share in steps of 32 bytes.
 */
struct reclaim {
	void *ct, *recent;
	union flow_key *key;	/* of the new flow */
	const struct flow *flow;
	const struct tenant *tenant;
	__s32 error;
	__u8 ipv4, alive, freed;
};

/* Looks at the queue's oldest key. */
static __noinline enum reclaimed reclaim_one(struct reclaim *r)
{
	union flow_key key = {};
	struct flow *f;
	__u8 stamp;

	if (bpf_map_pop_elem(r->recent, &key))
		return RECLAIM_NOTHING;
	stamp = *stamp_of(&key, r->ipv4);
	*stamp_of(&key, r->ipv4) = 0;
	f = bpf_map_lookup_elem(r->ct, &key);
	if (!f || f->stamp != stamp)
		return RECLAIM_STALE;
	if (flow_has_expired(f, r->ipv4 ? key.v4.protocol : key.v6.protocol, r->tenant))
		return bpf_map_delete_elem(r->ct, &key) ? RECLAIM_STALE : RECLAIM_FREED;
	*stamp_of(&key, r->ipv4) = stamp;
	bpf_map_push_elem(r->recent, &key, 0);
	return RECLAIM_ALIVE;
}

static long queue_step(__u32 i, struct reclaim *r)
{
	r->error = bpf_map_push_elem(r->recent, r->key, 0);
	return !r->error || !reclaim_one(r);
}

/*
 * The key, with its flow's stamp, to the queue's end. One address pair that connects again and again leaves a stale
 * key each time: they make room first, so that no live flow is forgotten for them.
 */
static __always_inline void queue_key(struct reclaim *r)
{
	*stamp_of(r->key, r->ipv4) = r->flow->stamp;
	if (!bpf_map_push_elem(r->recent, r->key, 0))
		return;
	bpf_loop(RECLAIM_TRIES, queue_step, r, 0);
	/* Of so many live flows the queue forgets the oldest; `weft ct flush` finds those. */
	if (r->error)
		bpf_map_push_elem(r->recent, r->key, BPF_EXIST);
}

/* A stale key is met once and is gone, so there may be many; live ones come again. */
static long insert_step(__u32 i, struct reclaim *r)
{
	enum reclaimed found = reclaim_one(r);

	if (found == RECLAIM_NOTHING)
		return 1;
	if (found == RECLAIM_ALIVE)
		return ++r->alive == RECLAIM_TRIES;
	if (found == RECLAIM_STALE)
		return 0;
	r->freed++;
	r->error = bpf_map_update_elem(r->ct, r->key, r->flow, BPF_NOEXIST);
	return r->error != -E2BIG;
}

/*
 * Puts the flow that lies in scratch into the tenant's table, under the packet's key, in the place of an expired one
 * if the table is full. 0, -ENOENT (no table), -EEXIST or -E2BIG. Verified once for all that call it.
 */
__noinline int flow_insert(struct pkt *p)
{
	struct scratch *room = scratch_here();
	struct tenant_traffic *stats;
	struct reclaim r = {};
	union flow_key key;
	long error;

	if (!p || !room)
		return -ENOENT;
	key = key_of(p);
	r.key = &key;
	r.flow = &room->flow;
	r.ipv4 = p->family == FAMILY_IPV4;
	r.tenant = tenant_at(p->tenant);
	r.ct = r.ipv4 ? tenant_table(&ct4, p) : tenant_table(&ct6, p);
	r.recent = r.ipv4 ? tenant_table(&recent4, p) : tenant_table(&recent6, p);
	if (!r.tenant || !r.ct || !r.recent)
		return -ENOENT;
	r.error = bpf_map_update_elem(r.ct, &key, r.flow, BPF_NOEXIST);
	if (r.error == -E2BIG)
		bpf_loop(RECLAIM_STALE_TRIES, insert_step, &r, 0);
	error = r.error;
	stats = r.freed ? tenant_counters(p->tenant) : NULL;
	if (stats)
		stats->reclaimed += r.freed;
	if (!error)
		queue_key(&r);
	return error;
}

#endif
