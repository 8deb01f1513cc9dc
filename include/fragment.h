/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* IP datagrams that come in fragments: what is remembered of each, and fragments that came before their first. */
#ifndef WEFT_FRAGMENT_H
#define WEFT_FRAGMENT_H

#include "base.h"

/* A datagram that is complete is known a little longer; else it has the tenant's time (timeouts.h). */
#define FRAGMENT_SECONDS_COMPLETE 1

#define PASS_CHOSEN 4		/* back from a chain that a rule chose: a frame may pass that and the one on the wire */

#define FRAGMENT_WAYS 4		/* datagrams in a set */
#define FRAGMENT_RANGES 4	/* pieces with gaps between them that one datagram may be in */

enum fragment_state {
	FRAGMENT_FREE = 0,
	FRAGMENT_WAITING,	/* the first has not come: nothing passes */
	FRAGMENT_COMING,	/* it has, and comes in again in front of those that waited: nothing else passes */
	FRAGMENT_JUDGED,	/* it has: what the rules want to know is below */
	FRAGMENT_COMPLETE,	/* all of it has come */
	FRAGMENT_REFUSED,	/* pieces overlapped, or did not fit: the rest is dropped too */
};

/* Bytes of the datagram's fragmented part that have come. */
struct fragment_range {
	__u16 first;
	__u16 end;		/* one behind the last; equal to `first`: the place is free */
};

struct fragment_entry {
	/* Which datagram: as IP has it, and by whom it was brought. */
	union weft_addr source;
	union weft_addr destination;
	__u32 id;		/* as on the wire */
	__u32 from;		/* FLOW_TARGET: the port or the host that it came from */
	__u16 zone;		/* slot of the network */
	__u8 family;		/* enum weft_family */
	__u8 protocol;		/* IPv4: of the header; IPv6: 0, since only the first fragment's counts (RFC 8200, 4.5) */
	__u8 pass;		/* 0: on its way to the judge; else back from a function, with this PCP, and PASS_CHOSEN */

	__u8 state;		/* enum fragment_state */
	__u8 early;		/* bits: which of the tenant's places in `early` hold frames of it */
	__u8 flags;		/* from here on what its first fragment said: enum pkt_flags of the programs */
	__u32 stamp;		/* random: tells it from others that were in the same place */
	__u32 since;		/* jiffies, low 32 bits */
	__u32 tcp_seq;
	__be16 source_port;
	__be16 destination_port;
	__u8 upper;		/* protocol behind all IPv6 extension headers */
	__u8 flow_protocol;
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 tcp_flags;
	__u8 header;		/* bytes of the fragmented part up to the end of the L4 header */
	__u16 end;		/* bytes of all of it; 0: the last fragment has not come */
	struct fragment_range range[FRAGMENT_RANGES];
};

/* tenants/<tenant>/fragments: a datagram has its place in one set, by a hash */
struct fragment_set {
	__u32 lock;		/* held for the few steps that look at or change the set */
	__u32 sets;		/* in set 0: how many there are; written by the loader */
	struct fragment_entry way[FRAGMENT_WAYS];
};

/* ---- early: frames that came before the first fragment of their datagram ---- */

#define EARLY_FRAMES 8		/* that a tenant may have there */
#define EARLY_TENANTS 2048	/* that may have as many at one time */
#define EARLY_BYTES 1800	/* of a frame; with its header the kernel's element takes 2 KB */

struct early_key {
	__u32 tenant;		/* slot */
	__u32 place;		/* 0 … EARLY_FRAMES - 1 */
};

struct early_frame {
	__u64 time;		/* ns, monotonic clock: when it came */
	__u32 stamp;		/* of its datagram */
	__u32 nonce;		/* random: of the frame */
	__u32 len;
	__u32 pad;
	__u8 bytes[EARLY_BYTES];	/* as it came in, but for a tag beside the data */
};

weft_static_assert(sizeof(struct fragment_entry) == 88);
weft_static_assert(sizeof(struct fragment_set) == 8 + FRAGMENT_WAYS * sizeof(struct fragment_entry));
weft_static_assert(sizeof(struct early_frame) == 24 + EARLY_BYTES);

#endif
