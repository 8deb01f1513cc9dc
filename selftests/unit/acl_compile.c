// SPDX-License-Identifier: BSD-2-Clause
/*
 * Rules to entries, against an oracle that asks the rules as they are written: random rules over a
 * small world, random packets, and the first entry that matches must be of the rule that the oracle
 * picks.
 */
#include "config_helpers.h"

#include <time.h>

#include "loader/rules.h"
#include "acl_oracle.h"

#define ROUNDS  150
#define PACKETS 400

static const char world_text[] =
	"version: 1\n"
	"hosts: {h1: {vtep: 192.0.2.1, underlay: [u0]}, h2: {vtep: 192.0.2.2, underlay: [u0]}}\n"
	"tenants:\n"
	"  red:\n"
	"    networks:\n"
	"      a: {vni: 1, subnets: [10.0.1.0/30, 'fd00:1::/126']}\n"
	"      b: {vni: 2}\n"
	"    ports:\n"
	"      p0: {network: a, host: h1, device: d0, mac: '02:00:00:00:00:00', addresses: [10.0.1.1, 'fd00:1::1']}\n"
	"      p1: {network: a, host: h1, device: d1, mac: '02:00:00:00:00:01', addresses: [10.0.1.2]}\n"
	"      p2: {network: b, host: h1, device: d2, mac: '02:00:00:00:00:02', addresses: [10.0.2.1, 'fd00:2::1']}\n"
	"      p3: {network: b, host: h2, device: d0, mac: '02:00:00:00:00:03', addresses: [10.0.2.2]}\n"
	"      p4: {network: b, host: h1, device: d3, mac: '02:00:00:00:00:04'}\n"
	"    groups:\n"
	"      g0: {ports: [p0, p3]}\n"
	"      g1: {prefixes: [10.0.2.0/31, 10.9.0.0/16, 'fd00:2::/64']}\n"
	"      g2: {ports: [p4]}\n";

static const char *const here[] = { "p0", "p1", "p2", "p4" };
static const char *const addresses[] = { "10.0.1.0",  "10.0.1.1",  "10.0.1.2", "10.0.2.0",
					 "10.0.2.1",  "10.0.2.2",  "10.9.1.1", "fd00:1::1",
					 "fd00:1::9", "fd00:2::1", "fd00:3::1" };
static const char *const ends[] = { "group:g0",   "group:g1",    "group:g2",  "port:p0",
				    "port:p2",    "port:p3",     "network:a", "network:b",
				    "10.0.0.0/8", "10.0.1.1/32", "0.0.0.0/0", "fd00:1::/64",
				    "::/0" };
static const char *const places[] = { "port:p0",  "port:p1",   "port:p3",  "group:g0",
				      "group:g2", "network:a", "network:b" };

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static unsigned int seed = 7;

static unsigned int dice(unsigned int n)
{
	return (unsigned int)rand_r(&seed) % n;
}

static json_t *some(const char *const *words, size_t n, unsigned int most)
{
	json_t *list = json_array();

	for (unsigned int i = 1 + dice(most); i > 0; i--)
		json_array_append_new(list, json_string(words[dice((unsigned int)n)]));
	return list;
}

static json_t *some_ranges(void)
{
	json_t *list = json_array();

	for (unsigned int i = dice(3) + 1; i > 0; i--) {
		unsigned int low = dice(8), high = low + dice(3);

		json_array_append_new(list, json_pack("[i, i]", low, high));
	}
	return list;
}

static json_t *random_rule(void)
{
	static const char *const actions[] = { "allow", "deny", "reject" };
	json_t *rule = json_pack("{s:s, s:s, s:i}", "direction", dice(2) ? "in" : "out", "action",
				 actions[dice(3)], "priority", dice(4));

	if (dice(2))
		json_object_set_new(rule, "apply_to", some(places, COUNT(places), 2));
	if (dice(2))
		json_object_set_new(rule, "source", some(ends, COUNT(ends), 3));
	if (dice(2))
		json_object_set_new(rule, "destination", some(ends, COUNT(ends), 3));
	if (dice(2))
		json_object_set_new(rule, "protocol", json_string(dice(2) ? "tcp" : "udp"));
	if (json_object_get(rule, "protocol") && dice(2))
		json_object_set_new(rule, "destination_port", some_ranges());
	if (json_object_get(rule, "protocol") && !dice(3))
		json_object_set_new(rule, "source_port", some_ranges());
	if (!dice(4))
		json_object_set_new(rule, "ethertype", json_string(dice(2) ? "ipv4" : "ipv6"));
	return rule;
}

static struct packet random_packet(void)
{
	struct packet p = { .direction = (int)dice(2),
			    .port = here[dice(COUNT(here))],
			    .protocol = dice(2) ? 6 : 17,
			    .source_port = dice(10),
			    .destination_port = dice(10) };

	do {
		assert_int_equal(model_prefix(addresses[dice(COUNT(addresses))], &p.source), 0);
		assert_int_equal(model_prefix(addresses[dice(COUNT(addresses))], &p.destination),
				 0);
	} while (p.source.family != p.destination.family);
	return p;
}

/* The rule that decides by what the rules compile to: its id, or 0. */
static uint32_t ask(const struct acl_program *program, const struct model *m, const struct packet *p)
{
	struct acl_query q = { .source = p->source.addr,
			       .destination = p->destination.addr,
			       .port = model_port(m, "red", p->port)->slot,
			       .family = p->source.family,
			       .ethertype = p->source.family == FAMILY_IPV4 ? 0x0800 : 0x86dd,
			       .direction = (uint8_t)p->direction,
			       .protocol = (uint8_t)p->protocol,
			       .source_port = (uint16_t)p->source_port,
			       .destination_port = (uint16_t)p->destination_port,
			       .ct_state = CT_STATE_NEW };
	uint8_t action;

	return acl_program_ask(program, &q, &action);
}

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
		uint32_t got = ask(&program, m, &p);
		char path[CONFIG_PATH_LEN];

		snprintf(path, sizeof(path), "tenants/red/acl/%s", expected ? expected : "");
		assert_int_equal(got, expected ? identity_find(m->ids, path)->id : 0);
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
	     acl, nothing);
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
