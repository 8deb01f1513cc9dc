/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The steps of a chain: their order in a pass, and their functions. */
#ifndef WEFT_BPF_CHAIN_STEP_H
#define WEFT_BPF_CHAIN_STEP_H

#include "lib/weft.h"

/* Which step stands at a place of the pass, counted from 0; likewise at which place a step stands. */
static __always_inline __u32 step_at(const struct chain *chain, __u32 pcp, __u32 place)
{
	return chain->flags & CHAIN_MIRROR && pcp == PCP_TOWARDS ? chain->steps - 1 - place : place;
}

/* An index into an array of `size`, a power of two: the verifier wants to see the bound where it is used. */
static __always_inline __u64 index_below(__u32 n, __u32 size)
{
	__u64 bounded;

	asm volatile("" : "+r"(n));
	bounded = n & (size - 1);
	asm volatile("" : "+r"(bounded));
	return bounded;
}

static __always_inline const struct chain_step *chain_step(const struct chain *chain, __u32 step)
{
	return &chain->step[index_below(step, CHAIN_STEPS)];
}

/* A step of which no function is known is that of a configuration older than functions with several instances. */
static __always_inline __u32 function_of(__u32 slot, __u32 step)
{
	const struct chain *chain = chain_at(slot);

	return chain ? chain_step(chain, step)->function : 0;
}

static __always_inline const struct sf_instance *instance_at(const struct function *f, __u32 place)
{
	return &f->instance[index_below(place, FUNCTION_INSTANCES)];
}

/* The instance at a place of a step's function; NULL where no function is known. */
static __always_inline const struct sf_instance *step_instance(const struct chain_step *step, __u32 place)
{
	const struct function *f = step->function ? function_at(step->function) : NULL;

	return f ? instance_at(f, place) : NULL;
}

static __always_inline bool is_away(const struct sf_instance *instance)
{
	return instance->flags & INSTANCE_REMOTE;
}

/* The PCP that a frame has at the function of a pass. */
static __always_inline __u32 tag_pcp(const struct pkt *p, __u32 pcp)
{
	return p->keeps_pcp ? PCP_MADE : pcp;
}

#endif
