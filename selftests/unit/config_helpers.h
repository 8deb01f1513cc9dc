/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of the configuration share. cmocka wants its includes in this order. */
#ifndef WEFT_CONFIG_HELPERS_H
#define WEFT_CONFIG_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "loader/config/check.h"
#include "loader/config/emit.h"
#include "loader/config/schema.h"
#include "loader/config/tree.h"
#include "loader/config/yaml.h"

/* Where the sample files are; the tests run in the top directory. */
#ifndef CONFIG_SAMPLES
#define CONFIG_SAMPLES "selftests/unit/config"
#endif

#define assert_contains(text, part)                                  \
	do {                                                         \
		if (!strstr(text, part))                             \
			fail_msg("\"%s\" lacks \"%s\"", text, part); \
	} while (0)

/* A document that must be good. */
static inline json_t *parsed(const char *text)
{
	struct error err = {0};
	json_t *tree = config_parse("test", text, strlen(text), NULL, &err);

	if (!tree)
		fail_msg("%s", err.text);
	return tree;
}

/*
 * A document that must be refused with a message that contains `part`, by its grammar or by its
 * sense.
 */
static inline void refused(const char *text, const char *part)
{
	struct error err = {0};
	struct marks *marks = NULL;
	json_t *tree = config_parse("test", text, strlen(text), &marks, &err);

	if (tree)
		assert_int_equal(config_check(tree, marks, &err), -1);
	assert_contains(err.text, part);
	assert_int_equal(err.exit_code, EXIT_REFUSED);
	json_decref(tree);
	marks_free(marks);
}

static inline char *emitted(const json_t *tree)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(config_emit(out, tree), 0);
	fclose(out);
	return text;
}

/* Printed and read again, a tree is the same. */
static inline void assert_round_trip(const json_t *tree)
{
	char *text = emitted(tree);
	json_t *again = parsed(text);

	if (!json_equal(tree, again))
		fail_msg("not the same when read again:\n%s", text);
	json_decref(again);
	free(text);
}

static inline void assert_json(const json_t *value, const char *text)
{
	char *dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	assert_string_equal(dump ? dump : "(null)", text);
	free(dump);
}

#endif
