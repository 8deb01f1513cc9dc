/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * steer: which instance of a function a frame goes to. A new flow's is chosen by weighted rendezvous hashing (Thaler,
 * Ravishankar, 1998; weights as in Schindelhauer, Schomaker, 2005): both directions alike, and when an instance comes,
 * goes or dies, only flows that it had or gets are concerned. What was chosen is remembered, so that a flow stays.
 * reads:  pkt, the function
 * writes: pkt.steer, instance; sf_flows, sf_state
 * maps:   functions sf_flows sf_state sf_stats chain_stats tenants
 * drops:  sf_down
 */
#ifndef WEFT_STAGE_STEER_H
#define WEFT_STAGE_STEER_H

#include "lib/chain_step.h"
#include "lib/count.h"
#include "lib/flow_key.h"
#include "lib/scratch.h"
#include "stages/watch.h"

#define NO_INSTANCE (-1)

static __always_inline struct chain_traffic *chain_counters(__u32 slot, __u32 step)
{
	__u32 index = CHAIN_STEP_INDEX(slot, step);

	return bpf_map_lookup_elem(&chain_stats, &index);
}

/* ---- the flow, as far as it matters here ---- */

/* One end of it. All fragments of a datagram have but the addresses in common; what is no IP has MACs alone. */
static __always_inline __u64 end_of(const struct pkt *p, const union weft_addr *address, __be16 port, const __u8 *mac)
{
	if (p->fragment)
		port = 0;
	if (p->family == FAMILY_IPV4)
		return (__u64)address->v4 << 16 | port;
	if (p->family == FAMILY_IPV6)
		return (address->halves[0] * 0x9e3779b97f4a7c15ULL ^ address->halves[1]) * 0xff51afd7ed558ccdULL + port;
	return *(const __u32 *)mac | (__u64)*(const __u16 *)(mac + 4) << 32;
}

static __always_inline __u64 steer_hash(const struct pkt *p, __u64 seed)
{
	__u64 a = end_of(p, &p->source, p->source_port, p->source_mac);
	__u64 b = end_of(p, &p->destination, p->destination_port, p->destination_mac);
	__u64 words[3] = {
		a < b ? a : b,
		a < b ? b : a,
		(__u64)p->zone << 16 | (p->family ? p->flow_protocol : 0),
	};

	return flow_hash(words, 3, seed) | 1;
}

/* Once a hook, and a function of its own for the stack's sake. */
__noinline int steer(struct pkt *p)
{
	const struct tenant *t;

	if (!p)
		return NO_INSTANCE;
	t = tenant_at(p->tenant);
	if (!t)
		return NO_INSTANCE;
	p->steer = steer_hash(p, t->seed);
	return 0;
}

/* ---- which one ---- */

static __always_inline __u32 log2_16(__u32 x)
{
	__u32 whole = 31 - __builtin_clz(x), part = (x << (31 - whole) & 0x7fffffff) >> 15;

	/* log2(1 + f) is f + 0.344 f (1 - f), but for a hundredth. */
	return whole << 16 | (part + ((part * (0x10000 - part) >> 16) * 22544 >> 16));
}

/* The least wins. Minus the logarithm of a random number, by weight: an instance of weight 2 wins as often as two of 1. */
static __always_inline __u64 rank_of(const struct sf_instance *instance, __u64 flow)
{
	__u32 drawn = mix(flow ^ (__u64)instance->id * 0x9e3779b97f4a7c15ULL) | 1;

	return ((__u64)((32u << 16) - log2_16(drawn)) << 16) / (instance->weight | !instance->weight);
}

static __always_inline __u32 instance_entrance(const struct sf_instance *instance, __u32 pcp)
{
	return pcp == PCP_LEAVING ? instance->leaving_ifindex : instance->towards_ifindex;
}

/* What the searches remember is volatile: the verifier does not follow what it may be. */

/*
 * Which places have an instance that answers; and, in the upper half, which silent one may be tried with a new flow,
 * of which the first packet is risked, once a second: nobody else looks whether it is back. Which ones drain is noted too.
 */
