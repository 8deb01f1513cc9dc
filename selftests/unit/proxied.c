// SPDX-License-Identifier: BSD-2-Clause
/* The SYN proxy's records go along when their table gets another size, also those that change meanwhile. Needs root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <string.h>
#include <unistd.h>

#include "include/flow_table.h"
#include "include/syn_proxy.h"
#include "loader/inner.h"
#include "loader/proxied.h"

enum { NOW = 1000, MANY = 64 };

static const struct tenant tenant = {
	.seed = 0x1234567890abcdefull,
	.timeout = { [CT_TCP_SYN] = 100, [CT_TCP_ESTABLISHED] = 5000, [CT_TCP_FIN] = 100, [CT_TCP_CLOSED] = 10 },
};

static int make_map(uint32_t buckets)
{
	const struct inner_kind *k = &inner_kinds[INNER_PROXIED];
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = k->flags);
	int fd = bpf_map_create((enum bpf_map_type)k->type, k->name, k->key_size, k->value_size, buckets, &options);

	assert_true(fd >= 0);
	return fd;
}

static struct proxied record_of(uint64_t n, uint8_t timeout, uint32_t seen)
{
	return (struct proxied){ .key = { n }, .used = PROXIED_USED, .isn = 1, .cookie = 2, .seen = seen,
				 .timeout = timeout };
}

static void set(int fd, uint32_t bucket, int place, const struct proxied *r)
{
	struct proxied_bucket b;

	assert_false(bpf_map_lookup_elem(fd, &bucket, &b));
	b.place[place] = *r;
	assert_false(bpf_map_update_elem(fd, &bucket, &b, BPF_EXIST));
}

/* As programs find it. */
static bool get(int fd, uint32_t buckets, uint64_t n, struct proxied *r)
{
	const __u64 key[5] = { n };
	uint64_t hash = flow_hash(key, 5, tenant.seed);

	for (uint32_t i = 0; i < 2; i++) {
		uint32_t bucket = proxied_bucket(hash, i, buckets);
		struct proxied_bucket b;

		assert_false(bpf_map_lookup_elem(fd, &bucket, &b));
		for (int k = 0; k < PROXIED_PLACES; k++)
			if (b.place[k].used == PROXIED_USED && b.place[k].key[0] == n) {
				*r = b.place[k];
				return true;
			}
	}
	return false;
}

static void copy(int from, int to)
{
	struct error e = { 0 };

	if (proxied_copy(from, to, &tenant, NOW, &e))
		fail_msg("%s", e.text);
}

/* The workload answers, and a client begins anew, between the copy and the exchange of the tables. */
static void changed_meanwhile(void **unused)
{
	struct proxied open = record_of(1, CT_TCP_SYN, NOW), anew = record_of(2, CT_TCP_CLOSED, NOW - 5), r;
	int from = make_map(MANY), to = make_map(2 * MANY);

	(void)unused;
	set(from, 0, 0, &open);
	set(from, 0, 1, &anew);
	open.seen = NOW + 3; /* while the copy goes on */
	set(from, 0, 0, &open);
	copy(from, to);
	assert_true(get(to, 2 * MANY, 1, &r) && !r.ready);
	open.ready = 1;
	open.delta = 77;
	open.timeout = CT_TCP_ESTABLISHED;
	set(from, 0, 0, &open);
	anew = record_of(2, CT_TCP_SYN, NOW);
	anew.cookie = 3;
	set(from, 0, 1, &anew);
	copy(from, to);
	assert_true(get(to, 2 * MANY, 1, &r) && r.ready);
	assert_int_equal(r.delta, 77);
	assert_int_equal(r.timeout, CT_TCP_ESTABLISHED);
	assert_true(get(to, 2 * MANY, 2, &r));
	assert_int_equal(r.cookie, 3);
	/* What goes on in the new table stays as it is there. */
	copy(to, from);
	open.ready = 0;
	set(from, 0, 0, &open);
	copy(from, to);
	assert_true(get(to, 2 * MANY, 1, &r) && r.ready);
	close(from);
	close(to);
}

/* A table is full of what is over; the few that go on find room in a smaller one. */
static void live_ones_first(void **unused)
{
	const uint32_t small = MANY / 8;
	int from = make_map(MANY), to = make_map(small);
	struct proxied r;

	(void)unused;
	for (uint32_t i = 0; i < MANY * PROXIED_PLACES; i++) {
		bool lives = i % 32 == 31;

		r = record_of(i + 1, lives ? CT_TCP_ESTABLISHED : CT_TCP_CLOSED, NOW - 20);
		set(from, i / PROXIED_PLACES, (int)(i % PROXIED_PLACES), &r);
	}
	copy(from, to);
	for (uint32_t i = 31; i < MANY * PROXIED_PLACES; i += 32)
		assert_true(get(to, small, i + 1, &r));
	close(from);
	close(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changed_meanwhile),
		cmocka_unit_test(live_ones_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
