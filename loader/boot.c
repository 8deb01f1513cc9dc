// SPDX-License-Identifier: BSD-2-Clause
#include <unistd.h>

#include "loader/apply.h"
#include "loader/boot.h"
#include "loader/confirm.h"
#include "loader/history.h"
#include "loader/history_files.h"
#include "loader/origin.h"
#include "loader/state.h"

#define WAIT_US	   50000
#define WAIT_TRIES 600

json_t *boot_state(const struct root *root)
{
	json_t *newest;

	return history_file_newest(root, &newest, NULL) ? NULL : newest;
}

/* One that cannot be taken back says so in its record: then the files are refused for it. */
static bool is_being_taken_back(const struct root *root)
{
	json_t *record = confirm_read(root);
	bool due = record && confirm_remaining(record) <= 0 && !json_object_get(record, "failure");

	json_decref(record);
	return due;
}

void boot_wait(const char *path)
{
	struct root root;

	if (root_locate(&root, path, NULL))
		return;
	for (int i = 0; i < WAIT_TRIES && is_being_taken_back(&root); i++)
		usleep(WAIT_US);
}

static int apply_last(const struct command_line *cl, const struct root *root, struct state *state,
		      const json_t *last, struct error *e)
{
	json_t *tree = json_object_get(last, "tree");
	struct commit c = {
		.root = root,
		.state = state,
		.wanted = tree,
		.named = json_copy(json_object_get(tree, "tenants")),
		.own_rules = true,
		.lenient = true,
		.accepted = tree,
		.origin = origin_make(cl),
	};
	int result = apply_commit(cl, &c, e);

	json_decref(c.named);
	json_decref(c.origin);
	commit_free(&c);
	return result;
}

int boot_fall_back(const struct command_line *cl, const struct root *root, struct error *e)
{
	json_t *last = boot_state(root);
	struct error unused = { 0 };
	struct state state;
	bool up = false;

	if (last && !state_read(root, &state, &unused)) {
		up = json_object_size(state.flat) ||
		     apply_last(cl, root, &state, last, &unused) >= 0;
		state_free(&state);
	}
	if (up)
		error_set(e, EXIT_PARTLY,
			  "%.800s (this host is up all the same, with its last state, %lld: see `weft history`)",
			  e->text, (long long)json_integer_value(json_object_get(last, "state")));
	json_decref(last);
	return -1;
}
