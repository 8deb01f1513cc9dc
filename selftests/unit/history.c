// SPDX-License-Identifier: BSD-2-Clause
/* What is kept of changes, as far as it needs no maps: digests, words, files, deadlines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/commands.h"
#include "loader/confirm.h"
#include "loader/digest.h"
#include "loader/history.h"
#include "loader/history_files.h"
#include "loader/origin.h"
#include "loader/statedir.h"

static const struct root root = { .path = "/sys/fs/bpf/unit", .lock = -1 };
static char directory[] = "/tmp/weft-unit-history-XXXXXX";

static int setup(void **unused)
{
	(void)unused;
	return !mkdtemp(directory) || setenv("WEFT_STATE_DIR", directory, 1);
}

static int teardown(void **unused)
{
	char command[128];

	(void)unused;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

/* FIPS 180-2, appendix B.1; and the same in pieces. */
static void digests(void **unused)
{
	static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	char sum[DIGEST_TEXT];
	struct digest d;

	(void)unused;
	digest_of("abc", 3, sum);
	assert_string_equal(sum, abc);
	digest_begin(&d);
	digest_add(&d, "a", 1);
	digest_add(&d, "bc", 2);
	digest_end(&d, sum);
	assert_string_equal(sum, abc);
}

static void expect_text(const char *bytes, const char *want)
{
	json_t *text = origin_text(bytes);

	assert_string_equal(json_string_value(text), want);
	json_decref(text);
}

/* Names of files and users may hold any bytes; a log line may not. */
static void texts(void **unused)
{
	(void)unused;
	expect_text("lab.yaml", "lab.yaml");
	expect_text("", "");
	expect_text("a\nuser=root", "a\\x0auser=root");
	expect_text("\xff\x1b[2J\x7f", "\\xff\\x1b[2J\\x7f");
}

static void expect_command(int argc, const char *const *words, const char *want)
{
	struct command_line cl = { .root = "/r" };
	struct error e = { 0 };
	char *argv[16];
	json_t *origin;

	for (int i = 0; i < argc; i++)
		argv[i] = strdup(words[i]);
	assert_int_equal(cli_parse(&cl, argc, argv, &e), 0);
	setenv("SUDO_USER", "alice", 1);
	origin = origin_make(&cl);
	assert_string_equal(origin_command(origin), want);
	assert_true(*origin_user(origin));
	json_decref(origin);
	for (int i = 0; i < argc; i++)
		argv[i] = NULL;
}

static void commands_as_written(void **unused)
{
	(void)unused;
	expect_command(4, (const char *[]){ "-j", "app", "a b.yaml", "--confirm=2m" },
		       "apply \"a b.yaml\" --confirm 2m");
	expect_command(6, (const char *[]){ "acl", "set", "red/x", "priority", "", "--" },
		       "acl set red/x priority \"\"");
	expect_command(2, (const char *[]){ "-b", "changes" }, "-b changes");
}

static void keep(unsigned long number)
{
	json_t *state = json_pack("{s:I, s:{s:i}, s:[]}", "state", (json_int_t)number, "tree", "version", 1, "diff");
	struct error e = { 0 };

	assert_int_equal(history_file_pending(&root, state, &e), 0);
	assert_int_equal(history_file_keep(&root, number), 0);
	json_decref(state);
}

static json_int_t newest(void)
{
	struct error e = { 0 };
	json_int_t number;
	json_t *state;

	assert_int_equal(history_file_newest(&root, &state, &e), 0);
	number = json_integer_value(json_object_get(state, "state"));
	json_decref(state);
	return number;
}

static void put(const char *name, const char *text)
{
	struct error e = { 0 };
	char path[4096];

	assert_int_equal(statedir_path(&root, name, path, sizeof(path), &e), 0);
	assert_int_equal(statedir_write(path, text, strlen(text), &e), 0);
}

static void files(void **unused)
{
	struct error e = { 0 };
	json_t *states;

	(void)unused;
	assert_int_equal(newest(), 0);
	for (unsigned long n = 1; n <= HISTORY_KEPT + 5; n++)
		keep(n);
	states = history_read(&root, &e);
	assert_int_equal(json_array_size(states), HISTORY_KEPT + 1);
	json_decref(states);
	/* Numbers, not names, are ordered: 15 is newer than 9. */
	assert_int_equal(newest(), HISTORY_KEPT + 5);
	/* What is no state is passed over. */
	put("state-99.json", "{\"state\": 99");
	put("state-98.json", "[]");
	put("state-97.json.bak", "{}");
	put("state--1.json", "{}");
	assert_int_equal(newest(), HISTORY_KEPT + 5);
	assert_null(history_pending(&root));
	put("state-pending.json", "\"nonsense\"");
	assert_null(history_pending(&root));
	assert_null(history_state(&root, 1));
}

static void expect_time(const char *text, long long want)
{
	struct error e = { 0 };

	assert_int_equal(confirm_time(text, &e), want);
	if (want < 0)
		assert_int_equal(e.exit_code, EXIT_USAGE);
}

static void times(void **unused)
{
	(void)unused;
	expect_time("2m", 120000);
	expect_time("1500ms", 1500);
	expect_time("7d", 7LL * 86400000);
	expect_time("8d", -1);
	expect_time("999ms", -1);
	expect_time("", -1);
	expect_time("2", -1);
	expect_time("99999999999999999999h", -1);
}

static void deadlines(void **unused)
{
	json_t *record = json_object(), *read;
	struct error e = { 0 };

	(void)unused;
	confirm_set_deadline(record, 60000);
	assert_in_range(confirm_remaining(record), 59000, 60000);
	assert_null(confirm_read(&root));
	assert_int_equal(confirm_refuse(&root, &e), 0);
	json_object_set_new(record, "tree", json_pack("{s:i}", "version", 1));
	assert_int_equal(confirm_write(&root, record, &e), 0);
	read = confirm_read(&root);
	assert_true(json_equal(read, record));
	json_decref(read);
	assert_int_equal(confirm_refuse(&root, &e), -1);
	assert_non_null(strstr(e.text, "weft rollback"));
	/* Of another boot: nobody has confirmed it. */
	json_object_set_new(record, "boot_id", json_string("another"));
	assert_int_equal(confirm_remaining(record), 0);
	json_decref(record);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests), cmocka_unit_test(texts), cmocka_unit_test(commands_as_written),
		cmocka_unit_test(files),   cmocka_unit_test(times), cmocka_unit_test(deadlines),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
