// SPDX-License-Identifier: BSD-2-Clause
/* Help, written from the table of commands and from the schema. */
#include <stdio.h>
#include <string.h>

#include "loader/commands.h"
#include "loader/config/schema.h"
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

static void print_flags(FILE *out)
{
	fputs("Flags, anywhere on the line:\n"
	      "  -j  JSON            -p  JSON with line breaks\n"
	      "  -s  statistics      -d  details      -t  time stamps\n"
	      "  -n NETNS  act in this network namespace: a name of `ip netns`, or a path\n"
	      "  -r ROOT   directory in bpffs (" ROOT_DEFAULT ")\n"
	      "  -b FILE   commands from a file, one a line, committed together; - is standard input\n"
	      "Exit codes: 0 done, 1 usage, 2 refused or failed, 3 differs, 4 partly done\n",
	      out);
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
	kind = schema_kind(object);
	if (kind) {
		fputs("\nKeys:\n", out);
		schema_help(out, kind);
	}
	if (!strcmp(object, "sf") && (kind = schema_kind("instance"))) {
		fputs("\nKeys of an instance:\n", out);
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
	cli_help(stdout, object);
	return EXIT_DONE;
}
