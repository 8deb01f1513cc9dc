// SPDX-License-Identifier: BSD-2-Clause
/* From what was written to the canonical tree, key by key along the table. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/config/schema_types.h"

size_t schema_walk_down(struct schema_walk *w, const char *name)
{
	size_t len = w->len;
	int n = snprintf(w->path + len, sizeof(w->path) - len, "%s%s", len ? "/" : "", name);

	w->len = len + (size_t)n < sizeof(w->path) ? len + (size_t)n : sizeof(w->path) - 1;
	return len;
}

void schema_walk_up(struct schema_walk *w, size_t len)
{
	w->len = len;
	w->path[len] = '\0';
}

int schema_refuse(struct schema_walk *w, const json_t *at, int at_key, const char *fmt, ...)
{
	char place[MARKS_PLACE_SIZE], text[700];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return error_set(w->err, w->exit_code, "%s%s%s%s",
			 marks_place(w->marks, at, at_key, place, sizeof(place)), w->path,
			 w->len ? ": " : "", text);
}

static const char *shape_of(const json_t *raw)
{
	return json_is_object(raw) ? "a map" : json_is_array(raw) ? "a list" : "a text";
}

/* `key:` with nothing after it. */
static bool is_nothing(const json_t *raw)
{
	return json_is_string(raw) && !json_string_length(raw);
}

/* The number of edits from one word to another, as far as they are short. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[33];
	size_t n = strlen(b);

	if (strlen(a) > 32 || n > 32)
		return 99;
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned int)j;
	for (size_t i = 1; a[i - 1]; i++) {
		unsigned int diagonal = row[0];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= n; j++) {
			unsigned int best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

static int refuse_unknown(struct schema_walk *w, const struct schema_kind *kind, const char *name,
			  const json_t *at)
{
	char quoted[ERROR_QUOTE_SIZE], known[400] = "";
	const struct schema_key *closest = NULL;
	unsigned int least = 3;
	size_t len = 0;

	for (const struct schema_key *k = kind->keys; k->name; k++) {
		if (distance(name, k->name) < least) {
			least = distance(name, k->name);
			closest = k;
		}
		if (!k->later && len < sizeof(known))
			len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s",
						len ? ", " : "", k->name);
	}
	error_quote(quoted, sizeof(quoted), name);
	if (closest)
		return schema_refuse(w, at, 1, "key %s is not known: did you mean %s? (known: %s)",
				     quoted, closest->name, known);
	return schema_refuse(w, at, 1, "key %s is not known: use one of %s", quoted, known);
}

static json_t *walk_text(struct schema_walk *w, const struct schema_key *key, const char *text,
			 const json_t *raw)
{
	char quoted[ERROR_QUOTE_SIZE], why[300] = "";
	json_t *value = key->type->parse(key, text, why, sizeof(why));

	if (!value)
		schema_refuse(w, raw, 0, "%s %s %s", key->name,
			      error_quote(quoted, sizeof(quoted), text), why);
	else if (marks_copy(w->marks, raw, value))
		schema_refuse(w, NULL, 0, "out of memory");
	return value;
}

static json_t *walk_scalar(struct schema_walk *w, const struct schema_key *key, const json_t *raw)
{
	if (json_is_string(raw))
		return walk_text(w, key, json_string_value(raw), raw);
	schema_refuse(w, raw, 1, "%s is %s: write %s", key->name, shape_of(raw), key->type->doc);
	return NULL;
}

/* Items of a list are a set: one that stands twice is a slip of the pen. */
static int add_item(struct schema_walk *w, const struct schema_key *key, const char *text,
		    const json_t *raw, json_t *list, json_t *seen)
{
	char normal[128];
	json_t *item = walk_text(w, key, text, raw);

	if (!item)
		return -1;
	key->type->format(key, item, normal, sizeof(normal));
	if (json_object_get(seen, normal)) {
		json_decref(item);
		return schema_refuse(w, raw, 0, "%s names %s twice: keep one", key->name, normal);
	}
	json_object_set_new(seen, normal, json_true());
	return json_array_append_new(list, item);
}

