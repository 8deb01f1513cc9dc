/* SPDX-License-Identifier: BSD-2-Clause */
/* Which tables of flows a tenant has in each version of the maps. */
#ifndef WEFT_HANDOVER_KINDS_H
#define WEFT_HANDOVER_KINDS_H

#include "loader/inner.h"

#define FAMILIES 2 /* IPv4, IPv6 */

enum flow_role {
	ROLE_CT, /* established flows */
	ROLE_HALF, /* TCP handshakes */
	ROLE_RECENT, /* version 2: the ring of keys in which it looks for expired flows */
	FLOW_ROLES
};

/* The table of this role, or NULL if this version has none. */
const struct inner_kind *handover_kind(unsigned int version, int family, enum flow_role role);

#endif
