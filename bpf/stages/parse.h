/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * parse: the frame's headers into struct pkt; hostile lengths end here.
 * reads:  the packet
 * writes: every "parse" field of struct pkt
 * maps:   none
 * drops:  short_frame bad_vlan hidden_ip bad_arp bad_ipv4 bad_ipv6 bad_extension bad_l4 fragment_bad fragment_tiny
 */
#ifndef WEFT_STAGE_PARSE_H
#define WEFT_STAGE_PARSE_H

#include "lib/weft.h"
#include "stages/parse_fragment.h"
#include "stages/parse_l4.h"

#define ETHERTYPE_MIN 0x600	/* below it is a length (IEEE 802.3) */
#define LLC_SNAP 0xaa		/* the lowest bit says "to a group" */
#define LLC_IP 0x06
#define EXTENSIONS_MAX 6	/* RFC 8200 names six that may precede the upper layer, once each */

struct arp_ipv4 {
	__be16 hardware, protocol;
	__u8 hardware_len, protocol_len;
	__be16 operation;
	__u8 sender_mac[6], sender[4], target_mac[6], target[4];
} __attribute__((packed));

static __always_inline enum verdict parse_arp(ctx_t *ctx, struct pkt *p)
{
	const struct arp_ipv4 *arp = at(ctx, p->l3, sizeof(*arp));

	if (!arp || arp->hardware != bpf_htons(1) || arp->protocol != bpf_htons(ETH_P_IP) ||
	    arp->hardware_len != 6 || arp->protocol_len != 4)
		return drop(p, DROP_BAD_ARP);
	p->icmp_type = bpf_ntohs(arp->operation) > 2 ? 0 : bpf_ntohs(arp->operation);
	__builtin_memcpy(&p->source, arp->sender, 4);
	__builtin_memcpy(&p->destination, arp->target, 4);
	return V_NEXT;
}

static __always_inline enum verdict parse_ipv4(ctx_t *ctx, struct pkt *p)
{
	const struct iphdr *ip = at(ctx, p->l3, sizeof(*ip));
	__u32 header, total;

	if (!ip || ip->version != 4 || ip->ihl < 5)
		return drop(p, DROP_BAD_IPV4);
	header = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);
	if (total < header || p->l3 + total > p->l2 + p->len)
		return drop(p, DROP_BAD_IPV4);
	p->family = FAMILY_IPV4;
	p->protocol = ip->protocol;
	p->ttl = ip->ttl;
	p->source.v4 = ip->saddr;
	p->destination.v4 = ip->daddr;
	p->l4 = p->l3 + header;
	if (ip->frag_off & bpf_htons(0x3fff)) {
		p->fragment_id = ip->id;
		p->fragment_at = p->l4;
		return parse_fragment(ctx, p, bpf_ntohs(ip->frag_off) << 3, ip->frag_off & bpf_htons(0x2000), header,
				      total - header);
	}
	return parse_l4(ctx, p, total - header);
}

struct extension {
	__u8 next;
	__u8 len;
};

/* Behind a fragment header is what was fragmented, and only the first fragment has the headers that follow. */
static __always_inline bool parse_fragment_header(ctx_t *ctx, struct pkt *p, __u32 at_offset)
{
	const struct fragment_header *fragment = at(ctx, at_offset, sizeof(*fragment));

	/* One header alone: a fragment of a fragment is none's. */
	if (!fragment || p->fragment_at)
		return false;
	p->fragment_id = fragment->id;
	p->fragment_first = bpf_ntohs(fragment->offset) & ~7;
	p->fragment_more = bpf_ntohs(fragment->offset) & 1;
	p->fragment_at = at_offset + sizeof(*fragment);
	return true;
}

/*
 * Walks to the upper layer, or to what a later fragment has in its place. Returns its offset from the fixed header's
 * end, or -1.
 */
