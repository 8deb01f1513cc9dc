/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Service insertion: chains, and what may come back from a function's device. */
#ifndef WEFT_CHAIN_H
#define WEFT_CHAIN_H

#include "function.h"

#define CHAIN_STEPS 8
#define CHAIN_NETWORKS 4	/* networks whose ports one chain may protect */

/* The PCP bits of the tag tell the pass; what a function makes itself (a RST, an ICMP error) may have none. */
enum chain_pcp { PCP_MADE = 0, PCP_LEAVING = 1, PCP_TOWARDS = 2 };

enum chain_flags {
	CHAIN_BYPASS = 1 << 0,
	CHAIN_KEEP = 1 << 1,	/* flows older than the chain on their wire go on without it */
	CHAIN_RESET = 1 << 2,	/* they are ended */
	CHAIN_MIRROR = 1 << 3,	/* towards the workload the steps come in the opposite order */
	CHAIN_REWRITES = 1 << 4,	/* a function of it alters streams: TCP windows are not known well enough to drop by them */
	CHAIN_AWAY = 1 << 5,	/* frames of ports here may go to functions on other hosts */
};

enum step_flags {
	STEP_XDP_DELIVER = 1 << 0,	/* of all steps or of none: XDP may redirect to every device of the chain */
	STEP_OPEN = 1 << 1,	/* while the function is dead frames skip it; else they are dropped */
	STEP_TAP = 1 << 2,	/* it gets copies, and nothing that it sends is believed; for programs that do not know: open, and not there */
};

struct chain_step {
	/* Of the function's first instance, for programs that do not know of several, and where `function` is 0. */
	__u32 leaving_ifindex;
	__u32 towards_ifindex;
	__u16 flags;
	__u16 function;		/* slot in functions */
};

/* chains[slot]; slot 0 is never used, so that a port's chain 0 means none */
struct chain {
	__u64 id;
	__u32 tenant;
	__u16 tag;		/* VLAN ID at the function; 0: frames have no tag there */
	__u8 steps;
	__u8 flags;
	__u32 vnis[CHAIN_NETWORKS];	/* of the ports that it protects; 0: unused */
	struct chain_step step[CHAIN_STEPS];	/* in the order of leaving */
};

/*
 * sf: what is believed when it comes from a function's device: the tag with its PCP, and the protected
 * workload's MAC (source when leaving, destination towards it; broadcast towards it has all-ones). Where frames have no
 * tag the VID is 0, and the PCP says which pass an entry is for.
 */
struct sf_key {
	__u32 ifindex;
	__u16 tci;		/* PCP << 13 | VID, DEI 0 */
	__u8 mac[6];
};

struct sf_return {
	__u32 port;		/* slot of the protected port; 0 for all-ones; SF_AWAY: of another host (nsh.h) */
	__u16 chain;		/* slot in chains */
	__u8 step;		/* whose device it is */
	__u8 instance;		/* and of which place in that step's function */
};

/* Where chain_stats has a step of the chain in that slot: first all first steps, then all second ones… */
#define CHAIN_STEP_INDEX(slot, step) ((step) * WEFT_CHAINS_MAX + (slot))

/* chain_stats[CHAIN_STEP_INDEX], per CPU; what is of the whole chain counts at its first step */
struct chain_traffic {
	__u64 sent;		/* frames to the function; copies, if it is a tap */
	__u64 returned;		/* frames back from it */
	__u64 bypassed;		/* frames that the operator led round the chain */
	__u64 kept;		/* frames that went round the chain since their flows are older than it */
	__u64 skipped;		/* frames that skipped the function since it is dead, and its step open; a tap: copies that it could not get */
};

weft_static_assert(sizeof(struct chain) == 128);
weft_static_assert(sizeof(struct sf_key) == 12);

#endif
