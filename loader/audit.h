/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log of changes: a line for each object that changed, with who, by which command, before and after. WEFT_LOG in
 * the environment says where to: `syslog` (facility authpriv, ident weft), `stderr` or `none`; without it syslog, if
 * this machine has one. With -j a line is one JSON object.
 */
#ifndef WEFT_AUDIT_H
#define WEFT_AUDIT_H

#include <jansson.h>
#include <stdbool.h>

#include "loader/cli.h"
#include "loader/root.h"

/* Reads WEFT_LOG; once, before anything is logged. */
int audit_setup(bool json, struct error *e);
/* Nobody reads this process's stderr any more: what would go there goes to syslog. */
void audit_detach(void);

struct audit {
	const struct root *root;
	const json_t *origin;
	const char *outcome; /* "done", or how it ended else */
	unsigned long state; /* in the history; 0: none */
};

/* `before` and `after` may be NULL: there was none, or there is none. */
void audit_change(const struct audit *a, const char *verb, const char *object, const json_t *before,
		  const json_t *after);
/* Each entry of a config_diff(). */
void audit_diff(const struct audit *a, const json_t *diff);

/* What a command that changes no configuration has done; takes over both values. */
void audit_command(const struct command_line *cl, const struct root *root, const char *verb,
		   const char *object, json_t *before, json_t *after);

#endif
