// SPDX-License-Identifier: BSD-2-Clause
/*
 * Classes: two addresses are of one class if they are in the same terms. A sweep over where terms begin and end knows
 * by the exclusive or of keys whether it has met the same company before, and gives numbers in the order in which classes first
 * appear. So the classes of a prefix follow on each other, whatever is nested in it; and all members of a group that
 * are in nothing else are one class.
 */
#include <stdlib.h>
#include <string.h>

#include "loader/acl/classifier.h"
#include "loader/alloc.h"

struct span {
	acl_position first, last;
};

struct spans {
	struct span *list;
	size_t n, room;
};

struct edge {
	acl_position at;
	uint64_t key;
};

/* Which class has which sum; open addressing. */
struct sums {
	uint64_t *sum, *by_class;
	uint32_t *class;
	size_t mask, n;
};

static acl_position position_of(const struct acl_prefix *p)
{
	acl_position at = 0;

	for (int i = 0; i < 16; i++)
		at = at << 8 | (p->family == FAMILY_IPV4 && i >= 4 ? 0 : p->addr.bytes[i]);
	return at;
}

static acl_position below(unsigned int bits)
{
	return bits >= 128 ? 0 : ~(acl_position)0 >> bits;
}

static void add_span(struct spans *s, acl_position first, acl_position last)
{
	s->list = alloc_grow(s->list, &s->room, s->n + 1, sizeof(*s->list));
	s->list[s->n++] = (struct span){ first, last };
}

static int compare_spans(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->last < y->last ? -1 : x->last > y->last;
}

/* The term's spans in this space, ascending and apart. */
static void term_spans(const struct acl_term *t, enum acl_space_kind kind, struct spans *s)
{
	size_t kept = 0;

	s->n = 0;
	for (size_t i = 0; kind == SPACE_PORTS && i < t->slots; i++) {
		acl_position at = (acl_position)t->slot[i] << 96;

		add_span(s, at, at | below(32));
	}
	for (size_t i = 0; kind != SPACE_PORTS && i < t->prefixes; i++) {
		const struct acl_prefix *p = &t->prefix[i];
		acl_position host = below(p->bits), at = position_of(p) & ~host;

		if ((p->family == FAMILY_IPV4) == (kind == SPACE_IPV4))
			add_span(s, at, at | host);
	}
	if (s->n < 2)
		return;
	qsort(s->list, s->n, sizeof(*s->list), compare_spans);
	for (size_t i = 1; i < s->n; i++) {
		struct span *last = &s->list[kept], *next = &s->list[i];

		if (last->last != ~(acl_position)0 && next->first > last->last + 1)
			s->list[++kept] = *next;
		else if (next->last > last->last)
			last->last = next->last;
	}
	s->n = kept + 1;
}

/* By position, a byte at a time from the lowest that differs: half a million of them are no trouble. */
static void sort_edges(struct edge *list, size_t n)
{
	struct edge *from = list, *to, *room;
	acl_position any = 0;

	if (n < 2)
		return;
	room = to = alloc_zero(n, sizeof(*to));
	for (size_t i = 1; i < n; i++)
		any |= list[i].at ^ list[0].at;
	for (int shift = 0; shift < 128; shift += 8) {
		size_t count[257] = { 0 };
		struct edge *swap;

		if (!((any >> shift) & 255))
			continue;
		for (size_t i = 0; i < n; i++)
			count[((from[i].at >> shift) & 255) + 1]++;
		for (int i = 0; i < 256; i++)
			count[i + 1] += count[i];
		for (size_t i = 0; i < n; i++)
			to[count[(from[i].at >> shift) & 255]++] = from[i];
		swap = from;
		from = to;
		to = swap;
	}
	if (from != list)
		memcpy(list, from, n * sizeof(*list));
	free(room);
}

static struct edge *find_edges(const struct acl_source *s, enum acl_space_kind kind, size_t *n)
{
	struct spans spans = { 0 };
	struct edge *list = NULL;
	size_t room = 0;

	*n = 0;
	for (size_t i = 0; i < s->terms; i++) {
		term_spans(&s->term[i], kind, &spans);
		list = alloc_grow(list, &room, *n + 2 * spans.n, sizeof(*list));
		for (size_t k = 0; k < spans.n; k++) {
			list[(*n)++] = (struct edge){ spans.list[k].first, s->term[i].key };
			if (spans.list[k].last != ~(acl_position)0)
				list[(*n)++] =
					(struct edge){ spans.list[k].last + 1, s->term[i].key };
		}
	}
	free(spans.list);
	sort_edges(list, *n);
	return list;
}

static uint32_t class_of(struct sums *s, uint64_t sum)
{
	size_t at = (size_t)(sum * UINT64_C(0x9e3779b97f4a7c15) >> 20) & s->mask;

	while (s->class[at] && s->sum[at] != sum)
		at = (at + 1) & s->mask;
	if (!s->class[at]) {
		s->sum[at] = s->by_class[s->n] = sum;
		s->class[at] = (uint32_t)++s->n;
	}
	return s->class[at] - 1;
}

