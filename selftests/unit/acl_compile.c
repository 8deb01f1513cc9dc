// SPDX-License-Identifier: BSD-2-Clause
/*
 * What rules compile to, against an oracle that asks the rules as they are written: random rules over a small world,
 * random packets, and the same rule must decide.
 */
#include "acl_world.h"

#include <time.h>

#define ROUNDS  150
#define PACKETS 400

static int trees; /* sets that were no small ones */

static void compare(const json_t *tree, const struct model *m)
{
	struct model_tenant *t = model_tenant(m, "red");
	struct error e = { 0 };
	struct acl_program program;

	if (acl_program_make(m, t, NULL, &program, &e))
		fail_msg("%s", e.text);
	trees += program.base.tree.n > 0;
	for (int i = 0; i < PACKETS; i++) {
		struct packet p = random_packet();
		const char *expected = oracle(tree, json_object_get(t->body, "acl"), &p);
		struct acl_query q = query_of(m, &p);
		struct acl_said said;
		uint32_t got = acl_program_ask(&program, &q, &said);
		char path[CONFIG_PATH_LEN];

		snprintf(path, sizeof(path), "tenants/red/acl/%s", expected ? expected : "");
		assert_int_equal(got, expected ? identity_find(m->ids, path)->id : 0);
		if (expected)
			assert_said(m, json_object_get(json_object_get(t->body, "acl"), expected), &said);
	}
	acl_program_free(&program);
}

static void with(json_t *groups, json_t *acl, void (*test)(const json_t *tree, const struct model *m))
{
	json_t *tree = parsed(world_text), *flat;
	struct identities old = { 0 }, ids;
	struct error e = { 0 };
	struct model m;

	json_object_set_new(json_object_get(json_object_get(tree, "tenants"), "red"), "acl", acl);
	if (groups)
		json_object_set_new(json_object_get(json_object_get(tree, "tenants"), "red"), "groups", groups);
	flat = config_flatten(tree);
	assert_int_equal(identities_assign(&old, flat, &ids, &e), 0);
	model_make(&m, tree, &ids, "h1");
	test(tree, &m);
	model_free(&m);
	identities_free(&ids);
	json_decref(flat);
	json_decref(tree);
}

static void with_rules(json_t *acl, void (*test)(const json_t *tree, const struct model *m))
{
	with(NULL, acl, test);
}

static void test_oracle(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		json_t *acl = json_object();
		char name[16];

		for (unsigned int i = 0, n = 1 + dice(12); i < n; i++) {
			snprintf(name, sizeof(name), "r%02u", i);
			json_object_set_new(acl, name, random_rule());
		}
		with_rules(acl, compare);
	}
	/* Both forms have been met. */
	assert_true(trees > ROUNDS / 10 && trees < ROUNDS);
}

static void nothing(const json_t *tree, const struct model *m)
{
	struct acl_program program;
	struct error e = { 0 };

	(void)tree;
	assert_int_equal(acl_program_make(m, model_tenant(m, "red"), NULL, &program, &e), 0);
	assert_int_equal(program.slot[0].header.entries, 0);
	for (int direction = 0; direction < 2; direction++)
		for (int family = 0; family < ACL_FAMILIES; family++)
			assert_int_equal(program.slot[0].header.root[direction][family], 0);
	acl_program_free(&program);
}

/* What can match nowhere here makes no entry, and above all no entry that matches everything. */
static void test_nothing(void **state)
{
	(void)state;
	with_rules(
		json_pack(
			"{s:{s:s, s:s, s:i, s:[s]}, s:{s:s, s:s, s:i, s:[s]}, s:{s:s, s:s, s:i, s:[s], s:[s]}}",
			"elsewhere", "direction", "in", "action", "allow", "priority", 1,
			"apply_to", "port:p3", "nobody", "direction", "in", "action", "allow",
			"priority", 1, "source", "group:g2", "families", "direction", "in",
			"action", "allow", "priority", 1, "source", "10.0.0.0/8", "destination",
			"fd00:1::/64"),
		nothing);
}

