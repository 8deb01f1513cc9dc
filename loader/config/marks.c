// SPDX-License-Identifier: BSD-2-Clause
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/config/marks.h"
#include "loader/digest.h"

struct slot {
	json_t *node; /* NULL: free */
	unsigned int line, column, key_line, key_column;
	unsigned int file;
};

/*
 * Open addressing, since a large configuration has a mark for each of a million nodes and never
 * removes one.
 */
struct marks {
	struct slot *slots;
	size_t size; /* a power of two, or 0 */
	size_t used;
	struct file {
		char *name;
		char digest[DIGEST_TEXT];
	} *files;
	unsigned int n_files;
};

struct marks *marks_new(void)
{
	return calloc(1, sizeof(struct marks));
}

void marks_free(struct marks *marks)
{
	if (!marks)
		return;
	for (size_t i = 0; i < marks->size; i++)
		json_decref(marks->slots[i].node);
	for (unsigned int i = 0; i < marks->n_files; i++)
		free(marks->files[i].name);
	free(marks->files);
	free(marks->slots);
	free(marks);
}

int marks_file(struct marks *marks, const char *name, const void *content, size_t size)
{
	if (!marks)
		return 0;

	struct file *files = realloc(marks->files, (marks->n_files + 1) * sizeof(*files));

	if (!files)
		return -1;
	marks->files = files;
	files[marks->n_files].name = strdup(name);
	if (!files[marks->n_files].name)
		return -1;
	digest_of(content, size, files[marks->n_files].digest);
	marks->n_files++;
	return 0;
}

unsigned int marks_files(const struct marks *marks)
{
	return marks ? marks->n_files : 0;
}

const char *marks_file_name(const struct marks *marks, unsigned int i)
{
	return marks->files[i].name;
}

const char *marks_file_digest(const struct marks *marks, unsigned int i)
{
	return marks->files[i].digest;
}

static struct slot *find(struct slot *slots, size_t size, const json_t *node)
{
	/* malloc aligns to 16, so that the low bits say nothing; the multiplier spreads the others.
	 */
	size_t i = (size_t)(((uintptr_t)node >> 4) * 0x9e3779b97f4a7c15ull >> 20) & (size - 1);

	while (slots[i].node && slots[i].node != node)
		i = (i + 1) & (size - 1);
	return &slots[i];
}

static int grow(struct marks *marks)
{
	size_t size = marks->size ? marks->size * 2 : 1024;
	struct slot *slots = calloc(size, sizeof(*slots));

	if (!slots)
		return -1;
	for (size_t i = 0; i < marks->size; i++)
		if (marks->slots[i].node)
			*find(slots, size, marks->slots[i].node) = marks->slots[i];
	free(marks->slots);
	marks->slots = slots;
	marks->size = size;
	return 0;
}

static struct slot *claim(struct marks *marks, const json_t *node)
{
	if (marks->used * 4 >= marks->size * 3 && grow(marks))
		return NULL;

	struct slot *slot = find(marks->slots, marks->size, node);

	if (!slot->node) {
		slot->node = json_incref((json_t *)node);
		marks->used++;
	}
	return slot;
}

int marks_set(struct marks *marks, const json_t *node, const struct mark *mark)
{
	if (!marks || !node || json_is_boolean(node) || json_is_null(node))
		return 0;

	struct slot *slot = claim(marks, node);

	if (!slot)
		return -1;
	slot->line = mark->line;
	slot->column = mark->column;
	slot->key_line = mark->key_line;
	slot->key_column = mark->key_column;
	slot->file = marks->n_files;
	return 0;
}

int marks_copy(struct marks *marks, const json_t *from, const json_t *to)
{
	if (!marks || !marks->size || !from || !to || json_is_boolean(to) || json_is_null(to))
		return 0;

	struct slot place = *find(marks->slots, marks->size, from);

	if (!place.node)
		return 0;

	struct slot *slot = claim(marks, to);

	if (!slot)
		return -1;
	place.node = slot->node;
	*slot = place;
	return 0;
}

struct mark marks_get(const struct marks *marks, const json_t *node)
{
	struct mark mark = { 0 };

	if (!marks || !marks->size || !node)
		return mark;

	const struct slot *slot = find(marks->slots, marks->size, node);

	if (!slot->node)
		return mark;
	mark.file = slot->file ? marks->files[slot->file - 1].name : NULL;
	mark.line = slot->line;
	mark.column = slot->column;
	mark.key_line = slot->key_line;
	mark.key_column = slot->key_column;
	return mark;
}

const char *marks_place(const struct marks *marks, const json_t *node, int key, char *buf,
			size_t size)
{
	struct mark mark = marks_get(marks, node);

	buf[0] = '\0';
	if (!mark.line)
		return buf;
	if (key && mark.key_line) {
		mark.line = mark.key_line;
		mark.column = mark.key_column;
	}
	snprintf(buf, size, "%s:%u:%u: ", mark.file ? mark.file : "", mark.line, mark.column);
	return buf;
}
