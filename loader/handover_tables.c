// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "include/flow_table.h"
#include "loader/alloc.h"
#include "loader/entries.h"
#include "loader/handover.h"
#include "loader/handover_tables.h"
#include "loader/model.h"
#include "loader/pins.h"
#include "loader/programs.h"
#include "loader/rights.h"
#include "loader/state.h"

#define AT_ONCE     400 /* updates of an outer map, which wait for all readers, whatever their number */
#define PLACEHOLDER 1 /* entries of what stands for no table (tables_remove.c) */

int handover_outer(const struct root *root, const char *directory, const char *name,
		   struct error *e)
{
	char path[64];

	snprintf(path, sizeof(path), "%s%s%s", directory, *directory ? "/" : "", name);
	return root_map(root, path, e);
}

int handover_inner(int outer, const char *name, uint32_t slot, int *fd, uint32_t *entries,
		   struct error *e)
{
	uint32_t id;

	*fd = -1;
	if (outer < 0 || bpf_map_lookup_elem(outer, &slot, &id))
		return 0;
	*fd = rights_map(id);
	if (*fd < 0 || inner_info(*fd, &id, entries)) {
		error_set(
			e, EXIT_REFUSED, "map %s: the table of slot %u cannot be looked at: %s%s",
			name, slot, strerror(errno),
			errno == EPERM
				? ": flows cannot be carried over without cap_sys_admin: load as root"
				: "");
		if (*fd >= 0)
			close(*fd);
		return -1;
	}
	if (*entries == PLACEHOLDER) {
		close(*fd);
		*fd = -1;
	}
	return 0;
}

/* ---- making ---- */

struct making {
	unsigned int from, to;
	uint32_t *max_flows; /* by slot, as configured; 0: no tenant's */
	const struct inner_kind *kind;
	enum flow_role role;
	struct inner_type type;
	int old, new; /* outer maps: the old one has a table wherever the new one shall have one */
	const char *old_name;
};

/* What cannot be read is guessed well. */
static uint32_t *configured(const struct root *root)
{
	uint32_t *max_flows = alloc_zero(WEFT_TENANTS_MAX, sizeof(*max_flows));
	struct error unused = { 0 };
	struct state state;
	struct model m;

	if (state_read(root, &state, &unused))
		return max_flows;
	model_make(&m, state.tree, &state.ids, "");
	for (size_t i = 0; i < m.n_tenants; i++)
		if (m.tenants[i].slot < WEFT_TENANTS_MAX)
			max_flows[m.tenants[i].slot] = m.tenants[i].max_flows;
	model_free(&m);
	state_free(&state);
	return max_flows;
}

/* How many flows a table of so many buckets was made for: it does not say by itself how many exactly. */
static uint32_t flows_of(const struct making *m, uint32_t slot, uint32_t buckets)
{
	if (m->max_flows[slot] && flow_buckets(m->max_flows[slot]) == buckets)
		return m->max_flows[slot];
	return (uint32_t)((uint64_t)buckets * FLOW_PLACES * 4 / 5);
}

static uint32_t entries_of(const struct making *m, uint32_t slot, uint32_t old)
{
	uint32_t flows;

	if (m->role == ROLE_HALF)
		return old;
	flows = m->from == 2 ? old : flows_of(m, slot, old);
	if (m->to != 2)
		return flow_buckets(flows);
	/* As version 2 makes them. */
	return m->role == ROLE_RECENT ? flows - flows / 16 : flows;
}

static int flush(const struct making *m, struct entries *list, struct error *e)
{
	int err = list->n ? map_write(m->new, m->kind->name, list, e) : 0;

	for (size_t i = 0; i < list->n; i++)
		close(*(int *)entries_value(list, i));
	list->n = 0;
	return err;
}

