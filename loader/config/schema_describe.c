// SPDX-License-Identifier: BSD-2-Clause
/* The grammar as data, for help in JSON and for completion. */
#include <stdio.h>
#include <string.h>

#include "loader/config/schema_types.h"

static const char *const shapes[] = {
	[SCHEMA_SCALAR] = "scalar", [SCHEMA_LIST] = "list",      [SCHEMA_OBJECT] = "object",
	[SCHEMA_MAP] = "map",       [SCHEMA_NAMED_LIST] = "map", [SCHEMA_OBJECT_LIST] = "objects",
};

static json_t *supported_words(const struct schema_word *words)
{
	json_t *list = json_array();

	for (; words->text; words++)
		if (!words->later)
			json_array_append_new(list, json_string(words->text));
	return list;
}

static void describe_type(json_t *key, const struct schema_key *k)
{
	const struct schema_word *words = k->words;

	if (!k->type)
		return;
	json_object_set_new(key, "type", json_string(k->type->doc));
	if (k->type == &schema_type_protocol)
		words = schema_protocols;
	else if (k->type == &schema_type_ethertype)
		words = schema_ethertypes;
	else if (k->type == &schema_type_tcp_flag)
		words = schema_flags;
	if (words)
		json_object_set_new(key,
				    k->type == &schema_type_ref || k->type == &schema_type_endpoint
					    ? "kinds"
					    : "words",
				    supported_words(words));
	if (k->type == &schema_type_bool)
		json_object_set_new(key, "words", json_pack("[s, s]", "true", "false"));
	if (k->type == &schema_type_device)
		json_object_set_new(key, "device", json_true());
	if (k->ref)
		json_object_set_new(key, "ref", json_string(k->ref));
}

/* Of numbers as numbers, of durations as they are written. */
static void describe_limits(json_t *key, const struct schema_key *k)
{
	char text[32];

	if (!k->min && !k->max)
		return;
	if (k->type == &schema_type_duration) {
		json_t *min = json_integer(k->min), *max = json_integer(k->max);

		schema_format(k, min, text, sizeof(text));
		json_object_set_new(key, "min", json_string(text));
		schema_format(k, max, text, sizeof(text));
		json_object_set_new(key, "max", json_string(text));
		json_decref(min);
		json_decref(max);
		return;
	}
	json_object_set_new(key, "min", json_integer(k->min));
	json_object_set_new(key, "max", json_integer(k->max));
}

json_t *schema_describe(const struct schema_kind *kind)
{
	json_t *keys = json_array();

	for (const struct schema_key *k = kind->keys; k->name; k++) {
		json_t *key = json_pack("{s:s, s:s, s:s}", "name", k->name, "shape",
					shapes[k->shape], "doc", k->doc);

		if (k->later)
			json_object_set_new(key, "later", json_true());
		if (k->required)
			json_object_set_new(key, "required", json_true());
		if (k->fallback)
			json_object_set_new(key, "default", json_string(k->fallback));
		if (k->items_max)
			json_object_set_new(key, "items_max",
					    json_integer((json_int_t)k->items_max));
		describe_type(key, k);
		describe_limits(key, k);
		if (k->object)
			json_object_set_new(key, "keys", schema_describe(k->object));
		json_array_append_new(keys, key);
	}
	return keys;
}
