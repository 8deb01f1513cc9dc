// SPDX-License-Identifier: BSD-2-Clause
/* Look-ups in the table, defaults, printing of values, and the check of complete objects. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/config/schema_types.h"

const struct schema_kind *schema_kind(const char *name)
{
	for (const struct schema_kind *const *k = schema_kinds; *k; k++)
		if (!strcmp((*k)->name, name))
			return *k;
	return NULL;
}

const struct schema_kind *schema_kind_at(const char *path)
{
	bool of_tenant = !strncmp(path, "tenants/", 8) && strchr(path + 8, '/');
	const char *part = of_tenant ? strchr(path + 8, '/') + 1 : path;
	size_t len = strcspn(part, "/");

	if (!part[len])
		return NULL;
	for (const struct schema_kind *const *k = schema_kinds; *k; k++)
		if ((*k)->path && (*k)->of_tenant == of_tenant && strlen((*k)->path) == len &&
		    !strncmp((*k)->path, part, len))
			return *k;
	return NULL;
}

const struct schema_key *schema_key(const struct schema_kind *kind, const char *name)
{
	for (const struct schema_key *k = kind->keys; k->name; k++)
		if (!strcmp(k->name, name))
			return k;
	return NULL;
}

/* Follows a dotted key down the table and, as far as it is there, down the object. */
static const struct schema_key *follow(const char *kind_name, const json_t **object,
				       const char *key)
{
	const struct schema_kind *kind = schema_kind(kind_name);
	const struct schema_key *found = NULL;
	char part[64];

	while (kind) {
		size_t len = strcspn(key, ".");

		if (len >= sizeof(part))
			return NULL;
		memcpy(part, key, len);
		part[len] = '\0';
		found = schema_key(kind, part);
		*object = json_object_get(*object, part);
		if (!key[len] || !found)
			return found;
		kind = found->object;
		key += len + 1;
	}
	return NULL;
}

long long schema_number(const char *kind, const json_t *object, const char *key)
{
	const struct schema_key *found = follow(kind, &object, key);
	char why[300];
	long long value;

	if (json_is_integer(object))
		return json_integer_value(object);
	if (!found || !found->fallback)
		return 0;

	json_t *fallback = found->type->parse(found, found->fallback, why, sizeof(why));

	value = json_integer_value(fallback);
	json_decref(fallback);
	return value;
}

bool schema_flag(const char *kind, const json_t *object, const char *key)
{
	const struct schema_key *found = follow(kind, &object, key);

	if (json_is_boolean(object))
		return json_is_true(object);
	return found && found->fallback && !strcmp(found->fallback, "true");
}

const char *schema_text(const char *kind, const json_t *object, const char *key)
{
	const struct schema_key *found = follow(kind, &object, key);

	if (json_is_string(object))
		return json_string_value(object);
	return found ? found->fallback : NULL;
}

/* The like of snprintf() at the end of what is there already. */
static void append(char *buf, size_t size, const char *text)
{
	size_t len = strlen(buf);

	if (len + 1 < size)
		snprintf(buf + len, size - len, "%s", text);
}

static void format_object(const struct schema_kind *kind, const json_t *value, char *buf,
			  size_t size)
{
	char item[256];
	const char *comma = "";

	append(buf, size, "{");
	for (const struct schema_key *k = kind->keys; k->name; k++) {
		const json_t *part = json_object_get(value, k->name);

		if (!part)
			continue;
		schema_format(k, part, item, sizeof(item));
		append(buf, size, comma);
		append(buf, size, k->name);
		append(buf, size, ": ");
		append(buf, size, item);
		comma = ", ";
	}
	append(buf, size, "}");
}

static void format_items(const struct schema_key *key, const json_t *value, char *buf, size_t size)
{
	const json_t *item;
	char text[256];
	size_t i;

	append(buf, size, "[");
	json_array_foreach ((json_t *)value, i, item) {
		if (strlen(buf) + 1 >= size)
			return; /* full: the rest of a long list is not worth the walk */
		text[0] = '\0';
		if (key->object)
			format_object(key->object, item, text, sizeof(text));
		else
			key->type->format(key, item, text, sizeof(text));
		append(buf, size, i ? ", " : "");
		append(buf, size, text);
	}
	append(buf, size, "]");
}

