/* SPDX-License-Identifier: BSD-2-Clause */
/* A canonical tree as YAML, such that config_read() makes the same tree of it. */
#ifndef WEFT_CONFIG_EMIT_H
#define WEFT_CONFIG_EMIT_H

#include <jansson.h>
#include <stdio.h>

/* Returns 0, or -1 when writing failed. */
int config_emit(FILE *out, const json_t *tree);

/* One object in flow style, `{network: web, host: h1}`, without a newline. */
int config_emit_object(FILE *out, const char *kind, const json_t *object);

#endif
