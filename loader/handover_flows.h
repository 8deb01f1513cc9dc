/* SPDX-License-Identifier: BSD-2-Clause */
/* Tenants' tables of flows from one version to another: loader/handover.h tells when. */
#ifndef WEFT_HANDOVER_FLOWS_H
#define WEFT_HANDOVER_FLOWS_H

#include "loader/inner.h"

/* The kinds of inner maps that differ: the conntrack tables and their queues, the first ones. */
#define HANDOVER_KINDS INNER_ACL

/* In the new outer maps a new table for each in the old ones, of the same size. */
int handover_tables(const struct root *root, struct error *e);

#endif
