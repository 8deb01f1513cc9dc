// SPDX-License-Identifier: BSD-2-Clause
/*
 * ACL rules: canonical object -> struct rule -> canonical object, and what the map's owner may put
 * there.
 */
#include "config_helpers.h"

#include "loader/rules.h"

static const char tree_text[] =
	"version: 1\n"
	"hosts: {h1: {vtep: 192.0.2.1, underlay: [u0]}}\n"
	"tenants:\n"
	"  red:\n"
	"    networks: {web: {vni: 101, subnets: [10.0.1.0/24]}}\n"
	"    ports: {web1: {network: web, host: h1, device: p0, mac: '02:00:00:00:00:0a'}}\n"
	"    groups: {g: {ports: [web1]}, office: {prefixes: [198.51.100.0/24]}}\n"
	"    acl:\n"
	"      - {name: a, direction: in, priority: 0, action: deny}\n"
	"      - {name: b, direction: out, priority: 65535, ethertype: arp, action: allow, log: true}\n"
	"      - {name: c, apply_to: [port:web1, group:g, network:web], direction: in, priority: 7,\n"
	"         protocol: tcp, source: [group:office, '2001:db8::/32', 10.0.0.0/8],\n"
	"         destination: [port:web1], source_port: 1024-65535, destination_port: [80, 443, 8000-8099],\n"
	"         tcp_flags: [syn, '!ack'], conntrack_state: [invalid, new], action: reject}\n"
	"      - {name: d, direction: in, priority: 9, protocol: icmpv6, icmp_type: 128, icmp_code: 0,\n"
	"         action: allow, stateless: true}\n"
	"      - {name: e, direction: in, priority: 9, protocol: 255, ethertype: ipv6, action: allow}\n"
	"      - {name: f, direction: in, priority: 9, ethertype: 0x88b5, action: deny}\n"
	"      - {name: g, direction: out, priority: 1, protocol: 0, source: 0.0.0.0/0, action: allow}\n";

static json_t *rules_of(const json_t *tree)
{
	return json_object_get(json_object_get(json_object_get(tree, "tenants"), "red"), "acl");
}

static void test_round_trip(void **state)
{
	json_t *tree = parsed(tree_text), *object;
	const char *name;

	(void)state;
	json_object_foreach (rules_of(tree), name, object) {
		struct error e = { 0 };
		struct rule first, second;
		json_t *read;

		assert_int_equal(rule_encode("red", name, object, 42, &first, &e), 0);
		read = rule_decode("red", name, &first, &e);
		if (!read)
			fail_msg("%s: %s", name, e.text);
		assert_int_equal(rule_encode("red", name, read, 42, &second, &e), 0);
		assert_memory_equal(&first, &second, sizeof(first));
		/* Only the order within a set may differ from what was written. */
		assert_int_equal(json_object_size(read), json_object_size(object));
		json_decref(read);
	}
	json_decref(tree);
}

/* What differs only in the order of a set, or says a default, is the same once it was stored. */
static void test_normalize(void **state)
{
	static const char *const same[] = {
		"{name: a, direction: in, priority: 1, conntrack_state: [new, invalid], action: deny, log: false}",
		"{name: a, direction: in, priority: 1, conntrack_state: [invalid, new], action: deny}",
	};
	struct error e = { 0 };
	json_t *trees[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		char text[512];

		snprintf(text, sizeof(text), "version: 1\ntenants: {red: {acl: [%s]}}\n", same[i]);
		trees[i] = parsed(text);
		assert_int_equal(rules_normalize(trees[i], &e), 0);
	}
	assert_true(json_equal(trees[0], trees[1]));
	json_decref(trees[0]);
	json_decref(trees[1]);
}

static void refused_encode(const char *key, json_t *list, const char *why)
{
	json_t *object = json_pack("{s:s, s:s, s:i, s:o}", "direction", "in", "action", "allow",
				   "priority", 1, key, list);
	struct error e = { 0 };
	struct rule rule;

	assert_int_equal(rule_encode("red", "big", object, 0, &rule, &e), -1);
	assert_int_equal(e.exit_code, EXIT_REFUSED);
	assert_contains(e.text, "acl red/big");
	assert_contains(e.text, key);
	assert_contains(e.text, why);
	json_decref(object);
}

static void test_limits(void **state)
{
	json_t *refs = json_array(), *ranges = json_array();

	(void)state;
	for (int i = 0; i < RULE_REFS + 1; i++) {
		json_array_append_new(refs, json_sprintf("10.%d.0.0/16", i));
		json_array_append_new(ranges, json_pack("[i, i]", i, i));
	}
	refused_encode("source", json_incref(refs), "room for 8");
	refused_encode("destination", json_incref(refs), "room for 8");
	refused_encode("apply_to", refs, "room for 8");
	refused_encode("source_port", json_incref(ranges), "room for 8");
	refused_encode("destination_port", ranges, "room for 8");
}

