// SPDX-License-Identifier: BSD-2-Clause
/*
 * A table of flows read by who may only read it, while a place changes hands: reads of the kernel that give some of a place as
 * it was before, and some as it was after, in any order. Needs root.
 */
#include "flow_tables.h"

#include "loader/flow_scan.h"

#define READS 3

/* What a read finds in the table's first place: the flow whose key is there, and what else is there. 0: nothing. */
struct found {
	uint32_t key, head, tail; /* `tail`: its last direction */
};

static const struct found *reads;
static int done;

/* In place of libbpf's. */
int bpf_map_lookup_batch(int fd, void *in_batch, void *out_batch, void *keys, void *values,
			 __u32 *count, const struct bpf_map_batch_opts *opts)
{
	const struct found *f = &reads[done++];
	struct ct4_bucket *bucket = values;
	struct ct4_place *place = &bucket->place[0];

	(void)fd, (void)in_batch, (void)out_batch, (void)opts;
	assert_true(done <= READS);
	memset(bucket, 0, sizeof(*bucket));
	place->key = key_of(FAMILY_IPV4, f->key).v4;
	if (!f->key)
		place->key.used = FLOW_CLAIMED;
	place->flow = flow_of(f->head);
	place->flow.dir[1] = flow_of(f->tail).dir[1];
	/* Its packets go on meanwhile. */
	place->flow.dir[0].bytes = (uint32_t)done;
	*(uint32_t *)keys = 0;
	*count = 1;
	return 0;
}

static int note(const void *key, const struct flow *flow, void *arg)
{
	union key wanted = key_of(FAMILY_IPV4, flow->born);

	assert_memory_equal(key, &wanted.v4, sizeof(wanted.v4));
	assert_int_equal(flow->dir[0].packets, flow->born);
	assert_int_equal(flow->dir[1].packets, ~flow->born);
	++*(uint32_t *)arg;
	return 0;
}

static void test_place_changes_hands(void **unused)
{
	static const struct {
		const char *what;
		struct found reads[READS];
		uint32_t given;
	} cases[] = {
		{ "stays", { { 1, 1, 1 }, { 1, 1, 1 }, { 1, 1, 1 } }, 1 },
		{ "came, its end was read first", { { 1, 1, 2 }, { 1, 1, 1 }, { 1, 1, 1 } }, 1 },
		{ "came, its end was read last", { { 2, 2, 1 }, { 1, 1, 1 }, { 1, 1, 1 } }, 0 },
		{ "came in the second read", { { 2, 2, 2 }, { 1, 1, 2 }, { 1, 1, 1 } }, 0 },
		{ "went in the second read", { { 1, 1, 1 }, { 1, 1, 2 }, { 2, 2, 2 } }, 0 },
		{ "went in the last read", { { 1, 1, 1 }, { 1, 1, 1 }, { 2, 2, 1 } }, 0 },
		{ "went in the last read, its end first", { { 1, 1, 1 }, { 1, 1, 1 }, { 1, 1, 2 } }, 1 },
		{ "claimed in the first", { { 0, 1, 2 }, { 1, 1, 1 }, { 1, 1, 1 } }, 0 },
		{ "claimed in the second", { { 1, 1, 1 }, { 0, 2, 1 }, { 2, 2, 2 } }, 0 },
		{ "claimed in the last", { { 1, 1, 1 }, { 1, 1, 2 }, { 0, 2, 2 } }, 0 },
	};
	int fd = make_map(FAMILY_IPV4, 1);

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error e = { 0 };
		uint32_t given = 0;

		print_message("%s\n", cases[i].what);
		reads = cases[i].reads;
		done = 0;
		assert_int_equal(flow_scan(fd, FAMILY_IPV4, "ct4", note, &given, &e), 0);
		assert_int_equal(given, cases[i].given);
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_place_changes_hands) };

	return cmocka_run_group_tests_name("flow_scan", tests, NULL, NULL);
}
