// SPDX-License-Identifier: BSD-2-Clause
/*
 * The whole grammar in one file: every part that is not supported yet is refused by its name. The
 * test takes the parts out one by one, in the order in which they are met, and what remains is a
 * configuration that holds.
 */
#include "config_helpers.h"

static const struct {
	const char *path; /* of what to take out */
	const char *message;
} later[] = {
	{"uplinks",
	 "config/full.yaml:6:1: uplinks (devices that face the outside) is not supported yet"},
	{"tenants/red/networks/web/dhcp",
	 "tenants/red/networks/web: dhcp (what DHCP hands out) is not"},
	{"tenants/red/ports/db1/qos",
	 "tenants/red/ports/db1: qos (its rate limits) is not supported yet"},
	{"tenants/red/routers", "tenants/red: routers (L3 between networks) is not supported yet"},
	{"tenants/red/nat", "tenants/red: nat (address translation) is not supported yet"},
	{"tenants/red/floating_ips",
	 "tenants/red: floating_ips (outside addresses of workloads) is not"},
	{"tenants/red/load_balancers",
	 "tenants/red: load_balancers (L4 load balancing) is not supported"},
	{"tenants/red/qos", "tenants/red: qos (rate limits) is not supported yet"},
	{"tenants/red/peerings",
	 "tenants/red: peerings (traffic between tenants) is not supported yet"},
};

static void take_out(json_t *tree, const char *path)
{
	char copy[128], *rest = copy, *part;

	snprintf(copy, sizeof(copy), "%s", path);
	while ((part = strsep(&rest, "/"))) {
		if (!rest)
			assert_int_equal(json_object_del(tree, part), 0);
		else if (json_is_array(tree))
			tree = json_array_get(tree, (size_t)atoi(part));
		else
			tree = json_object_get(tree, part);
		assert_non_null(tree);
	}
}

static void test_refused_by_name(void **state)
{
	struct error err = {0};
	struct marks *marks = marks_new();
	json_t *raw = yaml_read(CONFIG_SAMPLES "/full.yaml", marks, &err), *tree;

	(void)state;
	if (!raw)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
		assert_null(schema_tree(raw, marks, &err));
		assert_contains(err.text, later[i].message);
		assert_contains(err.text, "not supported yet");
		take_out(raw, later[i].path);
	}
	/* Of the function one instance is left, on another host than the rule's port. */
	take_out(raw, "tenants/red/acl/0/chain");
	tree = schema_tree(raw, marks, &err);
	if (!tree || config_check(tree, marks, &err))
		fail_msg("%s", err.text);
	assert_round_trip(tree);
	json_decref(tree);
	json_decref(raw);
	marks_free(marks);
}

/* The table itself: whatever has a default can read it, and a default is within the limits. */
static void check_defaults(const struct schema_kind *kind)
{
	char why[300], text[64];

	assert_non_null(kind->doc);
	for (const struct schema_key *k = kind->keys; k->name; k++) {
		assert_non_null(k->doc);
		if (k->object)
			check_defaults(k->object);
		if (k->later || !k->fallback)
			continue;

		json_t *value = k->type->parse(k, k->fallback, why, sizeof(why));

		if (!value)
			fail_msg("%s: the default %s %s", k->name, k->fallback, why);
		k->type->format(k, value, text, sizeof(text));
		assert_string_equal(text, k->fallback);
		assert_false(k->required);
		json_decref(value);
	}
}

static void test_defaults_are_valid(void **state)
{
	(void)state;
	check_defaults(schema_root());
}

static void test_defaults(void **state)
{
	json_t *options = json_pack("{s:{s:i, s:b}}", "conntrack", "max_flows", 100, "loose", 1);

	(void)state;
	assert_int_equal(schema_number("tenant", NULL, "conntrack.max_flows"), 192);
	assert_int_equal(schema_number("tenant", options, "conntrack.max_flows"), 100);
	assert_int_equal(schema_number("tenant", options, "conntrack.timeouts.tcp_established"),
			 432000000);
	assert_int_equal(schema_number("network", NULL, "mtu"), 1450);
	assert_int_equal(schema_number("network", NULL, "nothing"), 0);
	assert_int_equal(schema_number("nothing", NULL, "mtu"), 0);
	assert_true(schema_flag("tenant", options, "conntrack.loose"));
	assert_false(schema_flag("tenant", NULL, "conntrack.loose"));
	assert_string_equal(schema_text("tenant", options, "default.in"), "deny");
	assert_string_equal(schema_text("tenant", options, "default.out"), "allow");
	assert_string_equal(schema_text("host", NULL, "mode"), "auto");
	assert_null(schema_text("port", NULL, "mode"));
	json_decref(options);
}

static void test_numbers_for_packets(void **state)
{
	json_t *tcp = json_string("tcp"), *lldp = json_integer(0x88cc), *ipv6 = json_string("ipv6");
	json_t *flags = json_pack("[s, s, s]", "syn", "!ack", "fin");
	uint8_t mask, value;

	(void)state;
	assert_int_equal(schema_protocol_number(tcp), 6);
	assert_int_equal(schema_protocol_number(NULL), -1);
	assert_int_equal(schema_ethertype_number(lldp), 0x88cc);
	assert_int_equal(schema_ethertype_number(ipv6), 0x86dd);
	schema_tcp_flags(flags, &mask, &value);
	assert_int_equal(mask, 0x13);
	assert_int_equal(value, 0x03);
	schema_tcp_flags(NULL, &mask, &value);
	assert_int_equal(mask, 0);
	json_decref(tcp);
	json_decref(lldp);
	json_decref(ipv6);
	json_decref(flags);
}

static void test_help_names_every_key(void **state)
{
	static const char *const kinds[] = {"host", "sf",    "instance", "tenant", "network",
					    "port", "group", "acl",	 "chain",  "insert"};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct schema_kind *kind = schema_kind(kinds[i]);
		char *text = NULL;
		size_t len;
		FILE *out = open_memstream(&text, &len);

		schema_help(out, kind);
		fclose(out);
		for (const struct schema_key *k = kind->keys; k->name; k++)
			assert_contains(text, k->name);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused_by_name),
		cmocka_unit_test(test_defaults_are_valid),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_numbers_for_packets),
		cmocka_unit_test(test_help_names_every_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
