/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What XDP does to a frame: tags, tunnel, sending. ops_tc.h is the twin. */
#ifndef WEFT_BPF_OPS_XDP_H
#define WEFT_BPF_OPS_XDP_H

#include "lib/outer.h"

struct macs {
	__u8 bytes[2 * ETH_ALEN];
};

static __always_inline int op_push_tag(ctx_t *ctx, __u16 tci)
{
	struct macs *from, *to, macs;
	__be16 *tag;

	if (bpf_xdp_adjust_head(ctx, -VLAN_HLEN))
		return -1;
	to = at(ctx, 0, ETH_HLEN + VLAN_HLEN);
	from = at(ctx, VLAN_HLEN, sizeof(*from));
	if (!to || !from)
		return -1;
	macs = *from;
	*to = macs;
	tag = (__be16 *)(to + 1);
	tag[0] = bpf_htons(ETH_P_8021Q);
	tag[1] = bpf_htons(tci);
	return 0;
}

static __always_inline int op_pop_tag(ctx_t *ctx)
{
	struct macs *from = at(ctx, 0, sizeof(*from)), *to = at(ctx, VLAN_HLEN, sizeof(*to)), macs;

	if (!from || !to)
		return -1;
	macs = *from;
	*to = macs;
	return bpf_xdp_adjust_head(ctx, VLAN_HLEN);
}

static __always_inline int op_encap(ctx_t *ctx, const struct pkt *p, const struct outer_words *outer)
{
	struct outer_words *to;

	if (bpf_xdp_adjust_head(ctx, -OUTER_LEN))
		return -1;
	to = at(ctx, 0, sizeof(*to));
	if (!to)
		return -1;
	*to = *outer;
	return 0;
}

static __always_inline int op_decap(ctx_t *ctx, const struct pkt *p)
{
	return bpf_xdp_adjust_head(ctx, OUTER_LEN);
}

static __always_inline int op_send(ctx_t *ctx, __u32 ifindex)
{
	return bpf_redirect(ifindex, 0);
}

static __always_inline int op_send_underlay(ctx_t *ctx, __u32 ifindex, bool ask_neighbour)
{
	return bpf_redirect(ifindex, 0);
}

static __always_inline int op_deliver(ctx_t *ctx, const struct pkt *p, const struct port *port)
{
	return bpf_redirect(port->ifindex, 0);
}

#endif
