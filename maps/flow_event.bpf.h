/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Events of flows, and whether anybody wants them (include/flow_event.h). */
#ifndef WEFT_MAPS_FLOW_EVENT_BPF_H
#define WEFT_MAPS_FLOW_EVENT_BPF_H

#include "include/flow_event.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_watch);
} flow_watch SEC(".maps");

/* Not `events`: flows come and go in floods, and the log of rules is not to drown in them. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} flow_events SEC(".maps");

#endif
