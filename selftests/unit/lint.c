// SPDX-License-Identifier: BSD-2-Clause
/*
 * lint and policy against an oracle that knows neither: random rules over a small world, and every kind of packet that they
 * can tell apart. What is said never to decide decides no packet, what is said to change nothing can go without a
 * difference, what is not mentioned decides something; and nobody's rules take long.
 */
#include "config_helpers.h"

#include <time.h>

#include "acl_oracle.h"
#include "acl_dice.h"
#include "loader/lint.h"

#define ROUNDS 15

static const char world_text[] =
	"version: 1\n"
	"hosts: {h1: {vtep: 192.0.2.1, underlay: [u0]}}\n"
	"tenants:\n"
	"  red:\n"
	"    networks:\n"
	"      a: {vni: 1, subnets: [10.0.1.0/30, 'fd00:1::/126']}\n"
	"      b: {vni: 2}\n"
	"    ports:\n"
	"      p0: {network: a, host: h1, device: d0, mac: '02:00:00:00:00:00', addresses: [10.0.1.1, 'fd00:1::1']}\n"
	"      p1: {network: a, host: h1, device: d1, mac: '02:00:00:00:00:01', addresses: [10.0.1.2]}\n"
	"      p2: {network: b, host: h1, device: d2, mac: '02:00:00:00:00:02', addresses: [10.0.2.1, 'fd00:2::1']}\n"
	"    groups:\n"
	"      g0: {ports: [p0, p2]}\n"
	"      g1: {prefixes: [10.0.2.0/31, 10.9.0.0/16, 'fd00:2::/64']}\n"
	"      g2: {ports: []}\n";

/* One of each kind that the words below can tell apart. */
static const char *const addresses[] = { "10.0.1.0", "10.0.1.1", "10.0.1.2", "10.0.2.0",  "10.0.2.1",
					 "10.0.2.2", "10.9.1.1", "10.1.1.1", "8.8.8.8",	  "fd00:1::1",
					 "fd00:1::2", "fd00:1::9", "fd00:2::1", "fd00:3::1" };
static const char *const ends[] = { "group:g0",	  "group:g1", "group:g2",    "port:p0",	  "port:p2",
				    "network:a",  "10.0.0.0/8", "10.0.1.1/32", "0.0.0.0/0", "fd00:1::/64",
				    "::/0" };
static const char *const places[] = { "port:p0", "port:p1", "port:p2", "group:g0", "group:g2", "network:a",
				      "network:b" };
static const char *const ports[] = { "p0", "p1", "p2" };
static const int protocols[] = { 6, 17, 47 };
static const unsigned int numbers[] = { 0, 1, 2, 3, 4, 5, 60000 };

static json_t *random_rule(void)
{
	json_t *rule = rule_that(dice(4) ? "in" : "out");

	maybe_words(rule, "apply_to", places, COUNT(places), 3);
	maybe_words(rule, "source", ends, COUNT(ends), 3);
	maybe_words(rule, "destination", ends, COUNT(ends), 3);
	if (!dice(3))
		json_object_set_new(rule, "protocol", json_string(dice(2) ? "tcp" : "udp"));
	if (json_object_get(rule, "protocol") && dice(2)) {
		unsigned int low = dice(4);

		json_object_set_new(rule, "destination_port", json_pack("[[i, i]]", low, low + dice(3)));
	}
	maybe_ethertype(rule);
	return rule;
}

static json_t *random_rules(void)
{
	json_t *acl = json_object();
	char name[16];

	for (unsigned int i = 0, n = 2 + dice(10); i < n; i++) {
		snprintf(name, sizeof(name), "r%02u", i);
		json_object_set_new(acl, name, random_rule());
	}
	return acl;
}

/* ---- every kind of packet ---- */

