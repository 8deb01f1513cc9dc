/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef WEFT_SHOW_FRAGMENTS_H
#define WEFT_SHOW_FRAGMENTS_H

#include "loader/show.h"

/* By tenant that has a table here: how many datagrams are on their way in fragments, and what waits for a first one. */
int fragments_in_use(const struct show *s, json_t **all, struct error *e);
void fragments_print(const json_t *all, bool details);

#endif
