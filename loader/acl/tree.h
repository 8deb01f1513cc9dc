/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the two files that make a tree. */
#ifndef WEFT_ACL_TREE_H
#define WEFT_ACL_TREE_H

#include "loader/acl/classifier.h"

#define ACL_LEAF 6 /* rules in one place that are not divided any more */

/* Which of the rules that cuts divide stand in several children: none, those that few divide, or all. */
enum acl_spread { SPREAD_NONE, SPREAD_SOME, SPREAD_ALL };

#define SPREAD_MOST  9
#define SPREAD_SHARE 2

struct acl_cut {
	int value; /* enum acl_value */
	int cuts;
	uint32_t cut[ACL_CUTS];
	bool divides;
};

size_t acl_set_at(const struct acl_set *set, uint32_t class);
bool acl_box_meets(const struct acl_box *box, int value, uint32_t first, uint32_t last);
int acl_children(const struct acl_box *box, int value, const struct acl_cut *c, int *first,
		 int *last);
bool acl_is_aside(const struct acl_cut *c, int children, enum acl_spread spread);
bool acl_may_spread(double aside, double n, int cuts);
/* Finds the best cut of boxes in a place of the tree; false if none divides them. */
bool acl_pick_cut(const struct acl_tree_job *job, const uint32_t *box, size_t n,
		  const struct acl_range place[ACL_VALUES], struct acl_cut *best);

#endif
