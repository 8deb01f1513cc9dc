// SPDX-License-Identifier: BSD-2-Clause
/* When a chain came onto a wire, by the port's record: flows that are older have not been shown to it. */
#include "sync_root.h"

/* With `chain`, if any, on a's wire, and `existing` of chain "one"; what a's record has then. */
static uint32_t since(const char *existing, const char *chain)
{
	char insert[100] = "", *lines, *text;
	struct state state;
	struct port port;
	uint32_t slot;
	int fd = map_fd("port_slots");

	if (chain)
		snprintf(insert, sizeof(insert),
			 "    insert: [{name: i, apply_to: [port:a], chain: %s}]\n", chain);
	assert_true(asprintf(&lines,
			     "    chains:\n"
			     "      one: {tag: 5, existing: %s, steps: [{function: ips}]}\n"
			     "      old: {tag: 6, steps: [{function: ips}]}\n"
			     "      new: {tag: 7, existing: reset, steps: [{function: ips}]}\n"
			     "      other: {tag: 8, existing: keep, steps: [{function: ips}]}\n"
			     "%s    acl:",
			     existing, insert) > 0);
	text = edited("    acl:", lines);
	apply(text, &state);
	slot = identity_find(&state.ids, "tenants/red/ports/a")->slot;
	state_free(&state);
	/* Again nothing changes: it stays what it is. */
	assert_int_equal(apply(text, &state), 0);
	state_free(&state);
	assert_int_equal(bpf_map_lookup_elem(fd, &slot, &port), 0);
	close(fd);
	free(lines);
	free(text);
	return port.chain_since;
}

static void test_wire(void **unused)
{
	uint32_t came;

	(void)unused;
	/* A port that comes together with its chain has no older flows. */
	assert_int_equal(since("keep", "one"), 0);
	assert_int_equal(since("keep", NULL), 0);
	/* Flows of the epoch before are older, those of the one that the change brings are not. */
	came = since("keep", "one");
	assert_int_equal(came, tenant_at(0).epoch);
	assert_int_equal(since("reset", "one"), came);
	assert_int_not_equal(came, tenant_at(0).epoch);
	assert_int_equal(since("insert", "one"), 0);
	/* What a chain has let in it does not let out again. */
	assert_int_equal(since("keep", "one"), 0);
	assert_int_equal(since("keep", NULL), 0);
	/* Nor does another in its place, but for what the first one kept out. */
	assert_int_equal(since("keep", "old"), 0);
	assert_int_equal(since("keep", "one"), 0);
	assert_int_equal(since("keep", NULL), 0);
	came = since("reset", "one");
	assert_int_equal(came, tenant_at(0).epoch);
	/* What was to be ended is let in rather than out. */
	assert_int_equal(since("keep", "one"), 0);
	/* To be ended is what is older than the one that ends it. */
	came = since("keep", "new");
	assert_int_equal(came, tenant_at(0).epoch);
	assert_int_equal(since("keep", "one"), 0);
	assert_int_equal(since("keep", NULL), 0);
	/* What one keeps out another may, too. */
	came = since("keep", "one");
	assert_int_equal(came, tenant_at(0).epoch);
	assert_int_equal(since("keep", "other"), came);
	came = since("keep", "new");
	assert_int_equal(came, tenant_at(0).epoch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_wire, make_root, drop_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
