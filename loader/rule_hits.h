/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tenants' maps `rule_hits`: packets make a rule's counter at its first hit, and what is here keeps the map in step
 * with the rules. Each map has room for two keys a rule: what packets count, and what was counted in a map before it.
 */
#ifndef WEFT_RULE_HITS_H
#define WEFT_RULE_HITS_H

#include <stdbool.h>

#include "include/acl.h"
#include "loader/identity.h"
#include "loader/model.h"
#include "loader/root.h"

/* How large the map of so many rules is made; whether one that is there will do, so that few changes make a new one. */
uint32_t rule_hits_room(size_t rules);
bool rule_hits_fits(uint32_t entries, uint32_t wanted);

/*
 * What `old` has counted goes into `new` as carried over. Once before `new` is swapped in, and once after it, when
 * nobody counts in `old` any more.
 */
int rule_hits_carry(int old, int new, struct error *e);

/* Removes the counters of rules that the tenant does not have (any more). */
int rule_hits_sweep(const struct root *root, const struct model_tenant *tenant,
		    const struct identities *ids, struct error *e);

struct entries;

/* Likewise; `ids`, 32 bits each and sorted, are those that it has. */
int rule_hits_sweep_but(const struct root *root, const char *tenant, const struct entries *ids, struct error *e);

struct rule_hits_sum {
	uint32_t rule;
	uint64_t packets, bytes;
};

/* All of a tenant, by rule; to be freed. None is no error. */
struct rule_hits_list {
	struct rule_hits_sum *sums;
	size_t n;
};

int rule_hits_read(const struct root *root, const char *tenant, struct rule_hits_list *list,
		   struct error *e);
/* NULL: never hit. */
const struct rule_hits_sum *rule_hits_find(const struct rule_hits_list *list, uint32_t rule);

#endif
