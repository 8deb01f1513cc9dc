// SPDX-License-Identifier: BSD-2-Clause
/*
 * Thousands of damaged configurations, the same in every run: each is refused with a message, or
 * accepted and then the same when printed and read again. The sanitizers see the rest.
 */
#include "config_helpers.h"

static uint64_t random_state = 0x9e3779b97f4a7c15ull;

static size_t below(size_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (size_t)(random_state % n);
}

static char *sample(size_t *len)
{
	FILE *in = fopen(CONFIG_SAMPLES "/good/two_tenants.yaml", "r");
	char *text = calloc(1, 1 << 16);

	assert_non_null(in);
	*len = fread(text, 1, 1 << 15, in);
	fclose(in);
	return text;
}

/*
 * One wound: a byte of the text's own kind of bytes, a piece left out, a piece twice, or the end
 * cut off.
 */
static size_t damage(char *text, size_t len)
{
	static const char spice[] = "{}[]:,-\"'#&*!|>%@` \n\t\\/\0\xff"
				    "09az~?";
	size_t at = below(len), n = below(40) + 1;

	if (n > len - at)
		n = len - at;
	switch (below(5)) {
	case 0:
		text[at] = spice[below(sizeof(spice) - 1)];
		return len;
	case 1:
		text[at] = text[below(len)];
		return len;
	case 2:
		memmove(text + at, text + at + n, len - at - n);
		return len - n;
	case 3:
		memmove(text + at + n, text + at, len - at);
		return len + n;
	default:
		return below(20) ? len : at + 1;
	}
}

static void survive(const char *text, size_t len)
{
	struct error err = {0};
	struct marks *marks = NULL;
	json_t *tree = config_parse("hostile", text, len, &marks, &err);

	if (!tree) {
		assert_contains(err.text, "hostile:");
		assert_int_equal(err.exit_code, EXIT_REFUSED);
		return;
	}
	if (config_check(tree, marks, &err))
		assert_contains(err.text, "hostile:");
	assert_round_trip(tree);
	json_decref(tree);
	marks_free(marks);
}

static void test_damaged(void **state)
{
	size_t len, whole;
	char *text = sample(&whole), *copy = calloc(1, 1 << 16);

	(void)state;
	for (int i = 0; i < 4000; i++) {
		memcpy(copy, text, whole);
		len = whole;
		for (size_t wounds = below(3) + 1; wounds && len; wounds--)
			len = damage(copy, len);
		survive(copy, len);
	}
	free(copy);
	free(text);
}

/* Every beginning of a good file, as of a file that is still being written. */
static void test_cut_off(void **state)
{
	size_t len;
	char *text = sample(&len);

	(void)state;
	for (size_t i = 0; i < len; i += 3)
		survive(text, i);
	free(text);
}

/* A value of every key, replaced by what no key expects. */
static void test_odd_values(void **state)
{
	static const char *const odd[] = {"{}",
					  "[]",
					  "\"\"",
					  "~",
					  "-1",
					  "[[[]]]",
					  "{a: {b: c}}",
					  "\",\"",
					  "\":\"",
					  "port:",
					  "99999999999999999999",
					  "0x",
					  "/",
					  "::/129",
					  "1.2.3.4/",
					  "\"\\u202e\""};
	static const char *const kinds[] = {"host", "sf",    "instance", "tenant", "network",
					    "port", "group", "acl",	 "chain",  "insert"};
	struct error err = {0};

	(void)state;
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (const struct schema_key *key = schema_kind(kinds[k])->keys; key->name; key++)
			for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
				char *pair[] = {(char *)key->name, (char *)odd[i]};

				err.text[0] = '\0';
				json_decref(schema_object_from_pairs(kinds[k], 2, pair, &err));
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_odd_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
