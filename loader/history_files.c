// SPDX-License-Identifier: BSD-2-Clause
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/config/tree.h"
#include "loader/history.h"
#include "loader/history_files.h"
#include "loader/statedir.h"

#define PENDING "state-pending.json"

/* Of "state-12.json", 12; 0 for any other file. */
static unsigned long number_in(const char *name)
{
	unsigned long number = 0;
	int end = 0;

	if (sscanf(name, "state-%lu.json%n", &number, &end) != 1 || !end || name[end])
		return 0;
	return number;
}

static int is_state(const struct dirent *entry)
{
	return number_in(entry->d_name) > 0;
}

static int newest_first(const struct dirent **a, const struct dirent **b)
{
	unsigned long one = number_in((*a)->d_name), other = number_in((*b)->d_name);

	return one < other ? 1 : one > other ? -1 : 0;
}

/* The numbers of the states that are kept, the newest first: *numbers is malloc'ed. Returns how many, or -1. */
static int list(const struct root *root, unsigned long **numbers, struct error *e)
{
	struct dirent **entries;
	char path[PATH_MAX];
	int n;

	*numbers = NULL;
	if (statedir_path(root, "", path, sizeof(path), e))
		return -1;
	n = scandir(path, &entries, is_state, newest_first);
	if (n < 0)
		return error_set(e, EXIT_REFUSED, "state directory %s: cannot be read: %m", path);
	*numbers = calloc((size_t)n + 1, sizeof(**numbers));
	for (int i = 0; i < n; i++) {
		if (*numbers)
			(*numbers)[i] = number_in(entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return *numbers ? n : error_set(e, EXIT_REFUSED, "history: out of memory");
}

bool history_is_tree(const json_t *tree)
{
	return json_integer_value(json_object_get(tree, "version")) == 1;
}

static json_t *read_file(const struct root *root, const char *name)
{
	char path[PATH_MAX];

	return statedir_path(root, name, path, sizeof(path), NULL) ? NULL : json_load_file(path, 0, NULL);
}

static json_int_t number_of(const json_t *state, const char *key)
{
	return json_integer_value(json_object_get(state, key));
}

/* The tree of a state that tells only what differs from the one before it: a new reference, or NULL. */
static json_t *follow(const struct root *root, const json_t *change)
{
	json_t *at = json_incref((json_t *)change), *diffs = json_array(), *tree = NULL;

	while (json_object_get(at, "base")) {
		json_int_t base = number_of(at, "base");
		char name[40];

		json_array_insert(diffs, 0, json_object_get(at, "diff"));
		/* Each number is smaller than the one before: so this ends. */
		snprintf(name, sizeof(name), "state-%lld.json", base < number_of(at, "state") ? (long long)base : 0LL);
		json_decref(at);
		at = read_file(root, name);
	}
	if (history_is_tree(json_object_get(at, "tree")))
		tree = config_patch(json_object_get(at, "tree"), diffs);
	json_decref(at);
	json_decref(diffs);
	return tree;
}

static json_t *load(const struct root *root, const char *name)
{
	json_t *state = read_file(root, name);

	if (json_object_get(state, "base")) {
		json_object_set_new(state, "tree", follow(root, state));
		json_object_del(state, "base");
		json_object_del(state, "depth");
	}
	/* Written whole or not at all, so that what does not fit is somebody else's. */
	if (!history_is_tree(json_object_get(state, "tree")) ||
	    !json_is_integer(json_object_get(state, "state"))) {
		json_decref(state);
		return NULL;
	}
	return state;
}

json_t *history_state(const struct root *root, unsigned long number)
{
	char name[40];

	snprintf(name, sizeof(name), "state-%lu.json", number);
	return load(root, name);
}

json_t *history_pending(const struct root *root)
{
	return load(root, PENDING);
}

int history_file_newest(const struct root *root, json_t **state, struct error *e)
{
	unsigned long *numbers;
	int n = list(root, &numbers, e);

	*state = NULL;
	for (int i = 0; i < n && !*state; i++)
		*state = history_state(root, numbers[i]);
	free(numbers);
	return n < 0 ? -1 : 0;
}

int history_file_last(const struct root *root, unsigned long *number, struct error *e)
{
	unsigned long *numbers;
	int n = list(root, &numbers, e);

	*number = n > 0 ? numbers[0] : 0;
	free(numbers);
	return n < 0 ? -1 : 0;
}

json_t *history_read(const struct root *root, struct error *e)
{
	unsigned long *numbers;
	int n = list(root, &numbers, e);
	json_t *states = n < 0 ? NULL : json_array();

	for (int i = 0; i < n; i++) {
		json_t *state = history_state(root, numbers[i]);

		if (state)
			json_array_append_new(states, state);
	}
	free(numbers);
	return states;
}

int history_file_pending(const struct root *root, const json_t *state, struct error *e)
{
	char path[PATH_MAX], *text;
	int failed;

	if (statedir_path(root, PENDING, path, sizeof(path), e))
		return -1;
	text = json_dumps(state, JSON_COMPACT);
	if (!text)
		return error_set(e, EXIT_REFUSED, "history: out of memory");
	failed = statedir_write(path, text, strlen(text), e);
	free(text);
	return failed;
}

int history_file_depth(const struct root *root, unsigned long number, unsigned int *depth)
{
	char name[40], path[PATH_MAX], head[64] = "";
	FILE *file;

	*depth = 0;
	snprintf(name, sizeof(name), "state-%lu.json", number);
	if (statedir_path(root, name, path, sizeof(path), NULL))
		return -1;
	file = fopen(path, "r");
	if (!file)
		return -1;
	/* As it was packed: whole states are large, so that nothing but their beginning is looked at. */
	if (!fgets(head, sizeof(head), file))
		head[0] = '\0';
	fclose(file);
	if (!strncmp(head, "{\"base\":", 8) && sscanf(head, "{\"base\":%*u,\"depth\":%u", depth) != 1)
		return -1;
	return head[0] ? 0 : -1;
}

bool history_file_is_pending(const struct root *root)
{
	char path[PATH_MAX];

	return statedir_path(root, PENDING, path, sizeof(path), NULL) || !access(path, F_OK);
}

static void prune(const struct root *root)
{
	unsigned long *numbers;
	int n = list(root, &numbers, NULL), oldest = HISTORY_KEPT;
	unsigned int depth;

	/* What a state that is kept is told by is kept too. */
	while (oldest < n && !history_file_depth(root, numbers[oldest], &depth) && depth)
		oldest++;
	for (int i = oldest + 1; i < n; i++) {
		char name[40], path[PATH_MAX];

		snprintf(name, sizeof(name), "state-%lu.json", numbers[i]);
		if (!statedir_path(root, name, path, sizeof(path), NULL))
			unlink(path);
	}
	free(numbers);
}

int history_file_keep(const struct root *root, unsigned long number)
{
	char name[40], from[PATH_MAX], to[PATH_MAX];

	snprintf(name, sizeof(name), "state-%lu.json", number);
	if (statedir_path(root, PENDING, from, sizeof(from), NULL) ||
	    statedir_path(root, name, to, sizeof(to), NULL) || rename(from, to))
		return -1;
	prune(root);
	return 0;
}

void history_file_drop(const struct root *root)
{
	char path[PATH_MAX];

	if (!statedir_path(root, PENDING, path, sizeof(path), NULL))
		unlink(path);
}
