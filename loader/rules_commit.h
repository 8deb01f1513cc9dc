/* SPDX-License-Identifier: BSD-2-Clause */
/* `acl commit TENANT` of many rules of which few have changed: those alone are read as a configuration is. */
#ifndef WEFT_RULES_COMMIT_H
#define WEFT_RULES_COMMIT_H

#include "loader/cli.h"
#include "loader/error.h"

#define RULES_COMMIT_OTHER (-2) /* nothing was done: it takes the way of all changes */

/* Returns an exit code, -1, or RULES_COMMIT_OTHER: where anything is not as it is after a command, too. */
int rules_commit(struct command_line *cl, struct error *e);

#endif
