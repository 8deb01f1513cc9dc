/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * insert: into the wires of a chain's functions, one after the other: the frame as the workload sent it, with the
 * chain's tag and the PCP of the pass. Comes after all that judges the packet, and before the flow moves.
 * reads:  pkt, the chain
 * writes: the frame's tag; pkt.round, skipped, instance, taps
 * maps:   chains chain_stats, and those of steer and away
 * drops:  sf_down internal, and those of away
 */
#ifndef WEFT_STAGE_INSERT_H
#define WEFT_STAGE_INSERT_H

#include "lib/ops.h"
#include "stages/away.h"
#include "stages/steer.h"

/* ---- who went round what ---- */

__noinline int count_skipped(const struct pkt *p, __u32 n)
{
	struct chain_traffic *stats;

	if (!p || n >= ROUNDS)
		return 0;
	for (__u32 i = 0; i < CHAIN_STEPS; i++) {
		if (!(p->skipped[n] & 1 << i))
			continue;
		stats = chain_counters(p->round[n], i);
		if (stats)
			stats->skipped++;
	}
	return 0;
}

static __always_inline void count_round(const struct pkt *p, __u32 n)
{
	struct chain_traffic *stats;

	if (!p->round[n])
		return;
	if (p->skipped[n]) {
		count_skipped(p, n);
		return;
	}
	stats = chain_counters(p->round[n], 0);
	if (stats && p->kept & 1 << n)
		stats->kept++;
	else if (stats)
		stats->bypassed++;
}

/* At the hook's end, since XDP may yet pass the frame up. */
static __always_inline void count_rounds(const struct pkt *p, enum verdict v)
{
	if (!p->rounds || (v != V_SENT && v != V_CONSUMED))
		return;
	for (__u32 n = 0; n < ROUNDS; n++)
		count_round(p, n);
}

/* The last act of a hook whose drops are no port's. */
static __always_inline int conclude(ctx_t *ctx, struct pkt *p, enum verdict v)
{
	if (v == V_AWAY)
		v = depart(ctx, p);
	if (v == V_DROP)
		count_drop(p->reason);
	else
		count_rounds(p, v);
	return verdict_to_action(v, p);
}

/* ---- what came back ---- */

__noinline int function_answered(__u32 slot, __u32 step, __u32 instance, __u32 pcp)
{
	struct chain_traffic *stats = chain_counters(slot, step);
	__u32 function = function_of(slot, step);
	struct sf_traffic *of_instance;

	if (stats)
		stats->returned++;
	if (!function)
		return 0;
	function_lives(function, instance, pcp);
	of_instance = traffic_of(function, instance);
	if (of_instance)
		of_instance->returned++;
	return 0;
}

/* ---- the way in ---- */

/* Where frames of a pass enter the instance at `place` of the step's function; 0: it is not there, or on another host. */
static __always_inline __u32 entrance(const struct chain_step *step, __u32 place, __u32 pcp)
{
	const struct sf_instance *one;

	if (!step->function)
		return pcp == PCP_LEAVING ? step->leaving_ifindex : step->towards_ifindex;
	one = step_instance(step, place);
	return one && !is_away(one) ? instance_entrance(one, pcp) : 0;
}

static __always_inline bool step_is_away(__u32 slot, __u32 step, __u32 place)
{
	const struct chain *chain = chain_at(slot);
	const struct sf_instance *one = chain ? step_instance(chain_step(chain, step), place) : NULL;

	return one && is_away(one);
}

/* Which of the step's instances the frame goes to, or NO_INSTANCE. */
static __always_inline int instance_of_step(struct pkt *p, __u32 slot, __u32 n, const struct chain_step *step, __u32 pcp)
{
	const struct chain_traffic *stats;

	if (!step->function)
		return entrance(step, 0, pcp) ? 0 : NO_INSTANCE;
	stats = chain_counters(slot, n);
	return choose_instance(p, step->function, step->flags & STEP_OPEN, stats ? stats->skipped : 0);
}

#define STEPS_DONE CHAIN_STEPS	/* no step is left: the frame goes on its way */
#define STEPS_DOWN (-1)		/* a step is dead, and closed */
#define STEPS_AWAY (-2)		/* XDP alone: the frame goes to another host, so TC is to do it; nothing is noted of it */

