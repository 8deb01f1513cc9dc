/* SPDX-License-Identifier: BSD-2-Clause */
/* One way to say what went wrong: the object, the value, the cause and the remedy. */
#ifndef WEFT_LOADER_ERROR_H
#define WEFT_LOADER_ERROR_H

#include <stddef.h>

/* The exit codes of every command; a script may rely on them. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_USAGE = 1,	  /* the command line is wrong: nothing was tried */
	EXIT_REFUSED = 2, /* refused or failed: nothing was changed */
	EXIT_DIFFERS = 3, /* `diff` found a difference */
	EXIT_PARTLY = 4,  /* partly done, or done and not verified */
};

struct error {
	int exit_code;
	char text[1024];
};

/* Returns -1 always, so that a failing function can end in `return error_set(...)`. */
int error_set(struct error *e, int exit_code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Puts text that somebody else wrote into `buf`, in double quotes, shortened, and with whatever
 * could move the cursor of a terminal, or is not UTF-8 and so cannot stand in JSON, shown as \xNN.
 * Returns buf, for use as an argument of error_set().
 */
const char *error_quote(char *buf, size_t size, const char *text);

/* Room enough for what error_quote() makes of any text. */
#define ERROR_QUOTE_SIZE 80

#endif
