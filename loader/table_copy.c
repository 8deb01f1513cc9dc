// SPDX-License-Identifier: BSD-2-Clause
#define _GNU_SOURCE 1 /* qsort_r */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "include/flow.h"
#include "loader/alloc.h"
#include "loader/entries.h"
#include "loader/table_copy.h"

/* Both directions' last packet; jiffies wrap, so only differences count. */
static uint32_t last_seen(const struct flow *flow)
{
	uint32_t a = flow->dir[0].last_seen, b = flow->dir[1].last_seen;

	/* A direction that has seen nothing has no time either. */
	if (!flow->dir[0].packets)
		return b;
	if (!flow->dir[1].packets)
		return a;
	return (int32_t)(a - b) > 0 ? a : b;
}

static int older_first(const void *a, const void *b, void *arg)
{
	const struct entries *list = arg;
	uint32_t x = last_seen(entries_value(list, *(const size_t *)a));
	uint32_t y = last_seen(entries_value(list, *(const size_t *)b));

	return (int32_t)(x - y) < 0 ? -1 : x != y;
}

size_t *table_order(struct entries *list)
{
	size_t *order = alloc_zero(list->n, sizeof(*order));

	for (size_t i = 0; i < list->n; i++)
		order[i] = i;
	qsort_r(order, list->n, sizeof(*order), older_first, list);
	return order;
}

static size_t key_size(enum inner kind)
{
	bool six = kind == INNER_CT6 || kind == INNER_HALF6 || kind == INNER_RECENT6;

	return six ? sizeof(struct ct6_key) : sizeof(struct ct4_key);
}

int table_copy(int from, int to, enum inner kind, struct error *e)
{
	struct entries list;
	size_t *order;
	int failed;

	entries_init(&list, key_size(kind), sizeof(struct flow));
	failed = map_read(from, inner_kinds[kind].name, &list, e);
	order = table_order(&list);
	for (size_t i = list.n; !failed && i-- > 0;) {
		if (!bpf_map_update_elem(to, entries_key(&list, order[i]),
					 entries_value(&list, order[i]), BPF_NOEXIST) ||
		    errno == EEXIST)
			continue;
		if (errno == E2BIG)
			break; /* full: what is left was unseen for longest */
		failed = error_set(e, EXIT_REFUSED, "map %s: a flow cannot be copied: %s",
				   inner_kinds[kind].name, strerror(errno));
	}
	free(order);
	entries_free(&list);
	return failed;
}

union queued_key {
	struct ct4_key v4;
	struct ct6_key v6;
};

/* As the programs queue a key: with the stamp of its flow. */
static void stamp_key(union queued_key *key, enum inner kind, const void *of, __u8 stamp)
{
	memcpy(key, of, key_size(kind));
	if (kind == INNER_RECENT6)
		key->v6.pad = stamp;
	else
		key->v4.pad = stamp;
}

int table_queue_keys(int from, int to, enum inner kind, struct error *e)
{
	union queued_key key;
	struct entries list;
	size_t *order;
	int failed;

	entries_init(&list, key_size(kind), sizeof(struct flow));
	failed = map_read(from, inner_kinds[kind].name, &list, e);
	order = table_order(&list);
	/* A ring that is full has enough to look at. */
	for (size_t i = 0; !failed && i < list.n; i++) {
		const struct flow *flow = entries_value(&list, order[i]);

		stamp_key(&key, kind, entries_key(&list, order[i]), flow->stamp);
		if (bpf_map_update_elem(to, NULL, &key, BPF_ANY))
			break;
	}
	free(order);
	entries_free(&list);
	return failed;
}
