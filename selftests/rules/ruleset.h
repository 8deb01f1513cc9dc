/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rule sets like ClassBench's (Taylor and Turner, 2005), made from seeds of our own, the packets that go with them, and
 * a judge in plain C that scans the rules one after the other. The judge shares no code with the classifier.
 */
#ifndef WEFT_RULESET_H
#define WEFT_RULESET_H

#include "loader/acl/classifier.h"

enum ruleset_kind {
	RULES_ACL, /* sources wide or of one host, destinations mostly of one host, few ranges */
	RULES_FW, /* many wildcards on either side, ranges on both ports */
	RULES_IPC, /* both sides nested, all kinds of ranges */
	RULES_WEFT, /* as tenants write them: groups, lists, apply_to, flags, states */
	RULES_NESTED, /* explosions: prefixes in each other on both sides, and ports */
	RULES_LENGTHS, /* every pair of prefix lengths */
	RULES_RANGES, /* ranges of both ports that overlap in every way, addresses any */
	RULES_KINDS
};

extern const char *const ruleset_names[RULES_KINDS];

struct ruleset {
	struct acl_source source; /* what is compiled; points into the rest */
	struct acl_term *term;
	struct acl_rule *rule;
	uint32_t *name;
	size_t names, name_room;
	uint64_t seed;
	uint8_t family;
};

#define RULESET_PORTS 16 /* slots that rules may apply to */

void ruleset_make(struct ruleset *r, enum ruleset_kind kind, uint8_t family, size_t n, uint64_t seed);
void ruleset_free(struct ruleset *r);
/* A packet that meets a rule of the set, or nearly, or at random. */
struct acl_query ruleset_packet(struct ruleset *r);
/* The rank of the rule that decides, counted from 0; -1: none. */
long ruleset_judge(const struct ruleset *r, const struct acl_query *q);

uint32_t ruleset_below(struct ruleset *r, uint32_t n);

#endif
