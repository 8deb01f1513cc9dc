// SPDX-License-Identifier: BSD-2-Clause
/*
 * `KEY VALUE` pairs of the command line, brought into the shape that YAML has and then read like
 * YAML.
 */
#include <stdlib.h>
#include <string.h>

#include "loader/config/schema_types.h"
#include "loader/config/yaml.h"

/*
 * The map below `tree` for the part before the last dot of `key`, made as needed; `*last` is the
 * part after.
 */
static json_t *reach(json_t *tree, const char *key, const char **last)
{
	for (const char *dot = strchr(key, '.'); dot; key = dot + 1, dot = strchr(key, '.')) {
		char part[64];
		json_t *next;

		if ((size_t)(dot - key) >= sizeof(part))
			return NULL;
		memcpy(part, key, (size_t)(dot - key));
		part[dot - key] = '\0';
		next = json_object_get(tree, part);
		if (!next && !json_object_set_new(tree, part, json_object()))
			next = json_object_get(tree, part);
		if (!json_is_object(next))
			return NULL;
		tree = next;
	}
	*last = key;
	return tree;
}

static int put(json_t *tree, const char *kind, const char *key, const char *value,
	       struct error *err)
{
	char quoted[ERROR_QUOTE_SIZE];
	const char *last = "";
	json_t *at = reach(tree, key, &last), *node;

	if (!at || json_object_get(at, last))
		return error_set(err, EXIT_USAGE, "%s: key %s is given twice: keep one", kind,
				 error_quote(quoted, sizeof(quoted), key));
	if (value[0] == '{' || value[0] == '[')
		node = yaml_parse(error_quote(quoted, sizeof(quoted), last), value, strlen(value), NULL,
				  err);
	else
		node = json_string(value);
	if (!node && value[0] != '{' && value[0] != '[')
		return error_set(err, EXIT_USAGE, "%s: the value of %s is not UTF-8: write it so",
				 kind, error_quote(quoted, sizeof(quoted), key));
	if (!node) {
		if (err)
			err->exit_code = EXIT_USAGE;
		return -1;
	}
	if (json_object_set_new(at, last, node))
		return error_set(err, EXIT_USAGE, "%s: a key is not UTF-8: write it so", kind);
	return 0;
}

/*
 * Takes what has an empty value out of both: out of the new, since there is nothing to read, and
 * out of the old.
 */
static int take_empty(const struct schema_kind *kind, json_t *raw, json_t *object,
		      struct error *err)
{
	char quoted[ERROR_QUOTE_SIZE];
	const char *name;
	json_t *value;
	void *next;

	json_object_foreach_safe(raw, next, name, value)
	{
		const struct schema_key *key = schema_key(kind, name);

		if (json_is_object(value) && key && key->shape == SCHEMA_OBJECT) {
			json_t *inner = json_object_get(object, name);

			if (take_empty(key->object, value, inner, err))
				return -1;
			if (inner && !json_object_size(inner))
				json_object_del(object, name);
			continue;
		}
		if (!json_is_string(value) || json_string_length(value))
			continue;
		if (!key)
			return error_set(err, EXIT_USAGE,
					 "%s: key %s is not known: nothing to remove", kind->name,
					 error_quote(quoted, sizeof(quoted), name));
		json_object_del(object, name);
		json_object_del(raw, name);
	}
	return 0;
}

/* Objects merge, everything else replaces. */
static void merge(const struct schema_kind *kind, json_t *object, const json_t *change)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)change, name, value) {
		const struct schema_key *key = schema_key(kind, name);
		json_t *old = json_object_get(object, name);

		if (old && key && key->shape == SCHEMA_OBJECT)
			merge(key->object, old, value);
		else
			json_object_set(object, name, value);
	}
}

static json_t *read_pairs(const char *kind, int argc, char **argv, struct error *err)
{
	json_t *raw = json_object();

	for (int i = 0; i < argc; i += 2) {
		char quoted[ERROR_QUOTE_SIZE];
		int failed;

		if (i + 1 == argc)
			failed = error_set(err, EXIT_USAGE,
					   "%s: key %s has no value: write KEY VALUE", kind,
					   error_quote(quoted, sizeof(quoted), argv[i]));
		else
			failed = put(raw, kind, argv[i], argv[i + 1], err);
		if (failed) {
			json_decref(raw);
			return NULL;
		}
	}
	return raw;
}

json_t *schema_object_set(const char *kind_name, const json_t *base, int argc, char **argv,
			  struct error *err)
{
	const struct schema_kind *kind = schema_kind(kind_name);
	struct schema_walk w = { .err = err, .exit_code = EXIT_USAGE };
	json_t *object = base ? json_deep_copy(base) : json_object();
	json_t *raw = NULL, *change = NULL;
	int failed;

	if (!kind) {
		failed = error_set(err, EXIT_USAGE, "%s is not a kind of object", kind_name);
	} else {
		schema_walk_down(&w, kind->name);
		raw = read_pairs(kind->name, argc, argv, err);
		failed = !raw || take_empty(kind, raw, object, err);
	}
	if (!failed)
		change = schema_walk_object(&w, kind, raw);
	if (change) {
		merge(kind, object, change);
		failed = schema_walk_complete(&w, kind, object);
	}
	json_decref(raw);
	if (change && !failed) {
		json_decref(change);
		return object;
	}
	json_decref(change);
	json_decref(object);
	return NULL;
}

json_t *schema_object_from_pairs(const char *kind, int argc, char **argv, struct error *err)
{
	return schema_object_set(kind, NULL, argc, argv, err);
}
