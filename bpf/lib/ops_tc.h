/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What TC does to a frame: tags, tunnel, sending. ops_xdp.h is the twin. All return 0, or less when the
 * frame is unchanged and must be dropped.
 */
#ifndef WEFT_BPF_OPS_TC_H
#define WEFT_BPF_OPS_TC_H

#include "lib/nsh.h"

/* Load-time switch: the kernel (6.3+) sets the protocol of a decapsulated skb, so that a peer takes IPv6. */
const volatile bool decap_l3 = true;

#define BPF_F_ADJ_ROOM_DECAP_L3_IPV6 (1ULL << 8)
#define BPF_F_ADJ_ROOM_ENCAP_L2_(len) ((__u64)(len) << 56)
#define BPF_F_ADJ_ROOM_ENCAP_L2_ETH_ (1ULL << 6)
#define BPF_CSUM_LEVEL_DEC 2
#define PACKET_HOST 0
#define DECAPSULATED_MIN (ETH_HLEN + 20)

/* An Ethernet header, in as large parts as it has: see outer_put(). */
struct ethernet_words {
	__u64 word;
	__u32 half;
	__u16 type;
};

static __always_inline void ethernet_get(struct ethernet_words *to, const void *from)
{
	to->word = *(const __u64 *)from;
	to->half = *(const __u32 *)(from + 8);
	to->type = *(const __u16 *)(from + 12);
}

static __always_inline void ethernet_put(void *to, const struct ethernet_words *from)
{
	*(__u64 *)to = from->word;
	*(__u32 *)(to + 8) = from->half;
	*(__u16 *)(to + 12) = from->type;
}

static __always_inline int op_push_tag(ctx_t *ctx, __u16 tci)
{
	return bpf_skb_vlan_push(ctx, bpf_htons(ETH_P_8021Q), tci);
}

static __always_inline int op_pop_tag(ctx_t *ctx)
{
	return bpf_skb_vlan_pop(ctx);
}

/* Into the room that a frame has before it. */
static __always_inline int op_put_outer(ctx_t *ctx, const struct outer_words *outer, const struct nsh *nsh)
{
	void *to = at(ctx, 0, OUTER_LEN), *behind;

	if (!to)
		return -1;
	outer_put(to, outer);
	if (!nsh)
		return 0;
	behind = at(ctx, OUTER_LEN, NSH_BYTES);
	if (!behind)
		return -1;
	nsh_put(behind, nsh);
	return 0;
}

/*
 * bpf_skb_adjust_room tells the kernel of the tunnel, so that super-packets stay whole; it refuses what is
 * not IP, and an skb that came out of a tunnel and never lost the mark of it. bpf_skb_change_head does
 * those; for GSO it relies on the device's own segmentation. FIXED_GSO: segments keep the size that the workload
 * chose, since encap (stages/encap.h) has seen that they fit the underlay with the tunnel's header; without it
 * the kernel would make each as much smaller, and would refuse UDP super-packets. With `nsh`, that follows the tunnel's header.
 */
static __always_inline int op_encap(ctx_t *ctx, const struct pkt *p, const struct outer_words *outer,
				    const struct nsh *nsh)
{
	__u32 len = nsh ? AWAY_LEN : OUTER_LEN;
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L4_UDP |
		      BPF_F_ADJ_ROOM_NO_CSUM_RESET | BPF_F_ADJ_ROOM_ENCAP_L2_ETH_ |
		      BPF_F_ADJ_ROOM_ENCAP_L2_(ETH_HLEN);
	const void *eth = at(ctx, 0, ETH_HLEN);
	struct ethernet_words inner;
	void *to;

	if (!eth)
		return -1;
	ethernet_get(&inner, eth);
	if ((!p->family || bpf_skb_adjust_room(ctx, len, BPF_ADJ_ROOM_MAC, flags)) && bpf_skb_change_head(ctx, len, 0))
		return -1;
	to = at(ctx, len, ETH_HLEN);
	if (!to)
		return -1;
	ethernet_put(to, &inner);
	return op_put_outer(ctx, outer, nsh);
}

/*
 * What follows the outer Ethernet header goes, and that header becomes the inner frame's, which has no tag. The kernel
 * leaves room for an IPv4 header at least, so what is shorter, and no IP, is lengthened meanwhile.
 */
