/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tunnel: is the packet of our tunnel, and may it be believed? Only hosts that we know speak to us, and
 * only of networks that have ports here.
 * reads:  the outer headers
 * writes: pkt.from, tenant, vni, zone, and l2: how long they are
 * maps:   host vteps networks
 * drops:  outer_bad outer_fragment vtep_unknown vni_unknown nsh_bad
 */
#ifndef WEFT_STAGE_TUNNEL_H
#define WEFT_STAGE_TUNNEL_H

#include "lib/nsh.h"
#include "lib/recent.h"

/* In VXLAN-GPE with NSH. Whether the path may be believed, and so the network, is for the next stage (nsh.h). */
static __always_inline enum verdict tunnel_nsh(ctx_t *ctx, struct pkt *p, const struct host_config *us)
{
	const struct outer *outer;
	const struct vtep *vtep;
	const struct nsh *nsh;
	__u32 base;

	ctx_make_linear(ctx, AWAY_LEN);
	outer = at(ctx, 0, sizeof(*outer));
	nsh = at(ctx, OUTER_LEN, sizeof(*nsh));
	if (!outer || !nsh || outer->vxlan.flags != GPE_FLAGS || outer->vxlan.reserved[2] != GPE_NEXT_NSH)
		return drop(p, DROP_NSH_BAD);
	base = bpf_ntohl(nsh->base);
	if ((base & NSH_BASE_MASK) != NSH_BASE || !NSH_TTL(base))
		return drop(p, DROP_NSH_BAD);
	p->vni = bpf_ntohl(outer->vxlan.vni) >> 8;
	p->l2 = AWAY_LEN;
	vtep = vtep_of(outer->source);
	if (!vtep || vtep->host == us->slot)
		return drop(p, DROP_VTEP_UNKNOWN);
	p->from = FLOW_TARGET(TARGET_HOST, vtep->host);
	return V_NEXT;
}

static __always_inline bool is_tunnel_port(__be16 port)
{
	return port == bpf_htons(VXLAN_PORT) || port == bpf_htons(NSH_PORT);
}

/*
 * V_PASS unless it is UDP 4789 or 4790 to our own address and without options. In fragments it would be put together by the
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
	    outer->protocol != IPPROTO_UDP || !is_tunnel_port(outer->destination_port) ||
	    outer->fragment & bpf_htons(0x1fff) ||
	    *(const __be32 *)outer->destination != *(const __be32 *)us->vtep4)
		return V_PASS;
	if (outer->fragment & bpf_htons(0x2000))
		return drop(p, DROP_OUTER_FRAGMENT);
	if (outer->destination_port == bpf_htons(NSH_PORT))
		return tunnel_nsh(ctx, p, us);
	p->l2 = OUTER_LEN;
	outer = at(ctx, 0, sizeof(*outer));
	if (!outer || !(outer->vxlan.flags & VXLAN_FLAG_VNI))
		return drop(p, DROP_OUTER_BAD);
	p->vni = bpf_ntohl(outer->vxlan.vni) >> 8;
	return recent_sender(p, *(const __u32 *)outer->source, us);
}

#endif
