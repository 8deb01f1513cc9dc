// SPDX-License-Identifier: BSD-2-Clause
/* What the command and the agent take out of a table of flows while it is in use. Needs root. */
#include "flow_tables.h"

struct swept {
	uint32_t asked, gone;
	struct flow_table *t;
	bool touch; /* a packet comes between the two looks */
};

static bool is_odd(uint8_t protocol, const struct flow *flow, void *arg)
{
	struct swept *s = arg;

	assert_int_equal(protocol, 6);
	s->asked++;
	if (flow->born % 2 && s->touch) {
		((struct flow *)flow)->born++;
		s->touch = false;
		return true;
	}
	return flow->born % 2;
}

static void note_gone(const void *key, const struct flow *flow, void *arg)
{
	union key wanted = key_of(FAMILY_IPV6, flow->born);
	struct swept *s = arg;

	assert_memory_equal(key, &wanted, sizeof(wanted.v6));
	s->gone++;
}

static void test_sweep(void **unused)
{
	struct swept s = { 0 };
	struct flow_sweep sweep = { is_odd, note_gone, &s };
	struct flow_table t;
	struct entries list;
	uint32_t in = 0, odd = 0, given = 0;
	size_t place = 0;

	(void)unused;
	make_table(&t, FAMILY_IPV6, 1000);
	s.t = &t;
	for (uint32_t n = 0; n < 900; n++)
		if (put(&t, n) == FLOW_PUT) {
			in++;
			odd += n % 2;
		}
	while (place < (size_t)t.buckets * FLOW_PLACES)
		given += flow_table_sweep(&t, &place, 64, &sweep);
	assert_int_equal(given, odd);
	assert_int_equal(s.gone, odd);
	assert_int_equal(check_all(&t), in - odd);
	assert_int_equal(flow_table_sweep(&t, &place, 64, &sweep), 0);
	/* What is not expired after all when it is claimed stays, and is found. */
	assert_int_equal(put(&t, 901), FLOW_PUT);
	s.touch = true;
	place = 0;
	assert_int_equal(flow_table_sweep(&t, &place, SIZE_MAX, &sweep), 0);
	assert_false(s.touch);
	read_all(&t, &list);
	assert_int_equal(list.n, in - odd + 1);
	entries_free(&list);
	assert_true(take_out(&t, 901));
	flow_table_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