static __always_inline int op_decap(ctx_t *ctx, const struct pkt *p)
{
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET;
	bool shorter = p->len < DECAPSULATED_MIN;
	struct ethhdr *eth;

	if (shorter && bpf_skb_change_tail(ctx, p->l2 + DECAPSULATED_MIN, 0))
		return -1;
	if (decap_l3 && p->family == FAMILY_IPV6)
		flags |= BPF_F_ADJ_ROOM_DECAP_L3_IPV6;
	if (bpf_skb_adjust_room(ctx, -(__s32)p->l2, BPF_ADJ_ROOM_MAC, flags))
		return -1;
	/* GRO has verified the tunnel's checksum, not the inner one: the receiver is to look at that. */
	bpf_csum_level(ctx, BPF_CSUM_LEVEL_DEC);
	if (shorter && bpf_skb_change_tail(ctx, p->len, 0))
		return -1;
	eth = at(ctx, 0, sizeof(*eth));
	if (!eth)
		return -1;
	mac_copy(eth->h_dest, p->destination_mac);
	mac_copy(eth->h_source, p->source_mac);
	eth->h_proto = bpf_htons(p->ethertype);
	return 0;
}

/* Shorter; an skb that kept the mark of a tunnel cannot be cut so that its checksum stays where it is. */
static __always_inline int op_cut(ctx_t *ctx, __u32 to)
{
	return bpf_skb_change_tail(ctx, to, 0);
}

/*
 * Four bytes at `offset` in the L4 header, or behind it, and the L4 checksum at `sum`; one that is unfinished, and so has
 * nothing of them, stays.
 */
static __always_inline int op_patch(ctx_t *ctx, __u32 l4, __u32 sum, __u32 offset, __be32 to)
{
	__be32 from;

	if (bpf_skb_load_bytes(ctx, l4 + offset, &from, sizeof(from)) ||
	    bpf_skb_store_bytes(ctx, l4 + offset, &to, sizeof(to), 0))
		return -1;
	/* From an odd place on the bytes have each the other half of a sum's words (RFC 1071, 2). */
	if (offset & 1) {
		from = from << 8 | from >> 24;
		to = to << 8 | to >> 24;
	}
	return bpf_l4_csum_replace(ctx, l4 + sum, from, to, sizeof(to));
}

/*
 * Makes the frame `to` bytes long; what is in it is written anew after. bpf_skb_change_tail refuses an skb that
 * kept the mark of a tunnel (over veth it does: no wire ever took it); the other way moves a checksum that is
 * still unfinished, which a receiver on this machine does not look at.
 */
static __always_inline int op_resize(ctx_t *ctx, __u32 to)
{
	__u32 from = ctx->len;

	if (!bpf_skb_change_tail(ctx, to, 0))
		return 0;
	return bpf_skb_adjust_room(ctx, (__s32)(to - from), BPF_ADJ_ROOM_MAC,
				   BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET);
}

/* The mark is what the egress guard lets through. */
static __always_inline void op_mark(ctx_t *ctx)
{
	const struct host_config *us = this_host();

	if (us)
		ctx->mark = us->mark;
}

static __always_inline int op_send(ctx_t *ctx, __u32 ifindex)
{
	op_mark(ctx);
	return bpf_redirect(ifindex, 0);
}

/* A copy; the frame keeps the mark. Else than 0: it did not get there. */
static __always_inline int op_copy(ctx_t *ctx, __u32 ifindex)
{
	op_mark(ctx);
	return bpf_clone_redirect(ctx, ifindex, 0);
}

/* To the underlay no mark goes: it would mean something to the host's own policy routing. */
static __always_inline int op_send_underlay(ctx_t *ctx, __u32 ifindex, bool ask_neighbour)
{
	/* The kernel asks for the neighbour, and keeps the packet meanwhile. */
	return ask_neighbour ? bpf_redirect_neigh(ifindex, NULL, 0, 0) : bpf_redirect(ifindex, 0);
}

/*
 * Straight into the workload's namespace where that is possible: it saves a softirq. The kernel goes by
 * skb->protocol there, which must be the frame's own.
 */
static __always_inline int op_deliver(ctx_t *ctx, const struct pkt *p, const struct port *port)
{
	if (port->vid) {
		if (bpf_skb_vlan_push(ctx, bpf_htons(ETH_P_8021Q), port->vid))
			return TC_ACT_SHOT;
	} else if (port->flags & PORT_PEER && ctx->protocol == bpf_htons(p->ethertype)) {
		/* What came through the tunnel was to this host already. */
		if (ctx->pkt_type != PACKET_HOST)
			bpf_skb_change_type(ctx, PACKET_HOST);
		return bpf_redirect_peer(port->ifindex, 0);
	}
	return op_send(ctx, port->ifindex);
}

#endif
