/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys and values by the thousand: lists of them in memory, and whole maps read and written in
 * batches.
 */
#ifndef WEFT_ENTRIES_H
#define WEFT_ENTRIES_H

#include <stddef.h>
#include <stdint.h>

#include "loader/error.h"

struct entries {
	size_t key_size, value_size; /* value_size 0: keys alone */
	size_t n;
	size_t key_room, value_room;
	unsigned char *keys, *values;
};

void entries_init(struct entries *list, size_t key_size, size_t value_size);
void entries_free(struct entries *list);
/* Either may be NULL for zeroes. */
void entries_add(struct entries *list, const void *key, const void *value);
void *entries_key(const struct entries *list, size_t n);
void *entries_value(const struct entries *list, size_t n);
/* By key bytes; the first of equal keys stays first. */
void entries_sort(struct entries *list);
/* Of equal keys of a sorted list keeps the first. */
void entries_unique(struct entries *list);
/* The value of a key in a sorted list, or NULL. */
void *entries_find(const struct entries *list, const void *key);

/* Appends all that the map holds. `name` is for messages. */
int map_read(int fd, const char *name, struct entries *list, struct error *e);
/* The same, some at a time, in a list that is its own. Other than 0 of `fn` ends it, and is what is returned. */
typedef int entries_fn(const struct entries *some, void *arg);
int map_each(int fd, const char *name, size_t key_size, size_t value_size, entries_fn *fn, void *arg,
	     struct error *e);
/* Writes all; an array map's keys are its indices. */
int map_write(int fd, const char *name, const struct entries *list, struct error *e);
/* Like map_write(), but leaves alone keys that the map has. */
int map_write_new(int fd, const char *name, const struct entries *list, struct error *e);
/* Removes the keys; ones that are gone already are no error. */
int map_delete(int fd, const char *name, const struct entries *list, struct error *e);

#endif