static int add_items(struct schema_walk *w, const struct schema_key *key, const json_t *raw,
		     json_t *list, json_t *seen)
{
	const char *text = json_string_value(raw);
	char *copy, *rest, *part;
	int failed = 0;

	if (!text)
		return schema_refuse(w, raw, 1, "%s holds %s: write a list of items, each %s",
				     key->name, shape_of(raw), key->type->doc);
	if (!strchr(text, ','))
		return add_item(w, key, text, raw, list, seen);
	rest = copy = strdup(text);
	while (!failed && (part = strsep(&rest, ",")))
		failed = add_item(w, key, part + strspn(part, " "), raw, list, seen);
	free(copy);
	return failed;
}

static int check_count(struct schema_walk *w, const struct schema_key *key, size_t n,
		       const json_t *raw)
{
	if (n < key->items_min)
		return schema_refuse(w, raw, 1, "%s has %zu items: it needs %s%zu", key->name, n,
				     key->items_min == key->items_max ? "" : "at least ",
				     key->items_min);
	if (key->items_max && n > key->items_max)
		return schema_refuse(w, raw, 1, "%s has %zu items: keep at most %zu", key->name, n,
				     key->items_max);
	return 0;
}

static json_t *walk_list(struct schema_walk *w, const struct schema_key *key, const json_t *raw)
{
	json_t *list = json_array(), *seen = json_object(), *item;
	int failed = 0;
	size_t i;

	if (json_is_array(raw)) {
		json_array_foreach ((json_t *)raw, i, item) {
			failed = add_items(w, key, item, list, seen);
			if (failed)
				break;
		}
	} else if (!is_nothing(raw)) {
		failed = add_items(w, key, raw, list, seen);
	}
	json_decref(seen);
	if (!failed)
		failed = check_count(w, key, json_array_size(list), raw) ||
			 marks_copy(w->marks, raw, list);
	if (!failed)
		return list;
	json_decref(list);
	return NULL;
}

static int add_named(struct schema_walk *w, const struct schema_key *key, const char *name,
		     const json_t *raw, json_t *map)
{
	char quoted[ERROR_QUOTE_SIZE], why[160];
	size_t up;
	json_t *object;

	if (schema_name_fits(name, why, sizeof(why)))
		return schema_refuse(w, raw, 1, "%s %s", error_quote(quoted, sizeof(quoted), name),
				     why);
	if (json_object_get(map, name))
		return schema_refuse(w, raw, 0, "%s is written twice, first in line %u: rename one",
				     name, marks_get(w->marks, json_object_get(map, name)).line);
	up = schema_walk_down(w, name);
	object = schema_walk_object(w, key->object, raw);
	schema_walk_up(w, up);
	return object ? json_object_set_new(map, name, object) : -1;
}

/* An item without its name, which becomes its key. */
static int add_list_item(struct schema_walk *w, const struct schema_key *key, const json_t *raw,
			 json_t *map)
{
	const char *name = json_string_value(json_object_get(raw, "name"));
	json_t *rest;
	int failed;

	if (!json_is_object(raw))
		return schema_refuse(w, raw, 0, "an item is %s: write {name: ..., ...}",
				     shape_of(raw));
	if (!name)
		return schema_refuse(w, raw, 0, "an item has no name: add `name: ...`");
	rest = json_copy((json_t *)raw);
	failed = !rest || json_object_del(rest, "name") || marks_copy(w->marks, raw, rest) ||
		 add_named(w, key, name, rest, map);
	json_decref(rest);
	return failed ? -1 : 0;
}

static json_t *walk_named(struct schema_walk *w, const struct schema_key *key, const json_t *raw)
{
	bool is_list = key->shape == SCHEMA_NAMED_LIST;
	json_t *map = json_object(), *item;
	size_t up = schema_walk_down(w, key->name), i;
	int failed = 0;
	const char *name;

	if (is_nothing(raw)) {
		;
	} else if (is_list && json_is_array(raw)) {
		json_array_foreach ((json_t *)raw, i, item)
			if ((failed = add_list_item(w, key, item, map)))
				break;
	} else if (!is_list && json_is_object(raw)) {
		json_object_foreach ((json_t *)raw, name, item)
			if ((failed = add_named(w, key, name, item, map)))
				break;
	} else {
		failed = schema_refuse(w, raw, 1, "it is %s: write %s", shape_of(raw),
				       is_list ? "a list of {name: ..., ...}" : "NAME: {...}");
	}
	schema_walk_up(w, up);
	if (!failed)
		failed = check_count(w, key, json_object_size(map), raw) ||
			 marks_copy(w->marks, raw, map);
	if (!failed)
		return map;
	json_decref(map);
	return NULL;
}

