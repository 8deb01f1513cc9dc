/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * copies: a broadcast towards workloads of another host is in a function of this one. When it comes back nothing in it tells
 * whose it was: so its beginning is remembered meanwhile. Several hosts may have sent the same; each gets one. TC alone.
 * reads:  the packet, struct pkt, the tenant's seed
 * writes: nsh_copies
 * maps:   nsh_copies tenants host
 * drops:  nsh_copies
 */
#ifndef WEFT_STAGE_COPIES_H
#define WEFT_STAGE_COPIES_H

#include "lib/flow_key.h"
#include "lib/scratch.h"

#if !WEFT_XDP

#define COPY_AT(chain, step, instance) ((chain) << 16 | (step) << 8 | (instance))
#define COPY_BYTES (8 * (COPY_WORDS - 2)) /* a power of two */

/* A checksum may come unfinished, and is finished on the way through the function. Who broadcasts with one speaks UDP. */
static __always_inline void copy_without_sum(const struct pkt *p, struct copying *c)
{
	__u32 at = p->l4 - p->l3 + 6;

	if (p->family && p->protocol == IPPROTO_UDP && p->fragment != FRAGMENT_LATER && at < COPY_BYTES)
		*(__u16 *)((__u8 *)c->words + (at & (COPY_BYTES - 2))) = 0;
}

/* The MACs, and the first bytes behind the Ethernet header; what is shorter counts as if zeroes followed. */
static __always_inline bool copy_words(ctx_t *ctx, const struct pkt *p, struct copying *c)
{
	__u32 len = p->l2 + p->len - p->l3, rest;

	__builtin_memset(c->words, 0, sizeof(c->words));
	if (len > COPY_BYTES)
		len = COPY_BYTES;
	/* 6.1 wants to see that a length is not 0, in the register that the call has: it learns that from sums, not from comparisons. */
	rest = len - 1;
	asm volatile("" : "+r"(rest));
	if (len && bpf_skb_load_bytes(ctx, p->l3, c->words, (rest & (COPY_BYTES - 1)) + 1))
		return false;
	copy_without_sum(p, c);
	mac_copy((__u8 *)&c->words[COPY_WORDS - 2], p->source_mac);
	mac_copy((__u8 *)&c->words[COPY_WORDS - 1], p->destination_mac);
	return true;
}

/* The key of the frame's copies at that instance (COPY_AT), but for `n`. */
static __always_inline struct copying *copy_begin(ctx_t *ctx, const struct pkt *p, __u32 whither)
{
	const struct chain *chain = chain_at(whither >> 16);
	const struct tenant *t = chain ? tenant_at(chain->tenant) : NULL;
	struct scratch *room = scratch_here();
	struct copying *c;

	if (!t || !room)
		return NULL;
	c = &room->copying;
	if (!copy_words(ctx, p, c))
		return NULL;
	c->key.frame = flow_hash(c->words, COPY_WORDS, t->seed);
	c->key.chain = whither >> 16;
	c->key.step = whither >> 8;
	c->key.instance = whither;
	return c;
}

static __always_inline bool copy_is_late(const struct nsh_copy *copy, const struct host_config *us)
{
	return (__u32)bpf_jiffies64() - copy->since > NSH_COPY_SECONDS * us->hz;
}

/* It is about to go in. A place is taken and given up as a whole, so that of two CPUs one has it. */
__noinline int copy_put(ctx_t *ctx, const struct pkt *p, __u32 whither, __u32 away)
{
	const struct host_config *us = this_host();
	struct copying *c;

	if (!p || !us)
		return -1;
	c = copy_begin(ctx, p, whither);
	if (!c)
		return -1;
	c->copy.since = bpf_jiffies64();
	c->copy.away = away;
	for (__u32 n = 0; n < NSH_COPIES; n++) {
		const struct nsh_copy *had;

		c->key.n = n;
		had = bpf_map_lookup_elem(&nsh_copies, &c->key);
		if (had && copy_is_late(had, us))
			bpf_map_delete_elem(&nsh_copies, &c->key);
		else if (had)
			continue;
		if (!bpf_map_update_elem(&nsh_copies, &c->key, &c->copy, BPF_NOEXIST))
			return 0;
	}
	return -1;
}

/* It is back: whose it is (SF_AWAY), or 0. */
__noinline int copy_take(ctx_t *ctx, const struct pkt *p, __u32 whither)
{
	const struct host_config *us = this_host();
	struct copying *c;

	if (!p || !us)
		return 0;
	c = copy_begin(ctx, p, whither);
	if (!c)
		return 0;
	for (__u32 n = 0; n < NSH_COPIES; n++) {
		const struct nsh_copy *there;
		__u32 away;
		bool late;

		c->key.n = n;
		there = bpf_map_lookup_elem(&nsh_copies, &c->key);
		if (!there)
			continue;
		away = there->away;
		late = copy_is_late(there, us);
		if (!bpf_map_delete_elem(&nsh_copies, &c->key) && !late)
			return away;
	}
	return 0;
}

#endif

#endif
