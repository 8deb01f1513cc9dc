// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "loader/config/tree.h"
#include "loader/history.h"
#include "loader/history_files.h"
#include "loader/origin.h"

bool history_same(const json_t *one, const json_t *other)
{
	json_t *diff;
	bool same = json_equal(one, other);

	if (same)
		return true;
	diff = config_diff(one, other);
	same = !json_array_size(diff);
	json_decref(diff);
	return same;
}

static json_t *tree_of(const json_t *state)
{
	return json_object_get(state, "tree");
}

static unsigned long number_of(const json_t *state)
{
	return (unsigned long)json_integer_value(json_object_get(state, "state"));
}

/* The state after `before`, which may be NULL, and after `last`. */
static json_t *make_state(const json_t *before, unsigned long last, const char *build,
			  const json_t *origin, const json_t *tree)
{
	json_t *none = json_pack("{s:i}", "version", 1);
	json_t *state = json_object(), *diff = config_diff(before ? tree_of(before) : none, tree);

	json_object_set_new(state, "state", json_integer((json_int_t)last + 1));
	json_object_set_new(state, "time", json_integer(time(NULL)));
	json_object_set(state, "origin", (json_t *)origin);
	json_object_set_new(state, "build", json_string(build));
	json_object_set_new(state, "diff", diff);
	json_object_set(state, "tree", (json_t *)tree);
	json_decref(none);
	return state;
}

/* A killed command got as far as its state, or not; its file says which that was to be, the maps what is. */
static void settle(struct history *h, const json_t *tree)
{
	json_t *pending = history_pending(h->root);

	if (!pending)
		return;
	h->reached = history_same(tree_of(pending), tree);
	if (h->reached) {
		history_file_keep(h->root, number_of(pending));
		json_decref(h->newest);
		h->newest = json_incref(pending);
		h->last = number_of(pending);
	} else {
		history_file_drop(h->root);
		if (h->newest && history_same(tree_of(h->newest), tree)) {
			json_decref(pending);
			return;
		}
	}
	h->killed = pending;
}

static json_t *edited_origin(const json_t *asking)
{
	return json_pack("{s:s, s:o}", "user", "", "command",
			 json_sprintf("(edits by other tools, seen by `%s`)", origin_command(asking)));
}

static json_t *found_origin(const struct history *h, const json_t *asking)
{
	if (!h->newest)
		return json_pack("{s:s, s:s}", "user", "", "command", "(before the first change)");
	return edited_origin(asking);
}

/*
 * What the maps hold and no state says. Not a state: the half of a change, which nobody wanted; and the nothing that a
 * reboot or an unload leaves, which would come between the states before it and the same ones after it.
 */
static void find(struct history *h, const struct state *state, const json_t *asking)
{
	bool made_anew = h->newest && !json_object_size(state->flat);
	json_t *origin;

	if ((h->killed && !h->reached) || made_anew ||
	    (h->newest && history_same(tree_of(h->newest), state->tree)))
		return;
	origin = found_origin(h, asking);
	h->found = make_state(h->newest, h->last, h->build, origin, state->tree);
	json_decref(origin);
}

static bool is_build_of(const json_t *state, const char *build)
{
	const char *had = json_string_value(json_object_get(state, "build"));

	return had && !strcmp(had, build);
}

int history_begin(struct history *h, const struct root *root, const struct state *state,
		  const json_t *wanted, const json_t *origin, struct error *e)
{
	const json_t *last;

	*h = (struct history){ .root = root };
	if (programs_build(root, h->build, e))
		return -1;
	if (history_file_newest(root, &h->newest, e) || history_file_last(root, &h->last, e))
		return -1;
	settle(h, state->tree);
	find(h, state, origin);
	last = h->found ? h->found : h->newest;
	if (!last || !history_same(tree_of(last), wanted) || !is_build_of(last, h->build))
		h->fresh = make_state(last, h->found ? number_of(h->found) : h->last, h->build,
				      origin, wanted);
	return 0;
}

