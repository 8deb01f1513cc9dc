// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/cli.h"
#include "loader/commands.h"

/* Lists what a word could have meant: "acl, apply". */
static const char *candidates(char *buf, size_t size, const char *object, const char *word)
{
	const char *last = "";
	size_t at = 0;

	buf[0] = '\0';
	for (const struct command *c = commands; c->object; c++) {
		const char *name = object ? c->verb : c->object;

		if (!name || (object && strcmp(c->object, object)) || !strcmp(name, last) ||
		    strncmp(name, word, strlen(word)))
			continue;
		last = name;
		at += (size_t)snprintf(buf + at, size - at, "%s%s", at ? ", " : "", name);
		if (at >= size)
			break;
	}
	return buf;
}

/* The object, or the verb of `object`, that a word is or uniquely begins. */
static const struct command *find(const char *object, const char *word, struct error *e)
{
	const char *what = object ? "verb" : "command";
	const struct command *found = NULL;
	bool many = false;
	char list[512], quoted[ERROR_QUOTE_SIZE];

	for (const struct command *c = commands; c->object; c++) {
		const char *name = object ? c->verb : c->object;

		if (!name || (object && strcmp(c->object, object)) ||
		    strncmp(name, word, strlen(word)))
			continue;
		if (!strcmp(name, word))
			return c;
		if (found && strcmp(object ? found->verb : found->object, name))
			many = true;
		if (!found)
			found = c;
	}
	if (found && !many && *word)
		return found;

	error_quote(quoted, sizeof(quoted), word);
	if (many)
		error_set(e, EXIT_USAGE, "%s %s is ambiguous: %s", what, quoted,
			  candidates(list, sizeof(list), object, word));
	else if (object)
		error_set(e, EXIT_USAGE, "%s has no verb %s: it has %s", object, quoted,
			  candidates(list, sizeof(list), object, ""));
	else
		error_set(e, EXIT_USAGE, "no command %s: `weft help` lists them", quoted);
	return NULL;
}

/* Does the command take the option, and with a value? */
static bool takes(const struct command *command, const char *name, size_t len, bool *value)
{
	for (const char *p = command->options; *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");

		*value = p[n - 1] == '=';
		if (n - *value == len && !strncmp(p, name, len))
			return true;
		p += n;
	}
	return false;
}

/* --name, --name VALUE or --name=VALUE. */
static int add_option(struct command_line *cl, int argc, char **argv, int *at, struct error *e)
{
	const char *name = argv[*at] + 2, *value = "";
	size_t len = strcspn(name, "=");
	char quoted[ERROR_QUOTE_SIZE];
	bool wants;

	error_quote(quoted, sizeof(quoted), argv[*at]);
	if (!cl->command)
		return error_set(e, EXIT_USAGE, "option %s before the command: options follow it",
				 quoted);
	if (!takes(cl->command, name, len, &wants))
		return error_set(e, EXIT_USAGE, "%s%s%s takes no option %s: see `weft %s help`",
				 cl->command->object, cl->command->verb ? " " : "",
				 cl->command->verb ? cl->command->verb : "", quoted,
				 cl->command->object);
	if (name[len] == '=') {
		if (!wants)
			return error_set(e, EXIT_USAGE, "option %s takes no value", quoted);
		argv[*at][2 + len] = '\0';
		value = name + len + 1;
	} else if (wants) {
		if (*at + 1 >= argc)
			return error_set(e, EXIT_USAGE, "option %s needs a value", quoted);
		value = argv[++*at];
	}
	if (cli_option(cl, name))
		return error_set(e, EXIT_USAGE, "option %s is given twice", quoted);
	if (cl->options == CLI_OPTIONS_MAX)
		return error_set(e, EXIT_USAGE, "too many options at %s", quoted);
	cl->option[cl->options++] = (struct cli_option){ name, value };
	return 0;
}

/* One argument of short flags: -j, -jp, -r ROOT, -rROOT. */
static int add_flags(struct command_line *cl, int argc, char **argv, int *at, struct error *e)
{
	for (const char *p = argv[*at] + 1; *p; p++) {
		const char **value = *p == 'r'   ? &cl->root
				     : *p == 'n' ? &cl->netns
				     : *p == 'b' ? &cl->batch_file
						 : NULL;

		if (value) {
			if (cl->batch)
				return error_set(e, EXIT_USAGE,
						 "-%c in a batch: give it once, outside", *p);
			*value = p[1] ? p + 1 : *at + 1 < argc ? argv[++*at] : "";
			if (!**value)
				return error_set(e, EXIT_USAGE, "flag -%c needs a value", *p);
			return 0;
		}
		switch (*p) {
		case 'j':
			cl->json = true;
			break;
		case 'p':
			cl->json = cl->pretty = true;
			break;
		case 's':
			cl->stats = true;
			break;
		case 'd':
			cl->details = true;
			break;
		case 't':
			cl->timestamps = true;
			break;
		default:
			return error_set(e, EXIT_USAGE, "no flag -%c: `weft help` lists the flags",
					 *p >= ' ' && *p < 0x7f ? *p : '?');
		}
	}
	return 0;
}

