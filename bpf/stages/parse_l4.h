/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * parse_l4: TCP, UDP, SCTP (parse_sctp.h), ICMP and ICMPv6 headers into struct pkt; others go by their number.
 * reads:  the packet, pkt.l4, pkt.protocol
 * writes: ports, flags, sequence numbers, type and code, the flow's protocol
 * maps:   none
 * drops:  bad_l4 fragment_tiny
 */
#ifndef WEFT_STAGE_PARSE_L4_H
#define WEFT_STAGE_PARSE_L4_H

#include "stages/parse_sctp.h"
#include "stages/tcp_options.h"

#define HEADERS_SKIP_MAX 128	/* bytes of IPv6 extension headers that are looked through */

struct ports {
	__be16 source, destination;
};

/* As much of an L4 header as an ICMP error must quote. */
struct quoted {
	__be16 source, destination;
	union {
		__be32 seq;	/* TCP */
		__u32 tag;	/* SCTP */
		__be16 id;	/* ICMP */
	};
};

/* What a segment may have of SYN, FIN, RST, ACK and URG: no stack sends other combinations; scanners do. */
static __always_inline bool tcp_flags_can_be(__u8 flags)
{
	const __u64 can_be = 1ULL << TCP_SYN | 1ULL << (TCP_SYN | TCP_URG) | 1ULL << (TCP_SYN | TCP_ACK) |
			     1ULL << TCP_RST | 1ULL << (TCP_RST | TCP_ACK) | 1ULL << (TCP_FIN | TCP_ACK) |
			     1ULL << (TCP_FIN | TCP_ACK | TCP_URG) | 1ULL << TCP_ACK |
			     1ULL << (TCP_ACK | TCP_URG);

	return can_be >> (flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK | TCP_URG)) & 1;
}

static __always_inline enum verdict parse_tcp(ctx_t *ctx, struct pkt *p, __u32 len)
{
	const struct tcphdr *tcp = at(ctx, p->l4, sizeof(*tcp));
	__u32 header;
	__u8 flags;

	if (!tcp || len < sizeof(*tcp))
		return drop(p, DROP_BAD_L4);
	header = tcp->doff * 4;
	flags = ((const __u8 *)tcp)[13];
	if (header < sizeof(*tcp) || header > len)
		return drop(p, p->fragment ? DROP_FRAGMENT_TINY : DROP_BAD_L4);
	if (!tcp_flags_can_be(flags))
		return drop(p, DROP_BAD_L4);
	p->source_port = tcp->source;
	p->destination_port = tcp->dest;
	p->tcp_flags = flags;
	p->tcp_seq = bpf_ntohl(tcp->seq);
	p->tcp_ack = bpf_ntohl(tcp->ack_seq);
	p->tcp_window = bpf_ntohs(tcp->window);
	p->payload = len - header;
	p->l4_len = header;
	if (flags & TCP_SYN)
		tcp_options(ctx, p);
	return V_NEXT;
}

/*
 * An ICMP error belongs to the flow of the packet that it quotes. That packet went the other way, so its
 * ports are taken crosswise; its addresses must be the error's own, crosswise, since no router stands
 * between two workloads of a network.
 */
