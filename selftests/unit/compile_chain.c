// SPDX-License-Identifier: BSD-2-Clause
/* Chains with taps, chains without a tag, functions that alter streams: what the maps say of them, and what is refused. */
#include "compile_world.h"

/*
 * h1: a, c (web), d (db), and m in `other`, which has a's MAC; h2: b (web), e (db, with a's MAC). The functions: one and ids
 * have one arm, two has two.
 */
static const char lab[] =
	"version: 1\n"
	"hosts:\n"
	"  h1: {vtep: 192.168.50.1, underlay: [u0]}\n"
	"  h2: {vtep: 192.168.50.2, underlay: [u0]}\n"
	"service_functions:\n"
	"  one: {instances: {i1: {host: h1, device: p8}, i2: {host: h2, device: p8}}}\n"
	"  two: {%s instances: {i1: {host: h1, devices: [s0, s1]}, i2: {host: h2, devices: [s0, s1]}}}\n"
	"  ids: {rewrites: true, instances: {i1: {host: h1, device: p7}, i2: {host: h2, device: p7}}}\n"
	"tenants:\n"
	"  red:\n"
	"    networks: {web: {vni: 101}, db: {vni: 102}, other: {vni: 103}}\n"
	"    ports:\n"
	"      a: {network: web, host: h1, device: p0, mac: '02:00:00:00:00:0a'}\n"
	"      b: {network: web, host: h2, device: p0, mac: '02:00:00:00:00:0b'}\n"
	"      c: {network: web, host: h1, device: p1, mac: '02:00:00:00:00:0c'}\n"
	"      d: {network: db, host: h1, device: p2, mac: '02:00:00:00:00:0d'}\n"
	"      m: {network: other, host: h1, device: p3, mac: '02:00:00:00:00:0a'}\n"
	"%s"
	"    chains: {inspect: {tag: %d, steps: [%s]}}\n"
	"    insert: [{name: all, apply_to: [%s], chain: inspect}]\n";

static const uint8_t mac_a[6] = { 2, 0, 0, 0, 0, 0x0a };

static int build(struct world *w, const char *keys, const char *more, int tag, const char *steps,
		 const char *ports)
{
	char *text;
	int failed;

	assert_true(asprintf(&text, lab, keys, more, tag, steps, ports) > 0);
	make(w, text, "h1");
	add_fact(&w->facts, "p8", ROLE_SF, 30);
	add_fact(&w->facts, "p7", ROLE_SF, 31);
	for (struct fact *f = w->facts.by_device; f; f = f->hh.next)
		f->takes_xdp = true;
	w->e = (struct error){ 0 };
	desired_free(&w->d);
	failed = compile(&w->m, &w->facts, 250, &w->d, &w->e);
	free(text);
	return failed;
}

static const struct chain *chain_of(const struct world *w)
{
	return get(w, MAP_CHAINS, &model_chain(&w->m, "red", "inspect")->slot);
}