/* `ips,waf` in the place of [{function: ips}, {function: waf}]. */
static int add_lone(struct schema_walk *w, const struct schema_key *key, const json_t *raw,
		    json_t *list)
{
	char *copy = strdup(json_string_value(raw)), *rest = copy, *part;
	int failed = 0;

	while (!failed && (part = strsep(&rest, ","))) {
		json_t *text = json_string(part + strspn(part, " "));
		json_t *object;

		failed = marks_copy(w->marks, raw, text);
		object = failed ? NULL : schema_walk_object(w, key->object, text);
		failed = !object || json_array_append_new(list, object);
		json_decref(text);
	}
	free(copy);
	return failed;
}

static json_t *walk_object_list(struct schema_walk *w, const struct schema_key *key,
				const json_t *raw)
{
	json_t *list = json_array(), *item, *object;
	size_t up = schema_walk_down(w, key->name), i;
	int failed = 0;

	if (json_is_array(raw)) {
		json_array_foreach ((json_t *)raw, i, item) {
			object = schema_walk_object(w, key->object, item);
			failed = !object || json_array_append_new(list, object);
			if (failed)
				break;
		}
	} else if (json_is_object(raw)) {
		failed = schema_refuse(w, raw, 1, "it is a map: write a list, - {%s: ...}",
				       key->object->keys[0].name);
	} else if (!is_nothing(raw)) {
		failed = add_lone(w, key, raw, list);
	}
	schema_walk_up(w, up);
	if (!failed)
		failed = check_count(w, key, json_array_size(list), raw) ||
			 marks_copy(w->marks, raw, list);
	if (!failed)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *walk_value(struct schema_walk *w, const struct schema_key *key, const json_t *raw)
{
	json_t *value;
	size_t up;

	switch (key->shape) {
	case SCHEMA_SCALAR:
		return walk_scalar(w, key, raw);
	case SCHEMA_LIST:
		return walk_list(w, key, raw);
	case SCHEMA_MAP:
	case SCHEMA_NAMED_LIST:
		return walk_named(w, key, raw);
	case SCHEMA_OBJECT_LIST:
		return walk_object_list(w, key, raw);
	case SCHEMA_OBJECT:
		up = schema_walk_down(w, key->name);
		value = schema_walk_object(w, key->object, raw);
		schema_walk_up(w, up);
		return value;
	}
	return NULL;
}

static int walk_key(struct schema_walk *w, const struct schema_kind *kind, const char *name,
		    const json_t *raw, json_t *object)
{
	const struct schema_key *key = schema_key(kind, name);
	json_t *value;

	if (!key)
		return refuse_unknown(w, kind, name, raw);
	if (key->later)
		return schema_refuse(w, raw, 1, "%s (%s) is not supported yet: remove it", name,
				     key->doc);
	value = walk_value(w, key, raw);
	if (!value)
		return -1;
	/* What is empty says no more than what is absent, and must not make a difference. */
	if ((json_is_object(value) && !json_object_size(value)) ||
	    (json_is_array(value) && !json_array_size(value))) {
		json_decref(value);
		return 0;
	}
	return json_object_set_new(object, name, value);
}

json_t *schema_walk_object(struct schema_walk *w, const struct schema_kind *kind, const json_t *raw)
{
	json_t *object = json_object(), *value;
	int failed = marks_copy(w->marks, raw, object);
	const char *name;

	if (json_is_object(raw)) {
		json_object_foreach ((json_t *)raw, name, value)
			if ((failed = walk_key(w, kind, name, value, object)))
				break;
	} else if (kind->lone && json_is_string(raw)) {
		failed = walk_key(w, kind, kind->lone, raw, object);
	} else if (!is_nothing(raw)) {
		failed = schema_refuse(w, raw, 0, "it is %s: write a map of keys, as {%s: ...}",
				       shape_of(raw), kind->keys[0].name);
	}
	if (!failed)
		return object;
	json_decref(object);
	return NULL;
}