static __always_inline int skip_extensions(ctx_t *ctx, struct pkt *p, __u32 payload)
{
	const struct extension *ext;
	__u32 skipped = 0;

	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		if ((p->protocol != 0 && p->protocol != 43 && p->protocol != 44 && p->protocol != 60 &&
		     p->protocol != 51) || p->fragment_first)
			return skipped;
		/* Hop-by-hop stands first or nowhere (RFC 8200, 4.1). */
		if (p->protocol == 0 && i > 0)
			return -1;
		ext = at(ctx, p->l3 + sizeof(struct ipv6hdr) + skipped, sizeof(*ext));
		if (!ext)
			return -1;
		if (p->protocol == 44) {
			if (!parse_fragment_header(ctx, p, p->l3 + sizeof(struct ipv6hdr) + skipped))
				return -1;
			skipped += sizeof(struct fragment_header);
		} else {
			skipped += p->protocol == 51 ? (ext->len + 2) * 4 : (ext->len + 1) * 8;
		}
		p->protocol = ext->next;
		if (skipped > payload || skipped > HEADERS_SKIP_MAX)
			return -1;
	}
	return -1;
}

/* The fragment header itself is gone when all has been put together. */
static __always_inline enum verdict parse_fragment_ipv6(ctx_t *ctx, struct pkt *p, __u32 payload)
{
	__u32 before = p->fragment_at - p->l3 - sizeof(struct ipv6hdr);

	if (before > payload)
		return drop(p, DROP_BAD_EXTENSION);
	return parse_fragment(ctx, p, p->fragment_first, p->fragment_more,
			      before - sizeof(struct fragment_header), payload - before);
}

static __always_inline enum verdict parse_ipv6(ctx_t *ctx, struct pkt *p)
{
	const struct ipv6hdr *ip = at(ctx, p->l3, sizeof(*ip));
	__u32 payload;
	int skipped;

	if (!ip || *(const __u8 *)ip >> 4 != 6)
		return drop(p, DROP_BAD_IPV6);
	payload = bpf_ntohs(ip->payload_len);
	if (p->l3 + sizeof(*ip) + payload > p->l2 + p->len)
		return drop(p, DROP_BAD_IPV6);
	p->family = FAMILY_IPV6;
	p->protocol = ip->nexthdr;
	p->ttl = ip->hop_limit;
	__builtin_memcpy(&p->source, &ip->saddr, 16);
	__builtin_memcpy(&p->destination, &ip->daddr, 16);
	skipped = skip_extensions(ctx, p, payload);
	/* A first fragment has all headers (RFC 8200, 4.5). */
	if (skipped < 0)
		return drop(p, p->fragment_more ? DROP_FRAGMENT_TINY : DROP_BAD_EXTENSION);
	p->l4 = p->l3 + sizeof(*ip) + skipped;
	if (p->fragment_at)
		return parse_fragment_ipv6(ctx, p, payload);
	return parse_l4(ctx, p, payload - skipped);
}

/*
 * An 802.3 frame has a length for an ethertype, and an LLC header. Some stacks take IP and ARP out of what LLC calls
 * SNAP, or IP (the SAPs 0xaa and 0x06): there anti-spoofing would not find them. Linux takes neither.
 */
static __always_inline enum verdict parse_llc(ctx_t *ctx, struct pkt *p)
{
	const __u8 *sap = at(ctx, p->l3, 1);

	if (sap && ((*sap & ~1) == LLC_SNAP || (*sap & ~1) == LLC_IP))
		return drop(p, DROP_HIDDEN_IP);
	return V_NEXT;
}

/* Up to two tags: the first may be kept beside the data. */
static __always_inline enum verdict parse_tags(ctx_t *ctx, struct pkt *p)
{
	__u16 beside, type;

	if (ctx_tag_beside(ctx, &beside, &type)) {
		p->tci = beside;
		p->tags = 1;
		p->service_tag = type == ETH_P_8021AD;
	}
	for (int i = 0; i < 2; i++) {
		const struct vlan_hdr *tag;

		if (p->ethertype != ETH_P_8021Q && p->ethertype != ETH_P_8021AD)
			return V_NEXT;
		tag = at(ctx, p->l3, sizeof(*tag));
		if (!tag)
			return drop(p, DROP_SHORT_FRAME);
		if (p->tags == 0) {
			p->tci = bpf_ntohs(tag->h_vlan_TCI);
			p->tag_in_data = 1;
			p->service_tag = p->ethertype == ETH_P_8021AD;
		}
		p->tags++;
		p->ethertype = bpf_ntohs(tag->h_vlan_encapsulated_proto);
		p->l3 += VLAN_HLEN;
	}
	if (p->tags > 2 || p->ethertype == ETH_P_8021Q || p->ethertype == ETH_P_8021AD)
		return drop(p, DROP_BAD_VLAN);
	return V_NEXT;
}

