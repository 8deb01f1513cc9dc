/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line: flags, `--options`, the table of commands, and what a handler is given. */
#ifndef WEFT_CLI_H
#define WEFT_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "loader/error.h"

struct command_line;
struct batch;

enum command_flags {
	COMMAND_WRITES = 1 << 0, /* opens the root for writing: root_open(&root, cl->root, true, e) */
	COMMAND_BATCH = 1 << 1,	 /* may stand in a file given to -b */
	COMMAND_LOADS = 1 << 2,	 /* loads programs: see rights.c */
	COMMAND_TRIES = 1 << 3,	 /* tries things in a namespace of its own */
};

/*
 * One line of the table in commands.c, the only registry: parsing, prefixes, help and completion come from it.
 * A handler returns an exit code >= 0, or -1 with `e` set.
 */
struct command {
	const char *object;  /* "acl"; for commands without a verb the command itself, "load" */
	const char *verb;    /* "add"; NULL: none */
	const char *operands; /* "[TENANT/]NAME KEY VALUE..." for the usage line */
	const char *options; /* "host= force": the --options it takes, with = when one takes a value */
	int least, most;     /* how many operands; most -1: any */
	unsigned int flags;  /* enum command_flags */
	int (*run)(struct command_line *cl, struct error *e);
	const char *doc;     /* half a line */
};

extern const struct command commands[]; /* ends with a NULL object */

#define CLI_OPTIONS_MAX 8

struct cli_option {
	const char *name; /* without the dashes */
	const char *value; /* "" for an option without a value */
};

struct command_line {
	const struct command *command;
	const char *root;	/* -r, or ROOT_DEFAULT */
	const char *netns;	/* -n: already entered when the handler runs; NULL: the caller's own */
	const char *batch_file; /* -b */
	bool json;		/* -j */
	bool pretty;		/* -p: JSON with line breaks */
	bool stats;		/* -s */
	bool details;		/* -d */
	bool timestamps;	/* -t */
	int argc;		/* operands after the verb, with flags and --options taken out */
	char **argv;
	struct cli_option option[CLI_OPTIONS_MAX];
	int options;
	struct batch *batch; /* not NULL: change this open batch, do not commit */
};

/* The value of `--name VALUE`, "" for one given without a value, NULL if it was not given. */
const char *cli_option(const struct command_line *cl, const char *name);

/* Prints a value as JSON with a line break after it, as -p wants, and drops the reference. Returns 0 or -1. */
int cli_json(const struct command_line *cl, json_t *value, struct error *e);

/*
 * A list of any length, printed an item at a time as cli_json() would print it whole; `print` prints one, without line
 * breaks. Without -j begin and end do nothing.
 */
struct cli_list {
	const struct command_line *cl;
	bool any;
};

void cli_list_begin(struct cli_list *list, const struct command_line *cl);
void cli_list_add(struct cli_list *list, void (*print)(FILE *out, const void *arg), const void *arg);
void cli_list_end(struct cli_list *list);

/*
 * Reads one command line without the name of the program into `cl`; argv is reordered. Root, name space and flags that
 * `cl` has already stay. cl->command stays NULL when there was no word at all.
 */
int cli_parse(struct command_line *cl, int argc, char **argv, struct error *e);

/* Runs what was read. */
int cli_run(struct command_line *cl, struct error *e);

/* The flags and commands, or all about one object, from the table. */
void cli_help(FILE *out, const char *object);

#endif