static struct rule good_rule(void)
{
	struct rule rule = { .direction = TO_WORKLOAD, .action = ACL_ALLOW, .priority = 5 };

	rule.has_protocol = 1;
	rule.protocol = 6;
	strcpy(rule.source[0], "group:office");
	strcpy(rule.destination[0], "10.0.0.0/8");
	rule.destination_ports = 1;
	rule.destination_port[0] = (struct port_range){ 80, 80 };
	return rule;
}

static void refused_decode(const struct rule *rule, const char *why)
{
	struct error e = { 0 };
	json_t *object = rule_decode("red", "evil", rule, &e);

	if (object)
		fail_msg("taken, though: %s", why);
	assert_int_equal(e.exit_code, EXIT_REFUSED);
	assert_contains(e.text, "acl red/evil");
	assert_contains(e.text, why);
}

#define REFUSED(change, why)                                                                       \
	do {                                                                                       \
		struct rule rule = good_rule();                                                    \
		change;                                                                            \
		refused_decode(&rule, why);                                                        \
	} while (0)

static void test_hostile(void **state)
{
	struct rule fine = good_rule();
	struct error e = { 0 };
	json_t *object = rule_decode("red", "fine", &fine, &e);

	(void)state;
	assert_non_null(object);
	json_decref(object);
	REFUSED(rule.direction = 2, "direction 2");
	REFUSED(rule.action = 4, "action 4");
	REFUSED(rule.ct_states = 0x10, "ct_states");
	REFUSED(rule.tcp_flags = 2, "tcp_flags");
	REFUSED(rule.ethertype = 5, "ethertype");
	REFUSED(rule.source_ports = 9, "source_port");
	REFUSED(rule.destination_ports = 65535, "destination_port");
	REFUSED((rule.destination_port[0] = (struct port_range){ 9, 8 }), "ends before it begins");
	REFUSED(memset(rule.source[0], 'a', RULE_REF_LEN), "no zero at its end");
	REFUSED(strcpy(rule.source[0], "10.0.0.0/8,0.0.0.0/0"), "not a prefix");
	REFUSED(strcpy(rule.source[0], "[group:office]"), "not a prefix");
	REFUSED(strcpy(rule.source[0], "{a: b}"), "not a prefix");
	REFUSED(strcpy(rule.source[0], "port:\033[2J"), "\\x1b");
	REFUSED(strcpy(rule.source[0], "group:../../blue"), "is not a prefix");
	REFUSED(strcpy(rule.source[1], "group:office"), "source");
	REFUSED(strcpy(rule.apply_to[0], "10.0.0.0/8"), "apply_to");
	REFUSED(rule.has_icmp_type = 1, "icmp_type");
	REFUSED(rule.has_protocol = 0, "protocol");
}

/* A rule with a chain as its owner may write it. */
static struct rule good_chain(void)
{
	struct rule rule = good_rule();

	rule.action = ACL_INSPECT;
	strcpy(rule.apply_to[0], "port:db1");
	strcpy(rule.apply_to[RULE_CHAIN], "chain:inspect");
	return rule;
}

#define REFUSED_CHAIN(change, why)                                                                 \
	do {                                                                                       \
		struct rule rule = good_chain();                                                   \
		change;                                                                            \
		refused_decode(&rule, why);                                                        \
	} while (0)

