// SPDX-License-Identifier: BSD-2-Clause
#define _GNU_SOURCE 1 /* qsort_r */
#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "loader/alloc.h"
#include "loader/flow_table.h"
#include "loader/flows.h"
#include "loader/table_copy.h"

/* Both directions' last packet; jiffies wrap, so only differences count. */
static uint32_t last_seen(const struct flow *flow)
{
	uint32_t a = flow->dir[0].last_seen, b = flow->dir[1].last_seen;

	/* A direction that has seen nothing has no time either. */
	if (!flow_packets(&flow->dir[0]))
		return b;
	if (!flow_packets(&flow->dir[1]))
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

static int copy_half_open(int to, enum inner kind, const struct entries *list, const size_t *order,
			  struct error *e)
{
	for (size_t i = list->n; i-- > 0;) {
		if (!bpf_map_update_elem(to, entries_key(list, order[i]),
					 entries_value(list, order[i]), BPF_NOEXIST) ||
		    errno == EEXIST)
			continue;
		if (errno == E2BIG)
			break; /* full: what is left was unseen for longest */
		return error_set(e, EXIT_REFUSED, "map %s: a flow cannot be copied: %s",
				 inner_kinds[kind].name, strerror(errno));
	}
	return 0;
}

/* While packets lead a connection on elsewhere nobody is to drop them here by windows of before. */
static struct flow made_liberal(const struct flow *flow)
{
	struct flow liberal = *flow;

	liberal.path[0].flags |= FLOW_LIBERAL;
	liberal.path[1].flags |= FLOW_LIBERAL;
	return liberal;
}

static int copy_established(int to, enum inner kind, uint64_t seed, bool swapped,
			    const struct entries *list, const size_t *order, struct error *e)
{
	struct flow_table t;

	if (flow_table_open(&t, to, flow_family(kind), seed, inner_kinds[kind].name, e))
		return -1;
	/* Where there is no room for one there may be for the next. */
	for (size_t i = list->n; i-- > 0;) {
		const void *key = entries_key(list, order[i]);
		struct flow flow = *(const struct flow *)entries_value(list, order[i]);

		if (!swapped && flow_protocol_of(key, kind) == IPPROTO_TCP)
			flow = made_liberal(&flow);
		/* There since the first copy: packets have led it on in the old table until the swap. */
		if (flow_table_put(&t, key, &flow, NULL, NULL) == FLOW_PUT_THERE && swapped)
			flow_table_catch_up(&t, key, &flow);
	}
	flow_table_close(&t);
	return 0;
}

int table_copy(int from, int to, enum inner kind, uint64_t seed, bool swapped, struct error *e)
{
	struct entries list;
	size_t *order;
	int failed;

	entries_init(&list, flow_key_size(kind), sizeof(struct flow));
	failed = flows_read_table(from, kind, &list, e);
	order = table_order(&list);
	if (!failed)
		failed = flow_is_half_open(kind)
				 ? copy_half_open(to, kind, &list, order, e)
				 : copy_established(to, kind, seed, swapped, &list, order, e);
	free(order);
	entries_free(&list);
	return failed;
}
