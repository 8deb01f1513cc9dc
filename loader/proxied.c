// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "include/flow_table.h"
#include "include/syn_proxy.h"
#include "loader/inner.h"
#include "loader/proxied.h"

static int failed(struct error *e)
{
	return error_set(e, EXIT_REFUSED, "map %s: a record cannot be copied: %s",
			 inner_kinds[INNER_PROXIED].name, strerror(errno));
}

/* Its place in the bucket, or NULL. */
static struct proxied *place_of(struct proxied_bucket *b, const struct proxied *record)
{
	for (int i = 0; i < PROXIED_PLACES; i++)
		if (b->place[i].used == PROXIED_USED &&
		    !memcmp(b->place[i].key, record->key, sizeof(record->key)))
			return &b->place[i];
	return NULL;
}

static struct proxied *free_place(struct proxied_bucket *b)
{
	for (int i = 0; i < PROXIED_PLACES; i++)
		if (b->place[i].used == PROXIED_FREE)
			return &b->place[i];
	return NULL;
}

/*
 * Has the record moved on since it was copied? Of one connection the workload's answer is all that counts; of two with one
 * key the later.
 */
static bool is_newer(const struct proxied *record, const struct proxied *copy)
{
	if (record->cookie == copy->cookie && record->isn == copy->isn)
		return record->ready && !copy->ready;
	return (int32_t)(record->seen - copy->seen) > 0;
}

static int put(int to, uint32_t buckets, uint64_t seed, const struct proxied *record,
	       struct error *e)
{
	uint64_t hash = flow_hash(record->key, 5, seed);
	struct proxied_bucket value[2];
	struct proxied *place = NULL;
	uint32_t bucket[2], i;

	for (i = 0; i < 2; i++) {
		bucket[i] = proxied_bucket(hash, i, buckets);
		if (bpf_map_lookup_elem(to, &bucket[i], &value[i]))
			return failed(e);
	}
	for (i = 0; i < 2 && !place; i++)
		place = place_of(&value[i], record);
	if (place && !is_newer(record, place))
		return 0;
	if (!place)
		for (i = 0; i < 2 && !place; i++)
			place = free_place(&value[i]);
	if (!place)
		return 0;
	i--; /* the bucket that it was found in */
	*place = *record;
	return bpf_map_update_elem(to, &bucket[i], &value[i], BPF_EXIST) ? failed(e) : 0;
}

/* Nobody takes out what is not needed any more: to a smaller table it would leave no room for what is. */
static bool is_needed(const struct proxied *record, const struct tenant *t, uint32_t now)
{
	return record->used == PROXIED_USED && !proxied_is_over(record, t->timeout, now);
}

int proxied_copy(int from, int to, const struct tenant *t, uint32_t now, struct error *e)
{
	uint32_t id, had, buckets;

	if (inner_info(from, &id, &had) || inner_info(to, &id, &buckets))
		return failed(e);
	for (uint32_t i = 0; i < had; i++) {
		struct proxied_bucket value;

		if (bpf_map_lookup_elem(from, &i, &value))
			return failed(e);
		for (int k = 0; k < PROXIED_PLACES; k++)
			if (is_needed(&value.place[k], t, now) &&
			    put(to, buckets, t->seed, &value.place[k], e))
				return -1;
	}
	return 0;
}

bool proxied_in_use(int fd, const struct tenant *t, uint32_t now)
{
	uint32_t id, buckets;

	if (inner_info(fd, &id, &buckets))
		return false;
	for (uint32_t i = 0; i < buckets; i++) {
		struct proxied_bucket value;

		if (bpf_map_lookup_elem(fd, &i, &value))
			return false;
		for (int k = 0; k < PROXIED_PLACES; k++)
			if (is_needed(&value.place[k], t, now))
				return true;
	}
	return false;
}
