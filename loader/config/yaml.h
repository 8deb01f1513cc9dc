/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * YAML text to a JSON tree in which every scalar is a string: what a scalar means is the schema's
 * business, not that of YAML 1.1, which takes 20:10:10 for a number and `no` for a boolean.
 *
 * Refused, with line and column: duplicate keys, anchors, aliases, tags, several documents, NUL
 * characters, and anything deeper or larger than the limits below.
 */
#ifndef WEFT_CONFIG_YAML_H
#define WEFT_CONFIG_YAML_H

#include <jansson.h>
#include <stddef.h>

#include "loader/config/marks.h"
#include "loader/error.h"

#define YAML_MAX_BYTES (64u << 20)
#define YAML_MAX_NODES (2u << 20)
#define YAML_MAX_DEPTH 16

/* `name` stands for the text in messages; `marks` may be NULL. Returns a new reference, or NULL. */
json_t *yaml_parse(const char *name, const char *text, size_t len, struct marks *marks,
		   struct error *err);

/* The same from a file; "-" is standard input. */
json_t *yaml_read(const char *file, struct marks *marks, struct error *err);

#endif
