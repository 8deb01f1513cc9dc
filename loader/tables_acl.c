// SPDX-License-Identifier: BSD-2-Clause
/*
 * A tenant's compiled rules in their maps. The tree and the index have two places each in their outer maps, of which
 * the header in `acl` names one. A new one is put into the other place, where no packet looks; then the swap of `acl`
 * is what packets see; then the old one goes.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/alloc.h"
#include "loader/entries.h"
#include "loader/rights.h"
#include "loader/tables.h"

union acl_cell *acl_cells_read(int fd, const char *name, size_t *n)
{
	struct error unused = { 0 };
	struct entries list;
	union acl_cell *cells;

	entries_init(&list, sizeof(uint32_t), sizeof(union acl_cell));
	if (map_read(fd, name, &list, &unused))
		list.n = 0;
	*n = list.n;
	cells = list.n ? (union acl_cell *)list.values : NULL;
	if (!cells)
		free(list.values);
	free(list.keys);
	return cells;
}

/* Cells that a map of `n` cells must have by what its first one says; 0: it says nonsense. */
static size_t cells_told(const struct acl_base *b, bool index)
{
	size_t sums = 0;

	for (int i = 0; index && i < 3; i++)
		sums += b->classes[i];
	return (size_t)b->cells + b->items + (sums + 7) / 8;
}

/* The part that packets do not look at, if all of it is as it was written. */
static union acl_cell *read_base(const struct tables *t, const struct root *root,
				 const char *tenant, enum inner kind, uint32_t place, bool *sealed)
{
	union acl_cell *cells = NULL;
	uint32_t id, at;
	size_t n = 0;
	int fd;

	*sealed = false;
	if (!place--)
		return NULL;
	if (bpf_map_lookup_elem(t->outer[kind], &place, &id))
		return NULL;
	fd = inner_find(root, tenant, kind, id);
	if (fd < 0)
		fd = rights_map(id);
	if (fd < 0)
		return NULL;
	cells = acl_cells_read(fd, inner_kinds[kind].name, &n);
	close(fd);
	if (!n || n != cells_told(&cells[0].base, kind == INNER_INDEX) ||
	    acl_seal(cells, n) != cells[0].base.seal) {
		free(cells);
		return NULL;
	}
	at = cells[0].base.cells;
	memmove(cells + 1, cells + at, (n - at) * sizeof(*cells));
	*sealed = true;
	return cells;
}

void acl_in_use_read(const struct tables *t, const struct root *root,
		     const struct model_tenant *tenant, int fd, struct acl_in_use *u)
{
	bool tree, index;

	*u = (struct acl_in_use){ 0 };
	u->slot = (union acl_slot *)acl_cells_read(fd, "acl", &u->slots);
	if (!u->slot)
		return;
	u->tree = read_base(t, root, tenant->name, INNER_TREE, u->slot[0].header.tree, &tree);
	u->index = read_base(t, root, tenant->name, INNER_INDEX, u->slot[0].header.index, &index);
	u->sealed = (!u->slot[0].header.tree && !u->slot[0].header.index) || (tree && index);
}

int acl_cells_write(int fd, const char *name, const void *cells, size_t n, struct error *e)
{
	struct entries list = { .key_size = sizeof(uint32_t),
				.value_size = sizeof(union acl_cell),
				.n = n };
	uint32_t *keys = alloc_zero(n, sizeof(*keys));
	int failed;

	for (size_t i = 0; i < n; i++)
		keys[i] = (uint32_t)i;
	list.keys = (unsigned char *)keys;
	list.values = (unsigned char *)(uintptr_t)cells;
	failed = map_write(fd, name, &list, e);
	free(keys);
	return failed;
}

/* Into the place that is not in use; *place becomes that, plus 1. */
static int put_base(const struct tables *t, const struct root *root,
		    const struct model_tenant *tenant, enum inner kind,
		    const struct acl_cells *cells, uint32_t in_use, __u32 *place, struct error *e)
{
	uint32_t half = in_use ? (in_use - 1) % 2 ^ 1 : 0, at = 2 * tenant->slot + half;
	int fd, failed;

	if (!cells->n)
		return 0;
	fd = inner_create(&t->types, kind, (uint32_t)cells->n, e);
	if (fd < 0)
		return -1;
	failed = acl_cells_write(fd, inner_kinds[kind].name, cells->cell, cells->n, e) ||
		 inner_stage(root, tenant->name, kind, fd, e);
	if (!failed && bpf_map_update_elem(t->outer[kind], &at, &fd, BPF_ANY))
		failed = error_set(e, EXIT_REFUSED, "map %s: place %u cannot be written: %s",
				   inner_kinds[kind].name, at, strerror(errno));
	close(fd);
	*place = at + 1;
	return failed ? -1 : 0;
}

int acl_fill(const struct tables *t, const struct root *root, size_t i, int fd, struct error *e)
{
	struct acl_program *p = &t->program[i];
	const struct model_tenant *tenant = &t->m->tenants[i];
	struct acl_header *h = &p->slot[0].header;

	if (put_base(t, root, tenant, INNER_TREE, &p->base.tree, p->tree_in_use, &h->tree, e) ||
	    put_base(t, root, tenant, INNER_INDEX, &p->base.index, p->index_in_use, &h->index, e))
		return -1;
	return acl_cells_write(fd, "acl", p->slot, p->slots, e);
}

static int clear_places(const struct tables *t, enum inner kind, uint32_t slot, uint32_t keep,
			struct error *e)
{
	for (uint32_t at = 2 * slot, id; at < 2 * slot + 2; at++) {
		if (at + 1 == keep || bpf_map_lookup_elem(t->outer[kind], &at, &id))
			continue;
		if (bpf_map_delete_elem(t->outer[kind], &at) && errno != ENOENT)
			return error_set(e, EXIT_REFUSED, "map %s: place %u cannot be emptied: %s",
					 inner_kinds[kind].name, at, strerror(errno));
	}
	return 0;
}

int acl_clear(const struct tables *t, uint32_t slot, struct error *e)
{
	return clear_places(t, INNER_TREE, slot, 0, e) || clear_places(t, INNER_INDEX, slot, 0, e)
		       ? -1
		       : 0;
}

int acl_settle(const struct tables *t, const struct root *root, size_t i, struct error *e)
{
	const struct acl_program *p = &t->program[i];
	const struct model_tenant *tenant = &t->m->tenants[i];
	const struct acl_header *h = &p->slot[0].header;

	if ((p->base.tree.n && inner_place(root, tenant->name, INNER_TREE, e)) ||
	    (p->base.index.n && inner_place(root, tenant->name, INNER_INDEX, e)))
		return -1;
	if (!h->tree && p->tree_in_use) {
		inner_unpin(root, tenant->name, INNER_TREE);
		inner_unpin(root, tenant->name, INNER_INDEX);
	}
	return clear_places(t, INNER_TREE, tenant->slot, h->tree, e) ||
			       clear_places(t, INNER_INDEX, tenant->slot, h->index, e)
		       ? -1
		       : 0;
}