static void begin(struct acl_space *space, acl_position at, uint64_t sum, struct sums *sums)
{
	uint32_t born = (uint32_t)sums->n, class = class_of(sums, sum);

	if (space->n && space->class[space->n - 1] == class)
		return;
	space->from[space->n] = at;
	space->class[space->n] = class;
	space->born[space->n++] = born;
}

void acl_space_make(struct acl_space *space, const struct acl_source *s, enum acl_space_kind kind,
		    const uint64_t *known, uint32_t n_known)
{
	size_t n, slots = 16;
	struct edge *edges = find_edges(s, kind, &n);
	struct sums sums = { 0 };
	uint64_t sum = 0;

	while (slots < 2 * (n + n_known + 2))
		slots *= 2;
	sums.sum = alloc_zero(slots, sizeof(*sums.sum));
	sums.class = alloc_zero(slots, sizeof(*sums.class));
	sums.mask = slots - 1;
	sums.by_class = alloc_zero(n + n_known + 2, sizeof(*sums.by_class));
	for (uint32_t i = 0; i < n_known; i++)
		class_of(&sums, known[i]);
	*space = (struct acl_space){ .room = n + 2 };
	space->from = alloc_zero(space->room, sizeof(*space->from));
	space->class = alloc_zero(space->room, sizeof(*space->class));
	space->born = alloc_zero(space->room, sizeof(*space->born));
	for (size_t i = 0; i < n || !space->n;) {
		acl_position at = space->n ? edges[i].at : 0;

		/* What ends here has come before: exclusive or makes it go. */
		for (; i < n && edges[i].at == at; i++)
			sum ^= edges[i].key;
		begin(space, at, sum, &sums);
	}
	space->born[space->n] = (uint32_t)sums.n;
	space->sum = sums.by_class;
	space->classes = (uint32_t)sums.n;
	free(sums.sum);
	free(sums.class);
	free(edges);
}

void acl_space_free(struct acl_space *space)
{
	free(space->from);
	free(space->class);
	free(space->born);
	free(space->sum);
	free(space->expected);
	free(space->expected_at);
	*space = (struct acl_space){ 0 };
}

/* The first interval that does not begin before the position. */
static size_t interval_at(const struct acl_space *space, acl_position at)
{
	size_t low = 0, high = space->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (space->from[middle] < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct acl_range *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->last < y->last ? -1 : x->last > y->last;
}

void acl_set_order(struct acl_set *set)
{
	size_t kept = 0;

	if (set->n < 2)
		return;
	qsort(set->range, set->n, sizeof(*set->range), compare_ranges);
	for (size_t i = 1; i < set->n; i++) {
		struct acl_range *last = &set->range[kept], *next = &set->range[i];

		if (next->first > last->last + 1)
			set->range[++kept] = *next;
		else if (next->last > last->last)
			last->last = next->last;
	}
	set->n = kept + 1;
}

static size_t add_expected(const struct acl_space *space, uint32_t term, struct acl_set *set,
			   size_t room)
{
	uint32_t from = space->expected_at ? space->expected_at[term] : 0;
	uint32_t end = space->expected_at ? space->expected_at[term + 1] : 0;

	set->range = alloc_grow(set->range, &room, set->n + end - from, sizeof(*set->range));
	for (; from < end; from++)
		set->range[set->n++] =
			(struct acl_range){ space->expected[from], space->expected[from] };
	return room;
}

/*
 * Every class of a term first appears within a span of that term. So they are those that were born between where its
 * spans begin and end.
 */
void acl_space_set(const struct acl_space *space, const struct acl_source *s,
		   enum acl_space_kind kind, const uint32_t *name, size_t n, struct acl_set *set)
{
	struct spans spans = { 0 };
	size_t room = 0;

	*set = (struct acl_set){ 0 };
	if (!n) {
		set->range = alloc_grow(NULL, &room, 1, sizeof(*set->range));
		set->range[set->n++] = (struct acl_range){ 0, UINT32_MAX };
		return;
	}
	for (size_t i = 0; i < n; i++) {
		term_spans(&s->term[name[i]], kind, &spans);
		set->range = alloc_grow(set->range, &room, set->n + spans.n, sizeof(*set->range));
		for (size_t k = 0; k < spans.n; k++) {
			acl_position last = spans.list[k].last;
			uint32_t from = space->born[interval_at(space, spans.list[k].first)];
			uint32_t end = last == ~(acl_position)0
					       ? space->born[space->n]
					       : space->born[interval_at(space, last + 1)];

			if (from < end)
				set->range[set->n++] = (struct acl_range){ from, end - 1 };
		}
		room = add_expected(space, name[i], set, room);
	}
	free(spans.list);
	acl_set_order(set);
}