static bool next_packet(size_t *i, struct packet *p)
{
	size_t n = *i;

	for (;; n++) {
		size_t k = n;

		*p = (struct packet){ .direction = (int)(k % 2), .source_port = 7 };
		k /= 2;
		p->port = ports[k % COUNT(ports)];
		k /= COUNT(ports);
		p->protocol = protocols[k % COUNT(protocols)];
		k /= COUNT(protocols);
		p->destination_port = numbers[k % COUNT(numbers)];
		k /= COUNT(numbers);
		model_prefix(addresses[k % COUNT(addresses)], &p->source);
		k /= COUNT(addresses);
		if (k >= COUNT(addresses))
			return false;
		model_prefix(addresses[k], &p->destination);
		if (p->source.family == p->destination.family)
			break;
	}
	*i = n + 1;
	return true;
}

static struct policy_question question_of(const struct model *m, const struct packet *p)
{
	return (struct policy_question){ .port = model_port(m, "red", p->port),
					 .direction = (uint8_t)p->direction,
					 .family = p->source.family,
					 .ethertype = p->source.family == FAMILY_IPV4 ? 0x0800 : 0x86dd,
					 .source = p->source,
					 .destination = p->destination,
					 .protocol = (uint8_t)p->protocol,
					 .source_port = (uint16_t)p->source_port,
					 .destination_port = (uint16_t)p->destination_port,
					 .ct_state = CT_STATE_NEW };
}

/* What becomes of a packet: "allow", "deny" or "reject". By default in is denied and out allowed. */
static const char *verdict(const json_t *tree, const json_t *acl, const struct packet *p)
{
	const char *name = oracle(tree, acl, p);

	if (name)
		return json_string_value(json_object_get(json_object_get(acl, name), "action"));
	return p->direction == TO_WORKLOAD ? "deny" : "allow";
}

/* ---- a round ---- */

struct told {
	bool dead, idle, contradicts; /* never decides; can go; has a rival */
};

static struct told told_of(const json_t *findings, const char *rule)
{
	struct told t = { 0 };
	const json_t *one;
	size_t i;

	json_array_foreach ((json_t *)findings, i, one) {
		const char *kind = json_string_value(json_object_get(one, "kind"));

		if (strcmp(json_string_value(json_object_get(one, "rule")), rule))
			continue;
		t.dead |= strstr(json_string_value(json_object_get(one, "text")), "never decides") != NULL;
		t.idle |= !strcmp(kind, "redundant");
		t.contradicts |= !strcmp(kind, "contradiction");
	}
	return t;
}

static bool decides_any(const json_t *tree, const json_t *acl, const char *rule)
{
	struct packet p;

	for (size_t i = 0; next_packet(&i, &p);) {
		const char *name = oracle(tree, acl, &p);

		if (name && !strcmp(name, rule))
			return true;
	}
	return false;
}

static bool can_go(const json_t *tree, const json_t *acl, const char *rule)
{
	json_t *without = json_copy((json_t *)acl);
	struct packet p;
	bool same = true;

	json_object_del(without, rule);
	for (size_t i = 0; same && next_packet(&i, &p);)
		same = !strcmp(verdict(tree, acl, &p), verdict(tree, without, &p));
	json_decref(without);
	return same;
}

static bool has_rival(const json_t *tree, const json_t *acl, const char *name)
{
	const json_t *rule = json_object_get(acl, name);
	const char *other_name;
	json_t *other;
	struct packet p;

	json_object_foreach ((json_t *)acl, other_name, other) {
		if (weight(other) / 3 != weight(rule) / 3 || weight(other) <= weight(rule))
			continue;
		for (size_t i = 0; next_packet(&i, &p);)
			if (rule_matches(tree, rule, &p) && rule_matches(tree, other, &p))
				return true;
	}
	return false;
}

/* The packets above are all IP, and of ports that there are: a rule that asks for more may decide what is not tried. */
static bool is_tried(const json_t *rule)
{
	return json_object_get(rule, "apply_to") &&
	       (json_object_get(rule, "source") || json_object_get(rule, "destination") ||
		json_object_get(rule, "protocol") || json_object_get(rule, "ethertype"));
}

