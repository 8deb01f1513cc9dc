/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * steer: which instance of a function a frame goes to. A new flow's is chosen by weighted rendezvous hashing (Thaler,
 * Ravishankar, 1998; include/steer.h): both directions alike, and when an instance comes, goes or dies, only flows that
 * it had or gets are concerned; one of this host rather than another's. What was chosen is remembered, so that a flow stays.
 * reads:  pkt, the function, sf_drains
 * writes: pkt.steer, instance; sf_flows, sf_state
 * maps:   functions sf_drains sf_flows sf_state sf_stats chain_stats tenants
 * drops:  sf_down
 */
#ifndef WEFT_STAGE_STEER_H
#define WEFT_STAGE_STEER_H

#include "include/steer.h"
#include "lib/chain_step.h"
#include "lib/count.h"
#include "lib/scratch.h"
#include "stages/watch.h"

#define NO_INSTANCE (-1)
#define INSTANCE_AWAY (-2)	/* XDP alone: it is on another host, and TC sends there */

static __always_inline struct chain_traffic *chain_counters(__u32 slot, __u32 step)
{
	__u32 index = CHAIN_STEP_INDEX(slot, step);

	return bpf_map_lookup_elem(&chain_stats, &index);
}

/* ---- the flow, as far as it matters here ---- */

/* One end of it. What is no IP has MACs alone. */
static __always_inline __u64 end_of(const struct pkt *p, const union weft_addr *address, __be16 port, const __u8 *mac)
{
	if (p->fragment)
		port = 0;
	if (p->family == FAMILY_IPV4)
		return steer_end4(address->v4, port);
	if (p->family == FAMILY_IPV6)
		return steer_end6(address->halves[0], address->halves[1], port);
	return *(const __u32 *)mac | (__u64)*(const __u16 *)(mac + 4) << 32;
}

static __always_inline __u64 steer_hash(const struct pkt *p, __u64 seed)
{
	__u64 a = end_of(p, &p->source, p->source_port, p->source_mac);
	__u64 b = end_of(p, &p->destination, p->destination_port, p->destination_mac);

	return steer_flow(a, b, p->zone, p->family && !p->fragment ? p->flow_protocol : 0, seed);
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

static __always_inline __u32 instance_entrance(const struct sf_instance *instance, __u32 pcp)
{
	return pcp == PCP_LEAVING ? instance->leaving_ifindex : instance->towards_ifindex;
}

/* What the searches remember is volatile: the verifier does not follow what it may be. */

/* Which places have an instance that may be sent anything: who is present, but for those whose drain is over. */
__noinline __u32 usable_instances(__u32 slot)
{
	const struct function *f = function_at(slot);
	struct scratch *s = scratch_here();
	__u64 now = bpf_jiffies64();
	volatile __u32 *usable;

	if (!f || !s)
		return 0;
	if (function_places(f) == f->fresh)
		return f->fresh;
	usable = &s->steering.usable;
	*usable = function_places(f);
	for (__u32 i = 0; i < FUNCTION_INSTANCES; i++) {
		__u32 index = INSTANCE_INDEX(slot, i);
		const struct sf_drain *drain;

		if (!(function_places(f) & ~f->fresh & 1 << i))
			continue;
		drain = bpf_map_lookup_elem(&sf_drains, &index);
		if (drain && drain_is_over(drain, now))
			*usable &= ~(1 << i);
	}
	return *usable;
}

/*
 * Which of the usable places have an instance that answers: those that are not doubted, or if there are none those that are
 * not dead. In the upper half, which other may be tried with a new flow, of which the first packet is risked, once a second:
 * nobody else looks whether it is back, unless the agent says that it is down.
 */
__noinline __u32 alive_instances(__u32 slot, __u32 usable)
{
	const struct host_config *us = this_host();
	struct scratch *s = scratch_here();
	__u32 now = bpf_jiffies64();
	volatile struct steering *found;

	if (!us || !s)
		return 0;
	found = &s->steering;
	found->answers = found->doubted = found->tries = 0;
	for (__u32 i = 0; i < FUNCTION_INSTANCES; i++) {
		const struct sf_state *state = usable >> i & 1 ? state_of(slot, i) : NULL;

		if (!state || instance_is_down(state, now, us->hz))
			continue;
		if (!instance_is_dead(state, now, us->hz)) {
			if (!instance_is_doubted(state, now, us->hz)) {
				found->answers |= 1 << i;
				continue;
			}
			found->doubted |= 1 << i;
		}
		if (now - state->last_try >= us->hz)
			found->tries |= 1 << i;
	}
	return (found->answers ? found->answers : found->doubted) | found->tries << 16;
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
		rank = steer_rank(f->instance[i].id, f->instance[i].weight, flow);
		if (rank >= found->least)
			continue;
		found->least = rank;
		found->best = i;
	}
	return found->best < FUNCTION_INSTANCES ? (int)found->best : NO_INSTANCE;
}

