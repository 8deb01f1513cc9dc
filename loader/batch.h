/* SPDX-License-Identifier: BSD-2-Clause */
/* A change of the configuration in the making: verbs edit it, one commit makes it real. */
#ifndef WEFT_BATCH_H
#define WEFT_BATCH_H

#include <jansson.h>

#include "loader/commands.h"
#include "loader/commit.h"

struct batch {
	const struct command_line *cl;
	struct root root;
	struct state state;
	json_t *flat; /* path to object, as it shall be */
	json_t *named; /* tenants that were spoken of */
	bool force; /* any device, and any last instance: see struct commit */
	json_t *judged; /* tenants whose flows are judged again even if nothing changes */
	bool each_alone; /* see struct commit */
	bool left_out; /* after the commit: some tenant's rules could not be compiled */
	json_t *origin; /* who asks */
};

/*
 * Runs `edit` on cl->batch, or on a batch of its own that is committed at once. Returns an exit
 * code or -1.
 */
int batch_edit(struct command_line *cl,
	       int (*edit)(struct command_line *cl, struct batch *b, struct error *e),
	       struct error *e);

/* Takes a reference to the object; NULL deletes. */
void batch_put(struct batch *b, const char *path, json_t *object);
/* Notes that the tenant is meant: its rules are compiled. */
void batch_name(struct batch *b, const char *tenant);
void batch_judge(struct batch *b, const char *tenant);

/*
 * What an operand names. "TENANT/NAME", "NAME", or "NAME/INSTANCE", as its kind has it; checks that
 * the names are names, not that the object exists.
 */
struct target {
	const char *kind;
	char tenant[WEFT_NAME_LEN + 1]; /* "" for kinds without */
	char name[WEFT_NAME_LEN + 1];
	char part[WEFT_NAME_LEN + 1]; /* the instance of an sf; else "" */
	char path[CONFIG_PATH_LEN];
};

int target_parse(struct target *t, const char *kind, const char *operand, struct error *e);

/* `KEY VALUE`… of what is there already, as `set` does; EXIT_DONE or -1. */
int batch_set(struct batch *b, const struct target *t, int argc, char **argv, struct error *e);

#endif