/* A tap's step names its function and no device, and XDP takes no part in such a chain; nothing of it is believed. */
static void test_tap(void **state)
{
	static const struct {
		const char *steps;
		uint16_t flags[2];
		size_t believed;
	} cases[] = {
		{ "{function: two}", { STEP_XDP_DELIVER }, 5 },
		{ "{function: two}, {function: one}", { STEP_XDP_DELIVER, STEP_XDP_DELIVER }, 9 },
		{ "{function: two}, {function: one, mode: tap}", { 0, STEP_TAP | STEP_OPEN }, 5 },
		{ "{function: one, mode: tap}, {function: two, on_failure: open}",
		  { STEP_TAP | STEP_OPEN, STEP_OPEN },
		  5 },
		{ "{function: one, mode: tap}", { STEP_TAP | STEP_OPEN }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct chain *chain;
		struct world w;

		assert_int_equal(build(&w, "", "", 301, cases[i].steps, "port:a"), 0);
		chain = chain_of(&w);
		for (int n = 0; n < chain->steps; n++) {
			assert_int_equal(chain->step[n].flags, cases[i].flags[n]);
			assert_true(chain->step[n].function);
			assert_int_equal(!chain->step[n].leaving_ifindex,
					 !!(cases[i].flags[n] & STEP_TAP));
		}
		assert_int_equal(w.d.map[MAP_SF].n, cases[i].believed);
		unmake(&w);
	}
}

/* What is in the wire counts, and what only watches does not. */
static void test_rewrites(void **state)
{
	static const struct {
		const char *keys, *steps;
		bool rewrites;
	} cases[] = {
		{ "", "{function: two}", false },
		{ "rewrites: true,", "{function: two}", true },
		{ "rewrites: false,", "{function: two}", false },
		{ "rewrites: true,", "{function: one}", false },
		{ "", "{function: one}, {function: ids}", true },
		{ "", "{function: one}, {function: ids, mode: tap}", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct world w;

		assert_int_equal(build(&w, cases[i].keys, "", 301, cases[i].steps, "port:a"), 0);
		assert_int_equal(!!(chain_of(&w)->flags & CHAIN_REWRITES), cases[i].rewrites);
		unmake(&w);
	}
}

/* What comes back is told by the VID 0 and the pass for which an entry is. */
static void test_untagged(void **state)
{
	struct world w;

	(void)state;
	assert_int_equal(build(&w, "", "", 0, "{function: two}", "port:a, port:c"), 0);
	assert_int_equal(chain_of(&w)->tag, 0);
	assert_non_null(comes_back(&w, 0, 21, PCP_LEAVING, mac_a));
	assert_non_null(comes_back(&w, 0, 20, PCP_TOWARDS, mac_a));
	assert_non_null(comes_back(&w, 0, 20, PCP_MADE, mac_a));
	assert_null(comes_back(&w, 0, 20, PCP_LEAVING, mac_a));
	assert_null(comes_back(&w, 0, 21, PCP_TOWARDS, mac_a));
	unmake(&w);
}

#define E "      e: {network: db, host: h2, device: p9, mac: '02:00:00:00:00:0a'}\n"

/* One arm and no tag: refused where MACs alone cannot tell; and nowhere else. */
static void test_ambiguous(void **state)
{
	static const struct {
		const char *more, *steps, *ports;
		int tag;
		const char *refused; /* NULL: it is not */
	} cases[] = {
		{ "", "{function: one}", "port:a", 0, NULL },
		{ "", "{function: one}", "port:a, port:b", 0, NULL }, /* on two hosts */
		{ "", "{function: one}", "port:a, port:d", 0, NULL }, /* in two networks */
		{ "", "{function: two}", "port:a, port:c", 0, NULL },
		{ "", "{function: one}", "port:a, port:c", 301, NULL },
		{ "", "{function: two}, {function: one, mode: tap}", "port:a, port:c", 0, NULL },
		{ "", "{function: one}", "port:a, port:c", 0,
		  "chain red/inspect: has no tag (tag: 0), and by the one arm of function one/i1 on host h1 a frame "
		  "from port c to port a would come back the same whether it leaves the one or goes to the other: "
		  "give the function two arms (devices: [D, E]), or the chain a tag" },
		{ "", "{function: two}, {function: one}", "port:a, port:c", 0, "function one/i1" },
		/* Who sends to d has a's MAC in d's network, on whatever host. */
		{ E, "{function: one}", "port:a, port:d", 0,
		  "a frame to port d from port e, which has the MAC of port a in another network, would come back as "
		  "one from that" },
		{ E, "{function: two}", "port:a, port:d", 0, NULL },
		{ E, "{function: one}", "port:a", 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int failed;
		struct world w;

		failed = build(&w, "", cases[i].more, cases[i].tag, cases[i].steps, cases[i].ports);
		assert_int_equal(failed, cases[i].refused ? -1 : 0);
		if (cases[i].refused) {
			assert_contains(w.e.text, cases[i].refused);
			assert_int_equal(w.e.exit_code, EXIT_REFUSED);
		}
		unmake(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tap),
		cmocka_unit_test(test_rewrites),
		cmocka_unit_test(test_untagged),
		cmocka_unit_test(test_ambiguous),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
