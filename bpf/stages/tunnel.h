/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tunnel: is the packet of our tunnel, and may it be believed? Only hosts that we know speak to us, and
 * only of networks that have ports here.
 * reads:  the outer headers
 * writes: pkt.from, tenant, vni, zone
 * maps:   host vteps networks
 * drops:  outer_bad outer_fragment vtep_unknown vni_unknown
 */
#ifndef WEFT_STAGE_TUNNEL_H
#define WEFT_STAGE_TUNNEL_H

#include "lib/outer.h"
#include "lib/recent.h"

/*
 * V_PASS unless it is UDP 4789 to our own address and without options. In fragments it would be put together by the
 * host's stack, behind us; without the first, which tells that it is of the tunnel, it is not.
 */
static __always_inline enum verdict tunnel(ctx_t *ctx, struct pkt *p)
{
	const struct host_config *us = this_host();
	const struct outer *outer;

	p->ifindex = ctx_ifindex(ctx);
	/* No more than that: most of what is not for the tunnel is the host's own. */
	ctx_make_linear(ctx, OUTER_LEN);
	outer = at(ctx, 0, OUTER_LEN - sizeof(struct vxlan_header));
	if (!us || !outer || outer->ethertype != bpf_htons(ETH_P_IP) || outer->version_ihl != 0x45 ||
	    outer->protocol != IPPROTO_UDP || outer->destination_port != bpf_htons(VXLAN_PORT) ||
	    outer->fragment & bpf_htons(0x1fff) ||
	    *(const __be32 *)outer->destination != *(const __be32 *)us->vtep4)
		return V_PASS;
	if (outer->fragment & bpf_htons(0x2000))
		return drop(p, DROP_OUTER_FRAGMENT);
	outer = at(ctx, 0, sizeof(*outer));
	if (!outer || !(outer->vxlan.flags & VXLAN_FLAG_VNI))
		return drop(p, DROP_OUTER_BAD);
	p->vni = bpf_ntohl(outer->vxlan.vni) >> 8;
	return recent_sender(p, *(const __u32 *)outer->source, us);
}

#endif
