/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tenant's table `proxied` (include/syn_proxy.h). Nobody takes a record out when its flow ends: it tells itself how long
 * it may be needed, as its flow does, and then gives way to another.
 */
#ifndef WEFT_BPF_PROXIED_H
#define WEFT_BPF_PROXIED_H

#include "lib/flow_table.h"

static __always_inline struct proxied_bucket *proxied_home(const struct pkt *p, __u64 hash, __u32 i)
{
	struct bpf_map *table = tenant_table(&proxied, p);
	__u32 bucket;

	if (!table)
		return NULL;
	bucket = proxied_bucket(hash, i, table->max_entries);
	return bpf_map_lookup_elem(table, &bucket);
}

static __always_inline bool proxied_is_of(const struct proxied *r, const struct pkt *p)
{
	if (r->used != PROXIED_USED)
		return false;
	for (int i = 0; i < 5; i++)
		if (r->key[i] != p->key_words[i])
			return false;
	return true;
}

/* The record of the packet's flow, or NULL. */
static __always_inline struct proxied *proxied_find(const struct pkt *p, const struct tenant *t)
{
	__u64 hash = flow_hash(p->key_words, 5, t->seed);

	for (__u32 i = 0; i < 2; i++) {
		struct proxied_bucket *b = proxied_home(p, hash, i);

		for (int k = 0; b && k < PROXIED_PLACES; k++)
			if (proxied_is_of(&b->place[k], p))
				return &b->place[k];
	}
	return NULL;
}

static __always_inline bool proxied_claim(struct proxied *r, const struct tenant *t)
{
	__u32 used = *(volatile __u32 *)&r->used;

	if (used == PROXIED_CLAIMED || (used == PROXIED_USED && !proxied_is_over(r, t->timeout, jiffies32())))
		return false;
	return __sync_val_compare_and_swap(&r->used, used, PROXIED_CLAIMED) == used;
}

static __always_inline void proxied_fill(struct proxied *r, const struct pkt *p)
{
	for (int i = 0; i < 5; i++)
		r->key[i] = p->key_words[i];
	r->isn = p->tcp_seq;
	r->cookie = p->proxy_cookie;
	r->delta = 0;
	r->seen = jiffies32();
	r->timeout = CT_TCP_SYN;
	r->scale = FLOW_TCP_UNSCALED;
	r->ready = 0;
	/* Last, and atomically, so that nothing before is seen after it. */
	__sync_lock_test_and_set(&r->used, PROXIED_USED);
}

/* A record for the flow that the packet begins; of an earlier flow with its key it takes the place. False: no room. */
__noinline int proxied_put(struct pkt *p)
{
	const struct tenant *t;
	struct proxied *r;
	__u64 hash;

	if (!p)
		return false;
	t = tenant_at(p->tenant);
	if (!t)
		return false;
	r = proxied_find(p, t);
	if (r) {
		proxied_fill(r, p);
		return true;
	}
	hash = flow_hash(p->key_words, 5, t->seed);
	for (__u32 i = 0; i < 2; i++) {
		struct proxied_bucket *b = proxied_home(p, hash, i);

		for (int k = 0; b && k < PROXIED_PLACES; k++) {
			if (!proxied_claim(&b->place[k], t))
				continue;
			proxied_fill(&b->place[k], p);
			return true;
		}
	}
	return false;
}

#endif
