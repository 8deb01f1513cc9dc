/* SPDX-License-Identifier: BSD-2-Clause */
/* Flows on the move from a table to one of another size. */
#ifndef WEFT_TABLE_COPY_H
#define WEFT_TABLE_COPY_H

#include "loader/entries.h"
#include "loader/inner.h"

/* The order of a list of flows, the longest unseen first: indices, to be freed. */
size_t *table_order(struct entries *list);
/*
 * Copies flows that `to` does not have; if there is no room for all, those that were seen last. Packets may use either
 * table meanwhile. `seed` is the tenant's. To be called twice: before packets use `to`, when TCP windows of what it
 * copies are not to be trusted, and, `swapped`, after, when it brings them up to what was said meanwhile.
 */
int table_copy(int from, int to, enum inner kind, uint64_t seed, bool swapped,
	       struct error *e);

#endif
