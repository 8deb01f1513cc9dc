/* SPDX-License-Identifier: BSD-2-Clause */
/* A packet in the words of rules (kind "packet" of the schema), as questions to the rules of the ports that it meets. */
#ifndef WEFT_ACL_PACKET_H
#define WEFT_ACL_PACKET_H

#include "loader/policy.h"

struct acl_packet {
	/* without port and direction; an end of which no port of the tenant has the address is NULL */
	struct policy_question question;
	const struct model_port *sender, *receiver;
	bool alone; /* one port was named: sender or receiver, as the direction says, and the other end is not asked */
	bool is_error; /* an ICMP error: the rules are never asked */
	bool has_flow; /* it belongs to one, or begins one: what goes to many, or is no question, does not */
};

/* `object` is canonical. Returns 0, or -1. */
int acl_packet_read(const struct model *m, const struct model_tenant *tenant, const json_t *object,
		    struct acl_packet *packet, struct error *e);

/* "tcp 10.0.1.1:49152 > 10.0.2.1:5432 flags syn, conntrack_state new"; returns buf. */
const char *acl_packet_text(const struct acl_packet *packet, char *buf, size_t size);

#endif
