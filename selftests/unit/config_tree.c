// SPDX-License-Identifier: BSD-2-Clause
/* Whole configurations: several files joined, what apply owns, what differs, and how it is told. */
#include <unistd.h>

#include "config_helpers.h"

#define RED                                                                           \
	"version: 1\n"                                                                \
	"hosts:\n"                                                                    \
	"  h1: {vtep: 10.9.0.1, underlay: [u0]}\n"                                    \
	"tenants:\n"                                                                  \
	"  red:\n"                                                                    \
	"    options: {default: {in: deny}}\n"                                        \
	"    networks: {web: {vni: 1}}\n"                                             \
	"    ports:\n"                                                                \
	"      a: {network: web, host: h1, device: p0, mac: \"02:00:00:00:00:01\"}\n" \
	"      b: {network: web, host: h1, device: p1, mac: \"02:00:00:00:00:02\"}\n"

static char *file_with(const char *text)
{
	char *path = strdup("/tmp/config_tree.XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	return path;
}

static json_t *read_two(const char *a, const char *b, struct error *err)
{
	char *files[2] = {file_with(a), file_with(b)};
	json_t *tree = config_read((const char *const *)files, 2, NULL, err);

	for (int i = 0; i < 2; i++) {
		if (!tree)
			assert_contains(err->text, files[i]);
		unlink(files[i]);
		free(files[i]);
	}
	return tree;
}

static void test_files_join(void **state)
{
	struct error err = {0};
	json_t *tree =
		read_two("version: 1\ntenants:\n  red:\n    networks: {web: {vni: 1}}\n",
			 "version: 1\ntenants:\n  red:\n    options: {enforcement: monitor}\n"
			 "    networks: {db: {vni: 2}}\n  blue: {}\n",
			 &err);

	(void)state;
	assert_json(
		tree,
		"{\"version\":1,\"tenants\":{\"red\":{\"options\":{\"enforcement\":\"monitor\"},"
		"\"networks\":{\"web\":{\"vni\":1},\"db\":{\"vni\":2}}},\"blue\":{}}}");
	json_decref(tree);
}

static void test_same_object_in_two_files(void **state)
{
	static const char *const text[] = {
		"version: 1\nhosts:\n  h1: {vtep: 10.0.0.1, underlay: [u0]}\n",
		"version: 1\ntenants:\n  red:\n    networks: {web: {vni: 1}}\n",
		"version: 1\ntenants:\n  red:\n    options: {enforcement: monitor}\n",
		"version: 1\ntenants:\n  red:\n    acl: [{name: r, direction: in, priority: 1, action: deny}]\n",
	};
	static const char *const place[] = {
		":3:3: hosts/h1 is also written in ", ":4:16: tenants/red/networks/web is",
		":4:5: tenants/red is also", ":4:11: tenants/red/acl/r is also"};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		assert_null(read_two(text[i], text[i], &err)); /* the message names both files */
		assert_contains(err.text, place[i]);
		assert_contains(err.text, ": keep one of them");
		assert_int_equal(err.exit_code, EXIT_REFUSED);
	}
}

static void test_no_file(void **state)
{
	struct error err = {0};

	(void)state;
	assert_null(config_read(NULL, 0, NULL, &err));
	assert_int_equal(err.exit_code, EXIT_USAGE);
}

static void test_flatten(void **state)
{
	json_t *tree = parsed(RED), *flat = config_flatten(tree), *again = config_unflatten(flat);
	static const char *const paths[] = {"hosts/h1", "tenants/red", "tenants/red/networks/web",
					    "tenants/red/ports/a", "tenants/red/ports/b"};
	const char *path;
	json_t *object;
	size_t i = 0;

	(void)state;
	json_object_foreach(flat, path, object)
		assert_string_equal(path, paths[i++]);
	assert_int_equal(i, 5);
	assert_json(json_object_get(flat, "tenants/red"), "{\"default\":{\"in\":\"deny\"}}");
	assert_true(json_equal(tree, again));
	json_decref(again);
	json_decref(flat);
	json_decref(tree);
}

