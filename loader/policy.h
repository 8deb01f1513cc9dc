/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tenant's rules as they are written, in the order in which they are asked: what `acl check` and `acl lint` go by. No
 * part of what packets meet: names are followed for each question, and rules of ports on other hosts count too.
 */
#ifndef WEFT_POLICY_H
#define WEFT_POLICY_H

#include <stdbool.h>

#include "loader/model.h"
#include "loader/rules.h"

struct policy_rule {
	const char *name;
	struct rule rule;
};

struct policy {
	const struct model *m;
	const struct model_tenant *tenant;
	struct policy_rule *rules; /* the first that matches decides */
	size_t n;
};

int policy_open(struct policy *p, const struct model *m, const struct model_tenant *tenant,
		struct error *e);
void policy_close(struct policy *p);

/* What one port's rules are asked about a packet. Numbers in host order. */
struct policy_question {
	const struct model_port *port;
	uint8_t direction; /* enum weft_direction */
	uint8_t family; /* enum weft_family */
	uint16_t ethertype;
	struct model_address source,
		destination; /* whole addresses; meaningless without a family */
	uint8_t protocol;
	uint16_t source_port, destination_port;
	uint8_t icmp_type, icmp_code;
	uint8_t tcp_flags;
	uint8_t ct_state; /* one bit of enum acl_ct_state */
};

/* The keys by which a rule can miss, in the order in which they are looked at. */
enum policy_key {
	KEY_DIRECTION,
	KEY_APPLY_TO,
	KEY_ETHERTYPE,
	KEY_PROTOCOL,
	KEY_SOURCE,
	KEY_DESTINATION,
	KEY_SOURCE_PORT,
	KEY_DESTINATION_PORT,
	KEY_ICMP_TYPE,
	KEY_ICMP_CODE,
	KEY_TCP_FLAGS,
	KEY_CONNTRACK_STATE,
	POLICY_KEYS
};

extern const char *const policy_keys[POLICY_KEYS];

/* A bit, 1 << enum policy_key, for each key by which the rule does not match; 0: it does. */
unsigned int policy_misses(const struct policy *p, const struct policy_rule *r,
			   const struct policy_question *q);

/* The rule that decides, or NULL: the default does. */
const struct policy_rule *policy_decide(const struct policy *p, const struct policy_question *q);

#endif
