/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * resume: a frame that this host judges is back from a function, be it of this host or of another: to the chain's next
 * step, or after the last one on its way.
 * reads:  struct pkt, what it came back from
 * writes: the frame; pkt.action
 * maps:   chains, and those of insert, tap, given, fragment, forward and returned
 * drops:  internal sf_no_flow, and those of insert, checksum, fragment, forward and returned
 */
#ifndef WEFT_STAGE_RESUME_H
#define WEFT_STAGE_RESUME_H

#include "stages/checksum.h"
#include "stages/forward.h"
#include "stages/fragment.h"
#include "stages/returned.h"

/* To the chain's next step. V_NEXT: it was the last one, but for taps. */
static __always_inline enum verdict onward(ctx_t *ctx, struct pkt *p, const struct returned *back)
{
	const struct chain *chain = chain_at(back->chain);
	enum verdict v;
	__u32 place;
	int step;

	if (!chain)
		return drop(p, DROP_INTERNAL);
	p->rewritten = chain->flags & CHAIN_REWRITES;
	p->giver = chain_step(chain, back->step)->function;
	place = step_at(chain, back->pcp, back->step) + 1;
	if (place >= chain->steps || chain->flags & CHAIN_BYPASS)
		return V_NEXT;
	if (WEFT_XDP && !chain_takes_xdp(back->chain))
		return V_UP;
	if (!may_go_on(p)) {
		function_answered(back->chain, back->step, back->instance, back->pcp);
		return drop(p, DROP_SF_NO_FLOW);
	}
	p->by_rule = !!p->back_chain;
	step = next_step(p, back->chain, back->pcp, place);
	p->by_rule = 0;
	if (step == STEPS_DONE)
		return V_NEXT;
	if (step == STEPS_AWAY)
		return V_UP;
	function_answered(back->chain, back->step, back->instance, back->pcp);
	if (step == STEPS_DOWN)
		return V_DROP;
	/* From function to function of this host it goes as it is. */
	if (!p->l2 && !step_is_away(back->chain, step, p->instance)) {
		copy_taps_tagged(ctx, p, back->pcp);
		return to_step(ctx, p, back->chain, back->pcp, step);
	}
	v = copy_taps_bare(ctx, p, back->pcp);
	p->keeps_pcp = !!(p->flags & PKT_MADE);
	return v ? v : to_function(ctx, p, back->chain, back->pcp, step);
}

/* It has answered, whatever becomes of the frame. */
static __always_inline void answered(const struct returned *back, enum verdict v)
{
	if (v == V_UP)
		return;	/* TC will see it again */
	/* What comes again is counted then. */
	if (v == V_HELD)
		function_lives(function_of(back->chain, back->step), back->instance, back->pcp);
	else
		function_answered(back->chain, back->step, back->instance, back->pcp);
}

/* Without a chain in *back: it comes from the tunnel, and from no function. */
static __always_inline enum verdict resume(ctx_t *ctx, struct pkt *p, const struct returned *back)
{
	enum verdict v = back->chain ? onward(ctx, p, back) : V_NEXT;

	if (v)
		return v;
	/* What came out of a tunnel was looked at where it went into it. */
	if (!p->l2)
		v = checksum(ctx, p);
	if (v)
		return v;
	v = fragment(ctx, p, p->back_chain ? back->pcp + PASS_CHOSEN : back->pcp);
	if (!v && back->pcp == PCP_TOWARDS && p->flags & PKT_MULTICAST)
		v = returned_multicast(ctx, p, back);
	else if (!v)
		v = forward(ctx, p);
	if (back->chain)
		answered(back, v);
	return v;
}

#endif
