/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets of numbers of up to 128 bits, as intervals in order that neither meet nor overlap. They live as long as their arena. */
#ifndef WEFT_SETS_H
#define WEFT_SETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 wide;

struct interval {
	wide first, last;
};

struct set {
	size_t n; /* 0: empty */
	struct interval list[];
};

/* Where sets are made, and what may be done with them: who lets others choose sets bounds the time and the room. */
struct arena {
	struct arena_block *blocks;
	uint64_t steps, steps_max; /* intervals looked at */
	uint64_t made, made_max; /* intervals that exist */
};

/* False once a bound was met: answers since then may be wrong. */
bool arena_holds(const struct arena *a);
void arena_free(struct arena *a); /* the sets; what they took stays counted as steps */

/* A set in the making: any intervals, in any order. */
struct set_draft {
	struct interval *list;
	size_t n, room;
};

void set_add(struct set_draft *d, wide first, wide last);
const struct set *set_done(struct arena *a, struct set_draft *d); /* empties the draft */
const struct set *set_range(struct arena *a, wide first, wide last);

bool set_contains(struct arena *a, const struct set *outer, const struct set *inner);
bool set_overlaps(struct arena *a, const struct set *x, const struct set *y);
const struct set *set_minus(struct arena *a, const struct set *x, const struct set *y);
const struct set *set_common(struct arena *a, const struct set *x, const struct set *y);

#endif
