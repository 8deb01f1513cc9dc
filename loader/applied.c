// SPDX-License-Identifier: BSD-2-Clause
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "loader/applied.h"
#include "loader/digest.h"
#include "loader/origin.h"
#include "loader/statedir.h"

#define FILE_NAME "applied.json"

/* The names absolute, since whoever reads them is elsewhere. */
static json_t *files_of(const json_t *origin)
{
	json_t *files = json_array(), *file;
	char path[PATH_MAX];
	size_t i;

	json_array_foreach (json_object_get(origin, "files"), i, file) {
		json_t *named = json_copy(file);

		if (realpath(json_string_value(json_object_get(file, "name")), path))
			json_object_set_new(named, "name", origin_text(path));
		json_array_append_new(files, named);
	}
	return files;
}

static void add_text(struct digest *all, const json_t *file, const char *key, const char *end)
{
	const char *text = json_string_value(json_object_get(file, key));

	digest_add(all, text, strlen(text));
	digest_add(all, end, strlen(end));
}

/* One for all. */
static json_t *hash_of(const json_t *files)
{
	char hash[DIGEST_TEXT];
	struct digest all;
	json_t *file;
	size_t i;

	if (json_array_size(files) == 1)
		return json_incref(json_object_get(json_array_get(files, 0), "sha256"));
	digest_begin(&all);
	json_array_foreach ((json_t *)files, i, file) {
		add_text(&all, file, "sha256", "  ");
		add_text(&all, file, "name", "\n");
	}
	digest_end(&all, hash);
	return json_string(hash);
}

int applied_write(const struct root *root, const struct host_config *host, const json_t *origin,
		  const json_t *tree, struct error *e)
{
	json_t *applied = json_copy((json_t *)origin), *files = json_object_get(origin, "files");
	char path[PATH_MAX], *text;
	int failed;

	if (statedir_path(root, FILE_NAME, path, sizeof(path), e)) {
		json_decref(applied);
		return -1;
	}
	if (files)
		json_object_set_new(applied, "hash", hash_of(files));
	json_object_set_new(applied, "files", files_of(origin));
	json_object_set_new(applied, "time", json_integer((json_int_t)time(NULL)));
	/* The mark is drawn anew by each load that begins from nothing. */
	json_object_set_new(applied, "load", json_integer(host->mark));
	json_object_set(applied, "tree", (json_t *)tree);
	text = json_dumps(applied, JSON_COMPACT);
	json_decref(applied);
	failed = statedir_write(path, text ? text : "", text ? strlen(text) : 0, e);
	free(text);
	return failed;
}

json_t *applied_read(const struct root *root, const struct host_config *host)
{
	struct error unused = { 0 };
	json_t *applied, *load;
	char path[PATH_MAX];

	if (statedir_path(root, FILE_NAME, path, sizeof(path), &unused))
		return NULL;
	applied = json_load_file(path, 0, NULL);
	load = json_object_get(applied, "load");
	if (json_is_integer(load) && json_integer_value(load) == (json_int_t)host->mark)
		return applied;
	json_decref(applied);
	return NULL;
}
