/* SPDX-License-Identifier: BSD-2-Clause */
/* One rule of many changes: done without a look at the others, at a cost that does not grow with their number. */
#ifndef WEFT_RULE_EDIT_H
#define WEFT_RULE_EDIT_H

#include "loader/batch.h"

#define RULE_EDIT_OTHER (-2) /* nothing was done: it takes the way of all changes */

/*
 * `edit` is a verb of a rule, on a batch that has this rule alone of its tenant's, and those beside the tree. Returns an
 * exit code, -1, or RULE_EDIT_OTHER: where anything is not as it is after a command, too.
 */
int rule_edit(struct command_line *cl,
	      int (*edit)(struct command_line *cl, struct batch *b, struct error *e), struct error *e);

#endif
