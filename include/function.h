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
	__u16 remote;		/* a bit for each place: it is on another host, and not down */
	__u16 present;		/* likewise: its devices are here, and it is not down; programs that know no other hosts use no other */
	__u16 fresh;		/* of both, those that new flows may be given */
	struct sf_instance instance[FUNCTION_INSTANCES];
};

/* Places that have an instance which may be sent anything, here or on another host. */
static inline __attribute__((always_inline)) __u32 function_places(const struct function *f)
{
	return f->present | f->remote;
}

/* Of these places those that are on this host; if none is, all: instances here come before those elsewhere. */
static inline __attribute__((always_inline)) __u32 function_near(const struct function *f, __u32 places)
{
	__u32 here = places & ~(__u32)f->remote;

	return here ? here : places;
}

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

/*
 * Of an instance that has returned nothing for so long, of at least as many frames of several flows, it is doubted that it
 * lives: if there is another, flows go there. After long enough it is taken for dead, whoever else there is.
 */
#define SILENT_FRAMES 4
#define SILENT_MS 5
#define SILENT_LONG_MS 1000	/* it may just not like what there is on its wire */
/* One frame of as many, and one a second, that would skip a silent function is risked to see whether it is back. */
#define OPEN_TRIES 64

enum instance_down {
	DOWN_NOT = 0,
	DOWN_PROBES,		/* probes did not come back */
	DOWN_LINK,		/* a device of it has no carrier, or is gone */
};

enum instance_degraded {
	DEGRADED_NOT = 0,
	DEGRADED_LOSS,		/* probes are lost */
	DEGRADED_SLOW,		/* probes come back late */
	DEGRADED_DEAF,		/* probes do not come back, but its traffic does, or none ever did */
};

/* Of a function, in arrays: leaving the workload, towards it. */
#define PASSES 2

/*
 * sf_state[INSTANCE_INDEX]: the watch over an instance; state. A line of the cache each: packets write it. Frames that go
 * and frames that come back are of different CPUs, so neither writes what the other does: who comes back moves on
 * `returned`, and who goes next sees that it is no longer what was `noticed`.
 */
struct sf_state {
	/* by packets that go */
	__u32 waiting_since;	/* jiffies of the oldest frame that has not been answered by any */
	__u32 outstanding;	/* frames sent since then */
	__u32 flow;		/* part of the hash of their flow; 0: they are of several */
	__u32 last_try;		/* jiffies of the last frame sent to it while at least SILENT_FRAMES waited */
	__u16 noticed[PASSES];	/* `returned` when the oldest of them went */
	/* by packets that come back */
	__u16 returned[PASSES];	/* moves on if anything comes back, once after each time that it was noticed */
	__u32 answered[PASSES];	/* number of the agent's probe that came back last */
	__u16 answers[PASSES];	/* how many did */
	/* by the agent, each word alone; none means anything once `looked` is older than a second, but `nonce` */
	__u32 looked;		/* jiffies of its last look, never 0 once it has looked */
	__u32 down;		/* enum instance_down */
	__u32 degraded;		/* enum instance_degraded */
	__u32 since;		/* seconds since boot when these two became what they are */
	__u32 nonce;		/* its probes of this instance carry it; 0: it sends none */
	__u32 patience;		/* ms that take the place of SILENT_MS, since the agent knows better; 0: none do */
	__u32 spare;
};

/* sf_stats[INSTANCE_INDEX], per CPU */
struct sf_traffic {
	__u64 flows;		/* given to it when they were new */
	__u64 moved;		/* given to it since theirs was dead, drained or gone */
	__u64 sent;		/* frames to it */
	__u64 returned;		/* frames back from it */
};

/* sf_drains[INSTANCE_INDEX]: of an instance with INSTANCE_DRAIN; state, for it is known from when on it drains. */
struct sf_drain {
	__u64 since;		/* jiffies */
	__u64 until;		/* jiffies: from then on it gets nothing, as if it were down; 0: nobody has said until when */
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

/* Does the agent live, and look after the instance? Its clock may be a little ahead. */
static inline __attribute__((always_inline)) int instance_is_watched(const struct sf_state *state, __u32 now, __u32 hz)
{
	return state->looked && now - state->looked + hz < 2 * hz;
}

static inline __attribute__((always_inline)) int instance_is_down(const struct sf_state *state, __u32 now, __u32 hz)
{
	return state->down && instance_is_watched(state, now, hz);
}

/* Frames that went there since anything came back. */
static inline __attribute__((always_inline)) __u32 instance_outstanding(const struct sf_state *state)
{
	if (state->returned[0] != state->noticed[0] || state->returned[1] != state->noticed[1])
		return 0;
	return state->outstanding;
}

/* A tick is the least that can be told, and the first one has begun already. Another CPU's may be a tick ahead. */
static inline __attribute__((always_inline)) int instance_waits(const struct sf_state *state, __u32 ms, __u32 now, __u32 hz)
{
	__s32 ticks = (ms * (__u64)hz + 999) / 1000;

	return instance_outstanding(state) >= SILENT_FRAMES && (__s32)(now - state->waiting_since) >= (ticks < 2 ? 2 : ticks);
}

/* Are its flows better off with another one, if there is one that is not doubted itself? There they are inspected, too. */
static inline __attribute__((always_inline)) int instance_is_doubted(const struct sf_state *state, __u32 now, __u32 hz)
{
	__u32 ms = state->patience && instance_is_watched(state, now, hz) ? state->patience : SILENT_MS;

	return !state->flow && instance_waits(state, ms, now, hz);
}

/*
 * It is left in any case, by way of nothing if there is nobody else. Who sends what a function does not like shall not
 * get past it by that: so there must be no doubt, or the agent, whose probes it would answer, says so.
 */
static inline __attribute__((always_inline)) int instance_is_dead(const struct sf_state *state, __u32 now, __u32 hz)
{
	return instance_is_down(state, now, hz) || instance_waits(state, SILENT_LONG_MS, now, hz);
}

/* The one rule here that needs all of the jiffies: who drains may do so for months. */
static inline __attribute__((always_inline)) int drain_is_over(const struct sf_drain *drain, __u64 now)
{
	return drain->until && now >= drain->until;
}

/* Of places with instances, as bits: are there several? */
static inline __attribute__((always_inline)) int places_are_several(__u32 places)
{
	return (places & (places - 1)) != 0;
}

weft_static_assert(sizeof(struct sf_instance) == 16);
weft_static_assert(sizeof(struct function) == 272);
weft_static_assert(sizeof(struct sf_flow_key) == 16);
weft_static_assert(sizeof(struct sf_flow) == 16);
weft_static_assert(sizeof(struct sf_state) == 64);
weft_static_assert(sizeof(struct sf_drain) == 16);

#endif
