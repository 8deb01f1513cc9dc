/* SPDX-License-Identifier: BSD-2-Clause */
/* The tree that a test was built in, and the objects of programs that it has made. */
#ifndef WEFT_UNIT_OBJECTS_H
#define WEFT_UNIT_OBJECTS_H

#include <glob.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char top[PATH_MAX];

static inline const char *object_path(const char *name)
{
	static char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/build/bpf/%s", top, name);
	return path;
}

/* A group's set-up. */
static inline int find_top(void **state)
{
	ssize_t n = readlink("/proc/self/exe", top, sizeof(top) - 1);

	(void)state;
	if (n < 0)
		return -1;
	top[n] = '\0';
	for (int up = 0; up < 3; up++)	/* build/tests/NAME */
		*strrchr(top, '/') = '\0';
	return 0;
}

/* What the sources make today: the build directory may have what they made once. */
static inline bool is_made(const char *path)
{
	static const char *const flavours[] = { "_tc.o", "_xdp.o", ".o" };
	const char *name = strrchr(path, '/') + 1;

	for (size_t i = 0; i < 3; i++) {
		size_t len = strlen(name), tail = strlen(flavours[i]);
		char source[2 * PATH_MAX];

		if (len <= tail || strcmp(name + len - tail, flavours[i]))
			continue;
		snprintf(source, sizeof(source), "%s/bpf/%.*s.bpf.c", top, (int)(len - tail), name);
		if (!access(source, F_OK))
			return true;
	}
	return false;
}

/* Their paths are the first of the list, which is to be freed by globfree(). */
static inline size_t objects(glob_t *list)
{
	size_t n = 0;

	assert_int_equal(glob(object_path("*.o"), 0, NULL, list), 0);
	for (size_t i = 0; i < list->gl_pathc; i++) {
		char *path = list->gl_pathv[i];

		/* Sorted to the front; all stay in the list, to be freed. */
		if (is_made(path)) {
			list->gl_pathv[i] = list->gl_pathv[n];
			list->gl_pathv[n++] = path;
		}
	}
	assert_true(n >= 8);
	return n;
}

#endif
