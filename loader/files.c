// SPDX-License-Identifier: BSD-2-Clause
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "loader/alloc.h"
#include "loader/files.h"

#define SUFFIX ".yaml"

static void add(struct files *f, size_t *room, char *name)
{
	f->names = alloc_grow(f->names, room, (size_t)f->n + 1, sizeof(*f->names));
	f->names[f->n++] = name;
}

/* What editors and package managers leave beside a file has a dot in front, or another end. */
static int is_meant(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name), end = strlen(SUFFIX);

	return entry->d_name[0] != '.' && len > end && !strcmp(entry->d_name + len - end, SUFFIX);
}

/* Not alphasort(), whose order is the caller's language's. */
static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_directory(struct files *f, size_t *room, const char *path, struct error *e)
{
	struct dirent **list;
	int n = scandir(path, &list, is_meant, by_bytes);

	if (n < 0)
		return error_set(e, EXIT_REFUSED, "directory %s: %s", path, strerror(errno));
	for (int i = 0; i < n; i++) {
		size_t size = strlen(path) + strlen(list[i]->d_name) + 2;
		char *name = alloc_zero(1, size);

		snprintf(name, size, "%s/%s", path, list[i]->d_name);
		add(f, room, name);
		free(list[i]);
	}
	free(list);
	return 0;
}

int files_expand(struct files *f, int argc, char **argv, struct error *e)
{
	struct stat st;
	size_t room = 0;

	*f = (struct files){ 0 };
	for (int i = 0; i < argc; i++) {
		bool directory = strcmp(argv[i], "-") && !stat(argv[i], &st) && S_ISDIR(st.st_mode);

		if (!directory)
			add(f, &room, alloc_text(argv[i]));
		else if (add_directory(f, &room, argv[i], e)) {
			files_free(f);
			return -1;
		}
	}
	return 0;
}

void files_free(struct files *f)
{
	for (int i = 0; i < f->n; i++)
		free(f->names[i]);
	free(f->names);
	*f = (struct files){ 0 };
}
