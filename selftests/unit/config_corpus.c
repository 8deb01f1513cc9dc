// SPDX-License-Identifier: BSD-2-Clause
/*
 * Every file of config/bad is refused with the very message in its first line, place included;
 * every file of config/good is accepted, and the same when printed and read again. A new message
 * needs a file here, no code.
 */
#include <dirent.h>

#include "config_helpers.h"

static void first_line(const char *path, char *buf, size_t size)
{
	FILE *in = fopen(path, "r");

	assert_non_null(in);
	assert_non_null(fgets(buf, (int)size, in));
	buf[strcspn(buf, "\n")] = '\0';
	fclose(in);
}

static void must_be_refused(const char *path)
{
	struct error err = {0};
	struct marks *marks = NULL;
	char line[1024], expected[2048];
	json_t *tree = config_read(&path, 1, &marks, &err);

	if (tree && !config_check(tree, marks, &err))
		fail_msg("%s is accepted", path);
	first_line(path, line, sizeof(line));
	snprintf(expected, sizeof(expected), "%s:%s", path, line + 2);
	assert_string_equal(err.text, expected);
	assert_int_equal(err.exit_code, EXIT_REFUSED);
	json_decref(tree);
	marks_free(marks);
}

static void must_be_accepted(const char *path)
{
	struct error err = {0};
	struct marks *marks = NULL;
	json_t *tree = config_read(&path, 1, &marks, &err);

	if (!tree || config_check(tree, marks, &err))
		fail_msg("%s", err.text);
	assert_round_trip(tree);
	json_decref(tree);
	marks_free(marks);
}

static size_t each_file(const char *dir, void (*check)(const char *path))
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	char path[512];
	size_t n = 0;

	assert_non_null(d);
	while ((entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		check(path);
		n++;
	}
	closedir(d);
	return n;
}

static void test_bad(void **state)
{
	(void)state;
	assert_true(each_file(CONFIG_SAMPLES "/bad", must_be_refused) > 150);
}

static void test_good(void **state)
{
	(void)state;
	assert_true(each_file(CONFIG_SAMPLES "/good", must_be_accepted) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
