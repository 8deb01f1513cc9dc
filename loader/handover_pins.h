/* SPDX-License-Identifier: BSD-2-Clause */
/* A family's outer maps of both versions after the turn, and the tenants' pins, which go over to the new tables. */
#ifndef WEFT_HANDOVER_PINS_H
#define WEFT_HANDOVER_PINS_H

#include "loader/handover_kinds.h"

struct handover_outers {
	unsigned int from, to;
	int family;
	int old[FLOW_ROLES], new[FLOW_ROLES]; /* -1: the version has none of the role */
};

/* Before or after the new ones took their places. */
int handover_outers_open(struct handover_outers *o, const struct root *root, int family,
			 unsigned int from, unsigned int to, struct error *e);
void handover_outers_close(struct handover_outers *o);
/* The table in a slot of the old or the new one: *fd, or -1 for none. */
int handover_outers_table(const struct handover_outers *o, enum flow_role role, bool old,
			  uint32_t slot, int *fd, struct error *e);

/* Which tenant has which table, as its pins tell. */
struct handover_names;
struct handover_names *handover_names(const struct root *root, int family);
void handover_names_free(struct handover_names *names);

/*
 * The pins of the tenant that has one of the two tables of established flows lead to what packets use now (`fds` by role,
 * -1: none). Done twice, it is as if done once. If there is no such pin, nothing is done: `weft apply` makes it anew.
 */
int handover_pin(const struct root *root, const struct handover_outers *o,
		 const struct handover_names *names, int old, int new, const int *fds,
		 struct error *e);
/* Pins of roles that are no more go, and those of what stands for no table: it will be made again where it is needed. */
void handover_unpin(const struct root *root, const struct handover_outers *o,
		    const struct handover_names *names);

#endif
