// SPDX-License-Identifier: BSD-2-Clause
/* What differs between two configurations, object by object, in the order in which it can be done.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/config/schema.h"
#include "loader/config/tree.h"

struct entry {
	const char *path;
	json_t *old, *wanted;
	unsigned int top,
		part; /* rank in the table of the first part, and of the part in a tenant */
	const char *tenant, *name;
	size_t tenant_len;
};

static unsigned int rank(const struct schema_kind *kind, const char *name, size_t len)
{
	unsigned int i = 0;

	while (kind->keys[i].name &&
	       (strlen(kind->keys[i].name) != len || strncmp(kind->keys[i].name, name, len)))
		i++;
	return i;
}

static void fill(struct entry *e, const char *path, json_t *old, json_t *wanted)
{
	const struct schema_key *tenants = schema_key(schema_root(), "tenants");
	size_t len = strcspn(path, "/");
	const char *name = path + len + (path[len] == '/');
	const char *slash = strchr(name, '/');

	*e = (struct entry){
		.path = path, .old = old, .wanted = wanted, .tenant = name, .name = name
	};
	e->top = rank(schema_root(), path, len);
	if (e->top >= rank(schema_root(), tenants->name, strlen(tenants->name)))
		e->tenant_len = strcspn(name, "/");
	if (slash) {
		e->part = 1 + rank(tenants->object, slash + 1, strcspn(slash + 1, "/"));
		e->name = strrchr(name, '/') + 1;
	}
}

/* Host before function before tenant; in a tenant, what is referred to before what refers to it. */
static int compare(const void *a_, const void *b_)
{
	const struct entry *a = a_, *b = b_;
	size_t least = a->tenant_len < b->tenant_len ? a->tenant_len : b->tenant_len;
	int order;

	if (a->top != b->top)
		return a->top < b->top ? -1 : 1;
	order = strncmp(a->tenant, b->tenant, least);
	if (order)
		return order;
	if (a->tenant_len != b->tenant_len)
		return a->tenant_len < b->tenant_len ? -1 : 1;
	if (a->part != b->part)
		return a->part < b->part ? -1 : 1;
	return strcmp(a->name, b->name);
}

static int compare_backwards(const void *a, const void *b)
{
	return compare(b, a);
}

static void add_entry(json_t *diff, const struct entry *e)
{
	json_t *entry = json_object();

	json_object_set_new(entry, "op",
			    json_string(!e->old      ? "add"
					: !e->wanted ? "delete"
						     : "change"));
	json_object_set_new(entry, "path", json_string(e->path));
	if (e->old)
		json_object_set(entry, "old", e->old);
	if (e->wanted)
		json_object_set(entry, "new", e->wanted);
	json_array_append_new(diff, entry);
}

/* Of `from` all that differs in `against`: what is missing there, and on request what is unequal.
 */
static json_t *collect(json_t *diff, json_t *from, const json_t *against, int deletions)
{
	struct entry *entries = calloc(json_object_size(from) + 1, sizeof(*entries));
	size_t n = 0;
	const char *path;
	json_t *object;

	if (!entries)
		return NULL;
	json_object_foreach (from, path, object) {
		json_t *other = json_object_get(against, path);

		if (deletions && !other)
			fill(&entries[n++], path, object, NULL);
		else if (!deletions && (!other || !json_equal(object, other)))
			fill(&entries[n++], path, other, object);
	}
	qsort(entries, n, sizeof(*entries), deletions ? compare_backwards : compare);
	for (size_t i = 0; i < n; i++)
		add_entry(diff, &entries[i]);
	free(entries);
	return diff;
}

json_t *config_diff(const json_t *old, const json_t *wanted)
{
	json_t *before = config_flatten(old), *after = config_flatten(wanted);
	json_t *diff = json_array();

	if (!collect(diff, before, after, 1) || !collect(diff, after, before, 0)) {
		json_decref(diff);
		diff = NULL;
	}
	json_decref(before);
	json_decref(after);
	return diff;
}

static void print_keys(FILE *out, const char *path, const char *prefix,
		       const struct schema_kind *kind, const json_t *old, const json_t *wanted);

/* A map in an object: name by name, as if the names were keys. */
static void print_map(FILE *out, const char *path, const char *prefix, const struct schema_key *key,
		      const json_t *old, const json_t *wanted)
{
	char inner[160];
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)old, name, value) {
		snprintf(inner, sizeof(inner), "%s%s.%s.", prefix, key->name, name);
		print_keys(out, path, inner, key->object, value, json_object_get(wanted, name));
	}
	json_object_foreach ((json_t *)wanted, name, value) {
		if (json_object_get(old, name))
			continue;
		snprintf(inner, sizeof(inner), "%s%s.%s.", prefix, key->name, name);
		print_keys(out, path, inner, key->object, NULL, value);
	}
}

static void print_keys(FILE *out, const char *path, const char *prefix,
		       const struct schema_kind *kind, const json_t *old, const json_t *wanted)
{
	char before[4096], after[4096], inner[160];

	for (const struct schema_key *k = kind->keys; k->name; k++) {
		const json_t *a = json_object_get(old, k->name);
		const json_t *b = json_object_get(wanted, k->name);

		if (a == b || (a && b && json_equal(a, b)))
			continue;
		if (k->shape == SCHEMA_OBJECT) {
			snprintf(inner, sizeof(inner), "%s%s.", prefix, k->name);
			print_keys(out, path, inner, k->object, a, b);
		} else if (k->shape == SCHEMA_MAP) {
			print_map(out, path, prefix, k, a, b);
		} else {
			snprintf(before, sizeof(before), "unset");
			snprintf(after, sizeof(after), "unset");
			if (a)
				schema_format(k, a, before, sizeof(before));
			if (b)
				schema_format(k, b, after, sizeof(after));
			fprintf(out, "~ %s %s%s: %s -> %s\n", path, prefix, k->name, before, after);
		}
	}
}

size_t config_diff_print(FILE *out, const json_t *diff)
{
	const json_t *entry;
	size_t i;

	json_array_foreach ((json_t *)diff, i, entry) {
		const char *path = json_string_value(json_object_get(entry, "path"));
		const json_t *old = json_object_get(entry, "old");
		const json_t *wanted = json_object_get(entry, "new");
		const struct schema_kind *kind = schema_kind_at(path);

		if (!old || !wanted)
			fprintf(out, "%c %s\n", old ? '-' : '+', path);
		else if (kind)
			print_keys(out, path, "", kind, old, wanted);
	}
	return json_array_size(diff);
}

json_t *config_patch(const json_t *tree, const json_t *diffs)
{
	json_t *flat = config_flatten(tree), *diff, *entry, *patched;
	size_t i, k;

	json_array_foreach ((json_t *)diffs, i, diff)
		json_array_foreach (diff, k, entry) {
			const char *path = json_string_value(json_object_get(entry, "path"));
			json_t *new = json_object_get(entry, "new"), *old = path ? json_object_get(flat, path) : NULL;

			/* Who wrote it may not have known. */
			if (old && !json_object_get(entry, "old"))
				json_object_set(entry, "old", old);
			if (path && new)
				json_object_set(flat, path, new);
			else if (path)
				json_object_del(flat, path);
		}
	patched = config_unflatten(flat);
	json_decref(flat);
	return patched;
}
