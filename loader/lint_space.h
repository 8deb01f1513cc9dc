/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules as sets of packets: for each address family a product of sets, one a dimension. So one rule contains another if it
 * does in every dimension, however many packets that are.
 */
#ifndef WEFT_LINT_SPACE_H
#define WEFT_LINT_SPACE_H

#include "loader/policy.h"
#include "loader/sets.h"

enum dimension {
	DIM_PORT, /* whose rules are asked: index in the model's ports */
	DIM_SOURCE,
	DIM_DESTINATION,
	DIM_PROTOCOL,
	DIM_SOURCE_PORT,
	DIM_DESTINATION_PORT,
	DIM_ETHERTYPE,
	DIM_ICMP_TYPE,
	DIM_ICMP_CODE,
	DIM_TCP_FLAGS,
	DIM_STATE,
	DIMENSIONS
};

enum { PART_OTHER, PART_IPV4, PART_IPV6, PARTS };

/* Bounds of the dimensions that tell most rules apart, to be looked at first. */
struct brief {
	wide source[2], destination[2];
	uint32_t port[2];
	uint16_t source_port[2], destination_port[2];
	uint16_t protocol[2];
};

struct part {
	const struct set *dim[DIMENSIONS];
};

struct space {
	bool has[PARTS];
	struct brief brief[PARTS];
	struct part part[PARTS];
	const char *empty; /* why it has no part: "source names no address"; NULL: it has */
};

/* What is made once for all rules of a tenant. */
struct space_maker {
	const struct policy *policy;
	struct arena *arena;
	struct named_set *named; /* by the words of a list */
	const struct set *all[DIMENSIONS], *all_addresses[PARTS], *other_ethertypes, *no_set;
};

void space_maker_open(struct space_maker *m, const struct policy *p, struct arena *arena);
void space_maker_close(struct space_maker *m);
void space_make(struct space_maker *m, const struct rule *rule, struct space *s);

bool space_contains(struct arena *a, const struct space *outer, const struct space *inner);
bool space_overlaps(struct arena *a, const struct space *x, const struct space *y);

/* What is left of a space when others are taken from it, as products that do not overlap. */
#define PIECES_MAX 256

struct remains {
	size_t n;
	bool too_many; /* the rest is not known */
	struct {
		int family; /* PART_* */
		struct part part;
	} piece[PIECES_MAX];
};

void remains_begin(struct remains *r, const struct space *s);
/* Returns whether anything was taken. */
bool remains_take(struct arena *a, struct remains *r, const struct space *s);

#endif
