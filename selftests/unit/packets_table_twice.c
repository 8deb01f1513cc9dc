// SPDX-License-Identifier: BSD-2-Clause
/*
 * What two processors leave in a table when both begin the same flow at once: each has put it in, and each then
 * looks whether the other has. Here the other's is put in by hand, where the packet's first look does not find it.
 */
#include <bpf/bpf.h>

#include "include/flow_table.h"
#include "selftests/unit/lib/world.h"

/* Two buckets: the home of a flow, and the one step that it may go from there. */
enum { BUCKETS = 2, PLACE_MAX = sizeof(struct ct6_place) };

struct lab {
	const char *table;
	int family;
	size_t place_size, key_size, flow_at;
	uint8_t key[40];
	uint32_t home, first; /* of that key */
	uint8_t buckets[BUCKETS][FLOW_PLACES][PLACE_MAX];
};

static void send_to(enum flavour flavour, struct packet p, enum outcome outcome, enum drop_reason reason)
{
	struct frame f = packet_frame(p);

	expect(HOOK_PORT, flavour, p.from == A ? DEVICE_A : DEVICE_B, &f, outcome, reason);
}

static void send_one(enum flavour flavour, struct packet p)
{
	send_to(flavour, p, SENT, DROP_NONE);
}

static uint64_t hash_of(const struct lab *l)
{
	__u64 words[CT6_KEY_WORDS];

	memcpy(words, l->key, l->key_size);
	return flow_hash(words, (int)(l->key_size / 8), world_tenant().seed);
}

static void put(struct lab *l, uint32_t bucket, uint32_t place, const void *key, const struct flow *f)
{
	uint8_t *at = l->buckets[bucket][place % FLOW_PLACES];

	memcpy(at, key, l->key_size);
	memcpy(at + l->flow_at, f, sizeof(*f));
}

/* Places stand one behind the other without a gap. */
static void write_table(const struct lab *l)
{
	for (uint32_t b = 0; b < BUCKETS; b++) {
		uint8_t bucket[FLOW_PLACES * PLACE_MAX];

		for (int i = 0; i < FLOW_PLACES; i++)
			memcpy(bucket + i * l->place_size, l->buckets[b][i], l->place_size);
		assert_int_equal(bpf_map_update_elem(inner_fd(l->table), &b, bucket, BPF_EXIST), 0);
	}
}

static struct lab lab_open(void **state, int family)
{
	struct acl_entry in = { .direction = TO_WORKLOAD, .action = ACL_ALLOW, .port = 2 + 1, ACL_ALL };
	struct lab l = {
		.table = family == 4 ? "ct4" : "ct6",
		.family = family,
		.place_size = family == 4 ? sizeof(struct ct4_place) : sizeof(struct ct6_place),
		.key_size = family == 4 ? sizeof(struct ct4_key) : sizeof(struct ct6_key),
		.flow_at = family == 4 ? offsetof(struct ct4_place, flow) : offsetof(struct ct6_place, flow),
	};

	world_reset(state);
	acl_put(&in, 1);
	inner_resize(l.table, BUCKETS);
	return l;
}

/* Where the flow of the key would be are four others, that stay. */
static void home_is_full(struct lab *l, const struct flow *f)
{
	uint8_t other[40];

	l->home = flow_bucket(hash_of(l), 0, BUCKETS);
	l->first = flow_place(hash_of(l));
	for (uint8_t i = 0; i < FLOW_PLACES; i++) {
		memcpy(other, l->key, l->key_size);
		other[0] ^= i + 1;
		put(l, l->home, i, other, f);
	}
}

/* At home are four that stay; the same flow is a step away already, `behind` the place where the packet will put its own. */
static void other_was_there(struct lab *l, enum flavour flavour, uint32_t behind)
{
	struct flow f;

	send_one(flavour, (struct packet){ A, B, l->family, UDP, 1000, 53 });
	send_one(flavour, (struct packet){ B, A, l->family, UDP, 53, 1000 });
	f = flow_only(l->table, l->key);
	f.spill = 0;
	home_is_full(l, &f);
	put(l, flow_bucket(hash_of(l), 1, BUCKETS), l->first + behind, l->key, &f);
	write_table(l);
}