static size_t dead_rules, idle_rules, rivals, live_rules;

static void check_rule(const json_t *tree, const json_t *acl, const json_t *findings, const char *name,
		       const json_t *rule)
{
	struct told told = told_of(findings, name);
	bool decides = decides_any(tree, acl, name);

	if (told.dead && decides)
		fail_msg("%s is said never to decide, and does", name);
	if (!told.dead && !decides && is_tried(rule))
		fail_msg("%s never decides, and nothing is said", name);
	if (told.idle && !can_go(tree, acl, name))
		fail_msg("%s is said to change nothing, and does", name);
	if (told.contradicts && !has_rival(tree, acl, name))
		fail_msg("%s is said to contradict another, and does not", name);
	if (!told.contradicts && !told.dead && has_rival(tree, acl, name))
		fail_msg("%s contradicts another, and nothing is said", name);
	dead_rules += told.dead;
	idle_rules += told.idle;
	rivals += told.contradicts;
	live_rules += decides;
}

static void lint_round(const json_t *tree, const struct model *m, const struct policy *policy)
{
	const json_t *acl = json_object_get(policy->tenant->body, "acl");
	struct lint_report report = { .findings = json_array(), .complete = true };
	const char *name;
	json_t *rule;

	(void)m;
	lint_rules(policy, &report);
	assert_true(report.complete);
	json_object_foreach ((json_t *)acl, name, rule)
		check_rule(tree, acl, report.findings, name, rule);
	json_decref(report.findings);
}

static void policy_round(const json_t *tree, const struct model *m, const struct policy *policy)
{
	const json_t *acl = json_object_get(policy->tenant->body, "acl");
	struct packet p;

	for (size_t i = 0; next_packet(&i, &p);) {
		struct policy_question q = question_of(m, &p);
		const struct policy_rule *got = policy_decide(policy, &q);
		const char *wanted = oracle(tree, acl, &p);

		if ((got ? strcmp(got->name, wanted ? wanted : "") : wanted != NULL))
			fail_msg("%s decides, and policy says %s", wanted ? wanted : "the default",
				 got ? got->name : "the default");
	}
}

static void with(json_t *groups, json_t *acl,
		 void (*test)(const json_t *tree, const struct model *m, const struct policy *policy))
{
	json_t *tree = parsed(world_text), *flat, *red_body;
	struct identities old = { 0 }, ids;
	struct error e = { 0 };
	struct policy policy;
	struct model m;

	red_body = json_object_get(json_object_get(tree, "tenants"), "red");
	json_object_set_new(red_body, "acl", acl);
	if (groups)
		json_object_set_new(red_body, "groups", groups);
	flat = config_flatten(tree);
	assert_int_equal(identities_assign(&old, flat, &ids, &e), 0);
	model_make(&m, tree, &ids, "h1");
	if (policy_open(&policy, &m, model_tenant(&m, "red"), &e))
		fail_msg("%s", e.text);
	test(tree, &m, &policy);
	policy_close(&policy);
	model_free(&m);
	identities_free(&ids);
	json_decref(flat);
	json_decref(tree);
}

static void test_policy(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++)
		with(NULL, random_rules(), policy_round);
}

static void test_lint(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++)
		with(NULL, random_rules(), lint_round);
	/* A test that meets one outcome only proves little. */
	assert_true(dead_rules > 3 && idle_rules > 3 && rivals > 3 && live_rules > 8);
}

/* ---- what the oracle does not know: states, flags, logs, rules put together ---- */

static json_t *found; /* rule -> kind, of the last lint */

static void keep_findings(const json_t *tree, const struct model *m, const struct policy *policy)
{
	struct lint_report report = { .findings = json_array(), .complete = true };
	const json_t *one;
	size_t i;

	(void)tree;
	(void)m;
	lint_rules(policy, &report);
	json_decref(found);
	found = json_object();
	json_array_foreach (report.findings, i, one)
		json_object_set(found, json_string_value(json_object_get(one, "rule")),
				json_object_get(one, "kind"));
	json_object_set_new(found, "complete", json_boolean(report.complete));
	json_decref(report.findings);
}

