/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tenant's conntrack tables: established flows in ct4/ct6, TCP handshakes in half4/half6 (least
 * recently used first out, so that a SYN flood fills only that), and the ring of keys in which an insert
 * into a full table looks for flows that have expired.
 */
#ifndef WEFT_BPF_FLOW_TABLE_H
#define WEFT_BPF_FLOW_TABLE_H

#include "lib/weft.h"
#include "stages/tcp.h"

#define E2BIG 7
#define EEXIST 17
#define RECLAIM_TRIES 8		/* keys of the ring that one insert looks at */

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

static __always_inline bool flow_expired(const struct flow *f, __u8 protocol, const struct tenant *t)
{
	__u32 now = jiffies32();
	__u32 idle0 = now - f->dir[0].last_seen, idle1 = now - f->dir[1].last_seen;

	return (idle0 < idle1 ? idle0 : idle1) > flow_timeout(f, protocol, t);
}

/* One key of the ring: gone or expired, its place is free; else it goes to the end. */
static __noinline bool reclaim_one(void *ct, void *recent, bool ipv4, const struct tenant *t)
{
	union flow_key key = {};
	struct flow *f;

	if (bpf_map_pop_elem(recent, &key))
		return false;
	f = bpf_map_lookup_elem(ct, &key);
	if (!f)
		return false;
	if (flow_expired(f, ipv4 ? key.v4.protocol : key.v6.protocol, t))
		return bpf_map_delete_elem(ct, &key) == 0;
	bpf_map_push_elem(recent, &key, 0);
	return false;
}

/* Puts the flow into the table, in the place of an expired one if it is full. 0, -EEXIST or -E2BIG. */
static __always_inline long flow_insert(void *ct, void *recent, const void *key, const struct flow *f,
					bool ipv4, const struct tenant *t, __u32 tenant)
{
	long error = bpf_map_update_elem(ct, key, f, BPF_NOEXIST);
	struct tenant_traffic *stats;
	__u32 reclaimed = 0;

	for (int i = 0; error == -E2BIG && i < RECLAIM_TRIES; i++) {
		if (!reclaim_one(ct, recent, ipv4, t))
			continue;
		reclaimed++;
		error = bpf_map_update_elem(ct, key, f, BPF_NOEXIST);
	}
	stats = reclaimed ? bpf_map_lookup_elem(&tenant_stats, &tenant) : NULL;
	if (stats)
		stats->reclaimed += reclaimed;
	/* A full ring forgets its oldest key; `weft agent` and `ct flush` find those. */
	if (!error)
		bpf_map_push_elem(recent, key, BPF_EXIST);
	return error;
}

#endif
