/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of the history: state-N.json, and state-pending.json for the one in the making. */
#ifndef WEFT_HISTORY_FILES_H
#define WEFT_HISTORY_FILES_H

#include <jansson.h>
#include <stdbool.h>

#include "loader/root.h"

/* A new reference; NULL: there is none. Returns 0 or -1. */
int history_file_newest(const struct root *root, json_t **state, struct error *e);

/* The highest number of a file, whether that can be read or not; 0: there is none. Returns 0 or -1. */
int history_file_last(const struct root *root, unsigned long *number, struct error *e);

/* Writes the pending state. */
int history_file_pending(const struct root *root, const json_t *state, struct error *e);
/* The pending state is state `number` from now on; the oldest go. Returns 0 or -1. */
int history_file_keep(const struct root *root, unsigned long number);
void history_file_drop(const struct root *root);
bool history_file_is_pending(const struct root *root);

/*
 * How many states there are between this one and the last one before it that is kept whole; 0: it is whole itself.
 * Returns 0 or -1.
 */
int history_file_depth(const struct root *root, unsigned long number, unsigned int *depth);

#endif
