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

/* Tenants' pins lead to what packets use now; those of roles that are no more go. Done twice, it is as if done once. */
int handover_pin(const struct root *root, const struct handover_outers *o, struct error *e);

#endif
