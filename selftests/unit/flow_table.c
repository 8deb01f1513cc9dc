// SPDX-License-Identifier: BSD-2-Clause
/*
 * The command's hand on tables of flows, on real maps: full to what they are made for, each flow once and found, with
 * several hands at once; a reader without the right to write. Needs root.
 */
#include "flow_tables.h"

#include <pthread.h>

/* Filled to max_flows, and until it takes no more. */
static void fill(int family, uint32_t max_flows)
{
	struct flow_table t;
	struct flow flow;
	uint32_t refused = 0, more = 0, places;

	make_table(&t, family, max_flows);
	places = t.buckets * FLOW_PLACES;
	for (uint32_t n = 0; n < max_flows; n++) {
		enum flow_put done = put(&t, n);

		assert_int_not_equal(done, FLOW_PUT_THERE);
		refused += done == FLOW_PUT_FULL;
		assert_int_equal(get(&t, n, &flow), done == FLOW_PUT);
	}
	assert_int_equal(check_all(&t), max_flows - refused);
	for (uint32_t n = max_flows; n < 2 * places; n++)
		more += put(&t, n) == FLOW_PUT;
	print_message("IPv%d, %u flows: %u refused; %u of %u places taken in the end\n", family,
		      max_flows, refused, max_flows - refused + more, places);
	/* Three in ten thousand on the whole; a few at most in a small one. */
	assert_true(refused <= max_flows / 1000 + 2);
	assert_true(max_flows - refused + more <= places);
	assert_true(max_flows - refused + more >= places * 9 / 10);
	assert_int_equal(check_all(&t), max_flows - refused + more);
	for (uint32_t n = 0; n < 2 * places; n++) {
		bool there = get(&t, n, &flow);

		assert_int_equal(put(&t, n), there ? FLOW_PUT_THERE : FLOW_PUT_FULL);
		if (there && n % 7 == 0)
			assert_true(take_out(&t, n) && !take_out(&t, n) && put(&t, n) == FLOW_PUT);
	}
	for (uint32_t n = 0; n < 2 * places; n++)
		take_out(&t, n);
	assert_int_equal(check_all(&t), 0);
	flow_table_close(&t);
}

static void test_fill(void **unused)
{
	static const uint32_t sizes[] = { 1, 2, 5, 17, 64, 192, 1000, 4096, 30000, 100000 };

	(void)unused;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		fill(FAMILY_IPV4, sizes[i]);
		fill(FAMILY_IPV6, sizes[i]);
	}
}

/* ---- several hands ---- */

#define HANDS  2
#define ROUNDS 400
#define KEYS   192

struct hands {
	struct flow_table t;
	int fd;
	pthread_barrier_t barrier;
	uint32_t came;
	unsigned char *won; /* by round and key: how many hands were told that theirs is in */
	volatile bool stop;
};

/* At the same moment, unless the other is not running just now. */
static void meet(uint32_t *came, uint32_t all)
{
	__atomic_fetch_add(came, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 2000 && __atomic_load_n(came, __ATOMIC_SEQ_CST) < all; i++)
		;
}

static void *hand_inserts(void *arg)
{
	struct hands *h = arg;

	for (uint32_t round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&h->barrier);
		for (uint32_t n = 0; n < KEYS; n++) {
			meet(&h->came, (round * KEYS + n + 1) * HANDS);
			if (put(&h->t, round * KEYS + n) == FLOW_PUT)
				__atomic_fetch_add(&h->won[round * KEYS + n], 1, __ATOMIC_RELAXED);
		}
		pthread_barrier_wait(&h->barrier);
		/* One of them looks, and empties the table again, while the other waits. */
		pthread_barrier_wait(&h->barrier);
	}
	return NULL;
}

