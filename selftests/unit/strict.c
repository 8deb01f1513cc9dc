// SPDX-License-Identifier: BSD-2-Clause
/* Which ports are strict in the meantime of a change, and whose flows are judged in its midst. No map is touched. */
#include "config_helpers.h"

#include "loader/identity.h"
#include "loader/sync.h"

static struct sync s;
static struct desired d;

#define PORT 3
#define TENANT 2
#define CHAIN 5

static const struct port some_port = {
	.id = 7, .generation = 7, .ifindex = 10, .tenant = TENANT, .network = 4, .vni = 101, .chain = CHAIN, .chain_since = 4,
	.addresses4 = 3, .address4 = { { 10, 0, 0, 1 }, { 10, 0, 0, 2 }, { 10, 0, 0, 3 } },
	.addresses6 = 2, .address6 = { { 0xfd, [15] = 1 }, { 0xfd, [15] = 2 } },
};
static const struct chain some_chain = {
	.id = 9, .tenant = TENANT, .tag = 301, .steps = 1, .step = { { 20, 20, 0 } },
};
static const struct port_key key = { .ifindex = 10 };
static const struct port_binding binding = { .port = PORT, .generation = 7 };

static void put_array(enum sync_map map, uint32_t slot, const void *value)
{
	entries_init(&s.actual[map], 4, sync_maps[map].value_size);
	for (uint32_t i = 0; i <= slot + 2; i++)
		entries_add(&s.actual[map], &i, i == slot ? value : NULL);
}

/* One port with a chain and a binding, which stay as they are. */
static int begin(void **unused)
{
	const struct tenant tenant = { .id = 1, .epoch = 5 };
	uint32_t port = PORT, chain = CHAIN;

	(void)unused;
	memset(&s, 0, sizeof(s));
	desired_init(&d);
	for (int i = 0; i < SYNC_MAPS; i++) {
		entries_init(&s.actual[i], sync_maps[i].key_size, sync_maps[i].value_size);
		entries_init(&s.fresh[i], sync_maps[i].key_size, sync_maps[i].value_size);
		entries_init(&s.gone[i], sync_maps[i].key_size, 0);
		s.fd[i] = -1;
	}
	entries_init(&s.strict, 4, sizeof(struct port));
	entries_init(&s.emptied, 4, sizeof(struct chain));
	put_array(MAP_PORT_SLOTS, PORT, &some_port);
	put_array(MAP_CHAINS, CHAIN, &some_chain);
	put_array(MAP_TENANTS, TENANT, &tenant);
	s.wanted[TENANT] = tenant;
	entries_add(&s.actual[MAP_PORTS], &key, &binding);
	entries_add(&d.map[MAP_PORT_SLOTS], &port, &some_port);
	entries_add(&d.map[MAP_CHAINS], &chain, &some_chain);
	entries_add(&d.map[MAP_PORTS], &key, &binding);
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	sync_free(&s);
	desired_free(&d);
	return 0;
}

static struct port *wanted_port(void)
{
	return entries_value(&d.map[MAP_PORT_SLOTS], 0);
}

static struct chain *wanted_chain(void)
{
	return entries_value(&d.map[MAP_CHAINS], 0);
}

/* After sync_plan(), which finds what differs. */
static void plan(bool everybody)
{
	uint32_t slot = PORT;

	if (memcmp(wanted_port(), &some_port, sizeof(some_port)))
		entries_add(&s.fresh[MAP_PORT_SLOTS], &slot, wanted_port());
	sync_plan_strict(&s, &d, everybody);
}

/* The port has neither device nor binding in the meantime, and is bound anew at the end. */
static void expect_cut_off(bool early)
{
	static const struct port strict = {
		.id = 7, .tenant = TENANT, .chain = CHAIN, .chain_since = 4,
	};

	assert_int_equal(s.strict.n, 1);
	assert_memory_equal(entries_value(&s.strict, 0), &strict, sizeof(strict));
	assert_int_equal(s.gone[MAP_PORTS].n, 1);
	assert_int_equal(s.fresh[MAP_PORTS].n, 1);
	assert_memory_equal(entries_value(&s.fresh[MAP_PORTS], 0), &binding, sizeof(binding));
	assert_int_equal(s.early[TENANT], early);
}

