/* SPDX-License-Identifier: BSD-2-Clause */
/* What files ask for, and how the outcome is told. */
#ifndef WEFT_APPLY_H
#define WEFT_APPLY_H

#include <stdio.h>

#include "loader/cli.h"
#include "loader/commit.h"

/* The operands of the command line as files: what they and what is stored make together. */
struct wish {
	json_t *wanted; /* the whole tree */
	json_t *named; /* tenants that the files name */
	struct marks *marks;
};

int apply_read(const struct command_line *cl, const struct state *state, struct wish *wish,
	       struct error *e);
void apply_forget(struct wish *wish);

/*
 * Commits as the line's --force, --dry-run and --confirm say, and prints what changes and how it went.
 */
int apply_commit(const struct command_line *cl, struct commit *c, struct error *e);

void apply_print_notes(FILE *out, const struct commit *c);
/* {"changes": […], "notes": […], …}: a new reference. */
json_t *apply_report(const struct commit *c);

#endif
