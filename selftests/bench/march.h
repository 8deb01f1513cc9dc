/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * march.h: the frames of march: numbered UDP over IPv4, 64 bytes, without a checksum of their payload; functions write
 * their name into them (victim). Also what the programs tell the processes.
 */
#ifndef WEFT_MARCH_H
#define WEFT_MARCH_H

#define MARCH_PORT 7777 /* destination */
#define MARCH_BYTES 64
#define MARCH_IP_AT 14 /* no tag, no options */
#define MARCH_UDP_AT (MARCH_IP_AT + 20)
#define MARCH_NUMBER_AT (MARCH_UDP_AT + 8) /* 8 bytes, this machine's order */
#define MARCH_NAME_AT (MARCH_NUMBER_AT + 8)
#define TAG_BYTES 4

#define MARCH_RECORDS (1 << 20) /* the latest frames */
#define MARCH_FLOWS 32768	/* at most: a source port each */

struct march_config {
	__u64 head[MARCH_BYTES / 8]; /* the frame but for what varies */
	__u32 ifindex, flows;
	__u32 gap_ns; /* between frames; 0: as fast as it goes */
	__u16 sport;  /* of the first flow, host order */
};

/* The sender's only global. */
struct march_state {
	struct march_config config;
	__u64 sent, next;
};

/* By its number: times by the monotonic clock, 0: not yet. */
struct march_record {
	__u64 sent, received;
	__u32 name; /* of who was in its way, 0: nobody */
	__u32 pad;
};

struct march_flow {
	__u64 received;
	__u32 name;  /* of the last one */
	__u32 moves; /* how often that was another than the one before */
};

struct victim_state {
	__u32 dead; /* a black hole */
	__u8 name;  /* from 1 on */
};

#endif