static __always_inline int step_is_down(struct pkt *p)
{
	p->taps = 0;
	p->reason = DROP_SF_DOWN;
	return STEPS_DOWN;
}

/*
 * To which step the frame goes, of those at this place of its pass and after; a step, or one of the above. Taps on the way
 * are noted: they get their copies (tap.h) when the frame really goes on.
 */
__noinline int next_step(struct pkt *p, __u32 slot, __u32 pcp, __u32 place)
{
	const struct chain *chain = chain_at(slot);
	const struct chain_step *step;
	__u32 round = pcp == PCP_LEAVING ? FROM_WORKLOAD : TO_WORKLOAD, n;
	int instance;

	if (!p)
		return STEPS_DOWN;
	if (p->by_rule)
		round |= ROUND_CHOSEN;
	if (!chain || !chain->steps)
		return step_is_down(p);
	p->taps = 0;
	p->tapped = slot;
	for (; place < CHAIN_STEPS && place < chain->steps; place++) {
		n = step_at(chain, pcp, place) & (CHAIN_STEPS - 1);
		step = chain_step(chain, n);
		if (step->flags & STEP_TAP) {
			p->taps |= 1 << n;
			continue;
		}
		instance = instance_of_step(p, slot, n, step, pcp);
		if (instance >= 0) {
			p->instance = instance;
			return n;
		}
		if (WEFT_XDP && instance == INSTANCE_AWAY)
			return STEPS_AWAY;
		if (!(step->flags & STEP_OPEN))
			return step_is_down(p);
		p->round[round] = slot;
		p->skipped[round] |= 1 << n;
	}
	return STEPS_DONE;
}

/* The chain on the port's wire, or 0 if there is none or the operator bypasses it. */
static __always_inline __u32 chain_on_wire(struct pkt *p, const struct port *port, enum weft_direction direction)
{
	const struct chain *chain;

	if (!port->chain)
		return 0;
	chain = chain_at(port->chain);
	if (!chain || !chain->steps)
		return 0;
	if (chain->flags & CHAIN_BYPASS) {
		p->round[direction] = port->chain;
		return 0;
	}
	return port->chain;
}

static __always_inline void count_sent(const struct pkt *p, __u32 slot, __u32 step)
{
	struct chain_traffic *stats = chain_counters(slot, step);
	__u32 function = function_of(slot, step);
	struct sf_traffic *of_instance;

	if (stats)
		stats->sent++;
	of_instance = function ? traffic_of(function, p->instance) : NULL;
	if (of_instance)
		of_instance->sent++;
}

/* The frame begins with its own Ethernet header; a chain may have no tag. */
static __always_inline int tag_on(ctx_t *ctx, const struct chain *chain, __u32 pcp)
{
	return chain->tag ? op_push_tag(ctx, pcp << PCP_SHIFT | chain->tag) : 0;
}

static __always_inline int tag_off(ctx_t *ctx, const struct chain *chain)
{
	return chain->tag ? op_pop_tag(ctx) : 0;
}

/* The frame has the chain's tag, with the PCP, and the instance is of this host. */
static __always_inline enum verdict to_step(ctx_t *ctx, struct pkt *p, __u32 slot, __u32 pcp, __u32 step)
{
	const struct chain *chain = chain_at(slot);

	if (!chain)
		return drop(p, DROP_INTERNAL);
	count_sent(p, slot, step);
	p->action = op_send(ctx, entrance(chain_step(chain, step), p->instance, pcp));
	return V_SENT;
}

/* The frame begins with its own Ethernet header and has no tag. */
__noinline int to_function(ctx_t *ctx, struct pkt *p, __u32 slot, __u32 pcp, __u32 step)
{
	const struct chain *chain = chain_at(slot);

	if (!p)
		return V_DROP;
#if !WEFT_XDP
	if (step_is_away(slot, step, p->instance)) {
		count_sent(p, slot, step);
		return to_away(p, slot, pcp, step);
	}
#endif
	if (!chain || tag_on(ctx, chain, tag_pcp(p, pcp)))
		return drop(p, DROP_INTERNAL);
	return to_step(ctx, p, slot, pcp, step);
}

#endif
