// SPDX-License-Identifier: BSD-2-Clause
/* The tables of flows of two versions side by side: made before the turn, given back after. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "include/base.h"
#include "loader/entries.h"
#include "loader/handover.h"
#include "loader/handover_flows.h"
#include "loader/programs.h"
#include "loader/rights.h"

#define AT_ONCE     400 /* updates of an outer map, which wait for all readers, whatever their number */
#define PLACEHOLDER 1 /* entries of what stands for no table (tables_remove.c) */

int handover_inner(int outer, enum inner kind, __u32 slot, int *fd, uint32_t *entries,
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
			inner_kinds[kind].name, slot, strerror(errno),
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

static int flush(int outer, enum inner kind, struct entries *list, struct error *e)
{
	int err = list->n ? map_write(outer, inner_kinds[kind].name, list, e) : 0;

	for (size_t i = 0; i < list->n; i++)
		close(*(int *)entries_value(list, i));
	list->n = 0;
	return err;
}

static int make_kind(const struct inner_types *types, enum inner kind, int old, int new,
		     struct error *e)
{
	struct entries list;
	uint32_t entries;
	int err = 0;

	entries_init(&list, sizeof(__u32), sizeof(int));
	for (__u32 slot = 0; slot < WEFT_TENANTS_MAX && !err; slot++) {
		int had, fd;

		err = handover_inner(old, kind, slot, &had, &entries, e);
		if (err || had < 0)
			continue;
		close(had);
		fd = inner_create(types, kind, entries, e);
		err = fd < 0;
		if (!err)
			entries_add(&list, &slot, &fd);
		if (!err && list.n == AT_ONCE)
			err = flush(new, kind, &list, e);
	}
	if (flush(new, kind, &list, err ? NULL : e))
		err = -1;
	entries_free(&list);
	return err ? -1 : 0;
}

int handover_outer(const struct root *root, const char *directory, enum inner kind, struct error *e)
{
	char path[64];

	snprintf(path, sizeof(path), "%s%s%s", directory, *directory ? "/" : "",
		 inner_kinds[kind].name);
	return root_map(root, path, e);
}

int handover_tables(const struct root *root, struct error *e)
{
	struct root fresh = *root;
	struct inner_types types;
	int err = 0;

	fresh.programs = NEXT_PROG "/";
	inner_types_open(&types, &fresh);
	for (int kind = 0; kind < HANDOVER_KINDS && !err; kind++) {
		int old = handover_outer(root, "", kind, e);
		int new = old < 0 ? -1 : handover_outer(root, NEXT_MAPS, kind, e);

		err = new < 0 ? -1 : make_kind(&types, kind, old, new, e);
		if (old >= 0)
			close(old);
		if (new >= 0)
			close(new);
	}
	inner_types_close(&types);
	return err;
}

static int release_kind(int outer, const struct inner_types *types, enum inner kind,
			struct error *e)
{
	int nothing = inner_create(types, kind, PLACEHOLDER, e), err = 0;
	struct entries list;
	uint32_t entries;

	if (nothing < 0)
		return -1;
	entries_init(&list, sizeof(__u32), sizeof(int));
	for (__u32 slot = 0; slot < WEFT_TENANTS_MAX && !err; slot++) {
		int fd;

		err = handover_inner(outer, kind, slot, &fd, &entries, e);
		if (err || fd < 0)
			continue;
		close(fd);
		entries_add(&list, &slot, &nothing);
	}
	if (!err && list.n)
		err = map_write(outer, inner_kinds[kind].name, &list, e);
	entries_free(&list);
	close(nothing);
	return err;
}

int handover_release(const struct root *root, struct error *e)
{
	struct inner_types types;
	int err = 0;

	inner_types_open(&types, root);
	for (int kind = 0; kind < HANDOVER_KINDS && !err; kind++) {
		int outer = handover_outer(root, NEXT_PREVIOUS "/maps", kind, e);

		err = outer < 0 ? -1 : release_kind(outer, &types, kind, e);
		if (outer >= 0)
			close(outer);
	}
	inner_types_close(&types);
	return err;
}
