/* SPDX-License-Identifier: BSD-2-Clause */
/* What the fuzz targets share: a claim that does not hold is a crash, which the fuzzer keeps. */
#ifndef WEFT_FUZZ_H
#define WEFT_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "loader/config/check.h"
#include "loader/config/emit.h"
#include "loader/config/schema.h"
#include "loader/config/tree.h"
#include "loader/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(claim)                                                                                \
	do {                                                                                       \
		if (!(claim)) {                                                                    \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #claim); \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* A message says something, and what it says can stand in JSON. */
static inline void must_say(const struct error *e)
{
	json_t *text = json_string(e->text);

	if (!text)
		fprintf(stderr, "%s\n", e->text);
	must(e->text[0]);
	must(text);
	json_decref(text);
}

static inline json_t *must_parse(const char *text, size_t len)
{
	struct error e = { 0 };
	json_t *tree = config_parse("again", text, len, NULL, &e);

	if (!tree)
		fprintf(stderr, "%s\n%.*s\n", e.text, (int)len, text);
	must(tree);
	return tree;
}

/* Printed and read again, a tree is the same. */
static inline void must_round_trip(const json_t *tree)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	json_t *again;

	must(out && !config_emit(out, tree) && !fclose(out));
	again = must_parse(text, len);
	if (!json_equal(tree, again))
		fprintf(stderr, "%s\n", text);
	must(json_equal(tree, again));
	json_decref(again);
	free(text);
}

#endif