/* Who reads the last of a row of such changes has to read all of them. */
#define CHANGES_IN_A_ROW 100

int history_begin_change(struct history *h, const struct root *root, const json_t *diff, const json_t *origin)
{
	struct error unused;
	unsigned int depth;

	*h = (struct history){ .root = root };
	if (programs_build(root, h->build, &unused) || history_file_is_pending(root) ||
	    history_file_last(root, &h->last, &unused) || !h->last ||
	    history_file_depth(root, h->last, &depth) || depth >= CHANGES_IN_A_ROW)
		return -1;
	h->fresh = json_pack("{s:I, s:i, s:I, s:I, s:O, s:s, s:O}", "base", (json_int_t)h->last, "depth",
			     (int)depth + 1, "state", (json_int_t)h->last + 1, "time", (json_int_t)time(NULL),
			     "origin", origin, "build", h->build, "diff", diff);
	return h->fresh ? 0 : -1;
}

int history_begin_found(struct history *h, const struct root *root, const json_t *diff, const json_t *asking)
{
	json_t *origin = edited_origin(asking);
	int failed = history_begin_change(h, root, diff, origin);

	json_decref(origin);
	return failed;
}

int history_write(struct history *h, struct error *e)
{
	if (h->found && (history_file_pending(h->root, h->found, e) ||
			 history_file_keep(h->root, number_of(h->found))))
		return -1;
	if (h->fresh && history_file_pending(h->root, h->fresh, e))
		return -1;
	h->written = h->fresh != NULL;
	return 0;
}

void history_end(struct history *h, enum history_result result)
{
	if (h->written && result == HISTORY_DONE)
		history_file_keep(h->root, number_of(h->fresh));
	else if (h->written && result == HISTORY_NEVER)
		history_file_drop(h->root);
	json_decref(h->newest);
	json_decref(h->killed);
	json_decref(h->found);
	json_decref(h->fresh);
	*h = (struct history){ 0 };
}

unsigned long history_number(const struct history *h)
{
	return number_of(h->fresh ? h->fresh : h->newest);
}

static bool brings(const json_t *origin, const json_t *file)
{
	const json_t *sum = json_object_get(file, "sha256"), *other;
	size_t i;

	json_array_foreach (json_object_get(origin, "files"), i, other)
		if (json_equal(json_object_get(other, "sha256"), sum))
			return true;
	return false;
}

static bool brings_all(const json_t *origin, const json_t *files)
{
	const json_t *file;
	size_t i;

	json_array_foreach ((json_t *)files, i, file)
		if (!brings(origin, file))
			return false;
	return json_array_size(files) > 0;
}

int history_refuse_reverted(const struct root *root, const json_t *wanted, const json_t *origin,
			    struct error *e)
{
	json_t *newest, *reverted = NULL;
	int refused = 0;

	if (history_file_newest(root, &newest, NULL))
		return 0;
	if (json_object_get(newest, "reverts"))
		reverted = history_state(root, (unsigned long)json_integer_value(
						       json_object_get(newest, "reverts")));
	if (reverted && (history_same(tree_of(reverted), wanted) ||
			 brings_all(origin, json_object_get(json_object_get(reverted, "origin"),
							    "files"))))
		refused = error_set(
			e, EXIT_REFUSED,
			"apply: this is state %lu, which was taken back since nobody confirmed it: repeat with --confirm TIME, or with --force if it is right",
			number_of(reverted));
	json_decref(reverted);
	json_decref(newest);
	return refused;
}

int history_note_load(const struct root *root, const json_t *origin, struct error *e)
{
	struct history h = { 0 };
	struct state state;
	int failed;

	if (state_read(root, &state, e))
		return -1;
	failed = history_begin(&h, root, &state, state.tree, origin, e);
	/* Only what `load` itself has done: not a root that is made anew, and not what others have changed. */
	if (!failed && h.fresh && h.newest && !h.found &&
	    history_same(tree_of(h.newest), state.tree))
		failed = history_write(&h, e);
	history_end(&h, HISTORY_DONE);
	state_free(&state);
	return failed;
}
