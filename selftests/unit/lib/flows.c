// SPDX-License-Identifier: BSD-2-Clause
/* The tenant's flows: places of buckets in ct4 and ct6, elements of hashes in half4 and half6. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "include/flow_table.h"
#include "internal.h"

union bucket {
	struct ct4_bucket v4;
	struct ct6_bucket v6;
};

static bool has_buckets(const char *table)
{
	return !strncmp(table, "ct", 2);
}

static bool is_six(const char *table)
{
	return table[strlen(table) - 1] == '6';
}

/* The flow in a place of a bucket, and its key; NULL if it is free. */
static struct flow *flow_in(union bucket *b, bool six, int place, void **key, uint32_t *key_size)
{
	*key = six ? (void *)&b->v6.place[place].key : &b->v4.place[place].key;
	*key_size = six ? sizeof(struct ct6_key) : sizeof(struct ct4_key);
	if ((six ? b->v6.place[place].key.used : b->v4.place[place].key.used) != FLOW_USED)
		return NULL;
	return six ? &b->v6.place[place].flow : &b->v4.place[place].flow;
}

/* Calls `see` for each flow until it says true; writes the bucket back if it has changed it. */
static uint32_t for_each_place(const char *table, bool (*see)(struct flow *f, const void *key, void *arg), void *arg)
{
	uint32_t n = 0, key_size;

	for (uint32_t i = 0; i < inner(table)->entries; i++) {
		union bucket bucket, before;
		void *key;

		memset(&bucket, 0, sizeof(bucket));
		assert_int_equal(bpf_map_lookup_elem(inner_fd(table), &i, &bucket), 0);
		before = bucket;
		for (int place = 0; place < FLOW_PLACES; place++) {
			struct flow *f = flow_in(&bucket, is_six(table), place, &key, &key_size);

			if (!f)
				continue;
			n++;
			if (see && see(f, key, arg))
				break;
		}
		if (memcmp(&bucket, &before, sizeof(bucket)))
			assert_int_equal(bpf_map_update_elem(inner_fd(table), &i, &bucket, BPF_EXIST), 0);
	}
	return n;
}

uint32_t flow_count(const char *table)
{
	uint8_t key[40];
	uint32_t n = 0;

	if (has_buckets(table))
		return inner(table)->entries ? for_each_place(table, NULL, NULL) : 0;
	for (int end = bpf_map_get_next_key(inner_fd(table), NULL, key); !end;
	     end = bpf_map_get_next_key(inner_fd(table), key, key))
		n++;
	return n;
}

struct wanted {
	const void *key; /* NULL: any */
	uint32_t key_size;
	struct flow *flow;
	void *key_found;
	bool found, change;
};

static bool see_wanted(struct flow *f, const void *key, void *arg)
{
	struct wanted *w = arg;
	uint16_t spill = f->spill;

	if (w->key && memcmp(key, w->key, w->key_size))
		return false;
	w->found = true;
	if (w->key_found)
		memcpy(w->key_found, key, w->key_size);
	if (!w->change) {
		*w->flow = *f;
		return true;
	}
	*f = *w->flow;
	f->spill = spill;
	return true;
}

static bool find(const char *table, const void *key, struct flow *f, void *key_found, bool change)
{
	struct wanted w = { key, is_six(table) ? 40 : 16, f, key_found, false, change };
	uint8_t place[40];

	if (has_buckets(table)) {
		for_each_place(table, see_wanted, &w);
		return w.found;
	}
	if (!key) {
		if (bpf_map_get_next_key(inner_fd(table), NULL, place))
			return false;
		key = place;
	}
	if (key_found)
		memcpy(key_found, key, w.key_size);
	return change ? !bpf_map_update_elem(inner_fd(table), key, f, BPF_EXIST) :
			!bpf_map_lookup_elem(inner_fd(table), key, f);
}

struct flow flow_only(const char *table, void *key)
{
	struct flow f = { 0 };

	if (flow_count(table) != 1)
		fail_msg("%s: %u flows instead of one", table, flow_count(table));
	find(table, NULL, &f, key, false);
	return f;
}

void flow_change(const char *table, const struct flow *f)
{
	struct flow to = *f;

	flow_only(table, NULL);
	assert_true(find(table, NULL, &to, NULL, true));
}

bool flow_get(const char *table, const void *key, struct flow *f)
{
	return find(table, key, f, NULL, false);
}

void flow_set(const char *table, const void *key, const struct flow *f)
{
	struct flow to = *f;

	assert_true(find(table, key, &to, NULL, true));
}

static bool see_older(struct flow *f, const void *key, void *arg)
{
	(void)key;
	for (int i = 0; i < 2; i++)
		f->dir[i].began -= *(const uint32_t *)arg;
	return false;
}

void flows_grow_older(const char *table, uint32_t jiffies)
{
	for_each_place(table, see_older, &jiffies);
}

static void clear_buckets(struct inner *i)
{
	union bucket nothing = { 0 };

	for (uint32_t n = 0; n < i->entries; n++)
		bpf_map_update_elem(i->fd, &n, &nothing, BPF_EXIST);
}

void flows_clear(void)
{
	for (int i = 0; i < INNERS; i++)
		if (has_buckets(inners[i].name))
			clear_buckets(&inners[i]);
		else if (inners[i].type == BPF_MAP_TYPE_LRU_HASH)
			clear_hash(inners[i].fd, inners[i].key_size);
}
