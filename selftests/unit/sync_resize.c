// SPDX-License-Identifier: BSD-2-Clause
/* A tenant's flows, when its table gets another size. */
#include "sync_root.h"

#include "loader/flow_table.h"

/* The tenant's table as it is now. */
static void open_flows(struct flow_table *t)
{
	int fd = inner_open(&root, "red", INNER_CT4);
	struct error e = { 0 };

	assert_true(fd >= 0);
	if (flow_table_open(t, fd, FAMILY_IPV4, tenant_at(0).seed, true, "ct4", &e))
		fail_msg("%s", e.text);
	close(fd);
}

static struct ct4_key flow_key(uint8_t n)
{
	return (struct ct4_key){ .low_address = n, .protocol = 6, .used = FLOW_USED };
}

static void add_flow(struct flow_table *t, uint8_t n)
{
	struct ct4_key key = flow_key(n);
	struct flow flow = { .dir = { { .packets = n, .last_seen = 0xffffff80u + n } } };

	assert_int_equal(flow_table_put(t, &key, &flow, NULL, NULL), FLOW_PUT);
}

/* How many of the flows from..100 are found. */
static uint32_t found(const struct flow_table *t, uint8_t from)
{
	uint32_t n = 0;

	for (uint8_t i = from; i <= 100; i++) {
		struct ct4_key key = flow_key(i);
		struct flow flow;

		if (!flow_table_get(t, &key, &flow))
			continue;
		assert_int_equal(flow.dir[0].packets, i);
		n++;
	}
	return n;
}

/* A table of another size takes the flows along; one that is smaller, those that were seen last. */
static void test_resize(void **unused)
{
	struct flow_table t;
	struct state state;
	uint64_t seed;

	(void)unused;
	apply(lab, &state);
	state_free(&state);
	seed = tenant_at(0).seed;
	assert_int_not_equal(seed, 0);
	open_flows(&t);
	assert_int_equal(t.buckets, flow_buckets(128));
	for (uint8_t i = 1; i <= 100; i++)
		add_flow(&t, i);
	flow_table_close(&t);
	reapply("max_flows: 128", "max_flows: 4096");
	open_flows(&t);
	assert_int_equal(t.buckets, flow_buckets(4096));
	assert_int_equal(found(&t, 1), 100);
	flow_table_close(&t);
	/* What it is made for, and up to a quarter more; of a few more nobody knows who finds a place. */
	reapply("max_flows: 128", "max_flows: 64");
	open_flows(&t);
	assert_in_range(found(&t, 1), 64, 80);
	assert_in_range(found(&t, 37), 63, 64);
	flow_table_close(&t);
	assert_true(tenant_at(0).seed == seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_resize, make_root, drop_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
