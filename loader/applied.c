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

/* Absolute, since whoever reads it is elsewhere. */
static json_t *files_read(const struct command_line *cl, const struct marks *marks)
{
	json_t *files = json_array();
	char path[PATH_MAX];

	for (unsigned int i = 0; i < marks_files(marks); i++) {
		const char *name = marks_file_name(marks, i);

		if (i < (unsigned int)cl->argc && strcmp(cl->argv[i], "-") && realpath(name, path))
			name = path;
		json_array_append_new(files, json_pack("{s:s, s:s}", "name", name, "sha256",
						       marks_file_digest(marks, i)));
	}
	return files;
}

/* One for all: that of the file, or that of what `sha256sum FILE...` prints. */
static void hash_of(const struct marks *marks, char hash[DIGEST_TEXT])
{
	struct digest all;

	if (marks_files(marks) == 1) {
		snprintf(hash, DIGEST_TEXT, "%s", marks_file_digest(marks, 0));
		return;
	}
	digest_begin(&all);
	for (unsigned int i = 0; i < marks_files(marks); i++) {
		const char *name = marks_file_name(marks, i);

		digest_add(&all, marks_file_digest(marks, i), DIGEST_TEXT - 1);
		digest_add(&all, "  ", 2);
		digest_add(&all, name, strlen(name));
		digest_add(&all, "\n", 1);
	}
	digest_end(&all, hash);
}

/* The mark is drawn anew by each load that begins from nothing. */
static json_t *load_of(const struct host_config *host)
{
	return json_integer(host->mark);
}

int applied_write(const struct command_line *cl, const struct root *root,
		  const struct host_config *host, const struct marks *marks, const json_t *tree,
		  const json_t *origin, struct error *e)
{
	char path[PATH_MAX], hash[DIGEST_TEXT], *text;
	json_t *applied;
	int failed;

	if (statedir_path(root, FILE_NAME, path, sizeof(path), e))
		return -1;
	hash_of(marks, hash);
	applied = json_pack("{s:o, s:s, s:I, s:s, s:o, s:O}", "files", files_read(cl, marks),
			    "hash", hash, "time", (json_int_t)time(NULL), "user",
			    origin_user(origin), "load", load_of(host), "tree", tree);
	text = applied ? json_dumps(applied, JSON_COMPACT) : NULL;
	json_decref(applied);
	if (!text)
		return error_set(e, EXIT_PARTLY,
				 "file %s: cannot be made: a file's name is no UTF-8", path);
	failed = statedir_write(path, text, strlen(text), e);
	free(text);
	return failed;
}

json_t *applied_read(const struct root *root, const struct host_config *host)
{
	json_t *applied, *load = load_of(host);
	struct error unused = { 0 };
	char path[PATH_MAX];

	if (statedir_path(root, FILE_NAME, path, sizeof(path), &unused)) {
		json_decref(load);
		return NULL;
	}
	applied = json_load_file(path, 0, NULL);
	if (!json_equal(json_object_get(applied, "load"), load)) {
		json_decref(applied);
		applied = NULL;
	}
	json_decref(load);
	return applied;
}
