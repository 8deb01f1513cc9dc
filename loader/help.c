// SPDX-License-Identifier: BSD-2-Clause
/* Help, written from the table of commands and from the schema. */
#include <stdio.h>
#include <string.h>

#include "loader/commands.h"
#include "loader/config/schema.h"
#include "loader/help.h"
#include "loader/root.h"

static void print_usage(FILE *out, const struct command *c)
{
	fprintf(out, "  weft %s%s%s%s%s", c->object, c->verb ? " " : "", c->verb ? c->verb : "",
		c->operands[0] ? " " : "", c->operands);
	for (const char *p = c->options; *p; p += strspn(p, " ")) {
		int n = (int)strcspn(p, " ");
		bool value = p[n - 1] == '=';

		fprintf(out, " [--%.*s%s]", n - value, p, value ? " VALUE" : "");
		p += n;
	}
	fprintf(out, "\n      %s\n", c->doc);
}

const struct help_flag help_flags[] = {
	{ 'j', NULL, "JSON" },
	{ 'p', NULL, "JSON with line breaks" },
	{ 's', NULL, "statistics" },
	{ 'd', NULL, "details" },
	{ 't', NULL, "time stamps" },
	{ 'n', "NETNS", "act in this network namespace: a name of `ip netns`, or a path" },
	{ 'r', "ROOT", "directory in bpffs (" ROOT_DEFAULT ")" },
	{ 'b', "FILE",
	  "commands from a file, one a line, committed together; - is standard input" },
	{ 0 },
};

const char *const help_exit_codes[] = { "done",    "usage",       "refused or failed",
					"differs", "partly done", NULL };

static void print_flags(FILE *out)
{
	fputs("Flags, anywhere on the line:\n", out);
	for (const struct help_flag *f = help_flags; f->letter; f++)
		fprintf(out, "  -%c %-6s %s\n", f->letter, f->value ? f->value : "", f->doc);
	fputs("Exit codes:", out);
	for (int i = 0; help_exit_codes[i]; i++)
		fprintf(out, "%s %d %s", i ? "," : "", i, help_exit_codes[i]);
	putc('\n', out);
}

static void print_overview(FILE *out)
{
	const char *last = "";

	fputs("Usage: weft [FLAGS] COMMAND ...\n       weft [FLAGS] OBJECT VERB [TENANT/]NAME [KEY VALUE]...\n"
	      "Commands and objects may be shortened to a unique prefix.\n\nCommands:\n",
	      out);
	for (const struct command *c = commands; c->object; c++)
		if (!c->verb)
			fprintf(out, "  %-11s %s\n", c->object, c->doc);
	fputs("\nObjects and their verbs (`weft OBJECT help` tells more):", out);
	for (const struct command *c = commands; c->object; c++) {
		if (!c->verb)
			continue;
		if (strcmp(last, c->object))
			fprintf(out, "\n  %-8s", c->object);
		fprintf(out, " %s", c->verb);
		last = c->object;
	}
	fputs("\n\n", out);
	print_flags(out);
}

void cli_help(FILE *out, const char *object)
{
	const struct schema_kind *kind;

	if (!object) {
		print_overview(out);
		return;
	}
	fputs("Usage:\n", out);
	for (const struct command *c = commands; c->object; c++)
		if (!strcmp(c->object, object))
			print_usage(out, c);
	for (int n = 0; (kind = help_kind(object, n)); n++) {
		fprintf(out, n ? "\nKeys (%s):\n" : "\nKeys:\n", kind->name);
		schema_help(out, kind);
	}
	fputs("\n", out);
	print_flags(out);
}

int cmd_help(struct command_line *cl, struct error *e)
{
	const char *object = NULL;
	size_t found = 0;

	for (const struct command *c = commands; cl->argc && c->object; c++) {
		if (strncmp(c->object, cl->argv[0], strlen(cl->argv[0])))
			continue;
		if (!object || strcmp(object, c->object))
			found++;
		object = c->object;
		if (!strcmp(object, cl->argv[0])) {
			found = 1;
			break;
		}
	}
	if (cl->argc && found != 1) {
		char quoted[ERROR_QUOTE_SIZE];

		return error_set(e, EXIT_USAGE, "help: %s is %s: `weft help` lists all",
				 error_quote(quoted, sizeof(quoted), cl->argv[0]),
				 found ? "ambiguous" : "no command and no object");
	}
	if (cli_option(cl, "completion"))
		help_completion(stdout);
	else if (cl->json)
		return cli_json(cl, help_json(object), e);
	else
		cli_help(stdout, object);
	return EXIT_DONE;
}
