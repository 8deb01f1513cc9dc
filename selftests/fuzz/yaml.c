// SPDX-License-Identifier: BSD-2-Clause
/*
 * A configuration file of any bytes: refused with a message, or a tree that is the same when printed and read again,
 * taken apart and joined, and that differs from itself in nothing.
 */
#include "fuzz.h"

static void try_rules(json_t *tree)
{
	struct error e = { 0 };
	json_t *copy = json_copy(tree);

	if (rules_normalize(copy, &e))
		must_say(&e);
	else
		must_round_trip(copy);
	json_decref(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error e = { 0 };
	struct marks *marks = NULL;
	json_t *tree = config_parse("fuzz", (const char *)data, size, &marks, &e), *flat, *joined, *diff;

	if (!tree) {
		must_say(&e);
		marks_free(marks);
		return 0;
	}
	must_round_trip(tree);
	flat = config_flatten(tree);
	joined = config_unflatten(flat);
	must(json_equal(tree, joined));
	diff = config_diff(tree, joined);
	must(!json_array_size(diff));
	if (config_check(tree, marks, &e))
		must_say(&e);
	else
		try_rules(tree);
	json_decref(diff);
	json_decref(joined);
	json_decref(flat);
	json_decref(tree);
	marks_free(marks);
	return 0;
}
