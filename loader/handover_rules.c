// SPDX-License-Identifier: BSD-2-Clause
/*
 * Rules on the way to version 2 of the maps, whose programs know no tree, and would find no rule where there is one. Both
 * versions try entries in turn: so rules become such before programs of version 2 get to see them. Programs of version 4
 * decide by them as by the tree, if it comes to nothing; the next apply there makes a tree again.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/alloc.h"
#include "loader/handover.h"
#include "loader/state.h"
#include "loader/tables.h"

/* All rules as entries, with no rank: that is what version 2 has no field for. */
static int list_rules(const struct model *m, const struct model_tenant *tenant,
		      struct acl_beside *all, struct error *e)
{
	const uint64_t key[2] = { 0 }; /* of hashes that nobody gets to see */
	struct acl_rules r;
	bool fits = true;

	if (acl_rules_gather(m, tenant, key, &r, e))
		return -1;
	for (size_t i = 0; i < r.rules && fits; i++)
		fits = acl_list_add(&all->list, &r, i, 0, ACL_ENTRIES_MAX);
	acl_rules_free(&r);
	if (fits)
		return 0;
	return error_set(
		e, EXIT_REFUSED,
		"tenant %s: its rules make more than %d entries, and version 2 of the maps has no room for more: take rules away, or members of groups, and load again",
		tenant->name, ACL_ENTRIES_MAX);
}

/* Only what is in use is handed back: not what lies in `rules` and nobody has committed. */
static int check_same(const struct model *m, const struct model_tenant *tenant,
		      const struct acl_in_use *in_use, struct error *e)
{
	struct acl_program p;
	bool same;

	if (acl_program_make(m, tenant, in_use, &p, e))
		return -1;
	same = p.same;
	acl_program_free(&p);
	if (same)
		return 0;
	return error_set(e, EXIT_REFUSED,
			 "tenant %s: its rules are not those that are in use: `weft acl commit %s`, or apply a file that names the tenant, and load again",
			 tenant->name, tenant->name);
}

/* What the map acl of the i-th tenant shall be. */
static int make_entries(struct tables *t, size_t i, const struct acl_in_use *in_use,
			struct error *e)
{
	const struct model_tenant *tenant = &t->m->tenants[i];
	const struct acl_header none = { 0 };
	struct acl_beside all = { 0 };
	int failed = check_same(t->m, tenant, in_use, e) || list_rules(t->m, tenant, &all, e);

	if (!failed)
		acl_program_slots(&t->program[i], &none, &all);
	acl_list_free(&all.list);
	return failed ? -1 : 0;
}

static bool has_tree(const struct acl_in_use *in_use)
{
	return in_use->slot[0].header.tree || in_use->slot[0].header.index;
}

/* The tree's pin last: it tells that not all of this is done. */
static int drop_tree(const struct tables *t, const struct root *root, size_t i, struct error *e)
{
	const struct model_tenant *tenant = &t->m->tenants[i];

	if (acl_clear(t, tenant->slot, e))
		return -1;
	inner_unpin(root, tenant->name, INNER_INDEX);
	inner_unpin(root, tenant->name, INNER_TREE);
	return 0;
}

/* `fd` is in use and has no tree. A load that was killed may have come no further. */
static int go_on(const struct tables *t, const struct root *root, size_t i, int fd,
		 struct error *e)
{
	const char *name = t->m->tenants[i].name;

	if (!inner_exists(root, name, INNER_TREE))
		return 0;
	return inner_pin(root, name, INNER_ACL, fd, e) || drop_tree(t, root, i, e) ? -1 : 0;
}

static int prepare(struct tables *t, const struct root *root, size_t i, struct error *e)
{
	const struct model_tenant *tenant = &t->m->tenants[i];
	int fd = acl_in_use_open(t, root, tenant), failed = -1;
	struct acl_in_use in_use = { 0 };

	if (fd >= 0)
		acl_in_use_read(t, root, tenant, fd, &in_use);
	if (!in_use.slot)
		error_set(e, EXIT_REFUSED,
			  "tenant %s: the rules that are in use cannot be read: apply a file that names the tenant, and load again",
			  tenant->name);
	else
		failed = has_tree(&in_use) ? make_entries(t, i, &in_use, e) :
					     go_on(t, root, i, fd, e);
	acl_in_use_free(&in_use);
	if (fd >= 0)
		close(fd);
	return failed;
}

static int replace(const struct tables *t, const struct root *root, size_t i, struct error *e)
{
	const struct model_tenant *tenant = &t->m->tenants[i];
	const struct acl_program *p = &t->program[i];
	int fd = inner_create(&t->types, INNER_ACL, (uint32_t)p->slots, e), failed;

	if (fd < 0)
		return -1;
	failed = acl_cells_write(fd, "acl", p->slot, p->slots, e) ||
		 inner_stage(root, tenant->name, INNER_ACL, fd, e);
	if (!failed && bpf_map_update_elem(t->outer[INNER_ACL], &tenant->slot, &fd, BPF_ANY))
		failed = error_set(e, EXIT_REFUSED, "map acl: place %u cannot be written: %s",
				   tenant->slot, strerror(errno));
	close(fd);
	if (failed || inner_place(root, tenant->name, INNER_ACL, e))
		return -1;
	return drop_tree(t, root, i, e);
}

/* First all is made, so that what does not fit is refused before anything is touched. */
static int flatten(const struct root *root, const struct model *m, struct error *e)
{
	bool *touched = alloc_zero(m->n_tenants + 1, sizeof(*touched));
	int failed;
	struct tables t;

	failed = tables_open(&t, root, m, touched, e);
	free(touched);
	if (failed)
		return -1;
	for (size_t i = 0; i < m->n_tenants && !failed; i++)
		failed = m->tenants[i].here ? prepare(&t, root, i, e) : 0;
	for (size_t i = 0; i < m->n_tenants && !failed; i++)
		failed = t.program[i].slots ? replace(&t, root, i, e) : 0;
	tables_close(&t);
	return failed ? -1 : 0;
}

int handover_rules(const struct root *root, unsigned int to, struct error *e)
{
	char self[WEFT_NAME_LEN + 1];
	struct state state;
	struct model m;
	int failed;

	if (to != 2)
		return 0;
	if (state_read(root, &state, e))
		return -1;
	snprintf(self, sizeof(self), "%.*s", WEFT_NAME_LEN, state.host.name);
	model_make(&m, state.tree, &state.ids, self);
	failed = flatten(root, &m, e);
	model_free(&m);
	state_free(&state);
	return failed;
}