__noinline __u32 alive_instances(__u32 slot)
{
	const struct function *f = function_at(slot);
	const struct host_config *us = this_host();
	struct scratch *s = scratch_here();
	__u32 now = bpf_jiffies64();
	volatile __u32 *answers, *drain;

	if (!f || !us || !s)
		return 0;
	answers = &s->steering.answers;
	drain = &s->steering.drain;
	*answers = *drain = 0;
	for (__u32 i = 0; i < FUNCTION_INSTANCES; i++) {
		const struct sf_state *state = state_of(slot, i);

		if (!state)
			continue;
		*drain |= (__u32)(f->instance[i].flags & INSTANCE_DRAIN) << i;
		if (!instance_is_dead(state, function_has_others(f), now, us->hz))
			*answers |= 1 << i;
		else if (!instance_is_probed(state, now, us->hz) && now - state->last_try >= us->hz)
			*answers |= 0x10000 << i;
	}
	return *answers;
}

/* Of the places in `mask`. */
__noinline int pick_instance(__u32 slot, __u64 flow, __u32 mask)
{
	const struct function *f = function_at(slot);
	struct scratch *s = scratch_here();
	volatile struct steering *found;

	if (!f || !s)
		return NO_INSTANCE;
	found = &s->steering;
	found->least = ~0ULL;
	found->best = FUNCTION_INSTANCES;
	found->mask = mask;
	for (__u32 i = 0; i < FUNCTION_INSTANCES; i++) {
		__u64 rank;

		if (!(found->mask & 1 << i))
			continue;
		rank = rank_of(&f->instance[i], flow);
		if (rank >= found->least)
			continue;
		found->least = rank;
		found->best = i;
	}
	return found->best < FUNCTION_INSTANCES ? (int)found->best : NO_INSTANCE;
}

/* ---- and it stays ---- */

/* In scratch, whose memory may be a map's key on older kernels too. */
static __always_inline void steer_key(struct steering *s, __u32 slot, __u64 flow, __u32 tenant)
{
	s->key.flow = flow;
	s->key.function = slot;
	s->key.tenant = tenant;
}

/* Of those that answer (alive_instances() has just told) and may be given flows: one of this host, else another's. */
static __always_inline int pick_fresh(const struct function *f, __u32 slot, __u64 flow, __u32 answers)
{
	int place = pick_instance(slot, flow, f->fresh & answers);
	struct scratch *s = scratch_here();

	if (place >= 0 || !f->remote || !s)
		return place;
	return pick_instance(slot, flow, f->remote & ~s->steering.drain & answers);
}

/* Of all, whether they answer or not; likewise. */
static __always_inline int pick_preferred(const struct function *f, __u32 slot, __u64 flow)
{
	return pick_instance(slot, flow, f->present ? f->present : f->remote);
}

static __always_inline bool is_back_home(const struct function *f, __u32 slot, const struct sf_flow *known, __u64 flow)
{
	int place;

	if (!(f->flags & FUNCTION_REBALANCE) || known->preferred == known->instance)
		return false;
	place = pick_fresh(f, slot, flow, alive_instances(slot));
	return place >= 0 && instance_at(f, place)->id == known->preferred;
}

/* The instance that the flow has, if it can have it yet. */
__noinline int keep_instance(__u32 slot, __u64 flow, __u32 tenant)
{
	const struct function *f = function_at(slot);
	const struct host_config *us = this_host();
	struct scratch *s = scratch_here();
	__u32 now = bpf_jiffies64(), place;
	struct sf_state *state;
	struct sf_flow *known;

	if (!s || !f || !us)
		return NO_INSTANCE;
	steer_key(&s->steering, slot, flow, tenant);
	known = bpf_map_lookup_elem(&sf_flows, &s->steering.key);
	if (!known)
		return NO_INSTANCE;
	place = known->place & (FUNCTION_INSTANCES - 1);
	state = state_of(slot, place);
	if (!state || instance_at(f, place)->id != known->instance || !((f->present | f->remote) >> place & 1) ||
	    instance_is_dead(state, function_has_others(f), now, us->hz) || is_back_home(f, slot, known, flow))
		return NO_INSTANCE;
	if (now - known->seen >= us->hz)
		known->seen = now;
	return place;
}

