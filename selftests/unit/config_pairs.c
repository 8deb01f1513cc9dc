// SPDX-License-Identifier: BSD-2-Clause
/*
 * `KEY VALUE` pairs of the command line make the objects that the same keys make in YAML, and the
 * same refusals.
 */
#include "config_helpers.h"

#define PAIRS(...) \
	((char *[]){__VA_ARGS__}), (int)(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *))

static void makes(const char *kind, char **argv, int argc, const char *expected)
{
	struct error err = {0};
	json_t *object = schema_object_from_pairs(kind, argc, argv, &err);

	if (!object)
		fail_msg("%s", err.text);
	assert_json(object, expected);
	json_decref(object);
}

static void refuses(const char *kind, char **argv, int argc, const char *expected)
{
	struct error err = {0};

	assert_null(schema_object_from_pairs(kind, argc, argv, &err));
	assert_contains(err.text, expected);
	assert_int_equal(err.exit_code, EXIT_USAGE);
}

static void test_objects(void **state)
{
	(void)state;
	makes("host", PAIRS("vtep", "192.168.50.1", "underlay", "u0,u1", "mode", "xdp"),
	      "{\"vtep\":[\"192.168.50.1\"],\"underlay\":[\"u0\",\"u1\"],\"mode\":\"xdp\"}");
	makes("network", PAIRS("vni", "101", "subnets", "10.0.1.0/24,FD00:1::/64"),
	      "{\"vni\":101,\"subnets\":[\"10.0.1.0/24\",\"fd00:1::/64\"]}");
	makes("port",
	      PAIRS("network", "web", "host", "h1", "device", "p0", "mac", "02:00:00:00:00:0A",
		    "addresses", "10.0.1.1"),
	      "{\"network\":\"web\",\"host\":\"h1\",\"device\":\"p0\",\"mac\":\"02:00:00:00:00:"
	      "0a\","
	      "\"addresses\":[\"10.0.1.1\"]}");
	makes("acl",
	      PAIRS("apply_to", "port:db1", "direction", "in", "priority", "100", "protocol", "tcp",
		    "source", "group:web", "destination_port", "5432,8000-8099", "action", "allow"),
	      "{\"apply_to\":[\"port:db1\"],\"direction\":\"in\",\"priority\":100,\"protocol\":"
	      "\"tcp\","
	      "\"source\":[\"group:web\"],\"destination_port\":[[5432,5432],[8000,8099]],"
	      "\"action\":\"allow\"}");
	makes("instance", PAIRS("host", "h1", "devices", "s0,s1"),
	      "{\"host\":\"h1\",\"devices\":[\"s0\",\"s1\"]}");
	makes("chain", PAIRS("tag", "301", "steps", "ips", "bypass", "on"),
	      "{\"tag\":301,\"steps\":[{\"function\":\"ips\"}],\"bypass\":true}");
	makes("insert", PAIRS("apply_to", "port:a,port:b", "chain", "c"),
	      "{\"apply_to\":[\"port:a\",\"port:b\"],\"chain\":\"c\"}");
	makes("group", PAIRS("prefixes", "198.51.100.0/24, 203.0.113.7"),
	      "{\"prefixes\":[\"198.51.100.0/24\",\"203.0.113.7/32\"]}");
}

static void test_reach_into_objects(void **state)
{
	(void)state;
	makes("tenant",
	      PAIRS("enforcement", "monitor", "default.in", "allow", "conntrack.timeouts.udp",
		    "5m"),
	      "{\"enforcement\":\"monitor\",\"default\":{\"in\":\"allow\"},"
	      "\"conntrack\":{\"timeouts\":{\"udp\":300000}}}");
	makes("sf", PAIRS("instances.ips1.host", "h1", "instances.ips1.device", "s0"),
	      "{\"instances\":{\"ips1\":{\"host\":\"h1\",\"device\":\"s0\"}}}");
	makes("chain", PAIRS("tag", "301", "steps", "ips,waf", "mirror_order", "true"),
	      "{\"tag\":301,\"steps\":[{\"function\":\"ips\"},{\"function\":\"waf\"}],\"mirror_order\":true}");
	makes("chain",
	      PAIRS("tag", "1", "steps", "[{function: ips, on_failure: open}, {function: waf}]"),
	      "{\"tag\":1,\"steps\":[{\"function\":\"ips\",\"on_failure\":\"open\"},{\"function\":\"waf\"}]}");
	makes("chain", PAIRS("tag", "1", "steps", "[{function: ips, mode: inline}]"),
	      "{\"tag\":1,\"steps\":[{\"function\":\"ips\",\"mode\":\"inline\"}]}");
}

