/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a tenant's rules are, for those who change them without a look at anything else. */
#ifndef WEFT_RULE_PLACE_H
#define WEFT_RULE_PLACE_H

#include "loader/batch.h"
#include "loader/commit.h"

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

/* Before the first write: ids that are given out stay so, and who comes after a death sees that something was begun. */
int rule_place_begin(const struct batch *b, uint64_t next_id, struct error *e);
/* The error of a change that ended between its writes. */
int rule_place_partly(struct error *e);
/* With -j, what `apply` says too. */
int rule_place_tell(struct commit *c, const struct batch *b, const struct command_line *cl, struct error *e);

#endif
