/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What happens to flows, told to whoever follows (`weft ct show --follow`) in the ring buffer `flow_events`. Nobody
 * follows unless flow_watch says so, and that ends by itself.
 */
#ifndef WEFT_FLOW_EVENT_H
#define WEFT_FLOW_EVENT_H

#include "flow_table.h"

/* flow_watch[0] */
struct flow_watch {
	__u64 until;		/* jiffies, all 64 bits; who follows moves it on again and again, who has died does not */
	__u32 tenant;		/* slot plus 1; 0: all of them */
	__u32 pad;
};

enum flow_event_kind {
	FLOW_EVENT_NEW = 1,
	FLOW_EVENT_REPLIED,	/* the other end has sent its first packet */
	FLOW_EVENT_ESTABLISHED,	/* a handshake is done */
	FLOW_EVENT_CLOSED,	/* TCP: both FINs are acknowledged, or a RST was there; it is remembered until it expires */
	FLOW_EVENT_DESTROYED,
	FLOW_EVENT_FULL,	/* it found no room; told also while nobody follows */
};

/* Why it is destroyed. */
enum flow_gone {
	FLOW_MOVED = 0,		/* it is not: it goes into another table */
	FLOW_EXPIRED,
	FLOW_REPLACED,		/* by another connection of the same addresses and ports */
	FLOW_DISPLACED,		/* by another flow, since the table was full and nobody had replied to it */
	FLOW_FLUSHED,
	FLOW_CHAIN_RESET,	/* older than the chain on its wire, which resets such */
};

/* FLOW_EVENT_FULL, of one tenant a second. */
#define FULL_EVENTS_PER_S 1

struct flow_event {
	__u8 kind;		/* enum flow_event_kind */
	__u8 reason;		/* enum flow_gone */
	__u8 family;		/* enum weft_family */
	__u8 pad;
	__u32 tenant;		/* slot */
	__u64 time;		/* CLOCK_TAI, ns */
	union {
		struct ct4_key key4;
		struct ct6_key key6;
		__u64 key_words[CT6_KEY_WORDS];
	};
	struct flow flow;	/* as it was then; `spill` is 0 */
};

/* What the program `tell` is given: events of flows that no packet ends. Time and losses it sees to itself. */
struct flow_told {
	__u64 events;		/* where the array of them is, in the memory of who runs it */
	__u32 n;
	__u32 pad;
};

weft_static_assert(sizeof(struct flow_watch) == 16);
weft_static_assert(sizeof(struct flow_event) == 168);

#endif
