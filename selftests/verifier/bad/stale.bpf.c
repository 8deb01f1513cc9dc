/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Refused: a packet pointer kept over a helper that moves the packet. */
// expect: invalid mem access
#include "lib/weft.h"

HOOK(stale)
{
	struct ethhdr *eth = at(ctx, 0, sizeof(*eth));

	if (!eth || bpf_skb_change_head(ctx, 50, 0))
		return TC_ACT_SHOT;
	eth->h_dest[0] = 0;
	return TCX_NEXT;
}

char _license[] SEC("license") = "Dual BSD/GPL";
