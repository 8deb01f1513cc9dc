/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A change that takes itself back unless somebody confirms it. What to go back to and when is a file in the state
 * directory; a process of its own waits for the deadline. If that process is killed, or the machine was started anew,
 * whichever weft command comes next starts another.
 */
#ifndef WEFT_CONFIRM_H
#define WEFT_CONFIRM_H

#include <jansson.h>

#include "loader/cli.h"
#include "loader/root.h"

/* The value of --confirm: milliseconds, or -1. */
long long confirm_time(const char *text, struct error *e);

/* What awaits confirmation: a new reference, or NULL. */
json_t *confirm_read(const struct root *root);
int confirm_write(const struct root *root, const json_t *record, struct error *e);

/* Milliseconds until the deadline; not above 0: it has passed. */
long long confirm_remaining(const json_t *record);
void confirm_set_deadline(json_t *record, long long ms);

/* Refuses if something awaits confirmation: with the remedies. */
int confirm_refuse(const struct root *root, struct error *e);

/*
 * Before anything is changed: from now on, without more, the configuration becomes `tree` again in `ms`. `state` is the
 * number of the state that would be taken back.
 */
int confirm_arm(const struct root *root, const json_t *tree, unsigned long state, long long ms,
		const json_t *origin, struct error *e);
/* The change is done: the time counts from here. */
int confirm_extend(const struct root *root, long long ms, struct error *e);
/* Nothing awaits confirmation any more. With the root locked. */
void confirm_end(const struct root *root);

/* For every command: sees to it that what awaits confirmation has its process. */
void confirm_resume(const char *path);

/* {"state": 12, "user": …, "command": …, "deadline": …, "remaining_ms": …}, or NULL: a new reference. */
json_t *confirm_status(const struct root *root);
void confirm_print(FILE *out, const json_t *status);

#endif
