/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* flood.h: what flood.c tells flood.bpf.c. */
#ifndef WEFT_FLOOD_H
#define WEFT_FLOOD_H

#define FLOOD_MIN 64 /* that is written; what is sent may be less */
#define FLOOD_HEAD 72 /* Ethernet + IPv6 + TCP without its urgent pointer */

struct flood_config {
	__u64 head[FLOOD_HEAD / 8]; /* the headers, ports and checksums zero */
	__u32 ifindex;
	__u32 gap_ns; /* between frames; 0: as fast as it goes */
	__u64 turn_ns; /* in every second turn the source is another; 0: never */
	__u32 ip_sum; /* IPv4 header, without the low halves of the addresses */
	__u32 l4_sum; /* pseudo-header, header and payload, without what varies */
	__u32 n_sport, n_dport, n_src, n_dst;
	__u16 sport, dport;	/* the first of each, host order */
	__u16 src_low, dst_low; /* low 16 bits of the first addresses, host order */
	__u16 turn_low;		/* of that source */
	__u16 cut;		/* bytes off the end of a frame */
	__u8 v6, l4, swap, l4_check;
	__u8 random;	/* without the sweep before it */
};

/* The program's only global, so that it lies at the start of its section. */
struct flood_state {
	struct flood_config config;
	__u64 sent, dice, next;
	__u32 sweep_sport, sweep_dport;
};

#endif