static json_t *yaml_rules(const char *text)
{
	char document[4096];
	json_t *tree, *acl;

	snprintf(document, sizeof(document), "version: 1\ntenants: {t: {networks: {n: {vni: 1}}, acl: [%s]}}", text);
	tree = parsed(document);
	acl = json_incref(json_object_get(json_object_get(json_object_get(tree, "tenants"), "t"), "acl"));
	json_decref(tree);
	return acl;
}

static void expect_kinds(const char *rules, const char *wanted)
{
	json_t *want = json_loads(wanted, 0, NULL);

	assert_non_null(want);
	with(NULL, yaml_rules(rules), keep_findings);
	json_object_set_new(want, "complete", json_true());
	if (!json_equal(want, found)) {
		char *got = json_dumps(found, JSON_SORT_KEYS);

		fail_msg("%s: wanted %s, got %s", rules, wanted, got);
	}
	json_decref(want);
}

static void test_cases(void **state)
{
	(void)state;
#define IN "direction: in, protocol: tcp, "
	/* Two halves together. */
	expect_kinds("{name: a, " IN "priority: 9, destination_port: 0-999, action: deny},"
		     "{name: b, " IN "priority: 8, destination_port: 1000-65535, action: deny},"
		     "{name: c, " IN "priority: 7, action: allow}",
		     "{\"c\": \"shadowed\"}");
	expect_kinds("{name: a, " IN "priority: 9, source: [10.0.0.0/9], action: allow},"
		     "{name: b, " IN "priority: 8, source: [10.128.0.0/9], action: allow},"
		     "{name: c, " IN "priority: 7, source: [10.0.0.0/8], action: allow}",
		     "{\"c\": \"redundant\", \"a\": \"redundant\", \"b\": \"redundant\"}");
	/* One is missing in the middle. */
	expect_kinds("{name: a, " IN "priority: 9, destination_port: 0-999, action: deny},"
		     "{name: b, " IN "priority: 8, destination_port: 1001-65535, action: deny},"
		     "{name: c, " IN "priority: 7, action: allow}",
		     "{}");
	/* Of no flow, and of none but such. */
	expect_kinds("{name: a, " IN "priority: 9, action: allow},"
		     "{name: b, " IN "priority: 8, conntrack_state: [invalid], action: allow}",
		     "{}");
	expect_kinds("{name: a, " IN "priority: 9, stateless: true, action: allow},"
		     "{name: b, " IN "priority: 8, conntrack_state: [invalid], action: deny}",
		     "{\"b\": \"shadowed\"}");
	/* Flags: syn without ack is some of syn. */
	expect_kinds("{name: a, " IN "priority: 9, tcp_flags: [syn], action: allow},"
		     "{name: b, " IN "priority: 8, tcp_flags: [syn, '!ack'], action: reject},"
		     "{name: c, " IN "priority: 7, tcp_flags: ['!ack'], action: reject}",
		     "{\"b\": \"shadowed\"}");
	/* What logs changes something: it is neither the same as one that does not, nor as the default. */
	expect_kinds("{name: a, " IN "priority: 9, destination_port: 1, log: true, action: allow},"
		     "{name: b, " IN "priority: 8, action: allow}",
		     "{}");
	expect_kinds("{name: a, direction: out, priority: 9, log: true, action: allow}", "{}");
	expect_kinds("{name: a, direction: out, priority: 9, action: allow}", "{\"a\": \"redundant\"}");
	/* In and out have nothing to do with each other, nor have IPv4, IPv6 and the rest. */
	expect_kinds("{name: a, direction: out, priority: 9, action: deny},"
		     "{name: b, direction: in, priority: 8, action: allow}",
		     "{}");
	expect_kinds("{name: a, direction: in, priority: 9, ethertype: ipv4, action: allow},"
		     "{name: b, direction: in, priority: 8, ethertype: ipv6, action: allow},"
		     "{name: c, direction: in, priority: 7, action: reject}",
		     "{}");
	expect_kinds("{name: a, direction: in, priority: 5, source: [group:g2], protocol: tcp, action: allow},"
		     "{name: b, direction: in, priority: 5, apply_to: [group:g2], action: allow}",
		     "{\"a\": \"never\", \"b\": \"never\"}");
	expect_kinds("{name: a, " IN "priority: 5, destination_port: 1-9, action: allow},"
		     "{name: b, " IN "priority: 5, destination_port: 9-20, action: reject}",
		     "{\"a\": \"contradiction\"}");
	json_decref(found);
	found = NULL;
}

