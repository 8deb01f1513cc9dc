/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Functions on other hosts: service paths (RFC 8300). A path is a chain; the host that judges a port sends the frame to a
 * host that runs the function, and gets it back. docs/NSH.md has what is on the wire.
 */
#ifndef WEFT_NSH_H
#define WEFT_NSH_H

#include "chain.h"

#define NSH_BYTES 24		/* of NSH between the tunnel's header and the frame */
#define NSH_PATHS_MAX 65536
#define NSH_COPIES_MAX 16384

/*
 * nsh_paths: which chain a path is, and in which networks a host has ports that it protects. The host is the one that
 * judges: another one, whose frames functions of this host get, or this one, whose frames come back.
 */
struct nsh_path_key {
	__u32 path;		/* nsh_path_of() */
	__u32 host;		/* slot in hosts */
};

struct nsh_path {
	__u32 chain;		/* slot in chains */
	__u32 vnis[CHAIN_NETWORKS];	/* 0: unused */
};

/* nsh_chains[slot in chains] */
struct nsh_chain {
	__u64 id;		/* of the chain; 0: the slot is free, or none of its functions is on another host */
	__u32 path;
	__u32 pad;
};

/*
 * sf_return.port of a port of another host: to that the frame goes back. `network` is the place of its VNI in chain.vnis.
 * Of the all-ones MAC: copies of other hosts may be in the function as well (nsh_copies tells whose).
 */
#define SF_AWAY(host, network) ((__u32)2 << 28 | (__u32)(network) << 12 | (host))	/* TARGET_HOST */
#define SF_IS_AWAY(port) ((port) >> 28 == 2)
#define SF_AWAY_HOST(port) ((port) & (WEFT_HOSTS_MAX - 1))
#define SF_AWAY_NETWORK(port) ((port) >> 12 & (CHAIN_NETWORKS - 1))

/*
 * nsh_copies: whose copy of a broadcast towards workloads is in a function here. Nothing in it tells when it comes back,
 * and copies of several hosts are alike; so it is enough that each host gets as many as it has sent.
 */
struct nsh_copy_key {
	__u64 frame;		/* hash of its beginning, with the tenant's seed */
	__u16 chain;		/* slots */
	__u8 step;
	__u8 instance;
	__u32 n;		/* 0 to NSH_COPIES - 1 */
};

#define NSH_COPIES 32		/* of one frame at once in a function */
#define NSH_COPY_SECONDS 1	/* what is not back by then is not expected any more */

struct nsh_copy {
	__u32 since;		/* jiffies */
	__u32 away;		/* SF_AWAY */
};

/* A path's number on all hosts: FNV-1a of "tenant/chain" in 23 bits, never 0. The pass is the lowest bit of the SPI. */
static inline __attribute__((always_inline)) __u32 nsh_path_of(const char *name)
{
	__u32 h = instance_id(name);

	h = (h >> 23 ^ h) & 0x7fffff;
	return h ? h : 1;
}

#define NSH_SPI(path, towards) ((__u32)(path) << 1 | !!(towards))

weft_static_assert(sizeof(struct nsh_path_key) == 8);
weft_static_assert(sizeof(struct nsh_path) == 20);
weft_static_assert(sizeof(struct nsh_chain) == 16);
weft_static_assert(sizeof(struct nsh_copy_key) == 16);

#endif
