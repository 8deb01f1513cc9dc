/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Hook `sf`: frames back from a function's device. Nothing is believed but what a chain sends there. */
#include "lib/weft.h"
#include "stages/checksum.h"
#include "stages/fragment.h"
#include "stages/forward.h"
#include "stages/parse.h"
#include "stages/probe.h"
#include "stages/returned.h"

/* To the chain's next step, as it is. V_NEXT: it was the last one, but for taps. */
static __always_inline enum verdict onward(ctx_t *ctx, struct pkt *p, const struct returned *back)
{
	const struct chain *chain = chain_at(back->chain);
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
	function_answered(back->chain, back->step, back->instance, back->pcp);
	if (step == STEPS_DOWN)
		return V_DROP;
	copy_taps_tagged(ctx, p, back->pcp);
	return to_step(ctx, p, back->chain, back->pcp, step);
}

static __always_inline enum verdict from_function(ctx_t *ctx, struct pkt *p)
{
	struct returned back = {};
	enum verdict v;

	p->ifindex = ctx_ifindex(ctx);
	v = parse(ctx, p, 0);
	if (v)
		return v;
	v = probe(ctx, p);
	if (v)
		return v;
	v = returned(p, &back);
	if (v)
		return v;
	v = onward(ctx, p, &back);
	if (v)
		return v;
	v = checksum(ctx, p);
	if (v)
		return v;
	v = fragment(ctx, p, p->back_chain ? back.pcp + PASS_CHOSEN : back.pcp);
	if (v) {
		/* It has answered, whatever becomes of it; what comes again is counted then. */
		if (v == V_HELD)
			function_lives(function_of(back.chain, back.step), back.instance, back.pcp);
		else
			function_answered(back.chain, back.step, back.instance, back.pcp);
		return v;
	}
	if (back.pcp != PCP_LEAVING && p->flags & PKT_MULTICAST)
		v = returned_multicast(ctx, p, &back);
	else
		v = forward(ctx, p);
	/* What XDP passes up TC will see again. */
	if (v != V_UP)
		function_answered(back.chain, back.step, back.instance, back.pcp);
	return v;
}

HOOK(sf)
{
	struct pkt *p = pkt_new();

	return p ? conclude(p, from_function(ctx, p)) : verdict_to_action(V_DROP, p);
}

char _license[] SEC("license") = "Dual BSD/GPL";
