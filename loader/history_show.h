/* SPDX-License-Identifier: BSD-2-Clause */
/* States as they are counted: back from what is now. */
#ifndef WEFT_HISTORY_SHOW_H
#define WEFT_HISTORY_SHOW_H

#include <jansson.h>

#include "loader/root.h"

/* A number from `least` to HISTORY_KEPT, or -1. */
long history_steps(const char *text, long least, struct error *e);

/*
 * The states, the newest first. What the maps hold now (`now`; NULL: not known) is the first of them; if no state says
 * so, since a command was killed or other tools have been there, it comes before them, as state 0. NULL with `e` set.
 */
json_t *history_list(const struct root *root, const json_t *now, struct error *e);

/* The one that many steps back in that list: a new reference, or NULL with `e` set. */
json_t *history_back(const struct root *root, const json_t *now, long steps, struct error *e);

#endif
