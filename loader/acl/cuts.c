// SPDX-License-Identifier: BSD-2-Clause
/* Where a node of the tree cuts: the value, and the places, that divide its rules best, judged by a sample of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "loader/acl/tree.h"

#define SAMPLE    256
#define RANGES    4 /* of a set that are looked at, in a sample */
#define ENDPOINTS (2 * RANGES * SAMPLE)

static int compare_words(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static size_t add_ends(uint32_t *end, size_t n, const struct acl_range *r,
		       const struct acl_range *in)
{
	if (r->first > in->last || r->last < in->first)
		return n;
	if (r->first > in->first)
		end[n++] = r->first;
	if (r->last < in->last)
		end[n++] = r->last + 1;
	return n;
}

/* The first range of the set that does not end before `class`. */
size_t acl_set_at(const struct acl_set *set, uint32_t class)
{
	size_t low = 0, high = set->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (set->range[middle].last < class)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool acl_box_meets(const struct acl_box *box, int value, uint32_t first, uint32_t last)
{
	const struct acl_set *set = value < ACL_SETS ? box->set[value] : NULL;
	size_t at;

	if (!set)
		return box->hull[value].first <= last && box->hull[value].last >= first;
	at = acl_set_at(set, first);
	return at < set->n && set->range[at].first <= last;
}

static size_t ends_of(const struct acl_box *box, int value, const struct acl_range *in,
		      uint32_t *end, size_t n)
{
	const struct acl_set *set = value < ACL_SETS ? box->set[value] : NULL;
	size_t at;

	if (!set)
		return add_ends(end, n, &box->hull[value], in);
	at = acl_set_at(set, in->first);
	for (size_t i = 0; i < RANGES && at + i < set->n; i++)
		n = add_ends(end, n, &set->range[at + i], in);
	return n;
}

/* At most `room` different ones of the sorted ends, with about as many ends between each two. */
static int pick_cuts(const uint32_t *end, size_t n, int room, uint32_t cut[ACL_CUTS])
{
	int cuts = 0;

	for (int i = 1; i <= room; i++) {
		size_t at = n * (size_t)i / (size_t)(room + 1);

		if (!cuts || end[at] > cut[cuts - 1])
			cut[cuts++] = end[at];
	}
	return cuts;
}

static int all_cuts(const uint32_t *end, size_t n, int room, uint32_t cut[ACL_CUTS])
{
	int cuts = 0;

	for (size_t i = 0; i < n; i++) {
		if (cuts && end[i] == cut[cuts - 1])
			continue;
		if (cuts == room)
			return pick_cuts(end, n, room, cut);
		cut[cuts++] = end[i];
	}
	return cuts;
}

/* How many children the box would stand in, and which are the first and the last of them. */
int acl_children(const struct acl_box *box, int value, const struct acl_cut *c, int *first,
		 int *last)
{
	const struct acl_set *set = value < ACL_SETS ? box->set[value] : NULL;
	int from = 0, to = 0, n = 0;

	while (from < c->cuts && c->cut[from] <= box->hull[value].first)
		from++;
	for (to = from; to < c->cuts && c->cut[to] <= box->hull[value].last;)
		to++;
	*first = from;
	*last = to;
	if (!set)
		return to - from + 1;
	for (int i = from; i <= to; i++)
		n += acl_box_meets(box, value, i ? c->cut[i - 1] : 0,
				   i < c->cuts ? c->cut[i] - 1 : UINT32_MAX);
	return n;
}

/* Does it go aside? What most cuts would divide is not worth to stand in many places, unless there is room. */
bool acl_is_aside(const struct acl_cut *c, int children, enum acl_spread spread)
{
	if (children <= 1 || spread == SPREAD_ALL)
		return false;
	return spread == SPREAD_NONE || children > c->cuts || children > SPREAD_MOST;
}

/* Few enough that they may as well stand in every child, where other values divide them. */
bool acl_may_spread(double aside, double n, int cuts)
{
	return aside * cuts <= n / SPREAD_SHARE;
}

/* What a search through so many rules costs, about. */
static double guess(double n)
{
	return n <= ACL_LEAF ? n / 2 : ACL_LEAF / 2 + 1.3 * log2(n / ACL_LEAF);
}

static double judge_cut(const struct acl_box *const *sample, size_t n, double scale,
			struct acl_cut *c)
{
	double count[ACL_CUTS + 1] = { 0 }, aside = 0, most = 0, mean = 0, all = 0;

	for (size_t i = 0; i < n; i++) {
		int first, last, children = acl_children(sample[i], c->value, c, &first, &last);

		if (acl_is_aside(c, children, SPREAD_SOME)) {
			aside++;
			continue;
		}
		for (int k = first; k <= last; k++)
			count[k]++;
	}
	if (acl_may_spread(aside, (double)n, c->cuts)) {
		for (int i = 0; i <= c->cuts; i++)
			count[i] += aside;
		aside = 0;
	}
	for (int i = 0; i <= c->cuts; i++) {
		most = count[i] > most ? count[i] : most;
		mean += count[i] * count[i];
		all += count[i];
	}
	/* Neither may be nearly all again. */
	c->divides = most <= 0.94 * (double)n && aside <= 0.94 * (double)n;
	mean = all > 0 ? mean / all : 0;
	return 1 + guess(most * scale) / 2 + guess(mean * scale) / 2 +
	       (aside > 0 ? 1 + guess(aside * scale) : 0) +
	       2 * (all + aside - (double)n) / (double)n;
}

/* Which boxes, of `n`, are looked at. */
static size_t take_sample(const struct acl_tree_job *job, const uint32_t *box, size_t n,
			  const struct acl_box **sample)
{
	size_t taken = n < SAMPLE ? n : SAMPLE;

	for (size_t i = 0; i < taken; i++)
		sample[i] = &job->box[box[i * n / taken]];
	return taken;
}

bool acl_pick_cut(const struct acl_tree_job *job, const uint32_t *box, size_t n,
		  const struct acl_range place[ACL_VALUES], struct acl_cut *best)
{
	const struct acl_box *sample[SAMPLE];
	size_t taken = take_sample(job, box, n, sample);
	/* As many children as there is something to put in. */
	int room = n / 2 < ACL_CUTS ? (int)(n / 2) : ACL_CUTS;
	double least = 0;
	bool found = false;

	for (int value = 0; value < ACL_VALUES; value++) {
		struct acl_cut c = { .value = value };
		uint32_t end[ENDPOINTS];
		size_t ends = 0;
		double cost;

		for (size_t i = 0; i < taken; i++)
			ends = ends_of(sample[i], value, &place[value], end, ends);
		if (!ends)
			continue;
		qsort(end, ends, sizeof(*end), compare_words);
		c.cuts = all_cuts(end, ends, room, c.cut);
		cost = judge_cut(sample, taken, (double)n / (double)taken, &c);
		if (!c.divides || (found && cost >= least))
			continue;
		*best = c;
		least = cost;
		found = true;
	}
	return found;
}
