/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flows that the command ends, told to whoever follows (include/flow_event.h). While nobody does it costs a look.
 */
#ifndef WEFT_FLOW_TELL_H
#define WEFT_FLOW_TELL_H

#include <stdbool.h>
#include <stddef.h>

#include "include/flow_event.h"
#include "loader/root.h"

#define FLOW_TELL_AT_ONCE 256

struct flow_tell {
	const struct root *root;
	struct flow_watch watch;
	uint64_t now;
	int program; /* -1: nobody follows */
	struct flow_event *events;
	size_t n;
};

/* `now`: jiffies. An old root, or a right that is missing, is like nobody who follows. */
void flow_tell_open(struct flow_tell *t, const struct root *root, uint64_t now);
/* A flow of the tenant in this slot is gone, and why. */
void flow_tell_gone(struct flow_tell *t, uint32_t tenant, const void *key, int family,
		    const struct flow *flow, enum flow_gone why);
void flow_tell_close(struct flow_tell *t);

#endif
