// SPDX-License-Identifier: BSD-2-Clause
/* YAML becomes a tree of strings with places, and hostile YAML becomes an error within bounds. */
#include "config_helpers.h"

static json_t *read_text(const char *text, struct marks *marks, struct error *err)
{
	return yaml_parse("test", text, strlen(text), marks, err);
}

static void test_scalars_stay_text(void **state)
{
	struct error err = {0};
	json_t *tree = read_text(
		"a: 20:10:10\nb: no\nc: 1e3\nd: ~\ne:\nf: \"x\\ty\"\ng: [0x10, on]\n", NULL, &err);

	(void)state;
	assert_json(tree, "{\"a\":\"20:10:10\",\"b\":\"no\",\"c\":\"1e3\",\"d\":\"~\",\"e\":\"\","
			  "\"f\":\"x\\ty\","
			  "\"g\":[\"0x10\",\"on\"]}");
	json_decref(tree);
}

static void test_places(void **state)
{
	struct error err = {0};
	struct marks *marks = marks_new();
	json_t *tree = read_text("a:\n  bc: [x, yy]\n", marks, &err);
	json_t *list = json_object_get(json_object_get(tree, "a"), "bc");
	struct mark at_list = marks_get(marks, list),
		    at_item = marks_get(marks, json_array_get(list, 1));
	char place[MARKS_PLACE_SIZE];

	(void)state;
	assert_int_equal(at_list.line, 2);
	assert_int_equal(at_list.column, 7);
	assert_int_equal(at_list.key_line, 2);
	assert_int_equal(at_list.key_column, 3);
	assert_int_equal(at_item.column, 11);
	assert_int_equal(at_item.key_line, 0);
	assert_string_equal(marks_place(marks, list, 1, place, sizeof(place)), "test:2:3: ");
	assert_string_equal(marks_place(marks, NULL, 1, place, sizeof(place)), "");
	json_decref(tree);
	marks_free(marks);
}

static void test_columns_count_characters(void **state)
{
	struct error err = {0};

	(void)state;
	assert_null(read_text("{\"\xc3\xa9\xc3\xa9\": 1, a: 1, a: 2}", NULL, &err));
	assert_contains(err.text, "test:1:17: key \"a\" is written twice");
}

static void test_too_deep(void **state)
{
	char text[4096];
	struct error err = {0};

	(void)state;
	memset(text, '[', sizeof(text));
	assert_null(yaml_parse("test", text, sizeof(text), NULL, &err));
	assert_contains(err.text, "nested deeper than 16");
	for (size_t i = 0; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "- ", 2);
	assert_null(yaml_parse("test", text, sizeof(text), NULL, &err));
	assert_contains(err.text, "nested deeper than 16");
}

static void test_too_large(void **state)
{
	struct error err = {0};

	(void)state;
	/* Refused by its length alone, before a byte is read. */
	assert_null(yaml_parse("test", "", YAML_MAX_BYTES + 1, NULL, &err));
	assert_contains(err.text, "larger than 64 MB");
}

static void test_too_many(void **state)
{
	size_t n = (YAML_MAX_NODES + 16) * 2;
	char *text = malloc(n);
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < n; i += 2)
		memcpy(text + i, "a,", 2);
	text[0] = '[';
	text[1] = 'a';
	assert_null(yaml_parse("test", text, n, NULL, &err));
	assert_contains(err.text, "more than 2097152 values");
	free(text);
}

static void test_not_text(void **state)
{
	static const char *const bad[] = {"a: \xff\xfe", "a: \x01", "\xc0\xaf", "a: \"\\ud800\""};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err.text[0] = '\0';
		assert_null(read_text(bad[i], NULL, &err));
		assert_contains(err.text, "test:");
		assert_int_equal(err.exit_code, EXIT_REFUSED);
	}
}

static void test_messages_are_harmless(void **state)
{
	char quoted[ERROR_QUOTE_SIZE];
	char longer[300];

	(void)state;
	refused("version: 1\n\"\\e[31mred\": 1\n", "key \"\\x1b[31mred\" is not known");
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	error_quote(quoted, sizeof(quoted), longer);
	assert_true(strlen(quoted) < sizeof(quoted));
	assert_contains(quoted, "xxx...\"");
	/* What is not UTF-8 cannot stand in JSON; what is, but moves the cursor (C1), is no better than ESC. */
	error_quote(quoted, sizeof(quoted), "\xff\xc2\x9b\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80" "e\xc3");
	assert_string_equal(quoted,
			    "\"\\xff\\xc2\\x9b\\xc0\\xaf\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80" "e\\xc3\"");
	error_quote(quoted, sizeof(quoted), "\xc3\xa9\xe2\x9c\x93\xf0\x9f\x98\x80");
	assert_string_equal(quoted, "\"\xc3\xa9\xe2\x9c\x93\xf0\x9f\x98\x80\"");
	/* However the cut falls, no character is left in two. */
	for (size_t size = 16; size < 40; size++) {
		json_t *text;

		error_quote(quoted, size, "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80"
					  "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80");
		text = json_string(quoted);
		assert_non_null(text);
		assert_true(strlen(quoted) < size);
		json_decref(text);
	}
}

static void test_files(void **state)
{
	struct error err = {0};

	(void)state;
	assert_null(yaml_read("/nowhere/x.yaml", NULL, &err));
	assert_contains(err.text, "/nowhere/x.yaml: cannot be opened: No such file or directory");
	assert_null(yaml_read("/tmp", NULL, &err));
	assert_contains(err.text, "/tmp: cannot be read: Is a directory");
	assert_null(yaml_read("/dev/null", NULL, &err));
	assert_contains(err.text, "/dev/null: the file is empty");
	/* Without an end: the bound ends it. */
	assert_null(yaml_read("/dev/zero", NULL, &err));
	assert_contains(err.text, "/dev/zero: larger than 64 MB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scalars_stay_text),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_columns_count_characters),
		cmocka_unit_test(test_too_deep),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_not_text),
		cmocka_unit_test(test_messages_are_harmless),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
