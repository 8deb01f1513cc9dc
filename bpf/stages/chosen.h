/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * chosen: the chains that rules chose for a flow. A rule's is remembered with that end of the flow (FLOW_TARGET_CHAIN), and
 * each packet takes it from there: the sender's after ACL out, the receiver's after ACL in. Only what a flow names so is
 * believed when it comes back. A chain that stands on the port's wire by itself is passed there, once.
 * reads:  struct pkt, the flow's path, port_slots, chains
 * writes: pkt.chosen, kept, round; a flow that is reset
 * maps:   port_slots chains, and those of existing
 * drops:  sf_no_flow sf_down chain_reset
 */
#ifndef WEFT_STAGE_CHOSEN_H
#define WEFT_STAGE_CHOSEN_H

#include "stages/existing.h"

/* ---- what is remembered of an end ---- */

static __always_inline bool is_inspected(__u32 end)
{
	return FLOW_TARGET_CHAIN(end) && !(end & FLOW_TARGET_OLDER);
}

/* What both directions knew of one end: a flow that either knows to be inspected is. */
static __always_inline __u32 known_of(__u32 ours, __u32 theirs)
{
	if (is_inspected(ours) || (FLOW_TARGET_CHAIN(ours) && !is_inspected(theirs)))
		return ours;
	return theirs;
}

/*
 * The chain that is chosen now, and whether the flow is older; as loader/wire.c has it of chains on wires. What was
 * inspected stays so: only what was kept out may be kept out. `known`: of the same flow; 0 if it named no chain there.
 */
__noinline int chosen_end(__u32 slot, __u32 known)
{
	const struct chain *chain = chain_at(slot);
	__u32 older = FLOW_TARGET_OLDER;

	if (!slot || !chain || !(chain->flags & (CHAIN_KEEP | CHAIN_RESET)))
		older = 0;
	else if (FLOW_TARGET_CHAIN(known) && (chain->flags & CHAIN_KEEP || FLOW_TARGET_CHAIN(known) == slot))
		older = known & FLOW_TARGET_OLDER;
	return (slot & FLOW_TARGET_CHAIN(~0u)) << 16 | older;
}

/* The bits of `end` that are of a chain, if it is the same place. */
static __always_inline __u32 chosen_at(__u32 end, __u32 place)
{
	return FLOW_TARGET_PLACE(end) == place ? FLOW_TARGET_CHOSEN(end) : 0;
}

/* May XDP lead a packet that is judged into this chain? What ends flows is TC. */
static __always_inline bool xdp_takes_chosen(__u32 slot, bool again)
{
	const struct chain *chain = slot ? chain_at(slot) : NULL;

	return !chain || (chain_takes_xdp(slot) && !(again && chain->flags & CHAIN_RESET));
}

/* ---- what a function gave back ---- */

static __always_inline bool is_exempt(const struct pkt *p, const struct flow *f, __u32 end)
{
	return fate_by(p, f, FLOW_TARGET_CHAIN(end), end & FLOW_TARGET_OLDER) == FATE_KEEP;
}

/* Does the flow, and let pass, name the chain that gave the frame back, at the workload for which it did? */
static __always_inline bool names_back(const struct pkt *p, const struct flow *f)
{
	const struct flow_path *us = flow_our_path(f, p);
	__u32 end = p->behind == BEHIND_CHOSEN_LEAVING ? us->source : us->target;

	return !(us->flags & FLOW_DENIED) && FLOW_TARGET_CHAIN(end) == p->back_chain &&
	       FLOW_TARGET_PLACE(end) == FLOW_TARGET(TARGET_PORT, p->back_port) &&
	       mac_equal(us->mac, p->destination_mac) && !is_exempt(p, f, end);
}

/* Nor has the sender moved meanwhile. */
static __always_inline bool is_back(const struct pkt *p, const struct flow *f)
{
	return FLOW_TARGET_PLACE(flow_our_path(f, p)->source) == p->from && names_back(p, f);
}

/* Whether it is named, before the flow is known. */
__noinline int is_named_back(struct pkt *p)
{
	const struct tenant *t;
	struct flow *f;

	if (!p)
		return false;
	t = tenant_at(p->tenant);
	if (!t || is_stateless(p))
		return false;
	flow_key(p);
	f = flow_find(p, t);
	return f && names_back(p, f);
}

/* ---- what is ahead ---- */

/* Does the chain stand on that port's wire by itself, and inspect there? */
static __always_inline bool is_on_wire(const struct pkt *p, const struct flow *f, __u32 end, enum weft_direction direction)
{
	const struct port *port = port_at(FLOW_TARGET_INDEX(end));

	if (!port || port->chain != FLOW_TARGET_CHAIN(end))
		return false;
	if (direction == FROM_WORKLOAD)
		return !(p->kept & 1 << FROM_WORKLOAD);
	return !port->chain_since || fate_of(p, f, port) != FATE_KEEP;
}

static __always_inline enum verdict choose(struct pkt *p, struct flow *f, __u32 end, enum weft_direction direction)
{
	__u32 slot = FLOW_TARGET_CHAIN(end), round = direction | ROUND_CHOSEN;
	const struct chain *chain;
	enum fate fate;

	if (!slot || p->behind > direction || is_on_wire(p, f, end, direction))
		return V_NEXT;
	chain = chain_at(slot);
	/* Gone, or about to be another one: never round it. */
	if (!chain || !chain->steps || chain->tenant != p->tenant)
		return drop(p, DROP_SF_DOWN);
	fate = fate_by(p, f, slot, end & FLOW_TARGET_OLDER);
	if (fate == FATE_RESET)
		return flow_reset(p, f);
	if (fate == FATE_KEEP)
		keep_out(p, slot, round);
	else if (chain->flags & CHAIN_BYPASS)
		p->round[round] = slot;
	else
		p->chosen[direction] = slot;
	return V_NEXT;
}

/* The chain that the sender's rule chose, as packets towards the sender meet it; 0: none. */
static __always_inline __u32 chosen_by_sender(const struct pkt *p, const struct flow *f)
{
	__u32 end = flow_our_path(f, p)->source, slot = FLOW_TARGET_CHAIN(end);
	const struct chain *chain = slot ? chain_at(slot) : NULL;

	if (!chain || chain->flags & CHAIN_BYPASS || is_exempt(p, f, end) || is_on_wire(p, f, end, TO_WORKLOAD))
		return 0;
	return slot;
}

/* Of a packet whose flow is known and lets it pass. V_UP, before any effect, where XDP cannot go that way. */
__noinline int chosen(struct pkt *p, struct flow *f)
{
	const struct flow_path *us;
	enum verdict v;

	if (!p || !f)
		return V_DROP;
	us = flow_our_path(f, p);
	/* It may have been judged anew by now. */
	if (p->back_chain && !names_back(p, f))
		return drop(p, DROP_SF_NO_FLOW);
	v = choose(p, f, us->source, FROM_WORKLOAD);
	if (!v)
		v = choose(p, f, us->target, TO_WORKLOAD);
	if (!WEFT_XDP || v || !(p->chosen[FROM_WORKLOAD] | p->chosen[TO_WORKLOAD]))
		return v;
	return xdp_takes_chosen(p->chosen[FROM_WORKLOAD], false) && xdp_takes_chosen(p->chosen[TO_WORKLOAD], false) &&
			       !ends_towards(p, f) ?
		       V_NEXT :
		       V_UP;
}

#endif
