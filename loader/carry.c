// SPDX-License-Identifier: BSD-2-Clause
/*
 * What maps that are made anew carry over. Counters go on in the old map until the last program that has it is gone:
 * what they have gained since the copy is added then. (Who reads and adds meanwhile on another CPU may lose a count.)
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/alloc.h"
#include "loader/entries.h"
#include "loader/handover.h"
#include "loader/map_fit.h"
#include "loader/pins.h"
#include "loader/programs.h"

struct carried {
	int old, new;
	__u32 type, entries;
	__u32 old_size, new_size; /* of a value; of one CPU's, in whole words, if per CPU */
	__u32 cpus; /* how many values an entry has */
	unsigned char *seed; /* counters as they were copied, in the old layout */
};

struct carry {
	int n;
	struct carried map[MAPS_MAX];
};

/* The old value in the new layout: a longer one goes on with zeroes, a shorter one is cut. */
static void convert(const struct carried *c, const unsigned char *old, unsigned char *new)
{
	__u32 common = c->old_size < c->new_size ? c->old_size : c->new_size;

	memset(new, 0, (size_t)c->cpus * c->new_size);
	for (__u32 cpu = 0; cpu < c->cpus; cpu++)
		memcpy(new + (size_t)cpu * c->new_size, old + (size_t)cpu * c->old_size, common);
}

static int copy_array(const struct root *root, struct carried *c, const char *name, struct error *e)
{
	unsigned char *value = alloc_zero(c->cpus, c->new_size);
	int err = 0;

	c->seed = alloc_zero(c->entries, (size_t)c->cpus * c->old_size);
	for (__u32 i = 0; i < c->entries && !err; i++) {
		unsigned char *old = c->seed + (size_t)i * c->cpus * c->old_size;

		err = bpf_map_lookup_elem(c->old, &i, old);
		if (err)
			break;
		convert(c, old, value);
		if (handover_complete(root, name, old, c->old_size, value, c->new_size, e)) {
			free(value);
			return -1;
		}
		err = bpf_map_update_elem(c->new, &i, value, BPF_ANY);
	}
	free(value);
	return err ? error_set(e, EXIT_REFUSED, "map %s: cannot be copied: %s", name,
			       strerror(errno))
		   : 0;
}

/* What a map that once was in place still holds, is out of date. */
static int copy_hash(const struct carried *c, const char *name, __u32 key_size, struct error *e)
{
	struct entries stale, list;
	int failed;

	entries_init(&stale, key_size, c->new_size);
	entries_init(&list, key_size, c->new_size);
	failed = map_read(c->new, name, &stale, e) || map_delete(c->new, name, &stale, e) ||
		 map_read(c->old, name, &list, e) || map_write(c->new, name, &list, e);
	entries_free(&stale);
	entries_free(&list);
	return failed ? -1 : 0;
}

static int carry_map(const struct root *root, struct carried *c, const char *name, struct error *e)
{
	struct bpf_map_info old = { 0 }, new = { 0 };
	__u32 old_size = sizeof(old), new_size = sizeof(new);

	if (bpf_map_get_info_by_fd(c->old, &old, &old_size) ||
	    bpf_map_get_info_by_fd(c->new, &new, &new_size))
		return error_set(e, EXIT_REFUSED, "map %s: %s", name, strerror(errno));
	c->type = new.type;
	c->entries = old.max_entries < new.max_entries ? old.max_entries : new.max_entries;
	c->old_size = old.value_size;
	c->new_size = new.value_size;
	c->cpus = 1;
	if (new.type == BPF_MAP_TYPE_PERCPU_ARRAY) {
		c->old_size = (c->old_size + 7) / 8 * 8;
		c->new_size = (c->new_size + 7) / 8 * 8;
		c->cpus = (__u32)libbpf_num_possible_cpus();
	}
	if (new.type == BPF_MAP_TYPE_HASH)
		return copy_hash(c, name, new.key_size, e);
	return new.type == BPF_MAP_TYPE_RINGBUF ? 0 : copy_array(root, c, name, e);
}

struct begin {
	const struct root *root;
	struct carry *carry;
	struct error *e;
};

static int begin_one(const char *name, void *arg)
{
	struct begin *b = arg;
	struct carried *c = &b->carry->map[b->carry->n];
	char path[64];

	if (handover_carries(name) || map_is_transient(name))
		return 0;
	if (b->carry->n == MAPS_MAX)
		return error_set(b->e, EXIT_REFUSED, "more than %d maps are to be moved", MAPS_MAX);
	snprintf(path, sizeof(path), NEXT_MAPS "/%s", name);
	b->carry->n++;
	c->new = root_map(b->root, path, b->e);
	c->old = c->new < 0 ? -1 : root_map(b->root, name, b->e);
	return c->old < 0 ? -1 : carry_map(b->root, c, name, b->e);
}

int carry_begin(const struct root *root, struct carry **carry, struct error *e)
{
	struct begin b = { root, alloc_zero(1, sizeof(struct carry)), e };

	*carry = b.carry;
	if (!pins_each(root, NEXT_MAPS, begin_one, &b))
		return 0;
	carry_end(*carry);
	*carry = NULL;
	return -1;
}

/* All per-CPU values are counters of 64 bits. */
static void settle_entry(const struct carried *c, __u32 i, __u64 *gained, __u64 *now)
{
	const __u64 *seed = (const __u64 *)(c->seed + (size_t)i * c->cpus * c->old_size);
	__u32 old_words = c->old_size / 8, new_words = c->new_size / 8;

	if (bpf_map_lookup_elem(c->old, &i, gained) ||
	    !memcmp(gained, seed, (size_t)c->cpus * c->old_size) ||
	    bpf_map_lookup_elem(c->new, &i, now))
		return;
	for (__u32 cpu = 0; cpu < c->cpus; cpu++)
		for (__u32 n = 0; n < old_words && n < new_words; n++)
			now[cpu * new_words + n] +=
				gained[cpu * old_words + n] - seed[cpu * old_words + n];
	bpf_map_update_elem(c->new, &i, now, BPF_ANY);
}

static void settle(const struct carried *c)
{
	__u64 *gained = alloc_zero(c->cpus, c->old_size), *now = alloc_zero(c->cpus, c->new_size);

	for (__u32 i = 0; i < c->entries; i++)
		settle_entry(c, i, gained, now);
	free(gained);
	free(now);
}

void carry_settle(struct carry *carry)
{
	for (int i = 0; carry && i < carry->n; i++)
		if (carry->map[i].type == BPF_MAP_TYPE_PERCPU_ARRAY)
			settle(&carry->map[i]);
}

void carry_end(struct carry *carry)
{
	for (int i = 0; carry && i < carry->n; i++) {
		if (carry->map[i].old >= 0)
			close(carry->map[i].old);
		if (carry->map[i].new >= 0)
			close(carry->map[i].new);
		free(carry->map[i].seed);
	}
	free(carry);
}
