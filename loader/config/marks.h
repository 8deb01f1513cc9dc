/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where in which file a JSON node was written, kept beside the tree and looked up by the node's
 * address.
 */
#ifndef WEFT_CONFIG_MARKS_H
#define WEFT_CONFIG_MARKS_H

#include <jansson.h>
#include <stddef.h>

struct mark {
	const char *file;		   /* NULL: not known */
	unsigned int line, column;	   /* of the value, counted from 1 */
	unsigned int key_line, key_column; /* of the key it belongs to, 0 for list items */
};

struct marks;

struct marks *marks_new(void);
void marks_free(struct marks *marks);

/* The name given to every mark set from now on; returns 0, or -1 when out of memory. */
int marks_file(struct marks *marks, const char *name);

/* Keeps what was read from a file, one after the other; returns 0, or -1 when out of memory. */
int marks_keep(struct marks *marks, const char *text, size_t len);
/* All of it; not NULL-terminated, NULL if there is none. */
const char *marks_text(const struct marks *marks, size_t *len);

/*
 * A marked node is kept alive until marks_free(), so that its address cannot come to mean another
 * node. Booleans are shared by the whole process and are therefore never marked. Marks may be NULL
 * everywhere.
 */
int marks_set(struct marks *marks, const json_t *node, const struct mark *mark);
int marks_copy(struct marks *marks, const json_t *from, const json_t *to);
struct mark marks_get(const struct marks *marks, const json_t *node);

/* "lab.yaml:12:7: ", or nothing when the place is unknown; `key` asks for the key's own place. */
const char *marks_place(const struct marks *marks, const json_t *node, int key, char *buf,
			size_t size);

#define MARKS_PLACE_SIZE 128

#endif