/* One of this host, else another's. Apart for the stack's sake. */
__noinline int pick_near(__u32 slot, __u64 flow, __u32 mask)
{
	const struct function *f = function_at(slot);

	return f ? pick_instance(slot, flow, function_near(f, mask)) : NO_INSTANCE;
}

/* ---- and it stays ---- */

/* In scratch, whose memory may be a map's key on older kernels too. */
static __always_inline void steer_key(struct steering *s, __u32 slot, __u64 flow, __u32 tenant)
{
	s->key.flow = flow;
	s->key.function = slot;
	s->key.tenant = tenant;
}

static __always_inline bool is_back_home(const struct function *f, __u32 slot, __u32 usable,
					 const struct sf_flow *known, __u64 flow)
{
	int place;

	if (!(f->flags & FUNCTION_REBALANCE) || known->preferred == known->instance)
		return false;
	place = pick_near(slot, flow, f->fresh & alive_instances(slot, usable));
	return place >= 0 && instance_at(f, place)->id == known->preferred;
}

/* The instance that the flow has, if it can have it yet. */
__noinline int keep_instance(__u32 slot, __u64 flow, __u32 tenant)
{
	const struct function *f = function_at(slot);
	const struct host_config *us = this_host();
	struct scratch *s = scratch_here();
	__u32 now = bpf_jiffies64(), place, usable;
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
	usable = usable_instances(slot);
	if (!state || instance_at(f, place)->id != known->instance || !(usable >> place & 1) ||
	    instance_is_dead(state, now, us->hz) || is_back_home(f, slot, usable, known, flow))
		return NO_INSTANCE;
	if (instance_is_doubted(state, now, us->hz) && !(alive_instances(slot, usable) >> place & 1))
		return NO_INSTANCE;
	if (now - known->seen >= us->hz)
		known->seen = now;
	return place;
}

/* Rather one that drains than none. */
static __always_inline int pick_alive(const struct function *f, __u32 slot, __u64 flow, bool is_new)
{
	__u32 usable = usable_instances(slot), answers = alive_instances(slot, usable);
	int place;

	if (is_new && places_are_several(usable))
		answers |= answers >> 16;
	place = pick_near(slot, flow, f->fresh & answers);
	return place >= 0 ? place : pick_near(slot, flow, function_places(f) & answers);
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
	preferred = pick_near(slot, flow, function_places(f));
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
	return skipped % OPEN_TRIES == OPEN_TRIES - 1 && now - state->last_try >= hz && !instance_is_down(state, now, hz);
}

static __always_inline bool place_is_away(__u32 slot, __u32 place)
{
	const struct function *f = function_at(slot);

	return f && f->remote >> (place & (FUNCTION_INSTANCES - 1)) & 1;
}

/* All are dead. */
__noinline int try_instance(__u32 slot, __u64 flow, bool open, __u64 skipped)
{
	const struct host_config *us = this_host();
	__u32 now = bpf_jiffies64();
	struct sf_state *state;
	int place;

	if (!us)
		return NO_INSTANCE;
	place = pick_instance(slot, flow, usable_instances(slot));
	if (place < 0)
		return NO_INSTANCE;
	if (WEFT_XDP && place_is_away(slot, place))
		return INSTANCE_AWAY;
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
		return place;
	if (WEFT_XDP && place_is_away(slot, place))
		return INSTANCE_AWAY;
	state = state_of(slot, place);
	if (!state)
		return NO_INSTANCE;
	if (instance_outstanding(state) >= SILENT_FRAMES && state->last_try != now)
		state->last_try = now;
	watch_sent(state, p->steer, now);
	return place;
}

#endif
