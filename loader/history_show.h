/* SPDX-License-Identifier: BSD-2-Clause */
/* Operands that count states back from the present one. */
#ifndef WEFT_HISTORY_SHOW_H
#define WEFT_HISTORY_SHOW_H

#include <jansson.h>

#include "loader/root.h"

/* A number from `least` to HISTORY_KEPT, or -1. */
long history_steps(const char *text, long least, struct error *e);

/* The state that many before the present one: a new reference, or NULL with `e` set. */
json_t *history_back(const struct root *root, long steps, struct error *e);

#endif
