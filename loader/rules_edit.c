// SPDX-License-Identifier: BSD-2-Clause
/*
 * What one changed rule makes of a tree in use, without a look at the others: the few that stand beside the tree are
 * gathered again, and their neighbours in it are found by bisection. The outcome is what acl_program_make() makes of all
 * rules, byte by byte.
 */
#include <stdlib.h>
#include <string.h>

#include "loader/rules.h"

static const struct acl_base *base_of(const struct acl_kept *k)
{
	return &k->cell[0].base;
}

static size_t void_cells(const struct acl_header *h)
{
	return ((size_t)h->voids + ACL_VOIDS - 1) / ACL_VOIDS;
}

bool acl_kept_fits(const struct acl_kept *k)
{
	const struct acl_header *h = &k->slot[0].header;

	return k->slots && h->tree && h->index && h->entries <= ACL_DELTA_MAX && h->voids <= ACL_VOID_MAX &&
	       h->beside <= ACL_DELTA_MAX && k->slots >= 1 + h->entries + void_cells(h) + h->beside && k->cells &&
	       base_of(k)->kind == ACL_NOTHING && (size_t)base_of(k)->cells + base_of(k)->items <= k->cells;
}

static const union acl_cell *items(const struct acl_kept *k)
{
	return k->cell + base_of(k)->cells;
}

const struct acl_known *acl_kept_beside(const struct acl_kept *k, uint32_t i)
{
	const struct acl_header *h = &k->slot[0].header;

	return i < h->beside ? &k->slot[1 + h->entries + void_cells(h) + i].known : NULL;
}

static bool is_void(const struct acl_kept *k, uint32_t rank)
{
	const struct acl_header *h = &k->slot[0].header;

	for (uint32_t i = 0; i < h->voids; i++)
		if (k->slot[1 + h->entries + i / ACL_VOIDS].voids[i % ACL_VOIDS] == rank)
			return true;
	return false;
}

static const struct acl_known *in_tree(const struct acl_kept *k, const char *name)
{
	uint32_t at = acl_known_find(items(k), base_of(k)->items, name);

	return at ? &items(k)[at - 1].known : NULL;
}

const struct acl_known *acl_kept_find(const struct acl_kept *k, const char *name)
{
	const struct acl_known *known = in_tree(k, name), *beside;

	for (uint32_t i = 0; (beside = acl_kept_beside(k, i)); i++)
		if (!strncmp(beside->name, name, WEFT_NAME_LEN))
			return beside;
	return known && !is_void(k, known->rank) ? known : NULL;
}

/* ---- what is void ---- */

static int compare_ranks(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* As before, and what the tree has of the changed rule, if anything. */
static bool take_voids(const struct acl_kept *k, const struct acl_known *own, struct acl_beside *b)
{
	const struct acl_header *h = &k->slot[0].header;

	for (uint32_t i = 0; i < h->voids; i++) {
		uint32_t rank = k->slot[1 + h->entries + i / ACL_VOIDS].voids[i % ACL_VOIDS];

		if (!own || own->rank != rank)
			b->voids[b->n_voids++] = rank;
	}
	if (own) {
		if (own->hides || b->n_voids == ACL_VOID_MAX)
			return false;
		b->voids[b->n_voids++] = own->rank;
	}
	qsort(b->voids, b->n_voids, sizeof(*b->voids), compare_ranks);
	return true;
}

static bool counts(const struct acl_beside *b, uint32_t rank)
{
	return !bsearch(&rank, b->voids, b->n_voids, sizeof(rank), compare_ranks);
}

/* ---- between which of the tree's rules ---- */

static int compare_place(const struct acl_known *known, const struct acl_rules *r, size_t i)
{
	char name[WEFT_NAME_LEN] = "";

	if (known->order != r->order[i])
		return known->order < r->order[i] ? -1 : 1;
	memcpy(name, r->name[i], strnlen(r->name[i], WEFT_NAME_LEN));
	return memcmp(known->name, name, WEFT_NAME_LEN);
}

static struct acl_change place_of(const struct acl_kept *k, const struct acl_rules *r, size_t i,
				  const struct acl_beside *b)
{
	struct acl_change change = { (uint32_t)i, 0, UINT32_MAX };
	const union acl_cell *item = items(k);
	uint32_t low = 0, high = base_of(k)->items;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (compare_place(&item[middle].known, r, i) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (uint32_t at = low; at < base_of(k)->items; at++)
		if (counts(b, item[at].known.rank)) {
			change.above = item[at].known.rank;
			break;
		}
	for (uint32_t at = low; at > 0; at--)
		if (counts(b, item[at - 1].known.rank)) {
			change.below = item[at - 1].known.rank;
			break;
		}
	return change;
}

/* The rule of this name among those that were gathered, as the tree has it? */
static bool is_as_in_tree(const struct acl_known *own, const struct acl_rules *r, const char *name)
{
	for (size_t i = 0; own && i < r->rules; i++)
		if (!strcmp(r->name[i], name))
			return own->digest == r->digest[i];
	return false;
}

bool acl_program_edit(const struct acl_kept *k, const struct acl_rules *r, const char *name, uint32_t all,
		      struct acl_program *p)
{
	const struct acl_known *own = in_tree(k, name);
	struct acl_change change[ACL_DELTA_MAX] = { 0 };
	struct acl_header h = k->slot[0].header;
	struct acl_beside b = { 0 };
	size_t n = 0;
	bool fits;

	*p = (struct acl_program){ .tree_in_use = h.tree, .index_in_use = h.index };
	/* The tree's own would count again: but groups that it names may hold others by now. */
	if (is_as_in_tree(own, r, name))
		return false;
	fits = take_voids(k, own, &b);
	for (size_t i = 0; fits && i < r->rules; i++) {
		fits = n < ACL_DELTA_MAX;
		if (fits)
			change[n++] = place_of(k, r, i, &b);
	}
	h.rules = all;
	fits = fits && acl_beside_add(&b, r, change, n);
	if (fits)
		acl_program_slots(p, &h, &b);
	acl_list_free(&b.list);
	return fits;
}
