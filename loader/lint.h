/* SPDX-License-Identifier: BSD-2-Clause */
/* What is odd about a tenant's rules: those that never decide, that change nothing, that contradict each other. */
#ifndef WEFT_LINT_H
#define WEFT_LINT_H

#include <jansson.h>

#include "loader/policy.h"

enum lint_kind {
	LINT_NEVER, /* no packet is as it says */
	LINT_SHADOWED, /* rules before it match all that it does, and do something else */
	LINT_REDUNDANT, /* without it the same would happen */
	LINT_CONTRADICTION, /* another of the same priority matches some of the same packets and does something else */
};

extern const char *const lint_kinds[];

struct lint_report {
	json_t *findings; /* [{tenant, rule, kind, by: […], text}] */
	size_t rules;
	bool complete; /* false: the rules are so many, or so entangled, that not all was compared */
};

/* `report` begins zeroed, and takes several tenants one after the other. */
void lint_rules(const struct policy *p, struct lint_report *report);

#endif