static void test_what_is_empty_is_absent(void **state)
{
	json_t *a = parsed("version: 1\nhosts:\nservice_functions: {}\ntenants:\n  red:\n    "
			   "options: {default: {}}\n"
			   "    ports: {}\n    acl: []\n    groups: {g: {ports: []}}\n");

	(void)state;
	assert_json(a, "{\"version\":1,\"tenants\":{\"red\":{\"groups\":{\"g\":{}}}}}");
	assert_round_trip(a);
	json_decref(a);
}

static void test_paths_have_kinds(void **state)
{
	(void)state;
	assert_string_equal(schema_kind_at("hosts/h1")->name, "host");
	assert_string_equal(schema_kind_at("service_functions/ips")->name, "sf");
	assert_string_equal(schema_kind_at("tenants/red")->name, "tenant");
	assert_string_equal(schema_kind_at("tenants/red/acl/r")->name, "acl");
	assert_string_equal(schema_kind_at("tenants/hosts/ports/acl")->name, "port");
	assert_null(schema_kind_at("tenants/red/hosts/h1"));
	assert_null(schema_kind_at("ports/a"));
	assert_null(schema_kind_at("hosts"));
	assert_null(schema_kind_at(""));
}

static void test_apply_owns_what_it_names(void **state)
{
	json_t *stored = parsed(RED "  blue:\n    networks: {web: {vni: 9}}\n");
	json_t *desired = parsed("version: 1\ntenants:\n  red:\n    networks: {web: {vni: 1}}\n");
	json_t *own = config_own(stored, desired, 0), *pruned = config_own(stored, desired, 1);
	json_t *fresh = config_own(NULL, desired, 0);

	(void)state;
	assert_true(json_equal(json_object_get(own, "hosts"), json_object_get(stored, "hosts")));
	assert_json(json_object_get(own, "tenants"),
		    "{\"red\":{\"networks\":{\"web\":{\"vni\":1}}},\"blue\":{\"networks\":{\"web\":"
		    "{\"vni\":9}}}}");
	assert_true(json_equal(pruned, desired));
	assert_true(json_equal(fresh, desired));
	assert_int_equal(json_object_size(json_object_get(stored, "tenants")), 2);
	json_decref(fresh);
	json_decref(pruned);
	json_decref(own);
	json_decref(desired);
	json_decref(stored);
}

/* What config_diff_print() says of the way from one document to another. */
static void tells(const char *old_text, const char *new_text, const char *expected)
{
	json_t *old = parsed(old_text), *wanted = parsed(new_text),
	       *diff = config_diff(old, wanted);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(config_diff_print(out, diff), json_array_size(diff));
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
	json_decref(diff);
	json_decref(wanted);
	json_decref(old);
}

static void test_diff_in_order(void **state)
{
	(void)state;
	tells(RED, RED, "");
	tells("version: 1\n", RED,
	      "+ hosts/h1\n+ tenants/red\n+ tenants/red/networks/web\n+ tenants/red/ports/a\n+ "
	      "tenants/red/ports/b\n");
	tells(RED, "version: 1\n",
	      "- tenants/red/ports/b\n- tenants/red/ports/a\n- tenants/red/networks/web\n- "
	      "tenants/red\n- hosts/h1\n");
	tells("version: 1\ntenants:\n  b: {networks: {n: {vni: 1}}}\n  ab: {networks: {o: {vni: "
	      "2}}}\n",
	      "version: 1\ntenants:\n  b: {networks: {n: {vni: 2}}}\n  a: {groups: {g: {}}, "
	      "networks: {o: {vni: 7}}}\n",
	      "- tenants/ab/networks/o\n- tenants/ab\n+ tenants/a\n+ tenants/a/networks/o\n+ "
	      "tenants/a/groups/g\n"
	      "~ tenants/b/networks/n vni: 1 -> 2\n");
}

