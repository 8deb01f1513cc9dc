/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* This host, the other hosts, and the way to them. */
#ifndef WEFT_HOST_H
#define WEFT_HOST_H

#include "base.h"

/* host[0] */
struct host_config {
	char name[WEFT_NAME_LEN];	/* our name in `hosts` */
	__u8 vtep4[4];		/* our tunnel address; 0.0.0.0: none yet */
	__u32 slot;		/* our own slot in `hosts` */
	__u32 mark;		/* skb mark of frames that weft vetted; random per load */
	__u32 hz;		/* jiffies per second */
	__u32 fib_ifindex;	/* our tunnel device, whose forwarding flag lets bpf_fib_lookup answer */
	__u32 pad;
	__u64 next_id;		/* the next id of a tenant, network, port, rule… */
	__u32 xdp_underlay[WEFT_UNDERLAYS_MAX];	/* underlay devices that send what XDP redirects to them; 0: none */
};

/* hosts[slot]: configuration, written by the loader */
struct host {
	__u64 id;
	__u8 vtep4[4];		/* 0.0.0.0: the slot is free */
	__u32 ip_checksum;	/* ones' complement sum of the outer IPv4 header with total length 0 */
};

/* next_hops[slot]: what the kernel's FIB says about hosts[slot]; state, refreshed by passing packets */
struct next_hop {
	__u32 ifindex;		/* 0: not known */
	__u32 refreshed;	/* jiffies, low 32 bits */
	__u32 mtu;		/* of the outer IP packet, bytes */
	__u32 xdp_mtu;		/* the same for XDP; 0: the device would lose what XDP sends */
	__u64 outer[6];		/* the outer headers up to the VNI, as on the wire, without what varies (bpf/lib/outer.h) */
};

/* vteps: tunnel address -> slot in hosts */
struct vtep_key {
	__u8 address[16];	/* IPv4 in the first four bytes */
};

struct vtep {
	__u32 host;
};

weft_static_assert(sizeof(struct host_config) == 128);
weft_static_assert(sizeof(struct host) == 16);
weft_static_assert(sizeof(struct next_hop) == 64);

#endif
