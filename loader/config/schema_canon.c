// SPDX-License-Identifier: BSD-2-Clause
/* Is an object as schema_tree() would have made it? What was stored may have been written by others since. */
#include <string.h>

#include "loader/config/schema.h"
#include "loader/config/schema_types.h"

#define TEXT_SIZE 256

static bool scalar_fits(const struct schema_key *key, const json_t *value)
{
	char text[TEXT_SIZE], why[300];
	json_t *again;
	bool same;

	key->type->format(key, value, text, sizeof(text));
	again = key->type->parse(key, text, why, sizeof(why));
	same = again && json_equal(again, value);
	json_decref(again);
	return same;
}

static bool items_fit(const struct schema_key *key, const json_t *value)
{
	bool objects = key->shape == SCHEMA_OBJECT_LIST;
	size_t i, n = json_array_size(value);
	const json_t *item;

	if (!n || n < key->items_min || (key->items_max && n > key->items_max))
		return false;
	json_array_foreach ((json_t *)value, i, item)
		if (objects ? !schema_object_fits(key->object, item) : !scalar_fits(key, item))
			return false;
	return true;
}

static bool members_fit(const struct schema_key *key, const json_t *value)
{
	size_t n = json_object_size(value);
	const char *name;
	json_t *item;
	char why[300];

	if (!n || n < key->items_min || (key->items_max && n > key->items_max))
		return false;
	json_object_foreach ((json_t *)value, name, item)
		if (schema_name_fits(name, why, sizeof(why)) ||
		    !schema_object_fits(key->object, item))
			return false;
	return true;
}

static bool value_fits(const struct schema_key *key, const json_t *value)
{
	switch (key->shape) {
	case SCHEMA_SCALAR:
		return scalar_fits(key, value);
	case SCHEMA_LIST:
	case SCHEMA_OBJECT_LIST:
		return items_fit(key, value);
	case SCHEMA_OBJECT:
		return json_object_size(value) && schema_object_fits(key->object, value);
	case SCHEMA_MAP:
	case SCHEMA_NAMED_LIST:
		return members_fit(key, value);
	}
	return false;
}

bool schema_object_fits(const struct schema_kind *kind, const json_t *object)
{
	struct schema_fault fault;
	const char *name;
	json_t *value;

	if (!json_is_object(object))
		return false;
	for (const struct schema_key *key = kind->keys; key->name; key++)
		if (key->required && !json_object_get(object, key->name))
			return false;
	json_object_foreach ((json_t *)object, name, value) {
		const struct schema_key *key = schema_key(kind, name);

		if (!key || key->later || !value_fits(key, value))
			return false;
	}
	return !kind->check || !kind->check(object, &fault);
}

bool schema_path_fits(const char *path)
{
	char part[SCHEMA_NAME_MAX + 1], why[300];

	for (const char *p = path;; p++) {
		size_t len = strcspn(p, "/");

		if (len > SCHEMA_NAME_MAX)
			return false;
		memcpy(part, p, len);
		part[len] = '\0';
		if (schema_name_fits(part, why, sizeof(why)))
			return false;
		p += len;
		if (!*p)
			return schema_kind_at(path) != NULL;
	}
}
