// SPDX-License-Identifier: BSD-2-Clause
/* `weft history [N]` */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "loader/commands.h"
#include "loader/config/emit.h"
#include "loader/config/tree.h"
#include "loader/history.h"
#include "loader/history_show.h"
#include "loader/origin.h"

long history_steps(const char *text, long least, struct error *e)
{
	char quoted[ERROR_QUOTE_SIZE], *end;
	long steps = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || steps < least || steps > HISTORY_KEPT)
		return error_set(e, EXIT_USAGE,
				 "%s is no number of states to go back: write %ld to %d",
				 error_quote(quoted, sizeof(quoted), text), least, HISTORY_KEPT);
	return steps;
}

json_t *history_list(const struct root *root, const json_t *now, struct error *e)
{
	json_t *states = history_read(root, e), *newest, *present, *diff;

	newest = json_object_get(json_array_get(states, 0), "tree");
	if (!now || !newest || history_same(newest, now))
		return states;
	diff = config_diff(newest, now);
	present = json_pack("{s:i, s:I, s:{s:s, s:s}, s:o, s:O}", "state", 0, "time",
			    (json_int_t)time(NULL), "origin", "user", "", "command",
			    "(what the maps hold now is no state)", "diff", diff, "tree", now);
	json_array_insert_new(states, 0, present);
	return states;
}

json_t *history_back(const struct root *root, const json_t *now, long steps, struct error *e)
{
	json_t *states = history_list(root, now, e), *state;

	if (!states)
		return NULL;
	state = json_incref(json_array_get(states, (size_t)steps));
	if (!state)
		error_set(
			e, EXIT_REFUSED,
			"history: there are %zu states before this one, not %ld: see `weft history`",
			json_array_size(states) ? json_array_size(states) - 1 : 0, steps);
	json_decref(states);
	return state;
}

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

static void print_time(const json_t *state)
{
	time_t when = (time_t)json_integer_value(json_object_get(state, "time"));
	char buf[32];
	struct tm tm;

	localtime_r(&when, &tm);
	strftime(buf, sizeof(buf), "%Y-%m-%d %H:%M:%S", &tm);
	printf("%s", buf);
}

/* "+3 ~1 -2" */
static const char *counts(const json_t *state, char *buf, size_t size)
{
	int added = 0, changed = 0, deleted = 0;
	const json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(state, "diff"), i, entry) {
		const char *op = text(entry, "op");

		added += *op == 'a';
		changed += *op == 'c';
		deleted += *op == 'd';
	}
	snprintf(buf, size, "+%d ~%d -%d", added, changed, deleted);
	return buf;
}

static void print_files(const json_t *origin)
{
	const json_t *file;
	size_t i;

	json_array_foreach (json_object_get(origin, "files"), i, file)
		printf("file %s sha256 %s\n", text(file, "name"), text(file, "sha256"));
}

static void print_list(const json_t *states)
{
	const json_t *state;
	char buf[48];
	size_t i;

	if (!json_array_size(states))
		puts("no change was made yet");
	else
		printf("%4s %6s  %-19s  %-10s %-12s %s\n", "BACK", "STATE", "TIME", "USER",
		       "OBJECTS", "COMMAND");
	json_array_foreach (states, i, state) {
		const json_t *origin = json_object_get(state, "origin");
		const char *user = origin_user(origin);

		printf("%4zu %6lld  ", i,
		       (long long)json_integer_value(json_object_get(state, "state")));
		print_time(state);
		printf("  %-10s %-12s %s\n", *user ? user : "-", counts(state, buf, sizeof(buf)),
		       origin_command(origin));
	}
}

static int print_state(const struct command_line *cl, const json_t *state, struct error *e)
{
	const json_t *origin = json_object_get(state, "origin");

	printf("state %lld, ", (long long)json_integer_value(json_object_get(state, "state")));
	print_time(state);
	printf("\nuser %s, command %s\n", *origin_user(origin) ? origin_user(origin) : "-",
	       origin_command(origin));
	print_files(origin);
	printf("programs %s\n", text(state, "build"));
	config_diff_print(stdout, json_object_get(state, "diff"));
	if (cl->details && config_emit(stdout, json_object_get(state, "tree")))
		return error_set(e, EXIT_REFUSED, "history: cannot write");
	return EXIT_DONE;
}

/* The list is without the trees, unless they are asked for. */
static json_t *list_json(const struct command_line *cl, json_t *states)
{
	json_t *state;
	size_t i;

	json_array_foreach (states, i, state) {
		json_object_set_new(state, "back", json_integer((json_int_t)i));
		if (!cl->details)
			json_object_del(state, "tree");
	}
	return states;
}

static int show_one(const struct command_line *cl, const struct root *root, const json_t *now,
		    struct error *e)
{
	long steps = history_steps(cl->argv[0], 0, e);
	json_t *state = steps < 0 ? NULL : history_back(root, now, steps, e);
	int result;

	if (!state)
		return -1;
	if (cl->json)
		return cli_json(cl, state, e);
	result = print_state(cl, state, e);
	json_decref(state);
	return result;
}

static int show_all(const struct command_line *cl, const struct root *root, const json_t *now,
		    struct error *e)
{
	json_t *states = history_list(root, now, e);

	if (!states)
		return -1;
	if (cl->json)
		return cli_json(cl, list_json(cl, states), e);
	print_list(states);
	json_decref(states);
	return EXIT_DONE;
}

int cmd_history(struct command_line *cl, struct error *e)
{
	struct state state = { 0 };
	struct root root;
	int result;

	/* Also of a root that is not loaded, as after a reboot. */
	if (root_open(&root, cl->root, false, NULL) || state_read(&root, &state, NULL)) {
		state.tree = NULL;
		if (root_locate(&root, cl->root, e))
			return -1;
	}
	result = cl->argc ? show_one(cl, &root, state.tree, e) : show_all(cl, &root, state.tree, e);
	if (state.tree)
		state_free(&state);
	return result;
}
