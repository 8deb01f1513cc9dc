/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * insert: into the wires of a chain's functions, one after the other: the frame as the workload sent it, with the
 * chain's tag and the PCP of the pass. Comes after all that judges the packet, and before the flow moves.
 * reads:  pkt, the chain
 * writes: the frame's tag; pkt.round, skipped; chain_state
 * maps:   chains chain_state chain_stats
 * drops:  sf_down internal
 */
#ifndef WEFT_STAGE_INSERT_H
#define WEFT_STAGE_INSERT_H

#include "lib/count.h"
#include "lib/ops.h"

static __always_inline struct chain_traffic *chain_counters(__u32 slot, __u32 step)
{
	__u32 index = CHAIN_STEP_INDEX(slot, step);

	return bpf_map_lookup_elem(&chain_stats, &index);
}

static __always_inline struct chain_state *chain_watch(__u32 slot, __u32 step)
{
	__u32 index = CHAIN_STEP_INDEX(slot, step);

	return bpf_map_lookup_elem(&chain_state, &index);
}

/* Which step stands at a place of the pass, counted from 0; likewise at which place a step stands. */
static __always_inline __u32 step_at(const struct chain *chain, __u32 pcp, __u32 place)
{
	return chain->flags & CHAIN_MIRROR && pcp == PCP_TOWARDS ? chain->steps - 1 - place : place;
}

/* The verifier wants to see the bound where it is used. */
static __always_inline const struct chain_step *chain_step(const struct chain *chain, __u32 step)
{
	__u64 n;

	asm volatile("" : "+r"(step));
	n = step & (CHAIN_STEPS - 1);
	asm volatile("" : "+r"(n));
	return &chain->step[n];
}

/* ---- who went round what ---- */

/* The watch hears of it here, so that XDP can pass the frame up until then as if it had not been there. */
__noinline int count_skipped(const struct pkt *p, __u32 n)
{
	struct chain_traffic *stats;
	struct chain_state *state;

	if (!p || n >= ROUNDS)
		return 0;
	for (__u32 i = 0; i < CHAIN_STEPS; i++) {
		if (!(p->skipped[n] & 1 << i))
			continue;
		stats = chain_counters(p->round[n], i);
		if (stats)
			stats->skipped++;
		state = chain_watch(p->round[n], i);
		if (state)
			state->outstanding++;
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
static __always_inline int conclude(const struct pkt *p, enum verdict v)
{
	if (v == V_DROP)
		count_drop(p->reason);
	else
		count_rounds(p, v);
	return verdict_to_action(v, p);
}

/* ---- the passive watch ---- */

enum function_health { FUNCTION_ANSWERS, FUNCTION_SILENT, FUNCTION_TRIED };

/*
 * What a silent function is sent is lost, and counted as dropped. Yet some frames still go to it, so that it comes back
 * to life by answering. Of what would be dropped else, one a tick: a function that merely drops what it does not like
 * gets all of a slow flow. Of what would skip it, few, which a slow flow hardly misses.
 */
static __always_inline bool is_tried(const struct chain_state *state, __u32 now, bool open, const struct host_config *us)
{
	if (!open)
		return state->last_try != now;
	return !(state->outstanding % OPEN_TRIES) && now - state->last_try >= us->hz;
}

static __always_inline enum function_health function_health(struct chain_state *state, bool open,
							    const struct host_config *us)
{
	__u32 now = bpf_jiffies64();

	if (!state->outstanding) {
		state->waiting_since = now;
		state->outstanding = 1;
		return FUNCTION_ANSWERS;
	}
	if (state->outstanding < SILENT_FRAMES) {
		state->outstanding++;
		return FUNCTION_ANSWERS;
	}
	if (now - state->waiting_since < us->hz)
		return FUNCTION_ANSWERS;
	if (!is_tried(state, now, open, us))
		return FUNCTION_SILENT;
	state->last_try = now;
	state->outstanding += open;
	return FUNCTION_TRIED;
}

static __always_inline void function_lives(__u32 slot, __u32 step)
{
	struct chain_state *state = chain_watch(slot, step);

	if (state && state->outstanding)
		state->outstanding = 0;
}

static __always_inline void function_answered(__u32 slot, __u32 step)
{
	struct chain_traffic *stats = chain_counters(slot, step);

	function_lives(slot, step);
	if (stats)
		stats->returned++;
}

/* ---- the way in ---- */

static __always_inline __u32 entrance(const struct chain_step *step, __u32 pcp)
{
	return pcp == PCP_LEAVING ? step->leaving_ifindex : step->towards_ifindex;
}

/* May a frame go to the step's function, as far as the watch knows? Verified once, since it has many outcomes. */
__noinline int watch_lets(__u32 slot, __u32 step, bool open)
{
	struct chain_state *state = chain_watch(slot, step);
	const struct host_config *us = this_host();
	enum function_health health;

	if (!state || !us)
		return true;
	health = function_health(state, open, us);
	if (health == FUNCTION_TRIED)
		count_drop(DROP_SF_DOWN);
	return health != FUNCTION_SILENT;
}

#define STEPS_DONE CHAIN_STEPS	/* no step is left: the frame goes on its way */
#define STEPS_DOWN (-1)		/* a step is dead, and closed */

static __always_inline int step_is_down(struct pkt *p)
{
	p->reason = DROP_SF_DOWN;
	return STEPS_DOWN;
}

/* To which step the frame goes, of those at this place of its pass and after; a step, or one of the above. */
__noinline int next_step(struct pkt *p, __u32 slot, __u32 pcp, __u32 place)
{
	const struct chain *chain = chain_at(slot);
	const struct chain_step *step;
	__u32 round = pcp == PCP_LEAVING ? FROM_WORKLOAD : TO_WORKLOAD, n;

	if (!p)
		return STEPS_DOWN;
	if (p->by_rule)
		round |= ROUND_CHOSEN;
	if (!chain || !chain->steps)
		return step_is_down(p);
	for (; place < CHAIN_STEPS && place < chain->steps; place++) {
		n = step_at(chain, pcp, place) & (CHAIN_STEPS - 1);
		step = chain_step(chain, n);
		if (entrance(step, pcp) && watch_lets(slot, n, step->flags & STEP_OPEN))
			return n;
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

/* The frame has the chain's tag, with the PCP. */
static __always_inline enum verdict to_step(ctx_t *ctx, struct pkt *p, __u32 slot, __u32 pcp, __u32 step)
{
	const struct chain *chain = chain_at(slot);
	struct chain_traffic *stats;

	if (!chain)
		return drop(p, DROP_INTERNAL);
	stats = chain_counters(slot, step);
	if (stats)
		stats->sent++;
	p->action = op_send(ctx, entrance(chain_step(chain, step), pcp));
	return V_SENT;
}

/* The frame begins with its own Ethernet header and has no tag. */
__noinline int to_function(ctx_t *ctx, struct pkt *p, __u32 slot, __u32 pcp, __u32 step)
{
	const struct chain *chain = chain_at(slot);

	if (!p)
		return V_DROP;
	if (!chain || op_push_tag(ctx, pcp << PCP_SHIFT | chain->tag))
		return drop(p, DROP_INTERNAL);
	return to_step(ctx, p, slot, pcp, step);
}

#endif
