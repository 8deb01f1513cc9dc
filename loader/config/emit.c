// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <string.h>

#include "loader/config/emit.h"
#include "loader/config/schema.h"

/*
 * weft itself types nothing by its looks, but other readers of YAML do. So whatever one of them
 * might take for a number, a time or a boolean is quoted, as is whatever YAML itself would not read
 * back as it stands.
 */
static bool is_plain(const char *text)
{
	static const char *const words[] = { "true", "false", "on", "off", "yes",
					     "no",   "y",     "n",  "null" };
	const char *colon = strchr(text, ':');
	size_t letters;

	if (!text[0] ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			 "._/-:") != strlen(text) ||
	    strchr("._/-:", text[0]))
		return false;
	/* port:web1 is plain; 20:10:10 and fd00::1 are not. */
	if (colon && (strchr(colon + 1, ':') || !colon[1] || strspn(text, "0123456789") > 0))
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcasecmp(text, words[i]))
			return false;
	/*
	 * Numbers: 1e3, 0x10, 1_000, .5. Anything with a letter beyond those, a slash or two dots
	 * is none.
	 */
	letters = strspn(text, "0123456789abcdefABCDEFxoX._-");
	if (letters == strlen(text) && strspn(text, "0123456789") > 0) {
		const char *dot = strchr(text, '.');

		return dot && strchr(dot + 1, '.') && strspn(text, "0123456789.") == strlen(text);
	}
	return true;
}

static void put_text(FILE *out, const char *text)
{
	if (is_plain(text)) {
		fputs(text, out);
		return;
	}
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			fprintf(out, "\\x%02x", (unsigned char)*text);
		else
			fputc(*text, out);
	}
	fputc('"', out);
}

/* Numbers, times and ranges are written as they are: whoever guesses their type guesses right. */
static void put_item(FILE *out, const struct schema_key *key, const json_t *value)
{
	char text[256];

	if (json_is_string(value)) {
		put_text(out, json_string_value(value));
		return;
	}
	key->type->format(key, value, text, sizeof(text));
	fputs(text, out);
}

static void put_flow(FILE *out, const struct schema_kind *kind, const char *name,
		     const json_t *object);

static void put_value(FILE *out, const struct schema_key *key, const json_t *value)
{
	const char *name, *comma = "";
	json_t *item;
	size_t i;

	switch (key->shape) {
	case SCHEMA_SCALAR:
		put_item(out, key, value);
		return;
	case SCHEMA_OBJECT:
		put_flow(out, key->object, NULL, value);
		return;
	case SCHEMA_LIST:
		/* One L4 port, or the only one there can be, reads better alone. */
		if (json_array_size(value) == 1 &&
		    (key->items_max == 1 || json_is_array(json_array_get(value, 0)))) {
			put_item(out, key, json_array_get(value, 0));
			return;
		}
		/* fall through */
	case SCHEMA_OBJECT_LIST:
		fputc('[', out);
		json_array_foreach ((json_t *)value, i, item) {
			fputs(i ? ", " : "", out);
			if (key->object)
				put_flow(out, key->object, NULL, item);
			else
				put_item(out, key, item);
		}
		fputc(']', out);
		return;
	case SCHEMA_MAP:
	case SCHEMA_NAMED_LIST:
		fputc(key->shape == SCHEMA_MAP ? '{' : '[', out);
		json_object_foreach ((json_t *)value, name, item) {
			fputs(comma, out);
			if (key->shape == SCHEMA_MAP) {
				put_text(out, name);
				fputs(": ", out);
			}
			put_flow(out, key->object, key->shape == SCHEMA_MAP ? NULL : name, item);
			comma = ", ";
		}
		fputc(key->shape == SCHEMA_MAP ? '}' : ']', out);
		return;
	}
}

/* {key: value, ...} in the order of the table; `name` first, for an item of a list. */
static void put_flow(FILE *out, const struct schema_kind *kind, const char *name,
		     const json_t *object)
{
	const char *comma = "";

	fputc('{', out);
	if (name) {
		fputs("name: ", out);
		put_text(out, name);
		comma = ", ";
	}
	for (const struct schema_key *k = kind->keys; k->name; k++) {
		const json_t *value = json_object_get(object, k->name);

		if (!value)
			continue;
		fprintf(out, "%s%s: ", comma, k->name);
		put_value(out, k, value);
		comma = ", ";
	}
	fputc('}', out);
}

static void put_block(FILE *out, const struct schema_kind *kind, const json_t *object, int indent);

static void put_map(FILE *out, const struct schema_key *key, const json_t *map, int indent)
{
	const char *name;
	json_t *object;

	json_object_foreach ((json_t *)map, name, object) {
		fprintf(out, "%*s", indent, "");
		if (key->shape == SCHEMA_NAMED_LIST) {
			fputs("- ", out);
			put_flow(out, key->object, name, object);
			fputc('\n', out);
			continue;
		}
		put_text(out, name);
		if (key->object->block && json_object_size(object)) {
			fputs(":\n", out);
			put_block(out, key->object, object, indent + 2);
			continue;
		}
		fputs(": ", out);
		put_flow(out, key->object, NULL, object);
		fputc('\n', out);
	}
}

static void put_block(FILE *out, const struct schema_kind *kind, const json_t *object, int indent)
{
	for (const struct schema_key *k = kind->keys; k->name; k++) {
		const json_t *value = json_object_get(object, k->name);

		if (!value)
			continue;
		fprintf(out, "%*s%s:", indent, "", k->name);
		if (k->shape == SCHEMA_MAP || k->shape == SCHEMA_NAMED_LIST) {
			fputc('\n', out);
			put_map(out, k, value, indent + 2);
		} else if (k->shape == SCHEMA_OBJECT && k->object->block) {
			fputc('\n', out);
			put_block(out, k->object, value, indent + 2);
		} else {
			fputc(' ', out);
			put_value(out, k, value);
			fputc('\n', out);
		}
	}
}

int config_emit(FILE *out, const json_t *tree)
{
	put_block(out, schema_root(), tree, 0);
	return fflush(out) || ferror(out) ? -1 : 0;
}

int config_emit_object(FILE *out, const char *kind, const json_t *object)
{
	const struct schema_kind *found = schema_kind(kind);

	if (!found)
		return -1;
	put_flow(out, found, NULL, object);
	return ferror(out) ? -1 : 0;
}
