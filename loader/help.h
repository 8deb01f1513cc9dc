/* SPDX-License-Identifier: BSD-2-Clause */
/* Help in its forms: for people (help.c), for programs (help_json.c), for the shell's completion (help_completion.c). */
#ifndef WEFT_HELP_H
#define WEFT_HELP_H

#include <jansson.h>
#include <stdio.h>

struct help_flag {
	char letter;
	const char *value; /* "ROOT"; NULL: it takes none */
	const char *doc;
};

extern const struct help_flag help_flags[]; /* ends with letter 0 */
extern const char *const help_exit_codes[]; /* by number; ends with NULL */

/* {flags, exit_codes, commands, keys}, of one object or, with NULL, of all: a new reference. */
json_t *help_json(const char *object);

/*
 * A line a thing, its columns apart by tabs, "-" for what is not there:
 *	flag	-r	ROOT
 *	command	OBJECT	VERB	OPERANDS	--OPTION --OPTION=
 *	key	OBJECT	KEY	VALUES
 * VALUES are words by comma, `KIND` in angle brackets for the names of that kind (<port>, port:<port>), or <device>.
 */
void help_completion(FILE *out);

/* The kinds whose keys an object takes: of `sf` those of an instance too. NULL after the last. */
const struct schema_kind *help_kind(const char *object, int n);

#endif