void schema_format(const struct schema_key *key, const json_t *value, char *buf, size_t size)
{
	const char *name, *comma = "";
	const json_t *item;

	buf[0] = '\0';
	switch (key->shape) {
	case SCHEMA_SCALAR:
		key->type->format(key, value, buf, size);
		break;
	case SCHEMA_LIST:
	case SCHEMA_OBJECT_LIST:
		format_items(key, value, buf, size);
		break;
	case SCHEMA_OBJECT:
		format_object(key->object, value, buf, size);
		break;
	case SCHEMA_MAP:
	case SCHEMA_NAMED_LIST:
		append(buf, size, "{");
		json_object_foreach ((json_t *)value, name, item) {
			append(buf, size, comma);
			append(buf, size, name);
			append(buf, size, ": ");
			format_object(key->object, item, buf, size);
			comma = ", ";
		}
		append(buf, size, "}");
		break;
	}
}

static int complete_value(struct schema_walk *w, const struct schema_key *key, const json_t *value)
{
	size_t up = schema_walk_down(w, key->name), i;
	const char *name;
	json_t *item;
	int failed = 0;

	if (key->shape == SCHEMA_OBJECT) {
		failed = schema_walk_complete(w, key->object, value);
	} else if (key->shape == SCHEMA_OBJECT_LIST) {
		json_array_foreach ((json_t *)value, i, item)
			if ((failed = schema_walk_complete(w, key->object, item)))
				break;
	} else {
		json_object_foreach ((json_t *)value, name, item) {
			size_t inner = schema_walk_down(w, name);

			failed = schema_walk_complete(w, key->object, item);
			schema_walk_up(w, inner);
			if (failed)
				break;
		}
	}
	schema_walk_up(w, up);
	return failed;
}

static int refuse_missing(struct schema_walk *w, const struct schema_key *key, const json_t *object)
{
	char words[160];

	if (key->type == &schema_type_word)
		return schema_refuse(w, object, 1, "%s is missing: add %s: %s", key->name,
				     key->name, schema_word_list(key->words, words, sizeof(words)));
	return schema_refuse(w, object, 1, "%s is missing: add it (%s)", key->name, key->doc);
}

int schema_walk_complete(struct schema_walk *w, const struct schema_kind *kind,
			 const json_t *object)
{
	struct schema_fault fault = { 0 };

	for (const struct schema_key *k = kind->keys; k->name; k++) {
		const json_t *value = json_object_get(object, k->name);

		if (!value && k->required)
			return refuse_missing(w, k, object);
		if (value && k->object && complete_value(w, k, value))
			return -1;
	}
	if (!kind->check || !kind->check(object, &fault))
		return 0;

	const json_t *at = fault.key ? json_object_get(object, fault.key) : NULL;

	return schema_refuse(w, marks_get(w->marks, at).line ? at : object, 1, "%s", fault.why);
}

json_t *schema_tree(const json_t *raw, struct marks *marks, struct error *err)
{
	struct schema_walk w = { .marks = marks, .err = err, .exit_code = EXIT_REFUSED };
	json_t *tree = schema_walk_object(&w, schema_root(), raw);

	if (tree && schema_walk_complete(&w, schema_root(), tree)) {
		json_decref(tree);
		return NULL;
	}
	return tree;
}

void schema_help(FILE *out, const struct schema_kind *kind)
{
	char words[160];

	for (const struct schema_key *k = kind->keys; k->name; k++) {
		if (k->later) {
			fprintf(out, "  %-16s not supported yet: %s\n", k->name, k->doc);
			continue;
		}
		fprintf(out, "  %-16s %s", k->name, k->doc);
		if (k->type == &schema_type_word)
			fprintf(out, "; %s", schema_word_list(k->words, words, sizeof(words)));
		else if (k->type == &schema_type_uint)
			fprintf(out, "; %lld to %lld", k->min, k->max);
		else if (k->type)
			fprintf(out, "; %s", k->type->doc);
		if (k->shape == SCHEMA_LIST)
			fputs(", or several by comma", out);
		if (k->fallback)
			fprintf(out, " (%s)", k->fallback);
		fputs(k->required ? " *\n" : "\n", out);
		if (k->object)
			for (const struct schema_key *sub = k->object->keys; sub->name; sub++)
				if (!sub->later)
					fprintf(out, "    .%-13s %s%s%s%s\n", sub->name, sub->doc,
						sub->fallback ? " (" : "",
						sub->fallback ? sub->fallback : "",
						sub->fallback ? ")" : "");
	}
}