static void test_same_keys(void **unused)
{
	static struct hands h;
	pthread_t threads[HANDS];
	uint32_t none = 0, both = 0;

	(void)unused;
	h.won = calloc(ROUNDS, KEYS);
	make_table(&h.t, FAMILY_IPV4, KEYS);
	pthread_barrier_init(&h.barrier, NULL, HANDS + 1);
	for (int i = 0; i < HANDS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hand_inserts, &h), 0);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct flow flow;
		size_t there = 0;

		pthread_barrier_wait(&h.barrier);
		pthread_barrier_wait(&h.barrier);
		for (uint32_t n = round * KEYS; n < (round + 1) * KEYS; n++) {
			bool found = get(&h.t, n, &flow);

			/* Either hand's flow may have gone for the other's, never both. */
			assert_true(found || !h.won[n]);
			none += !found;
			both += h.won[n] > 1;
			there += found;
		}
		assert_int_equal(check_all(&h.t), there);
		for (uint32_t n = round * KEYS; n < (round + 1) * KEYS; n++)
			take_out(&h.t, n);
		assert_int_equal(check_all(&h.t), 0);
		pthread_barrier_wait(&h.barrier);
	}
	for (int i = 0; i < HANDS; i++)
		pthread_join(threads[i], NULL);
	print_message("%u keys by %d hands: %u found no room, %u went in at the same time\n",
		      ROUNDS * KEYS, HANDS, none, both);
	assert_true(none < ROUNDS * KEYS / 100);
	flow_table_close(&h.t);
	free(h.won);
}

/* cmocka's assertions are for its own thread: in another they end the program without a word. The first is kept. */
static char wrong[200];

__attribute__((format(printf, 1, 2))) static void note_wrong(const char *format, ...)
{
	static int told;
	va_list args;

	if (__atomic_exchange_n(&told, 1, __ATOMIC_SEQ_CST))
		return;
	va_start(args, format);
	vsnprintf(wrong, sizeof(wrong), format, args);
	va_end(args);
}

struct mine {
	bool in;
	uint32_t n;
};

/* Whether the flow is there, and with what it was put in with. */
static void look_at_mine(const struct flow_table *t, const struct mine *m)
{
	struct flow flow;

	if (get(t, m->n, &flow) != m->in)
		note_wrong("flow %u: %s", m->n, m->in ? "lost" : "there, and was taken out");
	else if (m->in && (flow.born != m->n || flow.dir[0].packets != m->n))
		note_wrong("flow %u has what is flow %u's", m->n, flow.born);
}

/*
 * Each hand has flows of its own, and puts them in and out of places that all share. No key comes twice: it is by their keys
 * that readers see a place change hands.
 */
static void *hand_churns(void *arg)
{
	static uint32_t hands;
	uint32_t hand = __atomic_fetch_add(&hands, 1, __ATOMIC_RELAXED), next = 0;
	struct hands *h = arg;
	struct mine mine[KEYS / HANDS] = { 0 };
	unsigned int seed = hand;

	for (uint32_t i = 0; i < 300000; i++) {
		struct mine *m = &mine[(uint32_t)rand_r(&seed) % (KEYS / HANDS)];

		if (m->in)
			look_at_mine(&h->t, m);
		else
			m->n = hand + HANDS * next++;
		m->in = m->in ? !take_out(&h->t, m->n) : put(&h->t, m->n) == FLOW_PUT;
		look_at_mine(&h->t, m);
	}
	for (uint32_t k = 0; k < KEYS / HANDS; k++)
		if (mine[k].in && !take_out(&h->t, mine[k].n))
			note_wrong("flow %u: cannot be taken out", mine[k].n);
	return NULL;
}

/* `how`: who has read it. */
static int check_key(const void *key, const struct flow *flow, void *how)
{
	union key wanted = key_of(FAMILY_IPV4, flow->born);

	if (memcmp(key, &wanted.v4, sizeof(wanted.v4)) || flow->dir[1].packets != ~flow->born)
		note_wrong("%s: a key with what is flow %u's and flow %u's", (const char *)how,
			   flow->born, ~flow->dir[1].packets);
	return 0;
}

static void check_keys(const struct flow_table *t)
{
	union key key;
	struct flow flow;

	for (size_t place = 0; flow_table_next(t, &place, &key, &flow);)
		check_key(&key, &flow, "flow_table_next");
}

/* Whatever comes and goes meanwhile, what is read has the key that it was put in under; by who may only read, too. */
static void *hand_reads(void *arg)
{
	struct hands *h = arg;
	struct error e = { 0 };

	while (!h->stop) {
		check_keys(&h->t);
		if (flow_scan(h->fd, FAMILY_IPV4, "ct4", check_key, "flow_scan", &e))
			note_wrong("flow_scan: %s", e.text);
	}
	return NULL;
}

