// SPDX-License-Identifier: BSD-2-Clause
/* Classes that nothing is of yet, but may come to be when a group gets another member. */
#include <stdlib.h>
#include <string.h>

#include "loader/acl/classifier.h"
#include "loader/alloc.h"

#define EXPECTED_MAX 4096 /* classes */
#define COMPARED_MAX (1u << 22) /* members of terms that movers are compared with */

struct pair {
	uint32_t term, class;
};

struct expect {
	struct acl_space *space;
	const struct acl_source *s;
	enum acl_space_kind kind;
	uint64_t *sorted; /* sums that have a class */
	size_t n_sorted;
	uint32_t *in; /* terms of the mover at work */
	size_t n_in;
	struct pair *pair;
	size_t pairs, room;
	uint32_t first; /* class that is expected */
};

static int compare_sums(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int compare_pairs(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	if (x->term != y->term)
		return x->term < y->term ? -1 : 1;
	return x->class < y->class ? -1 : x->class > y->class;
}

static bool within(const struct acl_prefix *p, const struct acl_prefix *address)
{
	unsigned int whole = p->bits / 8, rest = p->bits % 8;

	if (p->family != address->family || memcmp(p->addr.bytes, address->addr.bytes, whole))
		return false;
	return !rest || !((p->addr.bytes[whole] ^ address->addr.bytes[whole]) >> (8 - rest));
}

static bool is_in(const struct expect *x, const struct acl_term *t, size_t mover)
{
	if (x->kind == SPACE_PORTS) {
		for (size_t i = 0; i < t->slots; i++)
			if (t->slot[i] == x->s->moving_slot[mover])
				return true;
		return false;
	}
	for (size_t i = 0; i < t->prefixes; i++)
		if (within(&t->prefix[i], &x->s->mover[mover]))
			return true;
	return false;
}

static bool has_class(const struct expect *x, uint64_t sum)
{
	if (bsearch(&sum, x->sorted, x->n_sorted, sizeof(sum), compare_sums))
		return true;
	for (uint32_t class = x->first; class < x->space->classes; class ++)
		if (x->space->sum[class] == sum)
			return true;
	return false;
}

static void add_pair(struct expect *x, uint32_t term)
{
	x->pair = alloc_grow(x->pair, &x->room, x->pairs + 1, sizeof(*x->pair));
	x->pair[x->pairs++] = (struct pair){ term, x->space->classes };
}

/* The mover's terms, but for `term`, which it comes to be in or leaves. */
static void expect_one(struct expect *x, uint64_t sum, uint32_t term)
{
	bool leaves = false;

	sum ^= x->s->term[term].key;
	if (x->space->classes - x->first >= EXPECTED_MAX || has_class(x, sum))
		return;
	for (size_t i = 0; i < x->n_in; i++) {
		leaves |= x->in[i] == term;
		if (x->in[i] != term)
			add_pair(x, x->in[i]);
	}
	if (!leaves)
		add_pair(x, term);
	x->space->sum[x->space->classes++] = sum;
}

/* `mover` beyond the last: what is in no term. */
static void expect_mover(struct expect *x, size_t mover, size_t movers)
{
	uint64_t sum = 0;

	x->n_in = 0;
	for (uint32_t i = 0; mover < movers && i < x->s->terms; i++) {
		if (!is_in(x, &x->s->term[i], mover))
			continue;
		x->in[x->n_in++] = i;
		sum ^= x->s->term[i].key;
	}
	for (uint32_t i = 0; i < x->s->terms; i++)
		if (x->s->term[i].changes)
			expect_one(x, sum, i);
}

static void write_lists(struct expect *x)
{
	struct acl_space *space = x->space;
	size_t at = 0;

	if (x->pairs)
		qsort(x->pair, x->pairs, sizeof(*x->pair), compare_pairs);
	space->expected = alloc_zero(x->pairs + 1, sizeof(*space->expected));
	space->expected_at = alloc_zero(x->s->terms + 2, sizeof(*space->expected_at));
	for (uint32_t term = 0; term <= x->s->terms; term++) {
		space->expected_at[term] = (uint32_t)at;
		for (; at < x->pairs && x->pair[at].term == term; at++)
			space->expected[at] = x->pair[at].class;
	}
}

void acl_space_expect(struct acl_space *space, const struct acl_source *s, enum acl_space_kind kind)
{
	struct expect x = { .space = space, .s = s, .kind = kind, .first = space->classes };
	size_t movers = kind == SPACE_PORTS ? s->moving_slots : s->movers, members = 1,
	       changing = 0;
	uint64_t *sum = alloc_zero(space->classes + EXPECTED_MAX, sizeof(*sum));

	for (size_t i = 0; i < s->terms; i++) {
		members += kind == SPACE_PORTS ? s->term[i].slots : s->term[i].prefixes;
		changing += s->term[i].changes;
	}
	memcpy(sum, space->sum, space->classes * sizeof(*sum));
	free(space->sum);
	space->sum = sum;
	if (!changing)
		return;
	if (movers > COMPARED_MAX / members)
		movers = COMPARED_MAX / members;
	x.n_sorted = space->classes;
	x.sorted = alloc_zero(x.n_sorted + 1, sizeof(*x.sorted));
	memcpy(x.sorted, sum, x.n_sorted * sizeof(*sum));
	qsort(x.sorted, x.n_sorted, sizeof(*x.sorted), compare_sums);
	x.in = alloc_zero(s->terms + 1, sizeof(*x.in));
	expect_mover(&x, movers, movers);
	for (size_t i = 0; i < movers && space->classes - x.first < EXPECTED_MAX; i++)
		if (kind == SPACE_PORTS ||
		    (s->mover[i].family == FAMILY_IPV4) == (kind == SPACE_IPV4))
			expect_mover(&x, i, movers);
	write_lists(&x);
	free(x.sorted);
	free(x.in);
	free(x.pair);
}
