/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tables of established flows (ct4, ct6): arrays of buckets of four places, found by open addressing. The kernel's hash
 * map costs two cache misses in a row a look-up (its bucket, then the element, and any that hang before it); here the place
 * follows from the key, and key and flow are neighbours: one.
 *
 * A flow's home is the bucket to which its key's hash, keyed with the tenant's seed, leads; if that is full it is put
 * into one of FLOW_SPILLS further buckets, on a way that also follows from the hash. `spill` in the first flow of a bucket
 * has bit d set if a flow whose home the bucket is has ever been put d steps away: only there must be looked. Bits are set
 * before the flow is there, and never taken back.
 *
 * A place is claimed by exchanging the last eight bytes of its key, of a free place or an expired flow, for
 * FLOW_CLAIMED, atomically; then all else is written; then the key's end, last. It is given up the same way. A reader looks
 * at the key's end before and after the rest: looking once, it could take one flow's addresses and the next one's ports for
 * a third flow, while the place changes hands. Who has put a flow in looks once more whether somebody else has put in the
 * same, and the one nearer to home (and before in a bucket) stays.
 */
#ifndef WEFT_FLOW_TABLE_H
#define WEFT_FLOW_TABLE_H

#include "flow.h"

#define FLOW_PLACES 4		/* in a bucket */
#define FLOW_SPILLS 15		/* further buckets that a flow may be in */

struct ct4_place {
	struct ct4_key key;
	struct flow flow;
};

struct ct6_place {
	struct ct6_key key;
	__u64 pad;
	struct flow flow;
};

struct ct4_bucket {
	struct ct4_place place[FLOW_PLACES];
};

struct ct6_bucket {
	struct ct6_place place[FLOW_PLACES];
};

/* The words of 8 bytes of a key; the last is the one that places are claimed by, with `used` in these bits. */
#define CT4_KEY_WORDS 2
#define CT6_KEY_WORDS 5
#define FLOW_KEY_USED(state) ((__u64)(state) << 40)
#define FLOW_KEY_STATE(word) ((word) >> 40 & 0xff)
#define FLOW_KEY_PROTOCOL(word) ((word) >> 32 & 0xff)

/*
 * How many buckets a table of so many flows has: a quarter more than needed, since places are found by chance. It takes
 * all that it is made for but for three in ten thousand, and at most that quarter more.
 */
static inline __attribute__((always_inline)) __u32 flow_buckets(__u32 max_flows)
{
	return ((__u64)max_flows * 5 / 4 + FLOW_PLACES - 1) / FLOW_PLACES;
}

static inline __attribute__((always_inline)) __u64 flow_hash(const __u64 *words, int n, __u64 seed)
{
	__u64 h = seed;

	weft_unroll
	for (int i = 0; i < n; i++) {
		h = (h ^ words[i]) * 0x9e3779b97f4a7c15ULL;
		h ^= h >> 32;
	}
	return h;
}

/* 64-bit finalizer of MurmurHash3, folded: where only spread matters. */
static inline __attribute__((always_inline)) __u32 flow_mix(__u64 h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdULL;
	h ^= h >> 33;
	return h ^ h >> 32;
}

/* How many buckets a flow may be in, home included: the steps of its way. */
static inline __attribute__((always_inline)) __u32 flow_steps(__u32 buckets)
{
	return buckets <= FLOW_SPILLS ? buckets : FLOW_SPILLS + 1;
}

/*
 * The bucket `spill` steps from home, of a table with `buckets`. Steps are so short that the way meets no bucket twice: else
 * two who have put in the same flow might see the places in different orders, and each take the other's back.
 */
static inline __attribute__((always_inline)) __u32 flow_bucket(__u64 hash, __u32 spill, __u32 buckets)
{
	__u32 step = 1 + ((hash >> 32) * ((buckets - 1) / FLOW_SPILLS) >> 32);
	__u32 bucket = ((hash & 0xffffffff) * buckets >> 32) + spill * step;

	return bucket < buckets ? bucket : bucket - buckets;
}

/* The place of a bucket that is looked at first. */
static inline __attribute__((always_inline)) __u32 flow_place(__u64 hash)
{
	return hash & (FLOW_PLACES - 1);
}

/* See struct flow: the lines are 64 bytes, and places begin one. */
weft_static_assert(sizeof(struct ct4_place) == 128);
weft_static_assert(__builtin_offsetof(struct ct4_place, flow.born) == 64);
weft_static_assert(sizeof(struct ct6_place) == 160);

#endif
