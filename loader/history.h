/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The last states of the configuration, each a file in the root's state directory: who made it, when, by which command
 * and files, with which programs, what it changed, and the whole tree (or, of changes of single rules, the number of the
 * state before it). What the maps hold is the truth; a state is
 * written before the maps are, as "pending", and takes its place when they hold it. So a command that was killed
 * neither loses a state nor leaves one that never was.
 */
#ifndef WEFT_HISTORY_H
#define WEFT_HISTORY_H

#include <jansson.h>
#include <stdbool.h>

#include "loader/programs.h"
#include "loader/root.h"
#include "loader/state.h"

/* States to go back to, besides the present one. */
#define HISTORY_KEPT 10

/* A new state in the making. */
struct history {
	const struct root *root;
	json_t *newest; /* the state that this one follows */
	unsigned long last; /* number of the newest file, readable or not: no new state comes before it */
	json_t *killed; /* the state that a killed command was making, if it changed anything; or NULL */
	bool reached; /* it got there: it is the newest state */
	json_t *found; /* what other tools made of the maps meanwhile, as a state; or NULL */
	json_t *fresh; /* the new state; NULL: it is the newest one again */
	char build[BUILD_SIZE];
	bool written;
};

/*
 * Finds out what the change from `state` to `wanted` is to the history, and settles what a killed command left. With the
 * root locked. Whatever it returns, history_end() frees.
 */
int history_begin(struct history *h, const struct root *root, const struct state *state,
		  const json_t *wanted, const json_t *origin, struct error *e);
/*
 * The same for a change that is known without the whole tree: the file of its state tells what differs from the one
 * before it, and who reads it meets a whole state. -1: it takes the other way, and nothing is to be freed.
 */
int history_begin_change(struct history *h, const struct root *root, const json_t *diff, const json_t *origin);
/* Likewise of what other tools have edited; the differences need not say what was there before. */
int history_begin_found(struct history *h, const struct root *root, const json_t *diff, const json_t *origin);
/* Puts it on disk, before the maps change. */
int history_write(struct history *h, struct error *e);
enum history_result {
	HISTORY_DONE,  /* the maps hold it */
	HISTORY_LEFT,  /* partly: the next command will see */
	HISTORY_NEVER, /* nothing was changed */
};
void history_end(struct history *h, enum history_result result);
/* The new state's number, or that of the newest; 0: none. */
unsigned long history_number(const struct history *h);

/* All states, the newest first: a new reference, or NULL with `e` set. Needs no lock. */
json_t *history_read(const struct root *root, struct error *e);
/* One state by its number; NULL: it is not kept. */
json_t *history_state(const struct root *root, unsigned long number);
/* The state that a command is making now, or was when it was killed; NULL: none. */
json_t *history_pending(const struct root *root);

/* Does it look like a configuration? What does not is nothing to go back to. */
bool history_is_tree(const json_t *tree);
bool history_same(const json_t *one, const json_t *other); /* trees */

/*
 * Refuses the tree that was taken back last, since nobody confirmed it, and likewise a command that brings all the files
 * of it again: with them, another state before it makes another tree.
 */
int history_refuse_reverted(const struct root *root, const json_t *wanted, const json_t *origin,
			    struct error *e);

/* After `load`: programs of another build make a new state with the same configuration. */
int history_note_load(const struct root *root, const json_t *origin, struct error *e);

#endif