static void too_many(const json_t *tree, const struct model *m)
{
	struct acl_program program;
	struct error e = { 0 };
	clock_t begin = clock();

	(void)tree;
	assert_int_equal(acl_program_make(m, model_tenant(m, "red"), NULL, &program, &e), -1);
	assert_int_equal(e.exit_code, EXIT_REFUSED);
	assert_contains(e.text, "tenant red");
	assert_contains(e.text, "the bound is 256");
	assert_true(clock() - begin < 10 * CLOCKS_PER_SEC);
}

/* Ranges of both ports that overlap in every way, and addresses that tell nothing: no tree divides them. */
static void test_bound(void **state)
{
	json_t *acl = json_object();
	char name[16];

	(void)state;
	for (int i = 0; i < 2000; i++) {
		int source = (int)dice(30000), destination = (int)dice(30000);

		snprintf(name, sizeof(name), "r%d", i);
		json_object_set_new(acl, name,
				    json_pack("{s:s, s:s, s:i, s:s, s:[[i, i]], s:[[i, i]]}", "direction", "in",
					      "action", "allow", "priority", i, "protocol", "tcp", "source_port",
					      source, source + 30000, "destination_port", destination,
					      destination + 30000));
	}
	with_rules(acl, too_many);
}

static void too_much(const json_t *tree, const struct model *m)
{
	struct acl_program program;
	struct error e = { 0 };
	clock_t begin = clock();

	(void)tree;
	assert_int_equal(acl_program_make(m, model_tenant(m, "red"), NULL, &program, &e), -1);
	assert_int_equal(e.exit_code, EXIT_REFUSED);
	assert_contains(e.text, "in reasonable time");
	assert_true(clock() - begin < 10 * CLOCKS_PER_SEC);
}

static json_t *many_prefixes(const char *format, int n)
{
	json_t *list = json_array();
	char text[32];

	for (int i = 0; i < n; i++) {
		snprintf(text, sizeof(text), format, i / 250, i % 250);
		json_array_append_new(list, json_string(text));
	}
	return list;
}

/* Nothing but what the groups may come to hold. */
static void little(const json_t *tree, const struct model *m)
{
	struct acl_program program;
	struct error e = { 0 };

	(void)tree;
	assert_int_equal(acl_program_make(m, model_tenant(m, "red"), NULL, &program, &e), 0);
	assert_true(program.visits <= 2);
	acl_program_free(&program);
}

/* Rules that match nothing, since the families contradict, cost no more for it: once for each group. */
static void test_contradiction(void **state)
{
	json_t *acl = json_object();
	char text[32];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "r%d", i);
		json_object_set_new(acl, text,
				    json_pack("{s:s, s:s, s:i, s:[s], s:[s]}", "direction", "in", "action",
					      "allow", "priority", i, "source", "group:four", "destination",
					      "group:six"));
	}
	with(json_pack("{s:{s:o}, s:{s:o}}", "four", "prefixes", many_prefixes("10.%d.%d.0/24", 2000), "six", "prefixes",
		       many_prefixes("fd00:%d:%d::/64", 2000)),
	     acl, little);
}

/* Groups in ever other combinations: each is another set to be found. */
static void test_bound_of_time(void **state)
{
	json_t *acl = json_object();
	char text[32], own[32];

	(void)state;
	for (int i = 0; i < 4000; i++) {
		snprintf(text, sizeof(text), "r%d", i);
		snprintf(own, sizeof(own), "10.200.%d.%d/32", i / 250, i % 250);
		json_object_set_new(acl, text,
				    json_pack("{s:s, s:s, s:i, s:[s, s]}", "direction", "in", "action", "allow",
					      "priority", i, "source", "group:four", own));
	}
	with(json_pack("{s:{s:o}}", "four", "prefixes", many_prefixes("10.%d.%d.0/24", 20000)), acl, too_much);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_oracle),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_contradiction),
		cmocka_unit_test(test_bound_of_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
