// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "include/acl.h"
#include "loader/alloc.h"
#include "loader/entries.h"
#include "loader/inner.h"
#include "loader/rules.h"
#include "loader/state.h"

#define RULES_MIN 64 /* room in a new map of rules */

/*
 * The tenant of a rule's path, "tenants/red/acl/pg", and where its name begins; false for any other
 * object.
 */
static bool rule_path(const char *path, char tenant[WEFT_NAME_LEN + 1], const char **name)
{
	const char *end = strncmp(path, "tenants/", 8) ? NULL : strchr(path + 8, '/');

	if (!end || strncmp(end, "/acl/", 5))
		return false;
	snprintf(tenant, WEFT_NAME_LEN + 1, "%.*s", (int)(end - path - 8), path + 8);
	*name = end + 5;
	return true;
}

static size_t parts_of(size_t length)
{
	return length ? (length + CONFIG_TEXT_LEN - 1) / CONFIG_TEXT_LEN : 1;
}

static void add_parts(struct entries *list, const char *path, const json_t *object,
		      const struct identity *id)
{
	char *text = json_dumps(object, JSON_COMPACT);
	size_t length = text ? strlen(text) : 0, parts = parts_of(length);
	struct config_key key = { 0 };

	memcpy(key.path, path, strnlen(path, CONFIG_PATH_LEN));
	for (key.part = 0; key.part < parts; key.part++) {
		size_t at = (size_t)key.part * CONFIG_TEXT_LEN;
		struct config_value value = { .id = id->id,
					      .slot = id->slot,
					      .parts = (__u16)parts };

		value.length =
			(__u16)(length - at < CONFIG_TEXT_LEN ? length - at : CONFIG_TEXT_LEN);
		memcpy(value.text, text + at, value.length);
		entries_add(list, &key, &value);
	}
	free(text);
}

/* Parts [from, to) of an object. */
static void drop_parts(struct entries *gone, const char *path, size_t from, size_t to)
{
	struct config_key key = { 0 };

	memcpy(key.path, path, strnlen(path, CONFIG_PATH_LEN));
	for (key.part = (__u32)from; key.part < to; key.part++)
		entries_add(gone, &key, NULL);
}

static size_t stored_parts(const json_t *object)
{
	size_t length = object ? json_dumpb(object, NULL, 0, JSON_COMPACT) : 0;

	return object ? parts_of(length) : 0;
}

static bool same_identity(const struct identity *a, const struct identity *b)
{
	return a && b && a->id == b->id && a->slot == b->slot;
}

static void changes(const struct state *old, const json_t *flat, const struct identities *ids,
		    struct entries *gone, struct entries *fresh)
{
	char tenant[WEFT_NAME_LEN + 1];
	const char *path, *name;
	json_t *object;

	json_object_foreach (old->flat, path, object)
		if (!rule_path(path, tenant, &name) && !json_object_get(flat, path))
			drop_parts(gone, path, 0, stored_parts(object));
	json_object_foreach ((json_t *)flat, path, object) {
		const json_t *had = json_object_get(old->flat, path);
		const struct identity *id = identity_find(ids, path);

		if (rule_path(path, tenant, &name) ||
		    (had && json_equal(had, object) &&
		     same_identity(id, identity_find(&old->ids, path))))
			continue;
		add_parts(fresh, path, object, id);
		if (stored_parts(had) > stored_parts(object))
			drop_parts(gone, path, stored_parts(object), stored_parts(had));
	}
}

/*
 * Deletions first: killed in between, less is stored than the maps hold. Each of the two is one
 * call into the kernel, which a signal does not divide.
 */
static int store_objects(const struct root *root, const struct state *old, const json_t *flat,
			 const struct identities *ids, struct error *e)
{
	int fd = root_map(root, "config", e), failed;
	struct entries gone, fresh;

	if (fd < 0)
		return -1;
	entries_init(&gone, sizeof(struct config_key), 0);
	entries_init(&fresh, sizeof(struct config_key), sizeof(struct config_value));
	changes(old, flat, ids, &gone, &fresh);
	failed = map_delete(fd, "config", &gone, e) || map_write(fd, "config", &fresh, e) ? -1 : 0;
	entries_free(&gone);
	entries_free(&fresh);
	close(fd);
	return failed;
}

