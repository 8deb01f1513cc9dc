/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * home: what a function of this host has given back goes, without the tag, to the host that judges it, one step further on
 * its path. Nothing else is asked here: that host asks all that it asks of its own functions.
 * reads:  struct pkt, what it came back from
 * writes: the frame; pkt.tenant, vni, hash, action
 * maps:   chains functions nsh_chains hosts, and those of encap
 * drops:  nsh_path internal, and those of checksum, unwrap and encap
 */
#ifndef WEFT_STAGE_HOME_H
#define WEFT_STAGE_HOME_H

#include "stages/checksum.h"
#include "stages/output.h"
#include "stages/returned.h"

__noinline int home(ctx_t *ctx, struct pkt *p, const struct returned *back)
{
	const struct sf_instance *one;
	const struct chain *chain;
	const struct host *judge;
	struct scratch *room;
	enum verdict v;
	__u32 slot;

	if (!p || !back)
		return V_DROP;
	slot = SF_AWAY_HOST(back->away);
	if (WEFT_XDP && !host_takes_xdp(p, slot, AWAY_LEN))
		return V_UP;
	function_answered(back->chain, back->step, back->instance, back->pcp);
	chain = chain_at(back->chain);
	judge = host_at(slot);
	room = scratch_here();
	one = chain ? step_instance(chain_step(chain, back->step), back->instance) : NULL;
	if (!one || !judge || !room)
		return drop(p, DROP_INTERNAL);
	v = checksum(ctx, p);
	if (!v)
		v = unwrap(ctx, p);
	if (v)
		return v;
	if (!nsh_stands(&room->nsh, back->chain, chain, back->pcp, back->step, true))
		return drop(p, DROP_NSH_PATH);
	nsh_tell(&room->nsh, judge->vtep4, one->id, p->tci);
	p->vni = chain->vnis[SF_AWAY_NETWORK(back->away)];
	p->tenant = chain->tenant;
	room->away = slot;
	if (!steer(p))
		p->hash = p->steer;
	return V_AWAY;
}

#endif
