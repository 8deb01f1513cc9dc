/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * encap: into the tunnel to another host, and on to the underlay device that the kernel's routing names.
 * reads:  pkt.vni, hash, len
 * writes: the frame; pkt.action
 * maps:   hosts next_hops
 * drops:  host_unknown no_route too_big encap_failed
 */
#ifndef WEFT_STAGE_ENCAP_H
#define WEFT_STAGE_ENCAP_H

#include "lib/next_hop.h"
#include "lib/ops.h"

/* Bytes of the largest IP packet that the outer frame will be cut into. */
static __always_inline __u32 outer_size(const ctx_t *ctx, const struct pkt *p)
{
	__u32 inner = p->len;

#if !WEFT_XDP
	if (ctx->gso_size)
		inner = p->l4 - p->l2 + p->l4_len + ctx->gso_size;
#endif
	return inner + OUTER_LEN - ETH_HLEN;
}

/* The headers of a frame that goes there. False: it does not fit the underlay with them. */
static __always_inline bool outer_for(const ctx_t *ctx, const struct pkt *p, const struct next_hop *hop, const struct nsh *nsh,
				      struct outer_words *outer)
{
	__u32 more = nsh ? NSH_BYTES : 0;

	if (outer_size(ctx, p) + more > hop->mtu)
		return false;
	outer_fill(outer, hop, p->vni, p->hash, p->len + more);
	if (nsh)
		outer_nsh(outer);
	return true;
}

/* The frame begins with its own Ethernet header and has no tag. With `nsh`, that comes before it. */
__noinline int encap(ctx_t *ctx, struct pkt *p, __u32 slot, const struct nsh *nsh)
{
	struct next_hop *hop = next_hop_of(slot);
	const struct host *to = host_at(slot);
	struct outer_words outer;
	int answer;

	if (!p)
		return V_DROP;
	if (!to || !hop || !*(const __u32 *)to->vtep4)
		return drop(p, DROP_HOST_UNKNOWN);
	answer = next_hop_ready(ctx, hop, to, slot);
	if (answer && answer != BPF_FIB_LKUP_RET_NO_NEIGH)
		return drop(p, DROP_NO_ROUTE);
	if (!outer_for(ctx, p, hop, nsh, &outer))
		return drop(p, DROP_TOO_BIG);
	if (op_encap(ctx, p, &outer, nsh))
		return drop(p, DROP_ENCAP_FAILED);
	p->action = op_send_underlay(ctx, hop->ifindex, answer == BPF_FIB_LKUP_RET_NO_NEIGH);
	return V_SENT;
}

#endif
