// SPDX-License-Identifier: BSD-2-Clause
/* Filter sets: what is read becomes rules that the schema takes or refuses by name, and one a line at the most four. */
#include "fuzz.h"

#include "loader/classbench.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *with = json_pack("{s:s, s:s}", "direction", "in", "action", "allow"), *rules, *whole, *tree;
	struct marks *marks = marks_new();
	struct error e = { 0 };
	size_t lines = 1;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	rules = classbench_parse("fuzz", (const char *)data, size, with, marks, &e);
	json_decref(with);
	if (!rules) {
		must_say(&e);
		must(strstr(e.text, "fuzz:"));
		marks_free(marks);
		return 0;
	}
	must(json_array_size(rules) <= 4 * lines);
	whole = json_pack("{s:s, s:{s:{s:O}}}", "version", "1", "tenants", "red", "acl", rules);
	tree = schema_tree(whole, marks, &e);
	if (!tree)
		must_say(&e);
	else
		must_round_trip(tree);
	json_decref(tree);
	json_decref(whole);
	json_decref(rules);
	marks_free(marks);
	return 0;
}
