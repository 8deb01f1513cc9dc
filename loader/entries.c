// SPDX-License-Identifier: BSD-2-Clause
#define _GNU_SOURCE 1 /* qsort_r */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "loader/alloc.h"
#include "loader/entries.h"

#define BATCH_MIN 1024
#define BATCH_MAX (1u << 22)

void entries_init(struct entries *list, size_t key_size, size_t value_size)
{
	*list = (struct entries){ .key_size = key_size, .value_size = value_size };
}

void entries_free(struct entries *list)
{
	free(list->keys);
	free(list->values);
	entries_init(list, list->key_size, list->value_size);
}

static void entries_reserve(struct entries *list, size_t n)
{
	list->keys = alloc_grow(list->keys, &list->key_room, n, list->key_size);
	if (list->value_size)
		list->values = alloc_grow(list->values, &list->value_room, n, list->value_size);
}

void *entries_key(const struct entries *list, size_t n)
{
	return list->keys ? list->keys + n * list->key_size : NULL;
}

void *entries_value(const struct entries *list, size_t n)
{
	return list->values ? list->values + n * list->value_size : NULL;
}

static void put(void *to, const void *from, size_t size)
{
	if (from)
		memcpy(to, from, size);
	else
		memset(to, 0, size);
}

void entries_add(struct entries *list, const void *key, const void *value)
{
	entries_reserve(list, list->n + 1);
	put(entries_key(list, list->n), key, list->key_size);
	if (list->value_size)
		put(entries_value(list, list->n), value, list->value_size);
	list->n++;
}

static int compare_keys(const void *a, const void *b, void *arg)
{
	const struct entries *list = arg;
	size_t i = *(const size_t *)a, j = *(const size_t *)b;
	int order = memcmp(entries_key(list, i), entries_key(list, j), list->key_size);

	return order ? order : i < j ? -1 : i > j;
}

void entries_sort(struct entries *list)
{
	struct entries sorted;
	size_t *order;

	if (list->n < 2)
		return;
	order = alloc_zero(list->n, sizeof(*order));
	for (size_t i = 0; i < list->n; i++)
		order[i] = i;
	qsort_r(order, list->n, sizeof(*order), compare_keys, list);
	entries_init(&sorted, list->key_size, list->value_size);
	entries_reserve(&sorted, list->n);
	for (size_t i = 0; i < list->n; i++)
		entries_add(&sorted, entries_key(list, order[i]), entries_value(list, order[i]));
	free(order);
	entries_free(list);
	*list = sorted;
}

void entries_unique(struct entries *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->n; i++) {
		if (kept &&
		    !memcmp(entries_key(list, kept - 1), entries_key(list, i), list->key_size))
			continue;
		memmove(entries_key(list, kept), entries_key(list, i), list->key_size);
		if (list->value_size)
			memmove(entries_value(list, kept), entries_value(list, i),
				list->value_size);
		kept++;
	}
	list->n = kept;
}

void *entries_find(const struct entries *list, const void *key)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = memcmp(entries_key(list, middle), key, list->key_size);

		if (!order)
			return entries_value(list, middle);
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Appends what comes next. 1: there may be more; 0: that was all. */
struct cursor {
	uint32_t step;
	unsigned char at[64]; /* a hash's is 4 bytes, the others' as long as a key */
	bool begun;
};

static int read_next(int fd, const char *name, struct cursor *c, struct entries *list,
		     struct error *e)
{
	uint32_t count;

	for (;;) {
		int failed;

		entries_reserve(list, list->n + c->step);
		count = c->step;
		failed = bpf_map_lookup_batch(fd, c->begun ? c->at : NULL, c->at,
					      entries_key(list, list->n),
					      entries_value(list, list->n), &count, NULL);
		/* A bucket of a hash is read whole or not at all. */
		if (failed && errno == ENOSPC && c->step < BATCH_MAX) {
			c->step *= 2;
			continue;
		}
		if (failed && errno != ENOENT)
			return error_set(e, EXIT_REFUSED, "map %s: cannot be read: %s", name,
					 strerror(errno));
		list->n += count;
		c->begun = true;
		if (c->step < 16 * BATCH_MIN)
			c->step *= 2;
		return !failed;
	}
}

int map_read(int fd, const char *name, struct entries *list, struct error *e)
{
	struct cursor c = { .step = BATCH_MIN };
	int more;

	do
		more = read_next(fd, name, &c, list, e);
	while (more > 0);
	return more;
}

int map_each(int fd, const char *name, size_t key_size, size_t value_size, entries_fn *fn,
	     void *arg, struct error *e)
{
	struct cursor c = { .step = BATCH_MIN };
	struct entries some;
	int more, stop;

	entries_init(&some, key_size, value_size);
	do {
		some.n = 0;
		more = read_next(fd, name, &c, &some, e);
		stop = more < 0 ? more : some.n ? fn(&some, arg) : 0;
	} while (more > 0 && !stop);
	entries_free(&some);
	return stop;
}

static int write_failed(const char *name, struct error *e)
{
	if (errno == E2BIG || errno == ENOSPC)
		return error_set(e, EXIT_REFUSED,
				 "map %s: is full: configure less, or load a weft that is "
				 "built with a larger one",
				 name);
	return error_set(e, EXIT_REFUSED, "map %s: cannot be written: %s", name, strerror(errno));
}

int map_write(int fd, const char *name, const struct entries *list, struct error *e)
{
	uint32_t done = 0;

	while (done < list->n) {
		uint32_t count = (uint32_t)list->n - done;

		if (bpf_map_update_batch(fd, entries_key(list, done), entries_value(list, done),
					 &count, NULL))
			return write_failed(name, e);
		done += count;
	}
	return 0;
}

int map_write_new(int fd, const char *name, const struct entries *list, struct error *e)
{
	for (size_t i = 0; i < list->n; i++)
		if (bpf_map_update_elem(fd, entries_key(list, i), entries_value(list, i),
					BPF_NOEXIST) &&
		    errno != EEXIST)
			return write_failed(name, e);
	return 0;
}

int map_delete(int fd, const char *name, const struct entries *list, struct error *e)
{
	uint32_t done = 0;

	while (done < list->n) {
		uint32_t count = (uint32_t)list->n - done;
		int failed = bpf_map_delete_batch(fd, entries_key(list, done), &count, NULL);

		if (failed && errno != ENOENT)
			return error_set(e, EXIT_REFUSED, "map %s: an entry cannot be deleted: %s",
					 name, strerror(errno));
		/* A batch stops at a key that is gone already. */
		done += count + (failed ? 1 : 0);
	}
	return 0;
}
