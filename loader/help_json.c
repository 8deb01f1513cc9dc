// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "loader/cli.h"
#include "loader/config/schema.h"
#include "loader/help.h"

const struct schema_kind *help_kind(const char *object, int n)
{
	if (n == 0)
		return schema_kind(object);
	if (n == 1 && !strcmp(object, "sf"))
		return schema_kind("instance");
	/* What `acl check` and `chain trace` ask about. */
	return n == 1 && (!strcmp(object, "acl") || !strcmp(object, "chain"))
		       ? schema_kind("packet")
		       : NULL;
}

static json_t *flags_json(void)
{
	json_t *flags = json_array();

	for (const struct help_flag *f = help_flags; f->letter; f++) {
		char name[] = { '-', f->letter, '\0' };
		json_t *flag = json_pack("{s:s, s:s}", "name", name, "doc", f->doc);

		if (f->value)
			json_object_set_new(flag, "value", json_string(f->value));
		json_array_append_new(flags, flag);
	}
	return flags;
}

static json_t *exit_codes_json(void)
{
	json_t *codes = json_array();

	for (int i = 0; help_exit_codes[i]; i++)
		json_array_append_new(codes, json_string(help_exit_codes[i]));
	return codes;
}

static json_t *options_json(const char *options)
{
	json_t *list = json_array();

	for (const char *p = options; *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");
		bool value = p[n - 1] == '=';

		json_array_append_new(
			list, json_pack("{s:s%, s:b}", "name", p, n - value, "value", value));
		p += n;
	}
	return list;
}

static json_t *command_json(const struct command *c)
{
	json_t *command = json_pack(
		"{s:s, s:s, s:s, s:o, s:b, s:b}", "object", c->object, "operands", c->operands,
		"doc", c->doc, "options", options_json(c->options), "writes",
		(c->flags & COMMAND_WRITES) != 0, "batch", (c->flags & COMMAND_BATCH) != 0);

	if (c->verb)
		json_object_set_new(command, "verb", json_string(c->verb));
	return command;
}

static void add_keys(json_t *all, const char *object)
{
	const struct schema_kind *kind;

	for (int n = 0; (kind = help_kind(object, n)); n++)
		if (!json_object_get(all, kind->name))
			json_object_set_new(all, kind->name, schema_describe(kind));
}

json_t *help_json(const char *object)
{
	json_t *list = json_array(), *keys = json_object();

	for (const struct command *c = commands; c->object; c++) {
		if (object && strcmp(c->object, object))
			continue;
		json_array_append_new(list, command_json(c));
		add_keys(keys, c->object);
	}
	return json_pack("{s:o, s:o, s:o, s:o}", "flags", flags_json(), "exit_codes",
			 exit_codes_json(), "commands", list, "keys", keys);
}