static void expect_untouched(bool early)
{
	assert_int_equal(s.strict.n, 0);
	assert_int_equal(s.gone[MAP_PORTS].n, 0);
	assert_int_equal(s.writes, 0);
	assert_int_equal(s.early[TENANT], early);
}

static void test_nothing_changes(void **unused)
{
	(void)unused;
	plan(false);
	expect_untouched(false);
}

static void test_only_rules_change(void **unused)
{
	(void)unused;
	s.policy[TENANT] = true;
	plan(false);
	expect_untouched(false);
}

static void test_everybody_is_judged(void **unused)
{
	(void)unused;
	plan(true);
	expect_untouched(true);
	assert_false(s.early[TENANT + 1]);
}

static void test_way_and_rules(void **unused)
{
	(void)unused;
	wanted_port()->chain = 0;
	s.policy[TENANT] = true;
	plan(false);
	expect_cut_off(true);
}

static void test_way_alone(void **unused)
{
	(void)unused;
	wanted_port()->chain = 0;
	plan(false);
	expect_untouched(false);
}

/* The port's record is the same; what its chain leads through is not. The record comes back, too. */
static void test_chain_and_options(void **unused)
{
	(void)unused;
	wanted_chain()->step[0].leaving_ifindex = 21;
	s.wanted[TENANT].flags = TENANT_ALLOW_IN;
	plan(false);
	expect_cut_off(true);
	assert_int_equal(s.fresh[MAP_PORT_SLOTS].n, 1);
	assert_memory_equal(entries_value(&s.fresh[MAP_PORT_SLOTS], 0), &some_port, sizeof(some_port));
}

static void test_chain_slot_changes_hands(void **unused)
{
	(void)unused;
	wanted_chain()->id = 10;
	wanted_port()->chain = CHAIN + 1;
	plan(false);
	expect_cut_off(false);
}

static void test_network_changes(void **unused)
{
	(void)unused;
	wanted_port()->vni = 102;
	plan(false);
	expect_cut_off(false);
}

static void test_owner_changes(void **unused)
{
	static const struct port nobody;

	(void)unused;
	wanted_port()->id = 8;
	((struct port_binding *)entries_value(&d.map[MAP_PORTS], 0))->generation = 8;
	plan(false);
	assert_int_equal(s.strict.n, 1);
	assert_memory_equal(entries_value(&s.strict, 0), &nobody, sizeof(nobody));
	/* sync_plan() has unbound what changes hands. */
	assert_int_equal(s.gone[MAP_PORTS].n, 0);
}

static void test_addresses_are_lost(void **unused)
{
	static const uint8_t four[PORT_ADDRESSES][4] = { { 10, 0, 0, 1 }, { 10, 0, 0, 3 } };
	static const uint8_t six[PORT_ADDRESSES][16] = { { 0xfd, [15] = 2 } };
	const struct port *strict;

	(void)unused;
	memcpy(wanted_port()->address4[1], "\x0a\0\0\x09", 4);
	memcpy(wanted_port()->address6[0], six[0], 16);
	wanted_port()->addresses6 = 1;
	plan(false);
	assert_int_equal(s.strict.n, 1);
	strict = entries_value(&s.strict, 0);
	assert_int_equal(strict->id, some_port.id);
	assert_int_equal(strict->addresses4, 2);
	assert_memory_equal(strict->address4, four, sizeof(four));
	assert_int_equal(strict->addresses6, 1);
	assert_memory_equal(strict->address6, six, sizeof(six));
	assert_int_equal(s.gone[MAP_PORTS].n, 0);
}

static void test_addresses_come(void **unused)
{
	(void)unused;
	memcpy(wanted_port()->address4[3], "\x0a\0\0\x09", 4);
	wanted_port()->addresses4 = 4;
	s.policy[TENANT] = true;
	plan(false);
	expect_untouched(true);
}

static const struct chain empty_chain;

static void expect_emptied(bool emptied, bool early)
{
	assert_int_equal(s.emptied.n, emptied);
	if (emptied)
		assert_memory_equal(entries_value(&s.emptied, 0), &empty_chain, sizeof(empty_chain));
	assert_int_equal(s.early[TENANT], early);
}