static void test_refusals(void **state)
{
	(void)state;
	refuses("port", PAIRS("networ", "web"),
		"port: key \"networ\" is not known: did you mean network?");
	refuses("port", PAIRS("vlan"), "port: key \"vlan\" has no value");
	refuses("port", PAIRS("vlan", "1", "vlan", "2"), "port: key \"vlan\" is given twice");
	refuses("port", PAIRS("qos", "gold"), "port: qos (its rate limits) is not supported yet");
	refuses("port", PAIRS("network", "web"), "port: host is missing");
	refuses("network", PAIRS("vni", "16777216"), "network: vni \"16777216\" is not a number");
	refuses("chain", PAIRS("tag", "1", "steps", "a,b,c,d,e,f,g,h,i"), "keep at most 8");
	refuses("chain", PAIRS("tag", "1", "steps", "[{function"), "correct the YAML");
	refuses("chain", PAIRS("tag", "1", "steps", "[{}]"), "function is missing");
	refuses("tenant", PAIRS("default", "deny"), "tenant/default: it is a text");
	refuses("tenant", PAIRS("default", "{in: deny}", "default.in", "allow"), "given twice");
	refuses("acl",
		PAIRS("direction", "in", "priority", "1", "action", "deny", "tcp_flags", "syn"),
		"acl: tcp_flags needs TCP");
	refuses("port", PAIRS("mac", "\xff"), "not UTF-8");
	refuses("router", PAIRS("a", "b"), "router is not a kind of object");
}

static void test_set(void **state)
{
	char *pairs[] = {"default.in", "", "default.out", "deny", "conntrack.loose", "on"};
	char *clear[] = {"default.in", "", "default.out", "", "enforcement", ""};
	char *unknown[] = {"colour", ""};
	struct error err = {0};
	json_t *base =
		json_pack("{s:s, s:{s:s}}", "enforcement", "monitor", "default", "in", "allow");
	json_t *set = schema_object_set("tenant", base, 6, pairs, &err);

	(void)state;
	assert_json(set, "{\"enforcement\":\"monitor\",\"default\":{\"out\":\"deny\"},"
			 "\"conntrack\":{\"loose\":true}}");
	assert_json(base, "{\"enforcement\":\"monitor\",\"default\":{\"in\":\"allow\"}}");
	json_decref(set);

	set = schema_object_set("tenant", base, 6, clear, &err);
	assert_json(set, "{}");
	json_decref(set);

	assert_null(schema_object_set("tenant", base, 2, unknown, &err));
	assert_contains(err.text, "tenant: key \"colour\" is not known");
	json_decref(base);
}

static void test_set_keeps_what_is_required(void **state)
{
	char *pairs[] = {"vni", ""};
	struct error err = {0};
	json_t *base = json_pack("{s:i}", "vni", 7);

	(void)state;
	assert_null(schema_object_set("network", base, 2, pairs, &err));
	assert_contains(err.text, "network: vni is missing");
	json_decref(base);
}

static void test_names(void **state)
{
	struct error err = {0};

	(void)state;
	assert_int_equal(schema_check_name("port", "web-1.a_b", &err), 0);
	assert_int_equal(schema_check_name("port", "", &err), -1);
	assert_int_equal(schema_check_name("port", "..", &err), -1);
	assert_int_equal(schema_check_name("port", "a/b", &err), -1);
	assert_contains(err.text, "port \"a/b\" is not a name");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_reach_into_objects),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_set_keeps_what_is_required),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
