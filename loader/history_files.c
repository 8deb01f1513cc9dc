// SPDX-License-Identifier: BSD-2-Clause
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static json_t *load(const struct root *root, const char *name)
{
	char path[PATH_MAX];
	json_t *state;

	if (statedir_path(root, name, path, sizeof(path), NULL))
		return NULL;
	state = json_load_file(path, 0, NULL);
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

static void prune(const struct root *root)
{
	unsigned long *numbers;
	int n = list(root, &numbers, NULL);

	for (int i = HISTORY_KEPT + 1; i < n; i++) {
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
