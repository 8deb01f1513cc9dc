// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loader/alloc.h"
#include "loader/flow_scan.h"
#include "loader/flow_table.h"

#define AT_ONCE 512 /* buckets: 256 KB, or 320 */

/* A piece of the table, as a table of its own. */
struct piece {
	struct flow_table table;
	unsigned char *again;
};

static int read_buckets(int fd, uint32_t first, uint32_t n, void *to)
{
	uint32_t keys[AT_ONCE], before = first - 1, last, got = n;

	if (bpf_map_lookup_batch(fd, first ? &before : NULL, &last, keys, to, &got, NULL) &&
	    errno != ENOENT)
		return -1;
	return got == n && keys[0] == first ? 0 : -1;
}

/* What has not the same key in both is left out. */
static void drop_changed(struct piece *p, uint32_t n)
{
	size_t words = p->table.family == FAMILY_IPV4 ? CT4_KEY_WORDS : CT6_KEY_WORDS;
	size_t size = flow_bucket_size(p->table.family) / FLOW_PLACES;

	for (size_t i = 0; i < (size_t)n * FLOW_PLACES; i++) {
		__u64 *place = (__u64 *)(p->table.places + i * size);

		if (memcmp(place, p->again + i * size, words * sizeof(*place)))
			place[words - 1] = 0;
	}
}

/*
 * Nobody says in which order the kernel reads a place, nor that it does so at once. So the flow is what was read after the
 * key had been read, and before it was read again: in the second of three reads.
 */
static int read_piece(struct piece *p, int fd, uint32_t first, uint32_t n)
{
	p->table.buckets = n;
	if (read_buckets(fd, first, n, p->again) || read_buckets(fd, first, n, p->table.places))
		return -1;
	drop_changed(p, n);
	if (read_buckets(fd, first, n, p->again))
		return -1;
	drop_changed(p, n);
	return 0;
}

static int visit_piece(const struct piece *p, flow_visit_fn *visit, void *arg)
{
	__u64 key[CT6_KEY_WORDS];
	size_t place = 0;
	struct flow flow;
	int stop = 0;

	while (!stop && flow_table_next(&p->table, &place, key, &flow))
		stop = visit(key, &flow, arg);
	return stop;
}

int flow_scan(int fd, int family, const char *name, flow_visit_fn *visit, void *arg,
	      struct error *e)
{
	struct piece p = { .table.family = family };
	uint32_t buckets;
	int stop = 0;

	if (flow_table_info(fd, family, &buckets, name, e))
		return -1;
	p.table.places = alloc_zero(AT_ONCE, flow_bucket_size(family));
	p.again = alloc_zero(AT_ONCE, flow_bucket_size(family));
	for (uint32_t at = 0, n; at < buckets && !stop; at += n) {
		n = buckets - at < AT_ONCE ? buckets - at : AT_ONCE;
		stop = read_piece(&p, fd, at, n)
			       ? error_set(e, EXIT_REFUSED, "map %s: cannot be read: %s", name,
					   strerror(errno))
			       : visit_piece(&p, visit, arg);
	}
	free(p.table.places);
	free(p.again);
	return stop;
}