/* Rather one that drains than none. */
static __always_inline int pick_alive(const struct function *f, __u32 slot, __u64 flow, bool is_new)
{
	__u32 answers = alive_instances(slot);
	int place;

	if (is_new && function_has_others(f))
		answers |= answers >> 16;
	place = pick_fresh(f, slot, flow, answers);
	return place >= 0 ? place : pick_instance(slot, flow, (f->present | f->remote) & answers);
}

__noinline int give_instance(__u32 slot, __u64 flow, __u32 tenant)
{
	const struct function *f = function_at(slot);
	struct scratch *s = scratch_here();
	struct sf_traffic *stats;
	int place, preferred;
	bool is_new;

	if (!s || !f)
		return NO_INSTANCE;
	steer_key(&s->steering, slot, flow, tenant);
	is_new = !bpf_map_lookup_elem(&sf_flows, &s->steering.key);
	place = pick_alive(f, slot, flow, is_new);
	preferred = pick_preferred(f, slot, flow);
	if (place < 0 || preferred < 0)
		return NO_INSTANCE;
	s->steering.given.instance = instance_at(f, place)->id;
	s->steering.given.preferred = instance_at(f, preferred)->id;
	s->steering.given.seen = bpf_jiffies64();
	s->steering.given.place = place;
	bpf_map_update_elem(&sf_flows, &s->steering.key, &s->steering.given, BPF_ANY);
	stats = traffic_of(slot, place);
	if (stats && is_new)
		stats->flows++;
	else if (stats)
		stats->moved++;
	return place;
}

/*
 * What a silent function is sent is lost, and counted as dropped. Yet some frames still go to it, so that it comes back
 * to life by answering. Of what would be dropped else, one a tick: a function that merely drops what it does not like
 * gets all of a slow flow. Of what would skip it, few, which a slow flow hardly misses.
 */
static __always_inline bool is_tried(const struct sf_state *state, __u32 now, __u32 hz, bool open, __u64 skipped)
{
	if (!open)
		return state->last_try != now;
	return skipped % OPEN_TRIES == OPEN_TRIES - 1 && now - state->last_try >= hz && !instance_is_probed(state, now, hz);
}

/* All are dead. */
__noinline int try_instance(__u32 slot, __u64 flow, bool open, __u64 skipped)
{
	const struct function *f = function_at(slot);
	const struct host_config *us = this_host();
	__u32 now = bpf_jiffies64();
	struct sf_state *state;
	int place;

	if (!f || !us)
		return NO_INSTANCE;
	place = pick_preferred(f, slot, flow);
	if (place < 0)
		return NO_INSTANCE;
	state = state_of(slot, place);
	if (!state || !is_tried(state, now, us->hz, open, skipped))
		return NO_INSTANCE;
	count_drop(DROP_SF_DOWN);
	return place;
}

/* Of a step's function; `open`: the frame skips it if nobody can take it. What is returned is about to be sent a frame. */
__noinline int choose_instance(struct pkt *p, __u32 slot, bool open, __u64 skipped)
{
	__u32 now = bpf_jiffies64();
	struct sf_state *state;
	int place;

	if (!p)
		return NO_INSTANCE;
	if (!p->steer && steer(p))
		return NO_INSTANCE;
	place = keep_instance(slot, p->steer, p->tenant);
	if (place < 0)
		place = give_instance(slot, p->steer, p->tenant);
	if (place < 0)
		place = try_instance(slot, p->steer, open, skipped);
	if (place < 0)
		return NO_INSTANCE;
	state = state_of(slot, place);
	if (!state)
		return NO_INSTANCE;
	if (state->outstanding >= SILENT_FRAMES && state->last_try != now)
		state->last_try = now;
	watch_sent(state, p->steer, now);
	return place;
}

#endif
