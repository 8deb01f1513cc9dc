// SPDX-License-Identifier: BSD-2-Clause
/* Flows from one version of the maps to another: nothing is lost that both can say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "include/flow_versions.h"

/* What version 2 is, as long as it is the present one. */
#define SAME(field) _Static_assert(offsetof(struct flow, field) == offsetof(struct flow_2, field), #field)
#define SAME_DIR(field) _Static_assert(offsetof(struct flow_dir, field) == offsetof(struct flow_dir_2, field), #field)

#if WEFT_ABI == 2
SAME_DIR(packets);
SAME_DIR(bytes);
SAME_DIR(last_seen);
SAME_DIR(epoch);
SAME_DIR(target);
SAME_DIR(rule);
SAME_DIR(tcp_end);
SAME_DIR(tcp_max_end);
SAME_DIR(tcp_max_window);
SAME_DIR(tcp_scale);
SAME_DIR(tcp_state);
SAME_DIR(mac);
SAME_DIR(flags);
SAME_DIR(reason);
SAME_DIR(source);
SAME(dir[1]);
SAME(first);
SAME(first_code);
SAME(stamp);
SAME(nat);
SAME(born);
SAME(spare);
#endif

static struct flow_dir_1 direction(uint8_t salt)
{
	return (struct flow_dir_1){
		.packets = 0x0102030405060708ull + salt,
		.bytes = 0x1112131415161718ull + salt,
		.last_seen = 0x21222324u + salt,
		.epoch = 0x31323334u + salt,
		.target = 0x41424344u + salt,
		.rule = 0x51525354u + salt,
		.tcp_end = 0x61626364u + salt,
		.tcp_max_end = 0x71727374u + salt,
		.tcp_max_window = (uint16_t)(0x8182 + salt),
		.tcp_scale = (uint8_t)(7 + salt),
		.tcp_state = (uint8_t)(2 + salt),
		.mac = { 2, 3, 4, 5, 6, salt },
		.flags = FLOW_CLOSING,
		.reason = (uint8_t)(21 + salt),
		.source = 0x91929394u + salt,
	};
}

/* The first packet is told in the direction `original` alone. */
static struct flow_1 version_1(int original)
{
	struct flow_1 flow = { .dir = { direction(0), direction(9) } };

	flow.dir[original].flags |= FLOW_ORIGINAL;
	flow.dir[original].first = 0x12;
	flow.dir[original].first_code = 3;
	return flow;
}

static void there_and_back(void **state)
{
	(void)state;
	for (int original = 0; original < 2; original++) {
		struct flow_1 before = version_1(original), after;
		struct flow_2 between;

		memset(&after, 0xff, sizeof(after));
		memset(&between, 0xff, sizeof(between));
		flow_1_to_2(&before, &between, 77);
		flow_2_to_1(&between, &after);
		assert_memory_equal(&before, &after, sizeof(before));
	}
}

static void every_field(void **state)
{
	(void)state;
	for (int original = 0; original < 2; original++) {
		struct flow_1 old = version_1(original);
		struct flow_2 new;

		memset(&new, 0xff, sizeof(new));
		flow_1_to_2(&old, &new, 77);
		for (int i = 0; i < 2; i++) {
			const struct flow_dir_1 *a = &old.dir[i];
			const struct flow_dir_2 *b = &new.dir[i];

			assert_true(a->packets == b->packets && a->bytes == b->bytes && a->last_seen == b->last_seen);
			assert_true(a->epoch == b->epoch && a->target == b->target && a->rule == b->rule);
			assert_true(a->tcp_end == b->tcp_end && a->tcp_max_end == b->tcp_max_end);
			assert_true(a->tcp_max_window == b->tcp_max_window && a->tcp_scale == b->tcp_scale);
			assert_true(a->tcp_state == b->tcp_state && !memcmp(a->mac, b->mac, sizeof(a->mac)));
			assert_true(a->flags == b->flags && a->reason == b->reason && a->source == b->source);
		}
		assert_int_equal(new.first, 0x12);
		assert_int_equal(new.first_code, 3);
		assert_int_equal(new.stamp, 77);
		assert_int_equal(new.born, old.dir[original].epoch);
		assert_true(!new.pad && !new.nat && !new.spare);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(every_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
