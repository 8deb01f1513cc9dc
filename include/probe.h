/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Probes through functions: a frame of weft's own, sent into a chain's wire with its tag, that has to come back as a
 * workload's would. It is an Ethernet frame of an ethertype for local experiments (IEEE Std 802) between two MACs of
 * weft's own, so that nothing a workload sends is taken for one; below the tag follows struct probe_body.
 */
#ifndef WEFT_PROBE_H
#define WEFT_PROBE_H

#include "base.h"

#define PROBE_ETHERTYPE 0x88B5
#define PROBE_MAGIC 0x77656674u	/* "weft" */
/* The workload's side and the network's: a frame that leaves the workload is from the one to the other. */
#define PROBE_MAC_WORKLOAD { 0x02, 'w', 'e', 'f', 't', 1 }
#define PROBE_MAC_NETWORK { 0x02, 'w', 'e', 'f', 't', 2 }
#define PROBES_MAX 16384

/*
 * probes: nonce -> what was asked, and whether it was answered. What the agent asks again and again stands in sf_state
 * instead: its frames carry the instance's `nonce` there, and a number, which goes to `answered`.
 */
struct probe_key {
	__u64 nonce;		/* random; only the frame and this map have it */
};

struct probe {
	__u64 asked;		/* ns, monotonic clock */
	__u64 answered;		/* likewise, written by the datapath; 0: not yet */
	__u32 chain;		/* slot in chains */
	__u8 step;
	__u8 pcp;		/* enum chain_pcp: which way */
	__u8 instance;		/* place in the step's function */
	__u8 pad;
};

/* On the wire, after the ethertype. It comes back to the machine that sent it: host order. */
struct probe_body {
	__u32 magic;
	__u32 chain;
	__u8 nonce[8];
	__u8 step;
	__u8 pcp;
	__u8 instance;
	__u8 pad;
	__u32 number;		/* of the agent's; 0: the question is in probes */
};

/*
 * Without a tag, and with nothing behind the magic, it asks no function but the device, whether it takes what XDP sends
 * (loader/takes_xdp.c). A function gives it back as it does all else.
 */
static inline __attribute__((always_inline)) int probe_is_of_device(const struct probe_body *body)
{
	__u64 nonce;

	__builtin_memcpy(&nonce, body->nonce, sizeof(nonce));
	return body->magic == PROBE_MAGIC && !nonce && !body->number;
}

weft_static_assert(sizeof(struct probe) == 24);
weft_static_assert(sizeof(struct probe_body) == 24);

#endif
