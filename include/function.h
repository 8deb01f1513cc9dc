/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Service functions: their instances, which of them a flow goes to, and what is known of their health. */
#ifndef WEFT_FUNCTION_H
#define WEFT_FUNCTION_H

#include "base.h"

#define FUNCTION_INSTANCES 16	/* of one function, as seen from one host */
#define INSTANCE_WEIGHT_MAX 256

enum instance_flags {
	INSTANCE_DRAIN = 1 << 0,	/* gets no new flow */
	INSTANCE_DOWN = 1 << 1,		/* gets nothing */
	INSTANCE_REMOTE = 1 << 2,	/* on another host, whose slot in `hosts` stands in both places of devices */
};

enum function_flags {
	FUNCTION_REBALANCE = 1 << 0,	/* flows return to the instance that they would have without failures */
};

struct sf_instance {
	__u32 id;		/* instance_id() of its name; 0: the place is free */
	__u32 leaving_ifindex;	/* where a frame that leaves the workload enters it; 0: the device is not there */
	__u32 towards_ifindex;	/* where a frame towards the workload enters it; equal: one-arm */
	__u16 weight;		/* its share of new flows, in proportion to the others' */
	__u8 flags;		/* enum instance_flags */
	__u8 pad;
};

/* functions[slot]; slot 0 is never used. An instance keeps its place as long as it lives. */
struct function {
	__u64 id;		/* 0: the slot is free */
	__u16 flags;		/* enum function_flags */
	__u16 remote;		/* a bit for each place: on another host, and not down; such have none in the two below */
	__u16 present;		/* a bit for each place: its devices are here, and it is not down */
	__u16 fresh;		/* of these, those that new flows may be given */
	struct sf_instance instance[FUNCTION_INSTANCES];
};

/* Where sf_state and sf_stats have an instance. */
#define INSTANCE_INDEX(function, instance) ((function) * FUNCTION_INSTANCES + (instance))

/*
 * sf_flows: the instance that a flow goes to, so that it stays there whatever becomes of the others. The least recently
 * used is forgotten when there is no room: such a flow is given an instance again as a new one is, which is the same one
 * unless instances came or died in between.
 */
struct sf_flow_key {
	__u64 flow;		/* hash of its ends, both directions alike, with the tenant's seed */
	__u32 function;		/* slot */
	__u32 tenant;		/* slot */
};

struct sf_flow {
	__u32 instance;		/* its id */
	__u32 preferred;	/* id of the one that it would have if all were alive */
	__u32 seen;		/* jiffies, to within a second */
	__u8 place;		/* of the instance in struct function */
	__u8 pad[3];
};

/* An instance that has returned nothing for so long, of at least as many frames, is taken for dead. */
#define SILENT_FRAMES 4
#define SILENT_MS 5		/* where frames of several flows wait, and there is somebody to confirm it or to go to */
#define SILENT_LONG_MS 1000	/* else: it may just not like the one flow that there is */
/* One frame of as many, and one a second, that would skip a silent function is risked to see whether it is back. */
#define OPEN_TRIES 64

enum instance_down {
	DOWN_NOT = 0,
	DOWN_PROBES,		/* probes did not come back */
	DOWN_LINK,		/* a device of it has no carrier */
};

/* sf_state[INSTANCE_INDEX]: the watch over an instance; state. A line of the cache each: packets write it. */
struct sf_state {
	/* by packets */
	__u32 waiting_since;	/* jiffies of the oldest frame that has not been answered by any */
	__u32 outstanding;	/* frames sent since anything came back */
	__u32 flow;		/* part of the hash of the first one's flow */
	__u32 flows;		/* 1: another flow's frame waits as well */
	__u32 last_try;		/* jiffies of the last frame sent to it while at least SILENT_FRAMES waited */
	__u32 pad;
	/* by the agent, each word alone */
	__u32 down;		/* enum instance_down; means nothing once `looked` is older than a second */
	__u32 looked;		/* jiffies of its last look, never 0 once it has looked */
	__u32 spare[8];
};

/* sf_stats[INSTANCE_INDEX], per CPU */
struct sf_traffic {
	__u64 flows;		/* given to it when they were new */
	__u64 moved;		/* given to it since theirs was dead, drained or gone */
	__u64 sent;		/* frames to it */
	__u64 returned;		/* frames back from it */
};

/*
 * What is hashed with a flow to find its instance, and known on every host: FNV-1a of "function/instance". A rule that programs and
 * command both need; 0 is nobody's.
 */
static inline __attribute__((always_inline)) __u32 instance_id(const char *name)
{
	__u32 h = 2166136261u;

	while (*name)
		h = (h ^ (__u8)*name++) * 16777619u;
	return h ? h : 1;
}

/* Rules that programs and command both need follow. Times are jiffies, `hz` of them a second. */

/* Is the agent alive, and does it look after the instance? */
static inline __attribute__((always_inline)) int instance_is_probed(const struct sf_state *state, __u32 now, __u32 hz)
{
	return state->looked && now - state->looked < hz;
}

/*
 * A function may dislike all that there is on its wire. So where frames go if it is thought dead decides how soon it
 * is: to another instance (`others`), they are inspected all the same; past it, or nowhere, when there can be no doubt.
 * A tick is the least that can be told, and the first one has begun already.
 */
static inline __attribute__((always_inline)) int instance_is_silent(const struct sf_state *state, int others, __u32 now,
								    __u32 hz)
{
	__u32 ticks = ((others && state->flows ? SILENT_MS : SILENT_LONG_MS) * hz + 999) / 1000;

	return state->outstanding >= SILENT_FRAMES && now - state->waiting_since >= (ticks < 2 ? 2 : ticks);
}

static inline __attribute__((always_inline)) int instance_is_dead(const struct sf_state *state, int others, __u32 now,
								  __u32 hz)
{
	return (state->down && instance_is_probed(state, now, hz)) || instance_is_silent(state, others, now, hz);
}

static inline __attribute__((always_inline)) int function_has_others(const struct function *f)
{
	__u32 all = f->present | f->remote;

	return all & (all - 1);
}

weft_static_assert(sizeof(struct sf_instance) == 16);
weft_static_assert(sizeof(struct function) == 272);
weft_static_assert(sizeof(struct sf_flow_key) == 16);
weft_static_assert(sizeof(struct sf_flow) == 16);
weft_static_assert(sizeof(struct sf_state) == 64);

#endif
