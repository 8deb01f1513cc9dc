// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/alloc.h"
#include "loader/error.h"

static void *checked(void *p)
{
	if (p)
		return p;
	fputs("weft: out of memory: give this machine more, or configure less\n", stderr);
	exit(EXIT_REFUSED);
}

void *alloc_zero(size_t n, size_t size)
{
	return checked(calloc(n ? n : 1, size));
}

void *alloc_grow(void *p, size_t *room, size_t n, size_t size)
{
	if (p && n <= *room)
		return p;
	*room = n < 2 * *room ? 2 * *room : n;
	if (*room < 16)
		*room = 16;
	return checked(reallocarray(p, *room, size));
}

char *alloc_text(const char *text)
{
	return checked(strdup(text));
}
