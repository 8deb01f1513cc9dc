/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * neighbour: ARP and ND of a workload are answered at its port from `neigh` and go no further. TC alone.
 * reads:  pkt, the ND message
 * writes: the frame, made into the answer
 * maps:   neigh
 * drops:  bad_arp spoofed_arp spoofed_nd neigh_unknown neigh_consumed
 */
#ifndef WEFT_STAGE_NEIGHBOUR_H
#define WEFT_STAGE_NEIGHBOUR_H

#include "stages/antispoof.h"
#include "stages/parse.h"
#include "lib/ops.h"
#include "lib/sum.h"

#define ARP_REQUEST 1
#define ARP_REPLY 2
#define ND_OPTION_SOURCE 1
#define ND_OPTION_TARGET 2
#define ND_OPTIONS_MAX 4
#define ND_FLAGS_SOLICITED_OVERRIDE 0x60

struct nd_option {
	__u8 type, len;		/* len in units of 8 bytes */
	__u8 mac[6];
};

struct nd_message {		/* NS and NA (RFC 4861, 4.3 and 4.4) */
	__u8 type, code;
	__be16 checksum;
	__u8 flags, reserved[3];
	union weft_addr target;
};

#if !WEFT_XDP

static __always_inline const struct neigh_entry *neigh_find(const struct pkt *p, __u8 family,
							    const union weft_addr *a)
{
	struct neigh_key key = { .vni = p->vni, .family = family };

	__builtin_memcpy(key.address, a, 16);
	return bpf_map_lookup_elem(&neigh, &key);
}

__noinline int answer_arp(ctx_t *ctx, struct pkt *p, __u32 slot)
{
	const struct port *port = port_at(slot);
	const struct neigh_entry *found;
	struct arp_ipv4 *arp;
	struct ethhdr *eth;

	if (!p || !port)
		return V_DROP;
	arp = at(ctx, p->l3, sizeof(*arp));
	if (!arp || !mac_equal(arp->sender_mac, port->mac))
		return drop(p, DROP_SPOOFED_ARP);
	/* Gratuitous, a probe for its own address, or an answer to nobody: all know it already. */
	if (p->icmp_type != ARP_REQUEST || owns_ipv4(port, p->destination.v4))
		return drop(p, p->icmp_type ? DROP_NEIGH_CONSUMED : DROP_BAD_ARP);
	found = neigh_find(p, FAMILY_IPV4, &p->destination);
	if (!found)
		return drop(p, DROP_NEIGH_UNKNOWN);
	if (bpf_skb_pull_data(ctx, p->l3 + sizeof(*arp)))
		return drop(p, DROP_INTERNAL);
	eth = at(ctx, p->l2, sizeof(*eth));
	arp = at(ctx, p->l3, sizeof(*arp));
	if (!eth || !arp)
		return drop(p, DROP_INTERNAL);
	__builtin_memcpy(eth->h_dest, port->mac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, found->mac, ETH_ALEN);
	arp->operation = bpf_htons(ARP_REPLY);
	__builtin_memcpy(arp->target_mac, port->mac, ETH_ALEN);
	__builtin_memcpy(arp->target, arp->sender, 4);
	__builtin_memcpy(arp->sender_mac, found->mac, ETH_ALEN);
	__builtin_memcpy(arp->sender, &p->destination, 4);
	p->action = op_send(ctx, p->ifindex);
	return V_SENT;
}

/* Every link-layer address option must be the port's own: else the workload speaks for another. */
static __always_inline bool nd_options_are_own(ctx_t *ctx, const struct pkt *p, const struct port *port)
{
	__u32 offset = p->l4 + sizeof(struct nd_message), end = p->l2 + p->len;

	for (int i = 0; i < ND_OPTIONS_MAX; i++) {
		const struct nd_option *option;

		if (offset + sizeof(*option) > end)
			return true;
		option = at(ctx, offset, sizeof(*option));
		if (!option || !option->len)
			return false;
		if ((option->type == ND_OPTION_SOURCE || option->type == ND_OPTION_TARGET) &&
		    !mac_equal(option->mac, port->mac))
			return false;
		offset += option->len * 8;
	}
	return false;
}