/* ---- hostile rules ---- */

static void in_bounds(json_t *groups, json_t *acl)
{
	clock_t begin = clock();

	with(groups, acl, keep_findings);
	json_decref(found);
	found = NULL;
	assert_true(clock() - begin < 30 * CLOCKS_PER_SEC);
}

static void add(json_t *acl, unsigned int i, json_t *rule)
{
	char name[16];

	snprintf(name, sizeof(name), "r%05u", i);
	json_object_set_new(acl, name, rule);
}

/* Each overlaps each, and differences fall apart in every dimension. */
static void test_entangled(void **state)
{
	json_t *acl = json_object(), *ranges = json_array();
	char source[32], destination[32];

	(void)state;
	for (unsigned int i = 0; i < RULE_RANGES; i++)
		json_array_append_new(ranges, json_pack("[i, i]", i * 8000, i * 8000 + 4000));
	for (unsigned int i = 0; i < 4000; i++) {
		snprintf(source, sizeof(source), "10.%u.0.0/%u", dice(2) * 128, 8 + dice(2));
		snprintf(destination, sizeof(destination), "10.%u.0.0/%u", dice(2) * 128, 8 + dice(2));
		add(acl, i,
		    json_pack("{s:s, s:s, s:i, s:s, s:[s], s:[s], s:O, s:[[i, i]]}", "direction", "in",
			      "action", i % 2 ? "allow" : "deny", "priority", 5, "protocol", "tcp", "source",
			      source, "destination", destination, "source_port", ranges, "destination_port",
			      dice(30000), 30000 + dice(30000)));
	}
	json_decref(ranges);
	in_bounds(NULL, acl);
}

/* Large groups, in lists that all differ. */
static void test_large_groups(void **state)
{
	json_t *groups = json_object(), *acl = json_object();
	char name[16], text[32];

	(void)state;
	for (unsigned int g = 0; g < 64; g++) {
		json_t *list = json_array();

		for (unsigned int i = 0; i < 1000; i++) {
			snprintf(text, sizeof(text), "10.%u.%u.%u/32", g, i / 250, i % 250 * 2 % 256);
			json_array_append_new(list, json_string(text));
		}
		snprintf(name, sizeof(name), "g%u", g);
		json_object_set_new(groups, name, json_pack("{s:o}", "prefixes", list));
	}
	for (unsigned int i = 0; i < 2000; i++) {
		json_t *refs = json_array();

		for (unsigned int k = 0; k < RULE_REFS; k++) {
			snprintf(text, sizeof(text), "group:g%u", dice(64));
			json_array_append_new(refs, json_string(text));
		}
		add(acl, i,
		    json_pack("{s:s, s:s, s:i, s:O, s:o}", "direction", "in", "action", "allow", "priority", 5,
			      "source", refs, "destination", refs));
	}
	in_bounds(groups, acl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy),	  cmocka_unit_test(test_lint),
		cmocka_unit_test(test_cases),	  cmocka_unit_test(test_entangled),
		cmocka_unit_test(test_large_groups),
	};

	dice_seed = 11;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