static int make_slot(const struct making *m, uint32_t slot, struct entries *list, struct error *e)
{
	uint32_t entries;
	int had, fd;

	if (handover_inner(m->old, m->old_name, slot, &had, &entries, e))
		return -1;
	if (had < 0)
		return 0;
	close(had);
	fd = inner_create_as(m->kind, &m->type, entries_of(m, slot, entries), e);
	if (fd < 0)
		return -1;
	entries_add(list, &slot, &fd);
	return list->n == AT_ONCE ? flush(m, list, e) : 0;
}

static int make_slots(const struct making *m, struct error *e)
{
	struct entries list;
	int err = 0;

	entries_init(&list, sizeof(uint32_t), sizeof(int));
	for (uint32_t slot = 0; slot < WEFT_TENANTS_MAX && !err; slot++)
		err = make_slot(m, slot, &list, e);
	if (flush(m, &list, err ? NULL : e))
		err = -1;
	entries_free(&list);
	return err;
}

static int make_kind(const struct root *root, struct making *m, int family, enum flow_role role,
		     struct error *e)
{
	struct root fresh = *root;
	int err;

	m->kind = handover_kind(m->to, family, role);
	m->role = role;
	if (!m->kind)
		return 0;
	m->old_name = handover_kind(m->from, family, role == ROLE_HALF ? ROLE_HALF : ROLE_CT)->name;
	m->old = handover_outer(root, "", m->old_name, e);
	m->new = m->old < 0 ? -1 : handover_outer(root, NEXT_MAPS, m->kind->name, e);
	fresh.programs = NEXT_PROG "/";
	inner_types_find(&m->type, &m->kind, 1, &fresh);
	err = m->new < 0 ? -1 : make_slots(m, e);
	inner_type_close(&m->type);
	if (m->old >= 0)
		close(m->old);
	if (m->new >= 0)
		close(m->new);
	return err;
}

int handover_tables(const struct root *root, unsigned int from, unsigned int to, struct error *e)
{
	struct making m = { .from = from, .to = to, .max_flows = configured(root) };
	int err = 0;

	for (int family = 0; family < FAMILIES; family++)
		for (int role = 0; role < FLOW_ROLES && !err; role++)
			err = make_kind(root, &m, family, role, e);
	free(m.max_flows);
	return err;
}

/* ---- giving back ---- */

static int release_slots(int outer, const struct inner_kind *kind, int nothing, struct error *e)
{
	struct entries list;
	uint32_t entries;
	int err = 0;

	entries_init(&list, sizeof(uint32_t), sizeof(int));
	for (uint32_t slot = 0; slot < WEFT_TENANTS_MAX && !err; slot++) {
		int fd;

		err = handover_inner(outer, kind->name, slot, &fd, &entries, e);
		if (err || fd < 0)
			continue;
		close(fd);
		entries_add(&list, &slot, &nothing);
	}
	if (!err && list.n)
		err = map_write(outer, kind->name, &list, e);
	entries_free(&list);
	return err;
}

static int release_kind(const struct root *root, const struct inner_kind *kind, struct error *e)
{
	int outer = handover_outer(root, NEXT_PREVIOUS "/maps", kind->name, e), nothing, err = -1;
	struct root kept = *root;
	struct inner_type type;

	if (outer < 0)
		return -1;
	kept.programs = NEXT_PREVIOUS "/prog/";
	inner_types_find(&type, &kind, 1, &kept);
	nothing = inner_create_as(kind, &type, PLACEHOLDER, e);
	if (nothing >= 0) {
		err = release_slots(outer, kind, nothing, e);
		close(nothing);
	}
	inner_type_close(&type);
	close(outer);
	return err;
}

int handover_release(const struct root *root, struct error *e)
{
	struct abi old;
	int err = programs_label(root, NEXT_PREVIOUS, &old, e);

	for (int family = 0; family < FAMILIES; family++)
		for (int role = 0; role < FLOW_ROLES && !err; role++) {
			const struct inner_kind *kind = handover_kind(old.version, family, role);

			err = kind ? release_kind(root, kind, e) : 0;
		}
	return err ? -1 : 0;
}
