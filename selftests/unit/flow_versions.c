// SPDX-License-Identifier: BSD-2-Clause
/* Flows from one version of the maps to another: nothing is lost that both can say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "include/flow_versions.h"

/* What version 4 is, as long as it is the present one. */
#define SAME(field) _Static_assert(offsetof(struct flow, field) == offsetof(struct flow_4, field), #field)
#define SAME_PATH(field) _Static_assert(offsetof(struct flow_path, field) == offsetof(struct flow_path_4, field), #field)
#define SAME_DIR(field) _Static_assert(offsetof(struct flow_dir, field) == offsetof(struct flow_dir_4, field), #field)

#if WEFT_ABI == 4
SAME_PATH(epoch);
SAME_PATH(source);
SAME_PATH(target);
SAME_PATH(mac);
SAME_PATH(flags);
SAME_PATH(tcp);
SAME_DIR(packets);
SAME_DIR(bytes);
SAME_DIR(packets_high);
SAME_DIR(bytes_high);
SAME_DIR(last_seen);
SAME_DIR(tcp_end);
SAME_DIR(tcp_max_end);
SAME_DIR(tcp_max_ack);
SAME(spill);
SAME(first);
SAME(first_code);
SAME(rule);
SAME(path[1]);
SAME(born);
SAME(tcp_max_window[1]);
SAME(dir[1]);
_Static_assert(sizeof(struct flow) == sizeof(struct flow_4), "struct flow");
#endif

#define RULE 0x51525354u

static struct flow_dir_2 direction(uint8_t salt)
{
	return (struct flow_dir_2){
		.packets = 0x060708090a0bull + salt,
		.bytes = 0x161718191a1bull + salt,
		.last_seen = 0x21222324u + salt,
		.epoch = 0x31323334u + salt,
		.target = 0x41424344u + salt,
		.rule = RULE,
		.tcp_end = 0x61626364u + salt,
		.tcp_state = (uint8_t)(1 + salt / 3),
		.mac = { 2, 3, 4, 5, 6, salt },
		.flags = FLOW_CLOSING,
		.source = 0x91929394u + salt,
	};
}

static struct flow_2 version_2(int original)
{
	struct flow_2 flow = { .dir = { direction(0), direction(9) }, .first = 0x12, .first_code = 3, .stamp = 77, .born = 0xa1a2a3a4u };

	flow.dir[original].flags |= FLOW_ORIGINAL;
	return flow;
}

/* What packets of a direction are denied for, on their way to where those of the other come from. */
static void deny(struct flow_2 *flow, int direction, uint8_t reason)
{
	flow->dir[direction].flags |= FLOW_DENIED | FLOW_REJECT;
	flow->dir[direction].reason = reason;
	flow->dir[direction].target = flow->dir[!direction].source;
}

static void there_and_back(void **state)
{
	(void)state;
	for (int n = 0; n < 8; n++) {
		struct flow_2 before = version_2(n & 1), after;
		struct flow_4 between;

		if (n & 2)
			deny(&before, 0, 21);
		if (n & 4)
			deny(&before, 1, 200);
		memset(&after, 0xff, sizeof(after));
		memset(&between, 0xff, sizeof(between));
		flow_2_to_4(&before, &between);
		flow_4_to_2(&between, &after, 77);
		assert_memory_equal(&before, &after, sizeof(before));
	}
}

static void same_direction(const struct flow_2 *old, const struct flow_4 *new, int i)
{
	const struct flow_dir_2 *a = &old->dir[i];
	const struct flow_path_4 *path = &new->path[i];
	const struct flow_dir_4 *b = &new->dir[i];
	struct flow_dir now;

	memcpy(&now, b, sizeof(now));
	assert_true(a->packets == flow_packets(&now) && a->bytes == flow_bytes(&now));
	assert_true(a->last_seen == b->last_seen && a->epoch == path->epoch && a->source == path->source);
	assert_true(a->tcp_end == b->tcp_end && !memcmp(a->mac, path->mac, sizeof(a->mac)));
	assert_true(a->tcp_state == FLOW_TCP_HALF(path->tcp));
	/* No windows were known: all that was sent counts as acknowledged and allowed, and nothing is dropped for it. */
	assert_true(b->tcp_max_ack == old->dir[!i].tcp_end && b->tcp_max_end == old->dir[!i].tcp_end);
	assert_true(!new->tcp_max_window[i] && FLOW_TCP_SCALE(path->tcp) == FLOW_TCP_SCALE_MAX);
	assert_int_equal(a->flags | FLOW_LIBERAL, path->flags);
	assert_true(path->target == (a->flags & FLOW_DENIED ? a->reason : a->target));
}

static void every_field(void **state)
{
	(void)state;
	for (int original = 0; original < 2; original++) {
		struct flow_2 old = version_2(original);
		struct flow_4 new;

		deny(&old, 1, 21);
		old.dir[!original].rule = 7;
		memset(&new, 0xff, sizeof(new));
		flow_2_to_4(&old, &new);
		same_direction(&old, &new, 0);
		same_direction(&old, &new, 1);
		assert_int_equal(new.rule, RULE);
		assert_int_equal(new.born, old.born);
		assert_int_equal(new.spill, 0);
		assert_int_equal(new.first, 0x12);
		assert_int_equal(new.first_code, 3);
	}
}

/* Other protocols have none of that. */
static void not_tcp(void **state)
{
	struct flow_2 old = version_2(0);
	struct flow_4 new;

	(void)state;
	old.dir[0].tcp_state = old.dir[1].tcp_state = 0;
	old.dir[0].tcp_end = old.dir[1].tcp_end = 0;
	flow_2_to_4(&old, &new);
	for (int i = 0; i < 2; i++)
		assert_true(!new.path[i].tcp && new.path[i].flags == old.dir[i].flags && !new.dir[i].tcp_max_ack &&
			    !new.dir[i].tcp_max_end && !new.tcp_max_window[i]);
}

static void keys(void **state)
{
	union {
		struct ct4_key key;
		uint64_t words[CT4_KEY_WORDS];
	} two = { .key = { 1, 2, 3, 4, 17, 0, 0xabcd } }, three = two;

	(void)state;
	three.key.used = FLOW_USED;
	assert_true(FLOW_KEY_END_4(two.words[1]) == three.words[1]);
	assert_true(FLOW_KEY_END_2(three.words[1]) == two.words[1]);
	assert_true(FLOW_KEY_END_4(three.words[1]) == three.words[1]);
	assert_true(FLOW_KEY_END_2(two.words[1]) == two.words[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(every_field),
		cmocka_unit_test(not_tcp),
		cmocka_unit_test(keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