static int collect_rules(const char *tenant, const json_t *tree, const struct identities *ids,
			 struct entries *list, struct error *e)
{
	const json_t *body = json_object_get(json_object_get(tree, "tenants"), tenant);
	char path[CONFIG_PATH_LEN];
	const char *name;
	json_t *object;

	json_object_foreach (json_object_get(body, "acl"), name, object) {
		const struct identity *id;
		struct rule_key key = { 0 };
		struct rule rule;

		snprintf(path, sizeof(path), "tenants/%s/acl/%s", tenant, name);
		id = identity_find(ids, path);
		memcpy(key.name, name, strnlen(name, WEFT_NAME_LEN));
		if (rule_encode(tenant, name, object, id ? id->id : 0, &rule, e))
			return -1;
		entries_add(list, &key, &rule);
	}
	return 0;
}

/*
 * A tenant's rules change as a whole: a new map in place of the old, so that no reader meets half
 * of the change, and no command killed half-way leaves a mixture for the next one to compile.
 */
static int store_rules(const struct root *root, const struct inner_types *types, const char *tenant,
		       const json_t *tree, const struct identities *ids, struct error *e)
{
	uint32_t room = RULES_MIN;
	struct entries list;
	int fd = -1, failed;

	entries_init(&list, sizeof(struct rule_key), sizeof(struct rule));
	failed = collect_rules(tenant, tree, ids, &list, e);
	while (room < 2 * list.n)
		room *= 2;
	/* A pin that is there stays, for it may be somebody's: empty, then. */
	if (!failed && (list.n || inner_exists(root, tenant, INNER_RULES))) {
		fd = inner_create(types, INNER_RULES, room, e);
		failed = fd < 0 || map_write(fd, "rules", &list, e) ||
			 inner_pin(root, tenant, INNER_RULES, fd, e);
	}
	if (fd >= 0)
		close(fd);
	entries_free(&list);
	return failed ? -1 : 0;
}

/* The names of tenants whose rules differ from the stored ones, as keys of the object `tenants`. */
static void changed_rules(const struct state *old, const json_t *flat, const struct identities *ids,
			  json_t *tenants)
{
	char tenant[WEFT_NAME_LEN + 1];
	const char *path, *name;
	json_t *object;

	json_object_foreach (old->flat, path, object)
		if (rule_path(path, tenant, &name) && !json_object_get(flat, path))
			json_object_set_new(tenants, tenant, json_true());
	json_object_foreach ((json_t *)flat, path, object) {
		const json_t *had;

		if (!rule_path(path, tenant, &name))
			continue;
		had = json_object_get(old->flat, path);
		if (!had || !json_equal(had, object) ||
		    !same_identity(identity_find(ids, path), identity_find(&old->ids, path)))
			json_object_set_new(tenants, tenant, json_true());
	}
	/* Rubbish is its owner's to take back, unless this command brings all rules. */
	for (const struct rejected *r = old->rejected; r; r = r->next) {
		if (r->replace)
			json_object_set_new(tenants, r->tenant, json_true());
		else
			json_object_del(tenants, r->tenant);
	}
}

int state_store(const struct root *root, const struct state *old, const json_t *tree,
		const json_t *flat, const struct identities *ids, struct error *e)
{
	json_t *tenants = json_object(), *unused;
	struct inner_types types;
	const char *tenant;
	int failed = 0;

	changed_rules(old, flat, ids, tenants);
	inner_types_open(&types, root);
	json_object_foreach (tenants, tenant, unused)
		if ((failed = store_rules(root, &types, tenant, tree, ids, e)))
			break;
	inner_types_close(&types);
	json_decref(tenants);
	return failed || store_objects(root, old, flat, ids, e) ? -1 : 0;
}

int state_make_rules(const struct root *root, const char *tenant, struct error *e)
{
	struct inner_types types;
	int fd, failed;

	if (inner_exists(root, tenant, INNER_RULES))
		return 0;
	inner_types_open(&types, root);
	fd = inner_create(&types, INNER_RULES, RULES_MIN, e);
	failed = fd < 0 || inner_pin(root, tenant, INNER_RULES, fd, e);
	if (fd >= 0)
		close(fd);
	inner_types_close(&types);
	return failed ? -1 : 0;
}
