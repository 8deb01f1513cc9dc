// SPDX-License-Identifier: BSD-2-Clause
/*
 * 5,000 tenants, each with a network and two ports of the same addresses, are read and checked in a
 * moment.
 */
#include <time.h>

#include "config_helpers.h"

#define TENANTS 5000

static char *many_tenants(size_t *len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len);

	fputs("version: 1\nhosts:\n  h1: {vtep: 192.168.50.1, underlay: [u0]}\n"
	      "  h2: {vtep: 192.168.50.2, underlay: [u0]}\ntenants:\n",
	      out);
	for (int i = 0; i < TENANTS; i++)
		fprintf(out,
			"  t%d:\n    networks:\n      web: {vni: %d, subnets: [10.0.1.0/24, "
			"\"fd00:1::/64\"]}\n"
			"    ports:\n"
			"      a: {network: web, host: h1, device: a%d, mac: "
			"\"02:00:00:00:00:0a\", "
			"addresses: [10.0.1.1, \"fd00:1::1\"]}\n"
			"      b: {network: web, host: h2, device: b%d, mac: "
			"\"02:00:00:00:00:0b\", "
			"addresses: [10.0.1.2, \"fd00:1::2\"]}\n"
			"    acl:\n"
			"      - {name: r, apply_to: [port:a], direction: in, priority: 1, "
			"protocol: tcp, "
			"destination_port: 80, action: allow}\n",
			i, i + 1, i, i);
	fclose(out);
	return text;
}

/* Of the processor: others may have it meanwhile. */
static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_many_tenants(void **state)
{
	struct error err = {0};
	struct marks *marks = NULL;
	size_t len;
	char *text = many_tenants(&len);
	double start = now(), took;
	json_t *tree = config_parse("many", text, len, &marks, &err), *diff;

	(void)state;
	if (!tree || config_check(tree, marks, &err))
		fail_msg("%s", err.text);
	took = now() - start;
	print_message("%d tenants read and checked in %.2f s\n", TENANTS, took);
	assert_true(took < 5);

	start = now();
	diff = config_diff(NULL, tree);
	assert_int_equal(json_array_size(diff), TENANTS * 5 + 2);
	json_decref(diff);
	diff = config_diff(tree, tree);
	assert_int_equal(json_array_size(diff), 0);
	print_message("and compared twice in %.2f s\n", now() - start);
	assert_true(now() - start < 5);

	json_decref(diff);
	json_decref(tree);
	marks_free(marks);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_tenants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
