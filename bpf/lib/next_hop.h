/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The underlay's next hop towards a host: asked of the kernel's FIB by TC, at most once a second and
 * host, and remembered for both. XDP uses what is remembered and passes up when it has grown old.
 */
#ifndef WEFT_BPF_NEXT_HOP_H
#define WEFT_BPF_NEXT_HOP_H

#include "lib/outer.h"

#define AF_INET 2
#define MTU_MIN 576		/* RFC 791: what every path carries; without a length the kernel tells no MTU */
#define MTU_ASSUMED 1500	/* until the neighbour is known, which comes before the MTU in the kernel's answer */

/* Known, not too old, and made for the addresses that both hosts have now. */
static __always_inline bool next_hop_fresh(const struct next_hop *hop, const struct host *to, __u32 seconds)
{
	const struct host_config *us = this_host();

	return us && to && hop->ifindex && outer_is_between(hop, us->vtep4, to->vtep4) &&
	       (__u32)bpf_jiffies64() - hop->refreshed < us->hz * seconds;
}

static __always_inline struct next_hop *next_hop_of(__u32 slot)
{
	return bpf_map_lookup_elem(&next_hops, &slot);
}

#if !WEFT_XDP
static __always_inline bool sends_xdp(const struct host_config *us, __u32 ifindex)
{
	for (int i = 0; i < WEFT_UNDERLAYS_MAX; i++)
		if (us->xdp_underlay[i] == ifindex)
			return true;
	return false;
}

/*
 * 0, or the answer of bpf_fib_lookup: BPF_FIB_LKUP_RET_NO_NEIGH leaves ifindex set in *hop, so that the
 * kernel can be asked to resolve the neighbour.
 */
__noinline int next_hop_refresh(ctx_t *ctx, __u32 slot)
{
	const struct host_config *us = this_host();
	struct next_hop *hop = next_hop_of(slot);
	const struct host *to = host_at(slot);
	struct bpf_fib_lookup fib = { .family = AF_INET, .l4_protocol = IPPROTO_UDP, .tot_len = MTU_MIN };
	long error;

	if (!us || !hop || !to)
		return -1;
	/*
	 * The kernel answers only for a device that forwards. Asking for our own idle tunnel device, which
	 * does, gives the route of a packet that the host itself sends, and no other device need forward.
	 */
	fib.ifindex = us->fib_ifindex;
	fib.ipv4_src = *(const __be32 *)us->vtep4;
	fib.ipv4_dst = *(const __be32 *)to->vtep4;
	error = bpf_fib_lookup(ctx, &fib, sizeof(fib), 0);
	/* No answer at all: that device is gone; `weft load` may be replacing it. What is known holds meanwhile. */
	if (error < 0 && next_hop_fresh(hop, to, 10))
		return 0;
	if (error && error != BPF_FIB_LKUP_RET_NO_NEIGH) {
		hop->ifindex = 0;
		return error;
	}
	hop->ifindex = fib.ifindex;
	hop->mtu = error ? MTU_ASSUMED : fib.mtu_result;
	hop->xdp_mtu = sends_xdp(us, hop->ifindex) ? hop->mtu : 0;
	outer_prepare(hop, fib.dmac, fib.smac, us->vtep4, to);
	if (error) {
		hop->refreshed = (__u32)bpf_jiffies64() - us->hz * 60;
		return error;
	}
	hop->refreshed = bpf_jiffies64();
	return 0;
}
#endif

/* 0, or why not, as above. In XDP can_output() has seen that the hop is fresh enough. */
static __always_inline int next_hop_ready(ctx_t *ctx, const struct next_hop *hop, const struct host *to, __u32 slot)
{
#if WEFT_XDP
	return 0;
#else
	return next_hop_fresh(hop, to, 1) ? 0 : next_hop_refresh(ctx, slot);
#endif
}

#endif
