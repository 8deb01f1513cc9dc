/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Refused: a packet pointer that at() gave and nobody compared with NULL. */
// expect: invalid access to packet
#include "lib/weft.h"

HOOK(unchecked)
{
	const struct ethhdr *eth = at(ctx, 0, sizeof(*eth));

	return eth->h_dest[0] & 1 ? TC_ACT_SHOT : TCX_NEXT;
}

char _license[] SEC("license") = "Dual BSD/GPL";
