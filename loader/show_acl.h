/* SPDX-License-Identifier: BSD-2-Clause */
/* What rules have decided: `weft -s acl show`. */
#ifndef WEFT_SHOW_ACL_H
#define WEFT_SHOW_ACL_H

#include "loader/show.h"

struct acl_stats;

/* Nothing is read before it is asked for, and each tenant's once. */
struct acl_stats *acl_stats_open(const struct show *s);
void acl_stats_close(struct acl_stats *stats);

/*
 * {packets, bytes, flows, flow_packets, flow_bytes} of the rule at the path: what it judged on this host, and the flows
 * that it let in and that live, both directions. A new reference, or NULL with an error.
 */
json_t *acl_stats_of(struct acl_stats *stats, const char *path, struct error *e);

#endif
