/* SPDX-License-Identifier: BSD-2-Clause */
/* A flow as it is shown: which end began it, what it is called, how long it has been idle. */
#ifndef WEFT_FLOW_VIEW_H
#define WEFT_FLOW_VIEW_H

#include <stdbool.h>
#include <stdio.h>

#include "include/flow.h"
#include "loader/names.h"

/* Of two, [0] is the end that began the flow. */
struct flow_view {
	const char *tenant;
	const struct flow *flow;
	int family; /* enum weft_family */
	const void *address[2];
	uint16_t port[2];
	uint8_t protocol;
	uint16_t zone;
	int original; /* index in flow.dir of the direction that began it */
	bool half_open;
	bool proxied; /* the SYN proxy stands between its ends */
	/* NULL: an event's, of which nobody knows whether it is stale, or idle */
	const struct tenant *record;
	uint32_t idle, timeout; /* jiffies */
};

void flow_view_of(struct flow_view *v, const char *tenant, const void *key, int family,
		  const struct flow *flow);
void flow_view_time(struct flow_view *v, const struct tenant *record, uint64_t now);
/* For the datapath an expired flow is none. */
bool flow_view_expired(const struct flow_view *v);

/* "allow", "deny", "reject" or "stale", of packets from `end`. */
const char *flow_view_verdict(const struct flow_view *v, int end);
const char *flow_view_state(const struct flow_view *v);
/* FLOW_TARGET: where packets from `end` come from. */
uint32_t flow_view_place(const struct flow_view *v, int end);

/* A line, and an object in one. `hz`: jiffies a second. `before`: members that come first, each with its comma, or "". */
void flow_view_print(FILE *out, const struct flow_view *v, const struct names *names, uint32_t hz);
void flow_view_print_json(FILE *out, const char *before, const struct flow_view *v,
			  const struct names *names, uint32_t hz);

#endif
