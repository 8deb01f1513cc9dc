// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <string.h>

#include "loader/config/schema.h"
#include "loader/config/tree.h"
#include "loader/config/yaml.h"

#define PATH_SIZE 160 /* tenants/ + NAME + /networks/ + NAME, with room */

/* The table's key whose map holds the tenants; the other maps of the root hold plain objects. */
static const struct schema_key *tenants_key(void)
{
	return schema_key(schema_root(), "tenants");
}

static void flatten_map(json_t *flat, const char *prefix, const json_t *map)
{
	char path[PATH_SIZE];
	const char *name;
	json_t *object;

	json_object_foreach ((json_t *)map, name, object) {
		snprintf(path, sizeof(path), "%s/%s", prefix, name);
		json_object_set(flat, path, object);
	}
}

static void flatten_tenant(json_t *flat, const char *name, const json_t *tenant)
{
	json_t *options = json_object_get(tenant, "options");
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "tenants/%s", name);
	if (options)
		json_object_set(flat, path, options);
	else
		json_object_set_new(flat, path, json_object());
	for (const struct schema_key *k = tenants_key()->object->keys; k->name; k++) {
		if (k->shape != SCHEMA_MAP && k->shape != SCHEMA_NAMED_LIST)
			continue;
		snprintf(path, sizeof(path), "tenants/%s/%s", name, k->name);
		flatten_map(flat, path, json_object_get(tenant, k->name));
	}
}

json_t *config_flatten(const json_t *tree)
{
	json_t *flat = json_object(), *tenant;
	const char *name;

	for (const struct schema_key *k = schema_root()->keys; k->name; k++)
		if (k->shape == SCHEMA_MAP && k != tenants_key())
			flatten_map(flat, k->name, json_object_get(tree, k->name));
	json_object_foreach (json_object_get(tree, "tenants"), name, tenant)
		flatten_tenant(flat, name, tenant);
	return flat;
}

/* The map under `name`, made if it is not there. */
static json_t *child(json_t *map, const char *name)
{
	json_t *found = json_object_get(map, name);

	if (found)
		return found;
	json_object_set_new(map, name, json_object());
	return json_object_get(map, name);
}

static void unflatten_one(json_t *tree, const char *path, json_t *object)
{
	char copy[PATH_SIZE], *rest = copy, *part[4] = { NULL };

	snprintf(copy, sizeof(copy), "%s", path);
	for (int i = 0; i < 4 && rest; i++)
		part[i] = strsep(&rest, "/");
	if (!part[1] || rest)
		return;
	if (!part[2] && strcmp(part[0], "tenants")) {
		json_object_set(child(tree, part[0]), part[1], object);
		return;
	}

	json_t *tenant = child(child(tree, "tenants"), part[1]);

	if (part[3])
		json_object_set(child(tenant, part[2]), part[3], object);
	else if (!part[2] && json_object_size(object))
		json_object_set(tenant, "options", object);
}

json_t *config_unflatten(const json_t *flat)
{
	json_t *tree = json_object(), *object;
	const char *path;

	json_object_set_new(tree, "version", json_integer(1));
	json_object_foreach ((json_t *)flat, path, object)
		unflatten_one(tree, path, object);
	return tree;
}

json_t *config_own(const json_t *stored, const json_t *desired, int prune)
{
	json_t *tree = json_object();

	json_object_set_new(tree, "version", json_integer(1));
	for (const struct schema_key *k = schema_root()->keys; k->name; k++) {
		const json_t *old = json_object_get(stored, k->name);
		json_t *wanted = json_object_get(desired, k->name);
		json_t *map;

		if (k->shape != SCHEMA_MAP)
			continue;
		map = prune || !old ? json_object() : json_copy((json_t *)old);
		if (wanted)
			json_object_update(map, wanted);
		if (json_object_size(map))
			json_object_set(tree, k->name, map);
		json_decref(map);
	}
	return tree;
}

/* The options of a tenant may stand in any one of the files that name it. */
static int same_tenant(const char *path, const json_t *a, const json_t *b)
{
	return !strncmp(path, "tenants/", 8) && !strchr(path + 8, '/') &&
	       (!json_object_size(a) || !json_object_size(b));
}

static int join(json_t *all, const json_t *flat, const struct marks *marks, struct error *err)
{
	char place[MARKS_PLACE_SIZE];
	const char *path;
	json_t *object;

	json_object_foreach ((json_t *)flat, path, object) {
		const json_t *old = json_object_get(all, path);
		struct mark first = marks_get(marks, old);

		if (old && !same_tenant(path, old, object))
			return error_set(err, EXIT_REFUSED,
					 "%s%s is also written in %s, line %u: keep one of them",
					 marks_place(marks, object, 1, place, sizeof(place)), path,
					 first.file ? first.file : "another file",
					 first.key_line ? first.key_line : first.line);
		if (!old || json_object_size(object))
			json_object_set(all, path, object);
	}
	return 0;
}

/* One document, typed, into the path-to-object map of all of them. Takes over `raw`. */
static int join_document(json_t *all, json_t *raw, struct marks *marks, struct error *err)
{
	json_t *tree = raw ? schema_tree(raw, marks, err) : NULL;
	json_t *flat = tree ? config_flatten(tree) : NULL;
	int failed = flat ? join(all, flat, marks, err) : -1;

	json_decref(flat);
	json_decref(tree);
	json_decref(raw);
	return failed;
}

/* Ends a reading: the tree of all documents, or nothing; and the marks to whoever wants them. */
static json_t *finish(json_t *all, int failed, struct marks *marks, struct marks **wanted)
{
	json_t *tree = failed ? NULL : config_unflatten(all);

	json_decref(all);
	if (wanted)
		*wanted = tree ? marks : NULL;
	if (!wanted || !tree)
		marks_free(marks);
	return tree;
}

json_t *config_read(const char *const *files, size_t n, struct marks **marks, struct error *err)
{
	struct marks *places = marks_new();
	json_t *all = json_object();
	int failed = 0;

	if (!n)
		failed = error_set(err, EXIT_USAGE,
				   "no file is named: name one, or - for standard input");
	for (size_t i = 0; i < n && !failed; i++)
		failed = join_document(all, yaml_read(files[i], places, err), places, err);
	return finish(all, failed, places, marks);
}

json_t *config_parse(const char *name, const char *text, size_t len, struct marks **marks,
		     struct error *err)
{
	struct marks *places = marks_new();
	json_t *all = json_object();
	int failed = join_document(all, yaml_parse(name, text, len, places, err), places, err);

	return finish(all, failed, places, marks);
}
