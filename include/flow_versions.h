/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Flows as each version of the maps has them, and the way from one to the next and back: for the programs and the part of
 * the command that carry flows over while a load changes the version. What stands here never changes.
 */
#ifndef WEFT_FLOW_VERSIONS_H
#define WEFT_FLOW_VERSIONS_H

#include "flow.h"

/* Version 1: 64 bytes a direction; the first packet is told in the direction that began the flow. */
struct flow_dir_1 {
	__u64 packets;
	__u64 bytes;
	__u32 last_seen;
	__u32 epoch;
	__u32 target;
	__u32 rule;
	__u32 tcp_end;
	__u32 tcp_max_end;
	__u16 tcp_max_window;
	__u8 tcp_scale;
	__u8 tcp_state;
	__u8 mac[6];
	__u8 flags;
	__u8 first;
	__u8 first_code;
	__u8 reason;
	__u8 pad[2];
	__u32 nat;
	__u32 source;
};

struct flow_1 {
	struct flow_dir_1 dir[2];
};

/*
 * Version 2: 56 bytes a direction, and a tail; keys in the reclaim queue carry the stamp. In which epoch a flow of version 1
 * began nobody knows, but not after the one in which it was judged last.
 */
struct flow_dir_2 {
	__u64 packets;
	__u64 bytes;
	__u32 last_seen;
	__u32 epoch;
	__u32 target;
	__u32 rule;
	__u32 tcp_end;
	__u32 tcp_max_end;
	__u16 tcp_max_window;
	__u8 tcp_scale;
	__u8 tcp_state;
	__u8 mac[6];
	__u8 flags;
	__u8 reason;
	__u32 source;
};

struct flow_2 {
	struct flow_dir_2 dir[2];
	__u8 first;
	__u8 first_code;
	__u8 stamp;
	__u8 pad;
	__u32 nat;
	__u32 born;
	__u32 spare;
};

/* Up to `mac` both are the same. */
#define FLOW_DIR_COMMON 50

static inline __attribute__((always_inline)) void flow_1_to_2(const struct flow_1 *from, struct flow_2 *to, __u8 stamp)
{
	__builtin_memset(to, 0, sizeof(*to));
	__builtin_memcpy(&to->dir[0], &from->dir[0], FLOW_DIR_COMMON);
	__builtin_memcpy(&to->dir[1], &from->dir[1], FLOW_DIR_COMMON);
	to->dir[0].flags = from->dir[0].flags;
	to->dir[1].flags = from->dir[1].flags;
	to->dir[0].reason = from->dir[0].reason;
	to->dir[1].reason = from->dir[1].reason;
	to->dir[0].source = from->dir[0].source;
	to->dir[1].source = from->dir[1].source;
	if (from->dir[0].flags & FLOW_ORIGINAL) {
		to->first = from->dir[0].first;
		to->first_code = from->dir[0].first_code;
		to->born = from->dir[0].epoch;
	} else {
		to->first = from->dir[1].first;
		to->first_code = from->dir[1].first_code;
		to->born = from->dir[1].epoch;
	}
	to->stamp = stamp;
}

static inline __attribute__((always_inline)) void flow_2_to_1(const struct flow_2 *from, struct flow_1 *to)
{
	__builtin_memset(to, 0, sizeof(*to));
	__builtin_memcpy(&to->dir[0], &from->dir[0], FLOW_DIR_COMMON);
	__builtin_memcpy(&to->dir[1], &from->dir[1], FLOW_DIR_COMMON);
	to->dir[0].flags = from->dir[0].flags;
	to->dir[1].flags = from->dir[1].flags;
	to->dir[0].reason = from->dir[0].reason;
	to->dir[1].reason = from->dir[1].reason;
	to->dir[0].source = from->dir[0].source;
	to->dir[1].source = from->dir[1].source;
	if (from->dir[0].flags & FLOW_ORIGINAL) {
		to->dir[0].first = from->first;
		to->dir[0].first_code = from->first_code;
	} else {
		to->dir[1].first = from->first;
		to->dir[1].first_code = from->first_code;
	}
}

weft_static_assert(sizeof(struct flow_1) == 128);
weft_static_assert(sizeof(struct flow_2) == 128);
weft_static_assert(__builtin_offsetof(struct flow_dir_1, flags) == FLOW_DIR_COMMON);
weft_static_assert(__builtin_offsetof(struct flow_dir_2, flags) == FLOW_DIR_COMMON);

#endif
