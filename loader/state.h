/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is configured: the map `config` and the tenants' `rules` as one canonical tree, with the
 * identity of each object. It is stored last of all that an apply does, so it never claims what the
 * other maps do not hold.
 */
#ifndef WEFT_STATE_H
#define WEFT_STATE_H

#include <jansson.h>
#include <stdbool.h>

#include "include/host.h"
#include "loader/entries.h"
#include "loader/identity.h"
#include "loader/root.h"

/* A tenant whose map `rules` holds what is no rule; those entries are not in the tree. */
struct rejected {
	char tenant[WEFT_NAME_LEN + 1];
	struct error why; /* of the first of them */
	/* set by whoever brings new rules: store them even if the others are the same */
	bool replace;
	struct rejected *next;
};

struct state {
	struct host_config host;
	json_t *tree;
	json_t *flat; /* the same by path */
	struct identities ids;
	bool interrupted; /* an earlier command was killed half-way */
	struct rejected *rejected;
	json_t *delegated; /* tenants, as keys, whose rules somebody else may write */
};

int state_read(const struct root *root, struct state *state, struct error *e);
/* The same without anybody's rules: who wants some of them takes them. */
int state_read_objects(const struct root *root, struct state *state, struct error *e);
void state_free(struct state *state);

/*
 * The two parts of it that take what lies in maps, where others may have written: entries of `config`, and of one
 * tenant's `rules`, into state->flat. Both sort the list. The one refuses; the other notes who is rejected.
 */
int state_take_objects(struct state *state, struct entries *list, struct error *e);
void state_take_rules(struct state *state, const char *tenant, struct entries *list);
const struct rejected *state_rejected(const struct state *state, const char *tenant);
/* Says on stderr what is not in the tree. */
void state_print_rejected(const struct state *state);

/* host[0] */
int state_write_host(const struct root *root, const struct host_config *host, struct error *e);
/*
 * Notes in the map `config` that a command is under way; a later one that finds the note repairs
 * everything.
 */
int state_set_interrupted(const struct root *root, bool interrupted, struct error *e);

/*
 * Makes what is stored `tree`, which by path is `flat`, with its identities; `old` is what is
 * stored now.
 */
int state_store(const struct root *root, const struct state *old, const json_t *tree,
		const json_t *flat, const struct identities *ids, struct error *e);

/* Makes an empty map of rules for a tenant that has none, so that there is one to delegate. */
int state_make_rules(const struct root *root, const char *tenant, struct error *e);

#endif
