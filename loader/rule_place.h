/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a tenant's rules are, for those who change them without a look at anything else. */
#ifndef WEFT_RULE_PLACE_H
#define WEFT_RULE_PLACE_H

#include "loader/batch.h"

struct rule_place {
	bool open;
	uint32_t slot; /* the tenant's */
	int tenants, rules; /* maps */
};

/* False where the tenant is not as a command leaves it, or its rules may be written by others. */
bool rule_place_open(struct rule_place *p, const struct batch *b, const char *tenant);
void rule_place_close(struct rule_place *p);
/* Have the maps beside the compiled ones room for so many rules? */
bool rule_place_has_room(const struct rule_place *p, const struct root *root, const char *tenant, uint32_t rules);
/* The tenant gets its next epoch. */
int rule_place_judge_again(const struct rule_place *p, struct error *e);

#endif