struct nd_answer {
	struct ethhdr eth;
	__u8 version_class, class_flow, flow[2];
	__be16 payload;
	__u8 next, hops;
	union weft_addr source, destination;
	struct nd_message message;
	struct nd_option option;
} __attribute__((packed));

/* RFC 4861, 7.2.4: to the asker, or to all nodes if it has no address yet. */
static __always_inline void nd_answer_fill(struct nd_answer *a, const struct pkt *p,
					   const union weft_addr *target, const __u8 mac[6])
{
	bool probe = is_unspecified(&p->source);
	__u32 sum;

	__builtin_memset(a, 0, sizeof(*a));
	__builtin_memcpy(a->eth.h_source, mac, ETH_ALEN);
	a->eth.h_proto = bpf_htons(ETH_P_IPV6);
	a->version_class = 0x60;
	a->payload = bpf_htons(sizeof(a->message) + sizeof(a->option));
	a->next = IPPROTO_ICMPV6;
	a->hops = 255;
	a->source = *target;
	__builtin_memcpy(a->eth.h_dest, p->source_mac, ETH_ALEN);
	a->destination = p->source;
	if (probe) {
		a->destination.v6[0] = bpf_htonl(0xff020000);
		a->destination.v6[3] = bpf_htonl(1);
	}
	a->message.type = ND_NEIGHBOR_ADVERT;
	a->message.flags = probe ? 0x20 : ND_FLAGS_SOLICITED_OVERRIDE;
	a->message.target = *target;
	a->option.type = ND_OPTION_TARGET;
	a->option.len = 1;
	__builtin_memcpy(a->option.mac, mac, ETH_ALEN);
	sum = bpf_csum_diff(NULL, 0, (void *)&a->source,
			    2 * sizeof(a->source) + sizeof(a->message) + sizeof(a->option),
			    bpf_htons(sizeof(a->message) + sizeof(a->option)) + bpf_htons(IPPROTO_ICMPV6));
	a->message.checksum = fold(sum);
}

__noinline int answer_nd(ctx_t *ctx, struct pkt *p, __u32 slot)
{
	const struct port *port = port_at(slot);
	const struct nd_message *nd;
	const struct neigh_entry *found;
	union weft_addr target;
	struct nd_answer answer;

	if (!p || !port)
		return V_DROP;
	nd = at(ctx, p->l4, sizeof(*nd));
	/* A hop limit below 255 came through a router: not from this link (RFC 4861, 7.1). */
	if (!nd || nd->code || p->ttl != 255)
		return drop(p, DROP_SPOOFED_ND);
	target = nd->target;
	if (!nd_options_are_own(ctx, p, port))
		return drop(p, DROP_SPOOFED_ND);
	if (p->icmp_type == ND_NEIGHBOR_ADVERT)
		return drop(p, owns_ipv6(port, &target) ? DROP_NEIGH_CONSUMED : DROP_SPOOFED_ND);
	if (owns_ipv6(port, &target))
		return drop(p, DROP_NEIGH_CONSUMED);
	found = neigh_find(p, FAMILY_IPV6, &target);
	if (!found)
		return drop(p, DROP_NEIGH_UNKNOWN);
	nd_answer_fill(&answer, p, &target, found->mac);
	/* A tag beside the data goes back with it; one in the data was refused or popped by the kernel. */
	if (p->l2 || p->l3 != ETH_HLEN || bpf_skb_change_tail(ctx, sizeof(answer), 0) ||
	    ctx_store(ctx, 0, &answer, sizeof(answer)))
		return drop(p, DROP_INTERNAL);
	p->action = op_send(ctx, p->ifindex);
	return V_SENT;
}

#endif

/* V_NEXT if the packet is neither ARP nor ND. */
static __always_inline enum verdict neighbour(ctx_t *ctx, struct pkt *p, __u32 slot)
{
	if (p->ethertype != ETH_P_ARP && !is_nd(p))
		return V_NEXT;
#if WEFT_XDP
	return V_UP;
#else
	return p->ethertype == ETH_P_ARP ? answer_arp(ctx, p, slot) : answer_nd(ctx, p, slot);
#endif
}

#endif