static void twice(void **state)
{
	for (int family = 4; family <= 6; family += 2)
		for_each_flavour(flavour)
			for (uint32_t behind = 0; behind < FLOW_PLACES; behind++) {
				struct lab l = lab_open(state, family);
				uint64_t made;
				struct flow f;

				world_case(behind ? "the other is behind" : "the other is before", flavour);
				other_was_there(&l, flavour, behind);
				made = tenant_counted().flows;
				send_one(flavour, (struct packet){ A, B, family, UDP, 1000, 53 });
				case_assert(flow_count(l.table) == FLOW_PLACES + 1);
				case_assert(flow_get(l.table, l.key, &f));
				/* The one that is met first stays: the other's, with what it has seen, or the packet's own. */
				case_assert(f.dir[0].packets + f.dir[1].packets == (behind ? 1 : 3));
				case_assert(tenant_counted().flows == made + (behind ? 1 : 0));
				send_one(flavour, (struct packet){ B, A, family, UDP, 53, 1000 });
				case_assert(flow_count(l.table) == FLOW_PLACES + 1);
			}
}

/*
 * The client's ACK has established the connection on the other processor while its first data was looked at here, as a part
 * of the handshake still: what may be acknowledged is known of the connection.
 */
static void established_twice(void **state)
{
	for (int family = 4; family <= 6; family += 2)
		for_each_flavour(flavour)
			for (uint32_t behind = 0; behind < FLOW_PLACES; behind++) {
				struct lab l = lab_open(state, family);
				const char *half = family == 4 ? "half4" : "half6";
				struct flow f;

				world_case(behind ? "the other is behind" : "the other is before", flavour);
				send_one(flavour, (struct packet){ A, B, family, TCP, 1000, 80, SYN, 100 });
				send_one(flavour, (struct packet){ B, A, family, TCP, 80, 1000, SYN | ACK, 500, 101 });
				f = flow_only(half, l.key);
				f.path[0].tcp = f.path[1].tcp = FLOW_TCP(TCP_HALF_ESTABLISHED, 0);
				f.dir[0].tcp_max_ack = 501;
				home_is_full(&l, &f);
				put(&l, flow_bucket(hash_of(&l), 1, BUCKETS), l.first + behind, l.key, &f);
				write_table(&l);
				send_one(flavour, (struct packet){ A, B, family, TCP, 1000, 80, ACK, 101, 501, 1000 });
				case_assert(!flow_count(half) && flow_count(l.table) == FLOW_PLACES + 1);
				send_one(flavour, (struct packet){ B, A, family, TCP, 80, 1000, ACK, 501, 1101 });
			}
}

/* A place that another processor is about to fill is not taken, though nobody's flow is in it yet. */
static void claimed(void **state)
{
	for (int family = 4; family <= 6; family += 2)
		for_each_flavour(flavour)
		{
			struct lab l = lab_open(state, family);
			__u64 words[CT6_KEY_WORDS];
			uint8_t *other = (uint8_t *)words;
			struct flow f;

			world_case("a claimed place", flavour);
			send_one(flavour, (struct packet){ A, B, family, UDP, 1000, 53 });
			send_one(flavour, (struct packet){ B, A, family, UDP, 53, 1000 });
			f = flow_only(l.table, l.key);
			f.path[0].tcp = f.path[1].tcp = 1; /* assured */
			for (uint8_t i = 0; i < BUCKETS * FLOW_PLACES; i++) {
				memcpy(other, l.key, l.key_size);
				other[0] ^= i + 1;
				if (i == 5)
					words[l.key_size / 8 - 1] = FLOW_KEY_USED(FLOW_CLAIMED);
				put(&l, i / FLOW_PLACES, i, other, &f);
			}
			write_table(&l);
			send_to(flavour, (struct packet){ A, B, family, UDP, 1000, 53 }, DROPPED, DROP_CT_FULL);
			case_assert(flow_count(l.table) == BUCKETS * FLOW_PLACES - 1);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(twice),
		cmocka_unit_test(established_twice),
		cmocka_unit_test(claimed),
	};

	return cmocka_run_group_tests(tests, world_open, world_close);
}
