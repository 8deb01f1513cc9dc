// SPDX-License-Identifier: BSD-2-Clause
/*
 * A table that gets another size: its flows are copied before the new one takes its place and once more after it, and what
 * packets have said in between is not lost. Needs root.
 */
#include "flow_tables.h"

#include "include/flow_state.h"
#include "loader/table_copy.h"

static union key key_for(int family, uint8_t protocol)
{
	union key key = key_of(family, 7);

	*(family == FAMILY_IPV4 ? &key.v4.protocol : &key.v6.protocol) = protocol;
	return key;
}

/* Both halves: `state`; both ends have said as much as `said`. */
static struct flow flow_at(uint8_t state, uint32_t said)
{
	struct flow f = { .rule = 5 };

	for (int end = 0; end < 2; end++) {
		f.path[end].tcp = state;
		f.dir[end] = (struct flow_dir){ .packets = 1, .tcp_end = said, .tcp_max_end = said + 10, .tcp_max_ack = said };
		f.tcp_max_window[end] = (uint16_t)said;
	}
	return f;
}

static void copy(int from, int to, int family, bool swapped)
{
	struct error e = { 0 };

	if (table_copy(from, to, family == FAMILY_IPV4 ? INNER_CT4 : INNER_CT6, SEED, swapped, &e))
		fail_msg("%s", e.text);
}

/* A flow in an old table that goes on after the first copy; what the new one has after the second. */
static struct flow moved(int family, uint8_t protocol, const struct flow *first, const struct flow *then,
			 const struct flow *beside)
{
	int from = make_map(family, 64), to = make_map(family, 256);
	union key key = key_for(family, protocol);
	struct flow_table old, new;
	struct flow found;

	open_table(&old, from, family);
	open_table(&new, to, family);
	assert_int_equal(flow_table_put(&old, &key, first, NULL, NULL), FLOW_PUT);
	copy(from, to, family, false);
	assert_true(flow_table_get(&new, &key, &found));
	assert_true(flow_table_remove(&old, &key));
	assert_int_equal(flow_table_put(&old, &key, then, NULL, NULL), FLOW_PUT);
	if (beside) {
		assert_true(flow_table_remove(&new, &key));
		assert_int_equal(flow_table_put(&new, &key, beside, NULL, NULL), FLOW_PUT);
	}
	copy(from, to, family, true);
	assert_true(flow_table_get(&new, &key, &found));
	flow_table_close(&old);
	flow_table_close(&new);
	close(from);
	close(to);
	return found;
}

static const int families[] = { FAMILY_IPV4, FAMILY_IPV6 };

static void windows_go_on(void **state)
{
	struct flow first = flow_at(TCP_HALF_ESTABLISHED, 100), then = flow_at(TCP_HALF_ESTABLISHED, 900), found;

	(void)state;
	for (int i = 0; i < 2; i++) {
		found = moved(families[i], FLOW_PROTOCOL_TCP, &first, &then, NULL);
		assert_int_equal(found.dir[0].tcp_end, 900);
		assert_int_equal(found.dir[1].tcp_max_end, 910);
		assert_int_equal(found.dir[1].tcp_max_ack, 900);
		assert_int_equal(found.tcp_max_window[0], 900);
		/* Where packets have led it on in the new table already, that stays. */
		found = moved(families[i], FLOW_PROTOCOL_TCP, &first, &first, &then);
		assert_int_equal(found.dir[0].tcp_end, 900);
		assert_int_equal(found.dir[1].tcp_max_ack, 900);
	}
}

static void states_go_on(void **state)
{
	static const struct {
		uint8_t protocol, before, after;
	} cases[] = {
		{ FLOW_PROTOCOL_TCP, TCP_HALF_ESTABLISHED, TCP_HALF_FIN },
		{ FLOW_PROTOCOL_UDP, 0, FLOW_ASSURED },
		{ FLOW_PROTOCOL_SCTP, SCTP_ESTABLISHED, SCTP_SHUTDOWN_SENT },
		{ FLOW_PROTOCOL_SCTP, SCTP_SHUTDOWN_ACK_SENT, SCTP_CLOSED },
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
		struct flow first = flow_at(cases[i / 2].before, 100), then = flow_at(cases[i / 2].after, 100), found;

		found = moved(families[i & 1], cases[i / 2].protocol, &first, &then, NULL);
		assert_int_equal(FLOW_TCP_HALF(found.path[0].tcp), cases[i / 2].after);
		assert_int_equal(FLOW_TCP_HALF(found.path[1].tcp), cases[i / 2].after);
		found = moved(families[i & 1], cases[i / 2].protocol, &first, &first, &then);
		assert_int_equal(FLOW_TCP_HALF(found.path[0].tcp), cases[i / 2].after);
	}
}

/* What other protocols keep where TCP has its numbers are no numbers: the larger is not the later. */
static void tags_stay(void **state)
{
	struct flow first = flow_at(SCTP_ESTABLISHED, 900), found;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct flow then = flow_at(SCTP_ESTABLISHED, 100);

		found = moved(families[i], FLOW_PROTOCOL_SCTP, &first, &first, &then);
		assert_int_equal(found.dir[0].sctp_tag, then.dir[0].sctp_tag);
		assert_int_equal(found.dir[1].sctp_first_tag, then.dir[1].sctp_first_tag);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_go_on),
		cmocka_unit_test(states_go_on),
		cmocka_unit_test(tags_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