#define HEADERS_MAX 192	/* as much as is read of a frame */

/* What tells whether a frame is plain TCP. */
struct tcp_frame4 {
	__u8 macs[12];
	__be16 type;
	__u8 version_ihl, tos;
	__be16 length, id, fragment;
	__u8 ttl, protocol;
	__be16 checksum;
	__u8 addresses[8];
	struct tcphdr tcp;
} __attribute__((packed, aligned(2)));

struct tcp_frame6 {
	__u8 macs[12];
	__be16 type;
	__u8 version_flow[4];
	__be16 length;
	__u8 next, hop_limit;
	__u8 addresses[32];
	struct tcphdr tcp;
} __attribute__((packed, aligned(2)));

/*
 * A stack sends a super-packet of TCP with its headers alone where they can be read, and the payload in pages. To pull in
 * more than those would unshare it, with all of its pages, from the copy that the sender keeps.
 */
static __always_inline bool headers_are_linear(ctx_t *ctx, __u32 l2)
{
	const struct tcp_frame4 *v4 = at(ctx, l2, sizeof(*v4));
	const struct tcp_frame6 *v6;

	if (v4 && v4->type == bpf_htons(ETH_P_IP) && v4->version_ihl == 0x45 && v4->protocol == IPPROTO_TCP &&
	    !(v4->fragment & bpf_htons(0x3fff)))
		return at(ctx, l2 + offsetof(struct tcp_frame4, tcp) + v4->tcp.doff * 4, 0);
	v6 = at(ctx, l2, sizeof(*v6));
	return v6 && v6->type == bpf_htons(ETH_P_IPV6) && v6->next == IPPROTO_TCP &&
	       at(ctx, l2 + offsetof(struct tcp_frame6, tcp) + v6->tcp.doff * 4, 0);
}

/* The Ethernet frame that begins `l2` bytes into the data: 0 or OUTER_LEN. */
__noinline int parse(ctx_t *ctx, struct pkt *p, __u32 l2)
{
	const struct ethhdr *eth;
	enum verdict v;

	if (!p || l2 > HEADERS_SKIP_MAX)
		return V_DROP;
	if (!WEFT_XDP && !headers_are_linear(ctx, l2))
		ctx_make_linear(ctx, l2 + HEADERS_MAX);
	p->l2 = l2;
	p->l3 = l2 + ETH_HLEN;
	eth = at(ctx, l2, sizeof(*eth));
	if (!eth)
		return drop(p, DROP_SHORT_FRAME);
	p->len = ctx_len(ctx) - l2;
	mac_copy(p->destination_mac, eth->h_dest);
	mac_copy(p->source_mac, eth->h_source);
	p->ethertype = bpf_ntohs(eth->h_proto);
	if (p->destination_mac[0] & 1)
		p->flags |= PKT_MULTICAST;
	if (!l2) {
		v = parse_tags(ctx, p);
		if (v)
			return v;
	} else if (p->ethertype == ETH_P_8021Q || p->ethertype == ETH_P_8021AD) {
		/* Tags never cross the overlay: a workload's tag tells its port and ends there. */
		return drop(p, DROP_BAD_VLAN);
	}
	switch (p->ethertype) {
	case ETH_P_IP:
		return parse_ipv4(ctx, p);
	case ETH_P_IPV6:
		return parse_ipv6(ctx, p);
	case ETH_P_ARP:
		return parse_arp(ctx, p);
	}
	return p->ethertype < ETHERTYPE_MIN ? parse_llc(ctx, p) : V_NEXT;
}

#endif
