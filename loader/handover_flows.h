/* SPDX-License-Identifier: BSD-2-Clause */
/* Tenants' tables of flows from one version to another: loader/handover.h tells when. */
#ifndef WEFT_HANDOVER_FLOWS_H
#define WEFT_HANDOVER_FLOWS_H

#include "loader/inner.h"

/* The kinds of inner maps that differ: the conntrack tables and their queues, the first ones. */
#define HANDOVER_KINDS INNER_ACL

/* fd of the outer map of a kind in a directory of the root ("": the root itself), or -1. */
int handover_outer(const struct root *root, const char *directory, enum inner kind,
		   struct error *e);
/*
 * The table in a slot of an outer map: *fd, or -1 for none. The kernel tells nobody without CAP_SYS_ADMIN; a table that is
 * there and cannot be had is an error, and never taken for none, since its flows would be lost.
 */
int handover_inner(int outer, enum inner kind, uint32_t slot, int *fd, uint32_t *entries,
		   struct error *e);

/* In the new outer maps a new table for each in the old ones, of the same size. */
int handover_tables(const struct root *root, struct error *e);

#endif
