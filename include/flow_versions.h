/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Flows as each version of the maps has them, and the way from one to the next and back: for the programs and the part of
 * the command that carry flows over while a load changes the version. What stands here never changes. (Versions 1 and 3
 * were in no release.)
 */
#ifndef WEFT_FLOW_VERSIONS_H
#define WEFT_FLOW_VERSIONS_H

#include "flow_table.h"

/*
 * Version 2: 56 bytes a direction, and a tail; in hash tables of the kernel's. Keys have a zero where those of version 4
 * have `used`; the ones in the reclaim queue have the stamp of their flow there.
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

/* Version 4: what packets read, then what they write; in tables of our own (flow_table.h). */
struct flow_path_4 {
	__u32 epoch;
	__u32 source;
	__u32 target;
	__u8 mac[6];
	__u8 flags;
	__u8 tcp;
};

struct flow_dir_4 {
	__u32 packets;
	__u32 bytes;
	__u16 packets_high;
	__u16 bytes_high;
	__u32 last_seen;
	__u32 tcp_end;
	__u32 tcp_max_end;
	__u32 tcp_max_ack;
};

struct flow_4 {
	__u16 spill;
	__u8 first;
	__u8 first_code;
	__u32 rule;
	struct flow_path_4 path[2];
	__u32 born;
	__u16 tcp_max_window[2];
	struct flow_dir_4 dir[2];
};

/* The last eight bytes of a key. */
#define FLOW_KEY_END_2(end) ((end) & ~FLOW_KEY_USED(0xff))
#define FLOW_KEY_END_4(end) (FLOW_KEY_END_2(end) | FLOW_KEY_USED(FLOW_USED))

static inline __attribute__((always_inline)) void flow_dir_2_to_4(const struct flow_dir_2 *from, struct flow_path_4 *path,
								  struct flow_dir_4 *to)
{
	path->epoch = from->epoch;
	path->source = from->source;
	path->target = from->flags & FLOW_DENIED ? from->reason : from->target;
	__builtin_memcpy(path->mac, from->mac, sizeof(path->mac));
	path->flags = from->flags;
	path->tcp = FLOW_TCP(from->tcp_state, 0);
	to->packets = from->packets;
	to->packets_high = from->packets >> 32;
	to->bytes = from->bytes;
	to->bytes_high = from->bytes >> 32;
	to->last_seen = from->last_seen;
	to->tcp_end = from->tcp_end;
	to->tcp_max_end = 0;
	to->tcp_max_ack = 0;
}

/* Version 2 kept no windows, so nothing is dropped by those of its connections; they are learned from here on. */
static inline __attribute__((always_inline)) void flow_windows_begin(struct flow_4 *to)
{
	for (int i = 0; i < 2; i++) {
		to->path[i].tcp = FLOW_TCP(FLOW_TCP_HALF(to->path[i].tcp), FLOW_TCP_SCALE_MAX);
		to->path[i].flags |= FLOW_LIBERAL;
		to->dir[i].tcp_max_ack = to->dir[i].tcp_max_end = to->dir[!i].tcp_end;
	}
}

/* Both directions have one rule now: that by which the flow began. */
static inline __attribute__((always_inline)) void flow_2_to_4(const struct flow_2 *from, struct flow_4 *to)
{
	to->spill = 0;
	to->first = from->first;
	to->first_code = from->first_code;
	to->rule = from->dir[0].flags & FLOW_ORIGINAL ? from->dir[0].rule : from->dir[1].rule;
	to->born = from->born;
	for (int i = 0; i < 2; i++) {
		flow_dir_2_to_4(&from->dir[i], &to->path[i], &to->dir[i]);
		to->tcp_max_window[i] = 0;
	}
	if (from->dir[0].tcp_state || from->dir[1].tcp_state)
		flow_windows_begin(to);
}

/* `i`: which direction. What is denied was on its way to where the other comes from. */
static inline __attribute__((always_inline)) void flow_dir_4_to_2(const struct flow_4 *from, int i, struct flow_dir_2 *to)
{
	const struct flow_path_4 *path = &from->path[i], *back = &from->path[!i];
	const struct flow_dir_4 *dir = &from->dir[i];

	to->packets = dir->packets | (__u64)dir->packets_high << 32;
	to->bytes = dir->bytes | (__u64)dir->bytes_high << 32;
	to->last_seen = dir->last_seen;
	to->epoch = path->epoch;
	to->target = path->flags & FLOW_DENIED ? back->source : path->target;
	to->rule = from->rule;
	to->tcp_end = dir->tcp_end;
	to->tcp_max_end = 0;
	to->tcp_max_window = 0;
	to->tcp_scale = 0;
	to->tcp_state = FLOW_TCP_HALF(path->tcp);
	__builtin_memcpy(to->mac, path->mac, sizeof(to->mac));
	to->flags = path->flags & ~FLOW_LIBERAL;
	to->reason = path->flags & FLOW_DENIED ? path->target : 0;
	to->source = path->source;
}

static inline __attribute__((always_inline)) void flow_4_to_2(const struct flow_4 *from, struct flow_2 *to, __u8 stamp)
{
	flow_dir_4_to_2(from, 0, &to->dir[0]);
	flow_dir_4_to_2(from, 1, &to->dir[1]);
	to->first = from->first;
	to->first_code = from->first_code;
	to->stamp = stamp;
	to->pad = 0;
	to->nat = 0;
	to->born = from->born;
	to->spare = 0;
}

weft_static_assert(sizeof(struct flow_2) == 128);
weft_static_assert(sizeof(struct flow_4) == 112);

#endif
