/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * insert: into the wire of a chain's function: the frame as the workload sent it, with the chain's tag and
 * the PCP of the pass. Comes after all that judges the packet, and before the flow moves.
 * reads:  pkt, the chain
 * writes: the frame's tag; chain_state
 * maps:   chains chain_state chain_stats
 * drops:  sf_down internal
 */
#ifndef WEFT_STAGE_INSERT_H
#define WEFT_STAGE_INSERT_H

#include "lib/count.h"
#include "lib/ops.h"

static __always_inline struct chain_traffic *chain_counters(__u32 slot)
{
	return bpf_map_lookup_elem(&chain_stats, &slot);
}

static __always_inline void count_round(const struct pkt *p, enum weft_direction direction)
{
	struct chain_traffic *stats;

	if (!p->round[direction])
		return;
	stats = chain_counters(p->round[direction]);
	if (stats && p->kept & 1 << direction)
		stats->kept++;
	else if (stats)
		stats->bypassed++;
}

/* At the hook's end, since XDP may yet pass the frame up. */
static __always_inline void count_rounds(const struct pkt *p, enum verdict v)
{
	if (likely(!p->rounds) || (v != V_SENT && v != V_CONSUMED))
		return;
	count_round(p, FROM_WORKLOAD);
	count_round(p, TO_WORKLOAD);
}

/* The last act of a hook whose drops are no port's. */
static __always_inline int conclude(const struct pkt *p, enum verdict v)
{
	if (unlikely(v == V_DROP))
		count_drop(p->reason);
	else
		count_rounds(p, v);
	return verdict_to_action(v, p);
}

enum function_health { FUNCTION_ANSWERS, FUNCTION_SILENT, FUNCTION_TRIED };

/*
 * The passive watch. What a silent function is sent is lost, and counted as dropped. Yet one frame a tick
 * still goes to it: it comes back to life by answering, and one that merely drops what it does not like
 * gets all of a slow flow.
 */
static __always_inline enum function_health function_health(__u32 slot, const struct host_config *us)
{
	struct chain_state *state = bpf_map_lookup_elem(&chain_state, &slot);
	__u32 now = bpf_jiffies64();

	if (!state)
		return FUNCTION_ANSWERS;
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
	if (state->last_try == now)
		return FUNCTION_SILENT;
	state->last_try = now;
	return FUNCTION_TRIED;
}

/* May a frame go to the function? */
static __always_inline bool function_takes(__u32 slot, __u32 ifindex, const struct host_config *us)
{
	enum function_health health;

	if (!ifindex)
		return false;
	health = function_health(slot, us);
	if (health == FUNCTION_TRIED)
		count_drop(DROP_SF_DOWN);
	return health != FUNCTION_SILENT;
}

static __always_inline void function_lives(__u32 slot)
{
	struct chain_state *state = bpf_map_lookup_elem(&chain_state, &slot);

	if (state && state->outstanding)
		state->outstanding = 0;
}

static __always_inline void function_answered(__u32 slot)
{
	struct chain_traffic *stats = chain_counters(slot);

	function_lives(slot);
	if (stats)
		stats->returned++;
}

/* The chain on the port's wire, or 0 if there is none or the operator bypasses it. */
static __always_inline __u32 chain_on_wire(struct pkt *p, const struct port *port, enum weft_direction direction)
{
	const struct chain *chain;

	if (likely(!port->chain))
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

/* The frame begins with its own Ethernet header and has no tag. */
__noinline int to_function(ctx_t *ctx, struct pkt *p, __u32 slot, enum chain_pcp pcp)
{
	const struct chain *chain = chain_at(slot);
	const struct host_config *us = this_host();
	struct chain_traffic *stats;
	__u32 ifindex;

	if (!p)
		return V_DROP;
	if (!chain || !us)
		return drop(p, DROP_INTERNAL);
	ifindex = pcp == PCP_LEAVING ? chain->step[0].leaving_ifindex : chain->step[0].towards_ifindex;
	if (!function_takes(slot, ifindex, us))
		return drop(p, DROP_SF_DOWN);
	if (op_push_tag(ctx, pcp << PCP_SHIFT | chain->tag))
		return drop(p, DROP_INTERNAL);
	stats = chain_counters(slot);
	if (stats)
		stats->sent++;
	p->action = op_send(ctx, ifindex);
	return V_SENT;
}

#endif
