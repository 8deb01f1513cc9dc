/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tap: copies for the functions of a chain that only watch. A copy is sent where the frame comes past: before a function
 * that stands behind the tap gets it, else when nothing but the rules (leaving), or nothing at all (towards), can stop it any
 * more. The frame goes its way whatever becomes of its copies. TC alone: XDP cannot copy, and leaves such chains to it.
 * reads:  pkt.taps, tapped, the chain
 * writes: copies of the frame; pkt.taps
 * maps:   chains chain_stats, and those of steer
 * drops:  tap_failed (the copy)
 */
#ifndef WEFT_STAGE_TAP_H
#define WEFT_STAGE_TAP_H

#include "lib/ops.h"
#include "stages/insert.h"

#if !WEFT_XDP

/* A flow's copies go to one instance, as its frames would. But silence is what a tap is for: no instance is dead of it. */
static __always_inline int tap_instance(struct pkt *p, __u32 slot)
{
	const struct function *f = function_at(slot);
	int place;

	if (!slot || !f || (!p->steer && steer(p)))
		return NO_INSTANCE;
	place = keep_instance(slot, p->steer, p->tenant);
	if (place < 0)
		place = give_instance(slot, p->steer, p->tenant);
	return place < 0 ? pick_instance(slot, p->steer, f->present) : place;
}

__noinline int copy_to_tap(ctx_t *ctx, struct pkt *p, __u32 n, __u32 pcp)
{
	const struct chain *chain;
	const struct chain_step *step;
	struct chain_traffic *stats;
	__u32 ifindex, instance;
	int place;

	if (!p)
		return 0;
	chain = chain_at(p->tapped);
	if (!chain)
		return 0;
	step = chain_step(chain, n);
	place = tap_instance(p, step->function);
	ifindex = place < 0 ? 0 : entrance(step, place, pcp);
	if (ifindex && !op_copy(ctx, ifindex)) {
		/* The place that is noted is that of the function behind. */
		instance = p->instance;
		p->instance = place;
		count_sent(p, p->tapped, n);
		p->instance = instance;
		return 0;
	}
	count_drop(DROP_TAP_FAILED);
	stats = chain_counters(p->tapped, n);
	if (stats)
		stats->skipped++;
	return 0;
}

/* The frame has the chain's tag already. */
static __always_inline void copy_tagged(ctx_t *ctx, struct pkt *p, __u32 pcp)
{
	for (__u32 n = 0; n < CHAIN_STEPS; n++)
		if (p->taps & 1 << n)
			copy_to_tap(ctx, p, n, pcp);
	p->taps = 0;
	ctx->mark = 0;
}

/* The frame begins with its own Ethernet header and has no tag, before and after it. */
__noinline int copy_untagged(ctx_t *ctx, struct pkt *p, __u32 pcp)
{
	const struct chain *chain;

	if (!p)
		return V_DROP;
	chain = chain_at(p->tapped);
	if (!chain)
		return V_NEXT;
	if (tag_on(ctx, chain, pcp)) {
		count_drop(DROP_TAP_FAILED);
		return V_NEXT;
	}
	copy_tagged(ctx, p, pcp);
	return tag_off(ctx, chain) ? drop(p, DROP_INTERNAL) : V_NEXT;
}

#endif

/* Nothing but V_DROP if the frame itself got broken. */
static __always_inline enum verdict copy_taps(ctx_t *ctx, struct pkt *p, __u32 pcp)
{
#if WEFT_XDP
	return V_NEXT;
#else
	return p->taps ? copy_untagged(ctx, p, pcp) : V_NEXT;
#endif
}

static __always_inline void copy_taps_tagged(ctx_t *ctx, struct pkt *p, __u32 pcp)
{
#if !WEFT_XDP
	if (p->taps)
		copy_tagged(ctx, p, pcp);
#endif
}

#endif