/* Its action is a number of its own, so that who knows no chains takes it for no rule at all. */
static void test_chain(void **state)
{
	struct rule fine = good_chain(), again;
	struct error e = { 0 };
	json_t *object = rule_decode("red", "fine", &fine, &e), *many = json_array();

	(void)state;
	assert_non_null(object);
	assert_string_equal(json_string_value(json_object_get(object, "action")), "allow");
	assert_string_equal(json_string_value(json_object_get(object, "chain")), "inspect");
	assert_int_equal(json_array_size(json_object_get(object, "apply_to")), 1);
	assert_int_equal(rule_encode("red", "fine", object, 0, &again, &e), 0);
	assert_memory_equal(&fine, &again, sizeof(fine));
	/* It takes one place of those that it applies to. */
	for (int i = 0; i < RULE_CHAIN; i++)
		json_array_append_new(many, json_sprintf("port:p%d", i));
	json_object_set(object, "apply_to", many);
	assert_int_equal(rule_encode("red", "fine", object, 0, &again, &e), 0);
	assert_string_equal(again.apply_to[RULE_CHAIN - 1], "port:p6");
	assert_string_equal(again.apply_to[RULE_CHAIN], "chain:inspect");
	json_array_append_new(many, json_string("port:p7"));
	assert_int_equal(rule_encode("red", "fine", object, 0, &again, &e), -1);
	assert_contains(e.text, "a rule with a chain has room for 7");
	json_decref(many);
	json_decref(object);
	REFUSED_CHAIN(rule.apply_to[RULE_CHAIN][0] = '\0', "does not name one");
	REFUSED_CHAIN(strcpy(rule.apply_to[RULE_CHAIN], "port:db1"), "does not name one");
	REFUSED_CHAIN(strcpy(rule.apply_to[RULE_CHAIN], "chain:"), "does not name one");
	REFUSED_CHAIN(strcpy(rule.apply_to[RULE_CHAIN], "chain:../x"), "is not a");
	REFUSED_CHAIN(strcpy(rule.apply_to[RULE_CHAIN], "chain:\033[2J"), "\\x1b");
	REFUSED_CHAIN(memset(rule.apply_to[RULE_CHAIN], 'a', RULE_REF_LEN), "no zero at its end");
	REFUSED_CHAIN(strcpy(rule.apply_to[1], "chain:inspect"), "apply_to");
	REFUSED_CHAIN(rule.stateless = 1, "chain needs a flow");
	REFUSED_CHAIN(rule.ct_states = CT_STATE_NEW | CT_STATE_INVALID, "chain needs a flow");
	/* Without the number it is a port that nobody has. */
	REFUSED(strcpy(rule.apply_to[0], "chain:inspect"), "apply_to");
}

static void test_names(void **state)
{
	static const struct rule_key good[] = { { "pg" },
						{ "abcdefghijklmnopqrstuvwxyz012345" },
						{ "a.b-c_d" } };
	static const struct rule_key bad[] = { { "" },     { "../x" }, { "A" }, { "a\033" },
					       { "a\0b" }, { "a/b" },  { ".a" } };
	char name[WEFT_NAME_LEN + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct error e = { 0 };

		assert_int_equal(rule_key_name("red", &good[i], name, &e), 0);
		assert_int_equal(strncmp(name, good[i].name, WEFT_NAME_LEN), 0);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error e = { 0 };

		assert_int_equal(rule_key_name("red", &bad[i], name, &e), -1);
		assert_contains(e.text, "tenant red");
		assert_null(strchr(e.text, '\033'));
	}
}

/*
 * Any bytes at all: what is taken can be written and read again, and nothing that is said moves a
 * cursor.
 */
static void test_any_bytes(void **state)
{
	unsigned int seed = 1, taken = 0;

	(void)state;
	for (int i = 0; i < 30000; i++) {
		struct rule rule = good_rule(), again;
		unsigned char *bytes = (unsigned char *)&rule;
		struct error e = { 0 };
		json_t *object;

		for (int n = rand_r(&seed) % 4; n >= 0; n--) {
			size_t at = (size_t)rand_r(&seed) % (i % 2 ? sizeof(rule) : 64);

			bytes[at] = (unsigned char)rand_r(&seed);
		}
		object = rule_decode("red", "x", &rule, &e);
		if (!object) {
			for (const char *p = e.text; *p; p++)
				assert_true((unsigned char)*p >= ' ' && *p != 127);
			continue;
		}
		taken++;
		assert_int_equal(rule_encode("red", "x", object, 1, &again, &e), 0);
		json_decref(object);
	}
	assert_true(taken > 100);
}

/* A rule may only name what its tenant has. */
static void test_check_names(void **state)
{
	json_t *tree = parsed(tree_text), *flat = config_flatten(tree), *object;
	struct rule rule = good_rule();
	struct error e = { 0 };
	const char *name;

	(void)state;
	json_object_foreach (rules_of(tree), name, object)
		assert_int_equal(rule_check_names("red", name, object, flat, &e), 0);
	strcpy(rule.source[0], "group:nobody");
	object = rule_decode("red", "x", &rule, &e);
	assert_int_equal(rule_check_names("red", "x", object, flat, &e), -1);
	assert_contains(e.text, "group:nobody");
	json_decref(object);
	rule = good_rule();
	strcpy(rule.apply_to[0], "group:office");
	object = rule_decode("red", "x", &rule, &e);
	assert_int_equal(rule_check_names("red", "x", object, flat, &e), -1);
	assert_contains(e.text, "group of prefixes");
	json_decref(object);
	rule = good_chain();
	object = rule_decode("red", "x", &rule, &e);
	assert_int_equal(rule_check_names("red", "x", object, flat, &e), -1);
	assert_contains(e.text, "chain inspect, which the tenant does not have");
	json_decref(object);
	json_decref(flat);
	json_decref(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_normalize),
		cmocka_unit_test(test_limits),      cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_names),       cmocka_unit_test(test_any_bytes),
		cmocka_unit_test(test_check_names), cmocka_unit_test(test_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
