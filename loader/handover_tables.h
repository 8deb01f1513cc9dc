/* SPDX-License-Identifier: BSD-2-Clause */
/* Tenants' tables of flows of two versions side by side: made before the turn, given back after. */
#ifndef WEFT_HANDOVER_TABLES_H
#define WEFT_HANDOVER_TABLES_H

#include "loader/handover_kinds.h"

/* fd of the outer map of a kind in a directory of the root ("": the root itself), or -1. */
int handover_outer(const struct root *root, const char *directory, const char *name,
		   struct error *e);
/*
 * The table in a slot of an outer map: *fd, or -1 for none. The kernel tells nobody without CAP_SYS_ADMIN; a table that is
 * there and cannot be had is an error, and never taken for none, since its flows would be lost.
 */
int handover_inner(int outer, const char *name, uint32_t slot, int *fd, uint32_t *entries,
		   struct error *e);

/* In the new outer maps tables for each tenant that has some in the old ones, for as many flows. */
int handover_tables(const struct root *root, unsigned int from, unsigned int to, struct error *e);

#endif
