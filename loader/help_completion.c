// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "loader/cli.h"
#include "loader/config/schema.h"
#include "loader/help.h"

static void print_options(FILE *out, const char *options)
{
	if (!*options)
		putc('-', out);
	for (const char *p = options; *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");

		fprintf(out, "%s--%.*s", p > options ? " " : "", (int)n, p);
		p += n;
	}
	putc('\n', out);
}

/* What may stand for the value of a key, from its description. */
static void print_values(FILE *out, const json_t *key)
{
	const char *ref = json_string_value(json_object_get(key, "ref")), *comma = "";
	const json_t *word;
	size_t i;

	json_array_foreach (json_object_get(key, "words"), i, word) {
		fprintf(out, "%s%s", comma, json_string_value(word));
		comma = ",";
	}
	json_array_foreach (json_object_get(key, "kinds"), i, word) {
		const char *kind = json_string_value(word);

		fprintf(out, "%s%s:<%s>", comma, kind, kind);
		comma = ",";
	}
	if (ref)
		fprintf(out, "<%s>", ref);
	else if (json_object_get(key, "device"))
		fputs("<device>", out);
	else if (!*comma)
		putc('-', out);
	putc('\n', out);
}

static void print_keys(FILE *out, const char *object, const char *prefix, const json_t *keys)
{
	const json_t *key;
	char name[128];
	size_t i;

	json_array_foreach (keys, i, key) {
		const char *shape = json_string_value(json_object_get(key, "shape"));

		if (json_object_get(key, "later"))
			continue;
		snprintf(name, sizeof(name), "%s%s", prefix,
			 json_string_value(json_object_get(key, "name")));
		if (!strcmp(shape, "object")) {
			strncat(name, ".", sizeof(name) - strlen(name) - 1);
			print_keys(out, object, name, json_object_get(key, "keys"));
			continue;
		}
		fprintf(out, "key\t%s\t%s\t", object, name);
		print_values(out, key);
	}
}

/* An instance is set as a part of its function; a packet's keys are those of one verb. */
static bool is_packet(const struct schema_kind *kind)
{
	return !strcmp(kind->name, "packet");
}

void help_completion(FILE *out)
{
	const struct schema_kind *kind;
	const char *last = "";

	for (const struct help_flag *f = help_flags; f->letter; f++)
		fprintf(out, "flag\t-%c\t%s\n", f->letter, f->value ? f->value : "-");
	for (const struct command *c = commands; c->object; c++) {
		fprintf(out, "command\t%s\t%s\t%s\t", c->object, c->verb ? c->verb : "-",
			*c->operands ? c->operands : "-");
		print_options(out, c->options);
	}
	for (const struct command *c = commands; c->object; last = c->object, c++) {
		if (!strcmp(last, c->object))
			continue;
		for (int n = 0; (kind = help_kind(c->object, n)); n++) {
			json_t *keys = schema_describe(kind);

			print_keys(out, is_packet(kind) ? kind->name : c->object, "", keys);
			json_decref(keys);
		}
	}
}
