/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * away: a step's function is on another host: the frame goes there in NSH (docs/NSH.md). TC alone: a chain with such a
 * step is left to it, since whether XDP can send is known only once a flow has its instance.
 * reads:  pkt, the chain, its path, the instance
 * writes: the frame; pkt.hash, action
 * maps:   nsh_chains chains functions host, and those of encap
 * drops:  nsh_path internal, and those of encap
 */
#ifndef WEFT_STAGE_AWAY_H
#define WEFT_STAGE_AWAY_H

#include "lib/chain_step.h"
#include "lib/scratch.h"
#include "stages/encap.h"

/* Where the frame stands in the chain's path before (or, `back`, behind) that step. */
static __always_inline bool nsh_stands(struct nsh *nsh, __u32 slot, const struct chain *chain, __u32 pcp, __u32 step,
				       bool back)
{
	const struct nsh_chain *path = bpf_map_lookup_elem(&nsh_chains, &slot);

	if (!path || path->id != chain->id)
		return false;
	nsh_fill(nsh, back ? NSH_TTL_BACK : NSH_TTL_AWAY, NSH_SPI(path->path, pcp == PCP_TOWARDS),
		 NSH_SI_FIRST - back - step_at(chain, pcp, step));
	return true;
}

#if !WEFT_XDP

/*
 * The header for the instance that the frame goes to. Not inlined, and `depart` is not called where this is: 6.1 bears 512
 * bytes for all that is on the stack.
 */
__noinline int to_away(struct pkt *p, __u32 slot, __u32 pcp, __u32 step)
{
	const struct host_config *us = this_host();
	const struct chain *chain = chain_at(slot);
	struct scratch *room = scratch_here();
	const struct sf_instance *one;

	if (!p)
		return V_DROP;
	if (!us || !chain || !room)
		return drop(p, DROP_INTERNAL);
	one = step_instance(chain_step(chain, step), p->instance);
	if (!one)
		return drop(p, DROP_INTERNAL);
	if (!nsh_stands(&room->nsh, slot, chain, pcp, step, false))
		return drop(p, DROP_NSH_PATH);
	nsh_tell(&room->nsh, us->vtep4, one->id, tag_pcp(p, pcp) << PCP_SHIFT | chain->tag);
	room->away = one->leaving_ifindex;
	/* Before its flow has been looked up the flow's hash is not known; this one spreads as well. */
	if (!p->hash)
		p->hash = p->steer;
	return V_AWAY;
}

#endif

/* The frame begins with its own Ethernet header and has no tag. */
__noinline int depart(ctx_t *ctx, struct pkt *p)
{
	struct scratch *room = scratch_here();

	if (!p || !room)
		return V_DROP;
	return encap(ctx, p, room->away, &room->nsh);
}

#endif