static void test_churn(void **unused)
{
	static struct hands h;
	pthread_t threads[HANDS], reader;

	(void)unused;
	/* Few places, so that they change hands all the time. */
	h.fd = make_map(FAMILY_IPV4, KEYS / 2);
	open_table(&h.t, h.fd, FAMILY_IPV4);
	assert_int_equal(pthread_create(&reader, NULL, hand_reads, &h), 0);
	for (int i = 0; i < HANDS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hand_churns, &h), 0);
	for (int i = 0; i < HANDS; i++)
		pthread_join(threads[i], NULL);
	h.stop = true;
	pthread_join(reader, NULL);
	assert_string_equal(wrong, "");
	assert_int_equal(check_all(&h.t), 0);
	flow_table_close(&h.t);
	close(h.fd);
}

/* ---- expired flows ---- */

static bool is_even(const void *key, const struct flow *flow, void *arg)
{
	(void)key;
	++*(uint32_t *)arg;
	return flow->born % 2 == 0;
}

static void test_expired(void **unused)
{
	uint32_t asked = 0, taken = 0, even = 0, odd = 0, after = 0;
	struct flow_table t;
	struct entries list;

	(void)unused;
	make_table(&t, FAMILY_IPV6, 64);
	for (uint32_t n = 0; n < 2000; n++)
		put(&t, n);
	read_all(&t, &list);
	for (size_t i = 0; i < list.n; i++)
		odd += ((const struct flow *)entries_value(&list, i))->born % 2;
	even = (uint32_t)list.n - odd;
	entries_free(&list);
	for (uint32_t n = 2001; n < 4000; n += 2) {
		union key key = key_of(FAMILY_IPV6, n);
		struct flow flow = flow_of(n);

		taken += flow_table_put(&t, &key, &flow, is_even, &asked) == FLOW_PUT;
	}
	print_message("%u expired flows among %u: %u gave their places\n", even, even + odd, taken);
	assert_true(taken >= even && asked >= taken);
	read_all(&t, &list);
	for (size_t i = 0; i < list.n; i++)
		after += ((const struct flow *)entries_value(&list, i))->born < 2000;
	assert_int_equal(after, odd);
	assert_int_equal(check_all(&t), list.n);
	entries_free(&list);
	flow_table_close(&t);
}

static int stop_at_once(const void *key, const struct flow *flow, void *arg)
{
	(void)key;
	(void)flow;
	return ++*(int *)arg;
}

/* Who may only read sees all of a table larger than what is read at once, and cannot write. */
static void test_reader(void **unused)
{
	int fd = make_map(FAMILY_IPV4, 5000), reads;
	struct flow_table t, r;
	struct error e = { 0 };
	struct entries list;
	int visits = 0;
	LIBBPF_OPTS(bpf_get_fd_by_id_opts, readonly, .open_flags = BPF_F_RDONLY);
	uint32_t id, buckets;

	(void)unused;
	assert_int_equal(inner_info(fd, &id, &buckets), 0);
	assert_int_equal(buckets, flow_buckets(5000));
	reads = bpf_map_get_fd_by_id_opts(id, &readonly);
	assert_true(reads >= 0);
	open_table(&t, fd, FAMILY_IPV4);
	for (uint32_t n = 0; n < 5000; n++)
		assert_int_equal(put(&t, n), FLOW_PUT);
	entries_init(&list, sizeof(struct ct4_key), sizeof(struct flow));
	assert_int_equal(flow_scan(reads, FAMILY_IPV4, "ct4", append, &list, &e), 0);
	entries_sort(&list);
	entries_unique(&list);
	assert_int_equal(list.n, 5000);
	for (uint32_t n = 0; n < 5000; n++) {
		union key key = key_of(FAMILY_IPV4, n);
		const struct flow *flow = entries_find(&list, &key);

		assert_non_null(flow);
		assert_int_equal(flow->born, n);
	}
	entries_free(&list);
	assert_int_equal(flow_scan(reads, FAMILY_IPV4, "ct4", stop_at_once, &visits, &e), 1);
	assert_int_equal(visits, 1);
	assert_int_equal(flow_scan(reads, FAMILY_IPV6, "ct4", append, &list, &e), -1);
	assert_non_null(strstr(e.text, "no table of flows"));
	assert_int_not_equal(flow_table_open(&r, reads, FAMILY_IPV4, SEED, "ct4", &e), 0);
	assert_non_null(strstr(e.text, "map ct4: cannot be mapped"));
	flow_table_close(&t);
	close(reads);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fill),	  cmocka_unit_test(test_same_keys),
		cmocka_unit_test(test_churn),	  cmocka_unit_test(test_expired),
		cmocka_unit_test(test_reader),
	};

	return cmocka_run_group_tests_name("flow_table", tests, NULL, NULL);
}
