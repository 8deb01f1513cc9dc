/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables of flows on maps of their own, and flows that have their number in them. */
#ifndef WEFT_UNIT_FLOW_TABLES_H
#define WEFT_UNIT_FLOW_TABLES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/flow_table.h"
#include "loader/flows.h"
#include "loader/inner.h"

#define SEED 0x1234567890abcdefull

union key {
	struct ct4_key v4;
	struct ct6_key v6;
};

static inline int make_map(int family, uint32_t max_flows)
{
	const struct inner_kind *k = &inner_kinds[family == FAMILY_IPV4 ? INNER_CT4 : INNER_CT6];
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = k->flags);
	int fd = bpf_map_create((enum bpf_map_type)k->type, k->name, k->key_size, k->value_size,
				flow_buckets(max_flows), &options);

	assert_true(fd >= 0);
	return fd;
}

static inline void open_table(struct flow_table *t, int fd, int family)
{
	struct error e = { 0 };

	if (flow_table_open(t, fd, family, SEED, "ct", &e))
		fail_msg("%s", e.text);
}

static inline void make_table(struct flow_table *t, int family, uint32_t max_flows)
{
	int fd = make_map(family, max_flows);

	open_table(t, fd, family);
	close(fd);
}

/* As they come: one client's ports one after the other, towards few servers. */
static inline union key key_of(int family, uint32_t n)
{
	union key key;

	memset(&key, 0, sizeof(key));
	if (family == FAMILY_IPV4)
		key.v4 = (struct ct4_key){ .low_address = 0x0a000001u + n / 50000,
					   .high_address = 0x0b000001u,
					   .low_port = (uint16_t)(n % 50000),
					   .high_port = 443,
					   .protocol = 6,
					   .used = FLOW_USED,
					   .zone = 3 };
	else
		key.v6 = (struct ct6_key){ .low_address = { 0xfd, 0, 0, 1 + n / 50000 },
					   .high_address = { 0xfd, 0, 0, 1 },
					   .low_port = (uint16_t)(n % 50000),
					   .high_port = 443,
					   .protocol = 6,
					   .used = FLOW_USED,
					   .zone = 3 };
	return key;
}

static inline struct flow flow_of(uint32_t n)
{
	return (struct flow){ .born = n,
			      .spill = 0xffff,
			      .first = 2,
			      .rule = n ^ 1,
			      .path = { { .target = n ^ 2 }, { .tcp = 3 } },
			      .tcp_max_window = { 4, 5 },
			      .dir = { { .packets = n }, { .packets = ~n } } };
}

static inline enum flow_put put(struct flow_table *t, uint32_t n)
{
	union key key = key_of(t->family, n);
	struct flow flow = flow_of(n);

	return flow_table_put(t, &key, &flow, NULL, NULL);
}

static inline bool get(const struct flow_table *t, uint32_t n, struct flow *flow)
{
	union key key = key_of(t->family, n);

	return flow_table_get(t, &key, flow);
}

static inline bool take_out(struct flow_table *t, uint32_t n)
{
	union key key = key_of(t->family, n);

	return flow_table_remove(t, &key);
}

static inline int append(const void *key, const struct flow *flow, void *arg)
{
	entries_add(arg, key, flow);
	return 0;
}

static inline void read_all(const struct flow_table *t, struct entries *list)
{
	__u64 key[CT6_KEY_WORDS];
	struct flow flow;
	size_t place = 0;

	entries_init(list, flow_key_size(t->family == FAMILY_IPV4 ? INNER_CT4 : INNER_CT6),
		     sizeof(struct flow));
	while (flow_table_next(t, &place, key, &flow))
		append(key, &flow, list);
}

/* What is in it, each once, and each found where it is looked for, with what was put in. */
static inline size_t check_all(const struct flow_table *t)
{
	struct entries list;
	size_t n;

	read_all(t, &list);
	entries_sort(&list);
	for (size_t i = 0; i < list.n; i++) {
		const struct flow *listed = entries_value(&list, i);
		union key key = key_of(t->family, listed->born);
		struct flow found;

		assert_memory_equal(entries_key(&list, i), &key, list.key_size);
		if (i)
			assert_memory_not_equal(entries_key(&list, i), entries_key(&list, i - 1),
						list.key_size);
		assert_true(flow_table_get(t, &key, &found));
		assert_memory_equal(listed, &found, sizeof(found));
		assert_int_equal(found.spill, 0);
		assert_true(found.rule == (listed->born ^ 1) && found.path[0].target == (listed->born ^ 2));
		assert_true(found.path[1].tcp == 3 && found.tcp_max_window[1] == 5);
		assert_int_equal(found.first, 2);
		assert_int_equal(found.dir[0].packets, listed->born);
		assert_int_equal(found.dir[1].packets, ~listed->born);
	}
	n = list.n;
	entries_free(&list);
	return n;
}

#endif
