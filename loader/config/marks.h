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

/*
 * The name given to every mark set from now on, and what the file is; returns 0, or -1 when out of memory.
 */
int marks_file(struct marks *marks, const char *name, const void *content, size_t size);

/* The files that were read, and their SHA-256. */
unsigned int marks_files(const struct marks *marks);
const char *marks_file_name(const struct marks *marks, unsigned int i);
const char *marks_file_digest(const struct marks *marks, unsigned int i);

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
