// SPDX-License-Identifier: BSD-2-Clause
/* Maps of tenants that are gone, or that have no port here any more. */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/alloc.h"
#include "loader/tables.h"

/* The tenant of a slot, or NULL. */
static const struct model_tenant **owners(const struct tables *t)
{
	const struct model_tenant **owner = alloc_zero(WEFT_TENANTS_MAX, sizeof(*owner));

	for (size_t i = 0; i < t->m->n_tenants; i++)
		owner[t->m->tenants[i].slot] = &t->m->tenants[i];
	return owner;
}

/*
 * Each deletion from an outer map waits for all readers, some 8 ms, and there is none for many at
 * once; an update for many waits once. So when many tenants go, their slots get one tiny map in
 * common, which holds nothing.
 */
#define DELETE_AT_MOST      16
#define PLACEHOLDER_ENTRIES 1

static bool holds_something(const struct root *root, enum inner kind, int outer, const void *slot)
{
	uint32_t id;
	int fd;

	if (bpf_map_lookup_elem(outer, slot, &id))
		return false;
	fd = inner_find(root, INNER_NOBODY, kind, id);
	if (fd >= 0)
		close(fd);
	return fd < 0;
}

static int open_placeholder(const struct tables *t, const struct root *root, enum inner kind,
			    struct error *e)
{
	int fd = inner_open(root, INNER_NOBODY, kind);

	if (fd >= 0)
		return fd;
	fd = inner_create(&t->types, kind, PLACEHOLDER_ENTRIES, e);
	if (fd >= 0 && inner_pin(root, INNER_NOBODY, kind, fd, e)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int put_placeholder(struct tables *t, const struct root *root, enum inner kind,
			   struct entries *slots, struct error *e)
{
	int fd = open_placeholder(t, root, kind, e), failed;
	uint32_t value = (uint32_t)fd;

	if (fd < 0)
		return -1;
	for (size_t i = 0; i < slots->n; i++)
		memcpy(entries_value(slots, i), &value, sizeof(value));
	failed = map_write(t->outer[kind], inner_kinds[kind].name, slots, e);
	close(fd);
	return failed;
}

static int empty_slots(struct tables *t, const struct root *root, enum inner kind,
		       const struct entries *slots, struct error *e)
{
	const char *name = inner_kinds[kind].name;
	struct entries full;
	int failed = 0;

	entries_init(&full, sizeof(uint32_t), sizeof(uint32_t));
	for (size_t i = 0; i < slots->n; i++)
		if (holds_something(root, kind, t->outer[kind], entries_key(slots, i)))
			entries_add(&full, entries_key(slots, i), NULL);
	t->writes += full.n;
	if (full.n > DELETE_AT_MOST)
		failed = put_placeholder(t, root, kind, &full, e);
	for (size_t i = 0; i < full.n && full.n <= DELETE_AT_MOST && !failed; i++)
		if (bpf_map_delete_elem(t->outer[kind], entries_key(&full, i)) && errno != ENOENT)
			failed = error_set(e, EXIT_REFUSED, "map %s: a slot cannot be emptied: %s",
					   name, strerror(errno));
	entries_free(&full);
	return failed;
}

/* Slots that may hold what nobody needs: of touched tenants, and where the owner went or came. */
static bool may_be_stale(const struct tables *t, const struct sync *s, uint32_t slot,
			 const struct model_tenant *owner)
{
	const struct tenant *old = entries_value(&s->actual[MAP_TENANTS], slot);

	if (t->everything || (owner ? owner->id : 0) != old->id)
		return true;
	return owner && t->touched[owner - t->m->tenants];
}

static int remove_kind(struct tables *t, const struct root *root, const struct sync *s,
		       const struct model_tenant **owner, enum inner kind, struct error *e)
{
	struct entries slots;
	int failed;

	entries_init(&slots, sizeof(uint32_t), 0);
	for (uint32_t slot = 0; slot < WEFT_TENANTS_MAX; slot++) {
		const struct model_tenant *o = owner[slot];

		if ((o && tables_wants(o, kind)) || !may_be_stale(t, s, slot, o))
			continue;
		if (o && tables_keeps(t, root, s, (size_t)(o - t->m->tenants), kind))
			continue;
		entries_add(&slots, &slot, NULL);
		if (o)
			inner_unpin(root, o->name, kind);
		if (kind != INNER_ACL)
			continue;
		if (o) {
			inner_unpin(root, o->name, INNER_TREE);
			inner_unpin(root, o->name, INNER_INDEX);
		}
		if (acl_clear(t, slot, e)) {
			entries_free(&slots);
			return -1;
		}
	}
	failed = empty_slots(t, root, kind, &slots, e);
	entries_free(&slots);
	return failed;
}

/* Directories of no tenant, and maps of no use: left by a command that was interrupted. */
static void remove_strangers(const struct root *root, const json_t *tenants)
{
	char path[320], safe[64];
	json_t *known = json_object(), *unused;
	struct dirent *entry;
	const char *name;
	DIR *directory;

	json_object_foreach ((json_t *)tenants, name, unused)
		json_object_set_new(known, root_name(safe, sizeof(safe), name), json_true());
	snprintf(path, sizeof(path), "%s/tenants", root->path);
	directory = opendir(path);
	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.' || !strcmp(entry->d_name, INNER_NOBODY))
			continue;
		if (json_object_get(known, entry->d_name))
			inner_sweep_tenant(root, entry->d_name);
		else
			inner_remove_tenant(root, entry->d_name);
	}
	if (directory)
		closedir(directory);
	json_decref(known);
}

int tables_remove(struct tables *t, const struct root *root, const struct sync *s,
		  const json_t *old, const json_t *new, struct error *e)
{
	const json_t *before = json_object_get(old, "tenants"),
		     *after = json_object_get(new, "tenants");
	const struct model_tenant **owner = owners(t);
	const char *name;
	json_t *unused;
	int failed = 0;

	for (int kind = 0; kind < INNER_RULES && !failed; kind++)
		failed = remove_kind(t, root, s, owner, kind, e);
	free(owner);
	json_object_foreach ((json_t *)before, name, unused)
		if (!json_object_get(after, name))
			inner_remove_tenant(root, name);
	if (t->everything)
		remove_strangers(root, after);
	return failed;
}