/* An argument that is no flag: the object, its verb, or an operand. */
static int add_word(struct command_line *cl, const char **object, char *word, struct error *e)
{
	if (!*object) {
		const struct command *c = find(NULL, word, e);

		if (!c)
			return -1;
		*object = c->object;
		if (!c->verb)
			cl->command = c;
		return 0;
	}
	if (!cl->command) {
		if (strcmp(word, "help")) {
			cl->command = find(*object, word, e);
			return cl->command ? 0 : -1;
		}
		cl->command = find(NULL, "help", e);
		word = (char *)*object;
	} else if (!cl->command->verb && cl->argc == 0 && !strcmp(word, "help")) {
		word = (char *)*object;
		cl->command = find(NULL, "help", e);
	}
	cl->argv[cl->argc++] = word;
	return 0;
}

int cli_parse(struct command_line *cl, int argc, char **argv, struct error *e)
{
	const char *object = NULL;
	bool words_only = false;

	cl->command = NULL;
	cl->argc = cl->options = 0;
	cl->argv = argv; /* operands move down, over what was read already */
	for (int at = 0; at < argc; at++) {
		char *arg = argv[at];
		int err;

		if (words_only || arg[0] != '-' || !arg[1])
			err = add_word(cl, &object, arg, e);
		else if (!strcmp(arg, "--"))
			err = 0, words_only = true;
		else if (!strcmp(arg, "--help") || !strcmp(arg, "-h"))
			err = add_word(cl, &object, "help", e);
		else if (!strcmp(arg, "--version"))
			err = add_word(cl, &object, "version", e);
		else if (arg[1] == '-')
			err = add_option(cl, argc, argv, &at, e);
		else
			err = add_flags(cl, argc, argv, &at, e);
		if (err)
			return -1;
	}
	if (cl->batch_file && object)
		return error_set(e, EXIT_USAGE,
				 "-b FILE takes its commands from the file: no command may follow");
	if (!cl->command && object) {
		char list[512];

		return error_set(e, EXIT_USAGE, "%s needs a verb: %s", object,
				 candidates(list, sizeof(list), object, ""));
	}
	return 0;
}

int cli_run(struct command_line *cl, struct error *e)
{
	const struct command *c = cl->command;

	if (cl->argc < c->least || (c->most >= 0 && cl->argc > c->most))
		return error_set(e, EXIT_USAGE, "%s operands. Usage: weft %s%s%s%s%s",
				 cl->argc < c->least ? "missing" : "too many", c->object,
				 c->verb ? " " : "", c->verb ? c->verb : "",
				 c->operands[0] ? " " : "", c->operands);
	return c->run(cl, e);
}

const char *cli_option(const struct command_line *cl, const char *name)
{
	for (int i = 0; i < cl->options; i++)
		if (!strcmp(cl->option[i].name, name))
			return cl->option[i].value;
	return NULL;
}

int cli_json(const struct command_line *cl, json_t *value, struct error *e)
{
	size_t flags = JSON_ENCODE_ANY | (cl->pretty ? JSON_INDENT(2) : JSON_COMPACT);
	int err = !value || json_dumpf(value, stdout, flags) || putchar('\n') == EOF;

	json_decref(value);
	return err ? error_set(e, EXIT_REFUSED, "cannot write the output") : 0;
}

void cli_list_begin(struct cli_list *list, const struct command_line *cl)
{
	*list = (struct cli_list){ .cl = cl };
	if (cl->json)
		putchar('[');
}

/* As far in as it is when it stands in a list. */
static void print_indented(void (*print)(FILE *out, const void *arg), const void *arg)
{
	char *flat = NULL, *text;
	json_t *item = NULL;
	size_t size;
	FILE *out = open_memstream(&flat, &size);

	if (out) {
		print(out, arg);
		fclose(out);
		item = json_loads(flat, 0, NULL);
	}
	text = json_dumps(item, JSON_INDENT(2));
	fputs("\n  ", stdout);
	for (const char *p = text; p && *p; p++) {
		putchar(*p);
		if (*p == '\n')
			fputs("  ", stdout);
	}
	free(text);
	free(flat);
	json_decref(item);
}

void cli_list_add(struct cli_list *list, void (*print)(FILE *out, const void *arg), const void *arg)
{
	if (list->any)
		putchar(',');
	list->any = true;
	if (list->cl->pretty)
		print_indented(print, arg);
	else
		print(stdout, arg);
}

void cli_list_end(struct cli_list *list)
{
	if (!list->cl->json)
		return;
	fputs(list->any && list->cl->pretty ? "\n]\n" : "]\n", stdout);
}
