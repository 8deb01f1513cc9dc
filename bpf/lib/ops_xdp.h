/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What XDP does to a frame: tags, tunnel, sending. ops_tc.h is the twin. */
#ifndef WEFT_BPF_OPS_XDP_H
#define WEFT_BPF_OPS_XDP_H

#include "lib/nsh.h"

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

static __always_inline int op_cut(ctx_t *ctx, __u32 to)
{
	return bpf_xdp_adjust_tail(ctx, (__s32)(to - ctx_len(ctx)));
}

static __always_inline int op_resize(ctx_t *ctx, __u32 to)
{
	return op_cut(ctx, to);
}

static __always_inline int op_patch(ctx_t *ctx, __u32 l4, __u32 sum, __u32 offset, __be32 to)
{
	__u16 checksum;
	__be32 from;
	__u64 s;

	if (bpf_xdp_load_bytes(ctx, l4 + offset, &from, sizeof(from)) ||
	    bpf_xdp_load_bytes(ctx, l4 + sum, &checksum, sizeof(checksum)) ||
	    bpf_xdp_store_bytes(ctx, l4 + offset, &to, sizeof(to)))
		return -1;
	if (offset & 1) {
		from = from << 8 | from >> 24;
		to = to << 8 | to >> 24;
	}
	/* RFC 1624, 3 */
	s = (__u64)(__u16)~checksum + (__u32)~from + to;
	s = (s & 0xffffffff) + (s >> 32);
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	checksum = ~((s & 0xffff) + (s >> 16));
	return bpf_xdp_store_bytes(ctx, l4 + sum, &checksum, sizeof(checksum));
}

static __always_inline int op_encap(ctx_t *ctx, const struct pkt *p, const struct outer_words *outer,
				    const struct nsh *nsh)
{
	void *to;

	if (bpf_xdp_adjust_head(ctx, nsh ? -AWAY_LEN : -OUTER_LEN))
		return -1;
	to = at(ctx, 0, OUTER_LEN);
	if (!to)
		return -1;
	outer_put(to, outer);
	if (!nsh)
		return 0;
	to = at(ctx, OUTER_LEN, NSH_BYTES);
	if (!to)
		return -1;
	nsh_put(to, nsh);
	return 0;
}

static __always_inline int op_decap(ctx_t *ctx, const struct pkt *p)
{
	return bpf_xdp_adjust_head(ctx, p->l2);
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
