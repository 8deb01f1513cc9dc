/* SPDX-License-Identifier: BSD-2-Clause */
/* Flows on the move from a table to one of another size. */
#ifndef WEFT_TABLE_COPY_H
#define WEFT_TABLE_COPY_H

#include "loader/entries.h"
#include "loader/inner.h"

/* The order of a list of flows, the longest unseen first: indices, to be freed. */
size_t *table_order(struct entries *list);
/* Copies flows that `to` does not have; if there is no room for all, those that were seen last. */
int table_copy(int from, int to, enum inner kind, struct error *e);
/* Puts the keys of a table into a reclaim ring, the longest unseen first. */
int table_queue_keys(int from, int to, enum inner kind, struct error *e);

#endif