/* Rules lead into a chain by its place: that is empty while it leads elsewhere than the rules of the moment meant. */
static void test_chains_of_rules(void **unused)
{
	static const struct {
		uint32_t policy, way, id, flags, vnis, goes;
		bool emptied, early;
	} cases[] = {
		{ .policy = 1 },
		{ .way = 1 },
		{ .vnis = 1, .policy = 1 },
		{ .way = 1, .policy = 1, .emptied = true, .early = true },
		{ .flags = 1, .policy = 1, .emptied = true, .early = true },
		{ .id = 1, .emptied = true },
		{ .id = 1, .policy = 1, .emptied = true, .early = true },
		{ .goes = 1, .policy = 1, .early = true },
		{ .goes = 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct chain *chain;

		begin(unused);
		/* On no wire. */
		memset(entries_value(&s.actual[MAP_PORT_SLOTS], PORT), 0, sizeof(struct port));
		chain = wanted_chain();
		chain->step[0].leaving_ifindex += cases[i].way;
		chain->id += cases[i].id;
		chain->flags |= cases[i].flags ? CHAIN_MIRROR : 0;
		chain->vnis[0] += cases[i].vnis;
		if (cases[i].goes)
			d.map[MAP_CHAINS].n = 0;
		s.policy[TENANT] = cases[i].policy;
		sync_plan_strict(&s, &d, false);
		expect_emptied(cases[i].emptied, cases[i].early);
		end(unused);
	}
}

/* What a function gives back is believed no longer at a port: its flows are judged before that. */
static void test_port_leaves_chain(void **unused)
{
	const struct sf_key back = { .ifindex = 20, .tci = 301 };
	const struct sf_return port = { .port = PORT, .chain = CHAIN };

	(void)unused;
	entries_add(&s.actual[MAP_SF], &back, &port);
	entries_add(&s.gone[MAP_SF], &back, NULL);
	plan(false);
	expect_emptied(false, false);
	s.policy[TENANT] = true;
	plan(false);
	expect_emptied(false, true);
}

/* A full class: new owners get the slots of those that go, and that is said. */
static void test_crowded(void **unused)
{
	json_t *first = json_object(), *second = json_object();
	struct identities none = { 0 }, ids, next;
	struct error e = { 0 };
	char path[32];

	(void)unused;
	for (int i = 0; i < WEFT_HOSTS_MAX; i++) {
		snprintf(path, sizeof(path), "hosts/h%d", i);
		json_object_set_new(first, path, json_object());
		snprintf(path, sizeof(path), "hosts/%c%d", i ? 'h' : 'x', i);
		json_object_set_new(second, path, json_object());
	}
	assert_int_equal(identities_assign(&none, first, &ids, &e), 0);
	assert_false(ids.crowded);
	assert_int_equal(identities_assign(&ids, second, &next, &e), 0);
	assert_true(next.crowded);
	assert_int_equal(identity_find(&next, "hosts/x0")->slot, identity_find(&ids, "hosts/h0")->slot);
	identities_free(&next);
	json_object_del(first, "hosts/h1");
	assert_int_equal(identities_assign(&ids, first, &next, &e), 0);
	assert_false(next.crowded);
	identities_free(&next);
	identities_free(&ids);
	json_decref(first);
	json_decref(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_changes, begin, end),
		cmocka_unit_test_setup_teardown(test_only_rules_change, begin, end),
		cmocka_unit_test_setup_teardown(test_everybody_is_judged, begin, end),
		cmocka_unit_test_setup_teardown(test_way_and_rules, begin, end),
		cmocka_unit_test_setup_teardown(test_way_alone, begin, end),
		cmocka_unit_test_setup_teardown(test_chain_and_options, begin, end),
		cmocka_unit_test_setup_teardown(test_chain_slot_changes_hands, begin, end),
		cmocka_unit_test_setup_teardown(test_network_changes, begin, end),
		cmocka_unit_test_setup_teardown(test_owner_changes, begin, end),
		cmocka_unit_test_setup_teardown(test_addresses_are_lost, begin, end),
		cmocka_unit_test_setup_teardown(test_addresses_come, begin, end),
		cmocka_unit_test(test_chains_of_rules),
		cmocka_unit_test_setup_teardown(test_port_leaves_chain, begin, end),
		cmocka_unit_test(test_crowded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
