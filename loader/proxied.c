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

/* Its place in the bucket, or a free one; NULL if it is there already, or there is none. */
static struct proxied *place_in(struct proxied_bucket *b, const struct proxied *record, bool *there)
{
	struct proxied *found = NULL;

	for (int i = 0; i < PROXIED_PLACES; i++) {
		struct proxied *place = &b->place[i];

		if (place->used == PROXIED_USED &&
		    !memcmp(place->key, record->key, sizeof(record->key)))
			*there = true;
		else if (place->used == PROXIED_FREE && !found)
			found = place;
	}
	return *there ? NULL : found;
}

static int put(int to, uint32_t buckets, uint64_t seed, const struct proxied *record,
	       struct error *e)
{
	uint64_t hash = flow_hash(record->key, 5, seed);
	bool there = false;

	for (uint32_t i = 0; i < 2 && !there; i++) {
		uint32_t bucket = proxied_bucket(hash, i, buckets);
		struct proxied_bucket value;
		struct proxied *place;

		if (bpf_map_lookup_elem(to, &bucket, &value))
			return failed(e);
		place = place_in(&value, record, &there);
		if (!place)
			continue;
		*place = *record;
		return bpf_map_update_elem(to, &bucket, &value, BPF_EXIST) ? failed(e) : 0;
	}
	return 0;
}

int proxied_copy(int from, int to, uint64_t seed, struct error *e)
{
	uint32_t id, had, buckets;

	if (inner_info(from, &id, &had) || inner_info(to, &id, &buckets))
		return failed(e);
	for (uint32_t i = 0; i < had; i++) {
		struct proxied_bucket value;

		if (bpf_map_lookup_elem(from, &i, &value))
			return failed(e);
		for (int k = 0; k < PROXIED_PLACES; k++)
			if (value.place[k].used == PROXIED_USED &&
			    put(to, buckets, seed, &value.place[k], e))
				return -1;
	}
	return 0;
}
