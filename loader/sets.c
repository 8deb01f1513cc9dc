// SPDX-License-Identifier: BSD-2-Clause
#include <stdlib.h>
#include <string.h>

#include "loader/alloc.h"
#include "loader/sets.h"

struct arena_block {
	struct arena_block *next;
	struct set set;
};

bool arena_holds(const struct arena *a)
{
	return a->steps <= a->steps_max && a->made <= a->made_max;
}

void arena_free(struct arena *a)
{
	struct arena_block *next;

	for (struct arena_block *b = a->blocks; b; b = next) {
		next = b->next;
		free(b);
	}
	a->blocks = NULL;
	a->made = 0;
}

void set_add(struct set_draft *d, wide first, wide last)
{
	d->list = alloc_grow(d->list, &d->room, d->n + 1, sizeof(*d->list));
	d->list[d->n++] = (struct interval){ first, last };
}

static int compare(const void *a, const void *b)
{
	const struct interval *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* In order, and joined where they meet. */
static void tidy(struct set_draft *d)
{
	size_t n = 0;

	if (!d->n)
		return;
	qsort(d->list, d->n, sizeof(*d->list), compare);
	for (size_t i = 1; i < d->n; i++) {
		struct interval *last = &d->list[n], *next = &d->list[i];

		if (next->first <= last->last || next->first == last->last + 1) {
			if (next->last > last->last)
				last->last = next->last;
		} else {
			d->list[++n] = *next;
		}
	}
	d->n = n + 1;
}

const struct set *set_done(struct arena *a, struct set_draft *d)
{
	struct arena_block *b;

	a->steps += d->n;
	tidy(d);
	a->made += d->n;
	/* One byte more, so that an empty one is something to allocate too. */
	b = alloc_zero(1, sizeof(*b) + d->n * sizeof(struct interval));
	b->set.n = d->n;
	if (d->n)
		memcpy(b->set.list, d->list, d->n * sizeof(struct interval));
	b->next = a->blocks;
	a->blocks = b;
	free(d->list);
	*d = (struct set_draft){ 0 };
	return &b->set;
}

const struct set *set_range(struct arena *a, wide first, wide last)
{
	struct set_draft d = { 0 };

	set_add(&d, first, last);
	return set_done(a, &d);
}

bool set_contains(struct arena *a, const struct set *outer, const struct set *inner)
{
	size_t o = 0;

	if (outer == inner)
		return true;
	for (size_t i = 0; i < inner->n; i++) {
		while (o < outer->n && outer->list[o].last < inner->list[i].first)
			o++;
		a->steps += 1;
		if (o == outer->n || outer->list[o].first > inner->list[i].first ||
		    outer->list[o].last < inner->list[i].last) {
			a->steps += o;
			return false;
		}
	}
	a->steps += o;
	return true;
}

bool set_overlaps(struct arena *a, const struct set *x, const struct set *y)
{
	size_t i = 0, k = 0;

	while (i < x->n && k < y->n) {
		a->steps++;
		if (x->list[i].last < y->list[k].first)
			i++;
		else if (y->list[k].last < x->list[i].first)
			k++;
		else
			return true;
	}
	return false;
}

const struct set *set_common(struct arena *a, const struct set *x, const struct set *y)
{
	struct set_draft d = { 0 };
	size_t i = 0, k = 0;

	while (i < x->n && k < y->n) {
		const struct interval *p = &x->list[i], *q = &y->list[k];
		wide first = p->first > q->first ? p->first : q->first;
		wide last = p->last < q->last ? p->last : q->last;

		a->steps++;
		if (first <= last)
			set_add(&d, first, last);
		if (p->last < q->last)
			i++;
		else
			k++;
	}
	return set_done(a, &d);
}

/* What of one interval is left of `y`, from its k-th on. */
static void cut(struct arena *a, const struct interval *p, const struct set *y, size_t k,
		struct set_draft *d)
{
	wide first = p->first;

	for (; k < y->n && y->list[k].first <= p->last; k++) {
		a->steps++;
		if (y->list[k].first > first)
			set_add(d, first, y->list[k].first - 1);
		if (y->list[k].last >= p->last)
			return;
		if (y->list[k].last >= first)
			first = y->list[k].last + 1;
	}
	set_add(d, first, p->last);
}

const struct set *set_minus(struct arena *a, const struct set *x, const struct set *y)
{
	struct set_draft d = { 0 };
	size_t k = 0;

	for (size_t i = 0; i < x->n; i++) {
		while (k < y->n && y->list[k].last < x->list[i].first)
			k++;
		cut(a, &x->list[i], y, k, &d);
	}
	a->steps += x->n + k;
	return set_done(a, &d);
}