static void test_diff_key_by_key(void **state)
{
	(void)state;
	tells("version: 1\nservice_functions: {i: {instances: {a: {host: h, device: s0}}}}\n"
	      "tenants:\n  red:\n    options: {default: {in: deny}, conntrack: {timeouts: {udp: "
	      "30s}}}\n"
	      "    acl:\n      - {name: r, direction: in, priority: 1, action: deny, protocol: "
	      "tcp, destination_port: 80}\n",
	      "version: 1\nservice_functions: {i: {instances: {a: {host: h, device: s1}}}}\n"
	      "tenants:\n  red:\n    options: {default: {in: allow}, conntrack: {timeouts: {udp: "
	      "2m}}}\n"
	      "    acl:\n      - {name: r, direction: in, priority: 1, action: deny, protocol: "
	      "tcp, log: on,\n"
	      "         destination_port: [80, 8000-8099]}\n",
	      "~ service_functions/i instances.a.device: s0 -> s1\n"
	      "~ tenants/red default.in: deny -> allow\n"
	      "~ tenants/red conntrack.timeouts.udp: 30s -> 2m\n"
	      "~ tenants/red/acl/r destination_port: [80] -> [80, 8000-8099]\n"
	      "~ tenants/red/acl/r log: unset -> true\n");
}

static void test_order_of_writing_does_not_matter(void **state)
{
	(void)state;
	tells("version: 1\ntenants: {r: {networks: {a: {vni: 1, mtu: 1400}, b: {vni: 2}}}}\n",
	      "version: 1\ntenants: {r: {networks: {b: {vni: 2}, a: {mtu: 1400, vni: 1}}}}\n", "");
}

static void test_diff_entries(void **state)
{
	json_t *old = parsed("version: 1\ntenants: {r: {networks: {a: {vni: 1}}}}\n");
	json_t *wanted =
		parsed("version: 1\ntenants: {r: {networks: {a: {vni: 2}}, groups: {g: {}}}}\n");
	json_t *diff = config_diff(old, wanted);

	(void)state;
	assert_json(diff, "[{\"op\":\"change\",\"path\":\"tenants/r/networks/"
			  "a\",\"old\":{\"vni\":1},\"new\":{\"vni\":2}},"
			  "{\"op\":\"add\",\"path\":\"tenants/r/groups/g\",\"new\":{}}]");
	json_decref(diff);
	json_decref(wanted);
	json_decref(old);
}

static void test_losses(void **state)
{
	json_t *stored = parsed(RED), *less = json_deep_copy(stored);
	json_t *ports =
		json_object_get(json_object_get(json_object_get(less, "tenants"), "red"), "ports");
	struct error err = {0};

	(void)state;
	assert_int_equal(config_check_losses(NULL, stored, &err), 0);
	assert_int_equal(config_check_losses(stored, stored, &err), 0);
	json_object_del(ports, "a");
	assert_int_equal(config_check_losses(stored, less, &err),
			 0); /* half is not more than half */
	json_object_del(ports, "b");
	assert_int_equal(config_check_losses(stored, less, &err), -1);
	assert_contains(err.text, "tenants/red: 2 of its 2 ports would go");
	assert_int_equal(config_check_losses(stored, NULL, &err), -1);
	json_decref(less);
	json_decref(stored);
}

/* What is stored has no place in a file; what is wanted has one. */
static void test_check_stored_against_wanted(void **state)
{
	static const char blue[] =
		"version: 1\ntenants:\n  blue:\n    networks:\n      x: {vni: 1}\n";
	struct error err = {0};
	struct marks *marks = NULL;
	json_t *stored = parsed(RED);
	json_t *wanted = config_parse("blue.yaml", blue, strlen(blue), &marks, &err);
	json_t *own = config_own(stored, wanted, 0);

	(void)state;
	assert_int_equal(config_check(own, marks, &err), -1);
	assert_string_equal(err.text,
			    "blue.yaml:5:16: tenants/blue/networks/x: vni 1 is that of "
			    "tenants/red/networks/web already: give each network its own");
	json_decref(own);
	json_decref(wanted);
	json_decref(stored);
	marks_free(marks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files_join),
		cmocka_unit_test(test_same_object_in_two_files),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_flatten),
		cmocka_unit_test(test_what_is_empty_is_absent),
		cmocka_unit_test(test_paths_have_kinds),
		cmocka_unit_test(test_apply_owns_what_it_names),
		cmocka_unit_test(test_diff_in_order),
		cmocka_unit_test(test_diff_key_by_key),
		cmocka_unit_test(test_order_of_writing_does_not_matter),
		cmocka_unit_test(test_diff_entries),
		cmocka_unit_test(test_losses),
		cmocka_unit_test(test_check_stored_against_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