static __always_inline enum verdict parse_quote(ctx_t *ctx, struct pkt *p, __u32 len)
{
	__u32 quote = p->l4 + 8, header;
	const struct quoted *l4;

	p->flags |= PKT_ICMP_ERROR;
	if (p->family == FAMILY_IPV4) {
		const struct iphdr *ip = at(ctx, quote, sizeof(*ip));

		if (!ip || ip->version != 4 || ip->ihl < 5 || len < 8 + sizeof(*ip) || ip->frag_off & bpf_htons(0x1fff))
			return drop(p, DROP_BAD_L4);
		if (ip->saddr != p->destination.v4 || ip->daddr != p->source.v4)
			return drop(p, DROP_ICMP_UNRELATED);
		header = ip->ihl * 4;
		p->flow_protocol = ip->protocol;
	} else {
		const struct ipv6hdr *ip = at(ctx, quote, sizeof(*ip));

		if (!ip || *(const __u8 *)ip >> 4 != 6 || len < 8 + sizeof(*ip))
			return drop(p, DROP_BAD_L4);
		if (!addr6_equal(&p->destination, (const __u8 *)&ip->saddr) ||
		    !addr6_equal(&p->source, (const __u8 *)&ip->daddr))
			return drop(p, DROP_ICMP_UNRELATED);
		header = sizeof(*ip);
		p->flow_protocol = ip->nexthdr;
	}
	switch (p->flow_protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
		l4 = at(ctx, quote + header, sizeof(*l4));
		if (!l4 || len < 8 + header + sizeof(*l4))
			return drop(p, DROP_BAD_L4);
		p->source_port = l4->destination;
		p->destination_port = l4->source;
		if (p->flow_protocol == IPPROTO_TCP)
			p->tcp_seq = bpf_ntohl(l4->seq);
		else if (p->flow_protocol == IPPROTO_SCTP)
			p->sctp_tag = l4->tag;
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		l4 = at(ctx, quote + header, sizeof(*l4));
		if (!l4 || len < 8 + header + sizeof(*l4))
			return drop(p, DROP_BAD_L4);
		p->destination_port = l4->id;	/* on the asker's side */
		break;
	}
	return V_NEXT;
}

struct icmp_echo {
	__u8 type, code;
	__be16 checksum, id, sequence;
};

static __always_inline enum verdict parse_icmp(ctx_t *ctx, struct pkt *p, __u32 len)
{
	const struct icmp_echo *icmp = at(ctx, p->l4, sizeof(*icmp));
	bool error, query, reply;

	if (!icmp || len < sizeof(*icmp))
		return drop(p, DROP_BAD_L4);
	p->l4_len = sizeof(*icmp);
	p->icmp_type = icmp->type;
	p->icmp_code = icmp->code;
	if (p->protocol == IPPROTO_ICMP) {
		error = icmp->type == 3 || icmp->type == 11 || icmp->type == 12 || icmp->type == 4;
		query = icmp->type == 8 || icmp->type == 13;
		reply = icmp->type == 0 || icmp->type == 14;
	} else {
		error = icmp->type < 128;
		query = icmp->type == 128;
		reply = icmp->type == 129;
	}
	if (query) {
		p->flags |= PKT_ICMP_QUERY;
		p->source_port = icmp->id;
	} else if (reply) {
		p->flags |= PKT_ICMP_REPLY;
		p->destination_port = icmp->id;
	} else if (error) {
		return parse_quote(ctx, p, len);
	}
	return V_NEXT;
}

/* `len` bytes of the IP packet are L4's. */
static __always_inline enum verdict parse_l4(ctx_t *ctx, struct pkt *p, __u32 len)
{
	p->flow_protocol = p->protocol;
	switch (p->protocol) {
	case IPPROTO_TCP:
		return parse_tcp(ctx, p, len);
	case IPPROTO_UDP: {
		const struct udphdr *udp = at(ctx, p->l4, sizeof(*udp));

		/* In a first fragment the length is that of all. */
		if (!udp || len < sizeof(*udp) || bpf_ntohs(udp->len) < sizeof(*udp) ||
		    (bpf_ntohs(udp->len) > len && !p->fragment))
			return drop(p, DROP_BAD_L4);
		p->source_port = udp->source;
		p->destination_port = udp->dest;
		p->l4_len = sizeof(*udp);
		return V_NEXT;
	}
	case IPPROTO_SCTP:
		return parse_sctp(ctx, p, len);
	case IPPROTO_ICMP:
		return p->family == FAMILY_IPV4 ? parse_icmp(ctx, p, len) : drop(p, DROP_BAD_L4);
	case IPPROTO_ICMPV6:
		return p->family == FAMILY_IPV6 ? parse_icmp(ctx, p, len) : drop(p, DROP_BAD_L4);
	}
	return V_NEXT;
}

#endif
