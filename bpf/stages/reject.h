/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * reject: tells the sender that the ACL refused: a TCP RST, or ICMP "administratively prohibited". The
 * answer takes the packet's place and goes back to where it came from. TC alone.
 * reads:  struct pkt, the packet
 * writes: the frame, made into the answer
 * maps:   port_slots tenant_limits, and those of output
 * drops:  rejected reject_limited reject_silent (the packet itself)
 */
#ifndef WEFT_STAGE_REJECT_H
#define WEFT_STAGE_REJECT_H

#include "lib/limit.h"
#include "lib/unfinished.h"
#include "stages/neighbour.h"
#include "stages/output.h"

#if !WEFT_XDP

#define ICMP_UNREACHABLE 3
#define ICMP_ADMIN_PROHIBITED 13	/* RFC 1812, 5.2.7.1 */
#define ICMPV6_UNREACHABLE 1
#define ICMPV6_ADMIN_PROHIBITED 1	/* RFC 4443, 3.1 */
#define QUOTE_L4 8			/* bytes of the refused packet's L4 header that are quoted */

struct ip4_answer {
	struct ethhdr eth;
	__u8 version_ihl, tos;
	__be16 total_length, id, fragment;
	__u8 ttl, protocol;
	__be16 checksum;
	__be32 source, destination;
} __attribute__((packed));

struct ip6_answer {
	struct ethhdr eth;
	__u8 version_class, class_flow, flow[2];
	__be16 payload;
	__u8 next, hops;
	union weft_addr source, destination;
} __attribute__((packed));

struct rst {
	__be16 source, destination;
	__be32 seq, ack;
	__u8 offset, flags;
	__be16 window, checksum, urgent;
};

struct unreachable {
	__u8 type, code;
	__be16 checksum;
	__be32 unused;
};

#define answer_eth(eth, p, ethertype)                                          \
	do {                                                                    \
		__builtin_memcpy((eth).h_dest, (p)->source_mac, ETH_ALEN);      \
		__builtin_memcpy((eth).h_source, (p)->destination_mac, ETH_ALEN); \
		(eth).h_proto = bpf_htons(ethertype);                           \
	} while (0)

static __always_inline void answer_ip4(struct ip4_answer *a, const struct pkt *p, __u8 protocol, __u32 payload)
{
	answer_eth(a->eth, p, ETH_P_IP);
	a->version_ihl = 0x45;
	a->tos = 0;
	a->total_length = bpf_htons(20 + payload);
	a->id = 0;
	a->fragment = bpf_htons(0x4000);
	a->ttl = 64;
	a->protocol = protocol;
	a->checksum = 0;
	a->source = p->destination.v4;
	a->destination = p->source.v4;
	a->checksum = fold(bpf_csum_diff(NULL, 0, (void *)&a->version_ihl, 20, 0));
}

static __always_inline void answer_ip6(struct ip6_answer *a, const struct pkt *p, __u8 protocol, __u32 payload)
{
	answer_eth(a->eth, p, ETH_P_IPV6);
	a->version_class = 0x60;
	a->class_flow = a->flow[0] = a->flow[1] = 0;
	a->payload = bpf_htons(payload);
	a->next = protocol;
	a->hops = 64;
	a->source = p->destination;
	a->destination = p->source;
}

/* RFC 9293, 3.10.7.1: what would answer a segment to a port where nobody listens. */
static __always_inline void rst_fill(struct rst *r, const struct pkt *p)
{
	r->source = p->destination_port;
	r->destination = p->source_port;
	r->window = r->urgent = r->checksum = 0;
	if (p->tcp_flags & TCP_ACK) {
		r->seq = bpf_htonl(p->tcp_ack);
		r->ack = 0;
		r->flags = TCP_RST;
	} else {
		r->seq = 0;
		r->ack = bpf_htonl(p->tcp_seq + p->payload + !!(p->tcp_flags & TCP_SYN) +
				   !!(p->tcp_flags & TCP_FIN));
		r->flags = TCP_RST | TCP_ACK;
	}
}

static __always_inline __u32 pseudo_header(const struct pkt *p, __u32 len, __u8 protocol)
{
	__u32 size = p->family == FAMILY_IPV4 ? 4 : 16;
	__u32 sum = bpf_htons(len) + bpf_htons(protocol);

	sum = bpf_csum_diff(NULL, 0, (__be32 *)&p->source, size, sum);
	return bpf_csum_diff(NULL, 0, (__be32 *)&p->destination, size, sum);
}

/*
 * Cuts the segment to what a RST needs. An skb that kept the mark of a tunnel cannot be cut (see op_resize, which would
 * move its checksum): there the RST is as long as the segment was, no-operation options fill its header, and data, which
 * it may have (RFC 9293, 3.5.3), stays, if only the receiver's device is to sum it up.
 */
static __always_inline bool rst_cut(ctx_t *ctx, struct pkt *p, __u32 ip_len, bool unfinished)
{
	if (bpf_skb_change_tail(ctx, ETH_HLEN + ip_len + sizeof(struct rst), 0))
		return unfinished || !p->payload;
	p->l4_len = sizeof(struct rst);
	p->payload = 0;
	return true;
}

/* A TCP header's length counts four bytes at a time, so options do. */
static __always_inline int store_options(ctx_t *ctx, __u32 offset, __u32 len)
{
	__u32 nops = TCP_OPTION_NOP * 0x01010101;

	for (__u32 done = 0; done < TCP_OPTIONS_MAX && done < len; done += sizeof(nops))
		if (ctx_store(ctx, offset + done, &nops, sizeof(nops)))
			return -1;
	return 0;
}

static __always_inline int store_ip(ctx_t *ctx, const struct pkt *p, __u8 protocol, __u32 payload)
{
	union {
		struct ip4_answer ip4;
		struct ip6_answer ip6;
	} head = {};

	if (p->family == FAMILY_IPV4) {
		answer_ip4(&head.ip4, p, protocol, payload);
		return ctx_store(ctx, 0, &head.ip4, sizeof(head.ip4));
	}
	answer_ip6(&head.ip6, p, protocol, payload);
	return ctx_store(ctx, 0, &head.ip6, sizeof(head.ip6));
}

__noinline int reject_tcp(ctx_t *ctx, struct pkt *p)
{
	__u32 ip_len, len, options, sum;
	struct rst rst = {};
	struct unfinished u;
	bool unfinished;

	if (!p)
		return -1;
	ip_len = p->family == FAMILY_IPV4 ? 20 : 40;
	/*
	 * A locally sent segment has an unfinished checksum: the sum of the pseudo header alone. The kernel goes on
	 * saying so beside the data, so the answer's must be unfinished too, in the same place: behind options or
	 * extension headers that would be another one.
	 */
	if (p->tcp_flags & TCP_RST || p->l4 != ETH_HLEN + ip_len)
		return -1;
	unfinished = find_unfinished(ctx, &u);
	if (unfinished && !is_in_place(&u, p))
		return -1;
	rst_fill(&rst, p);
	if (!rst_cut(ctx, p, ip_len, unfinished))
		return -1;
	options = p->l4_len - sizeof(rst);
	if (options > TCP_OPTIONS_MAX)
		return -1;
	len = p->l4_len + p->payload;
	rst.offset = p->l4_len / 4 << 4;
	sum = pseudo_header(p, len, IPPROTO_TCP);
	/* A pair of no-operations is 0x0101 in either byte order. */
	rst.checksum = unfinished ? ~fold(sum) :
				    fold(bpf_csum_diff(NULL, 0, (__be32 *)&rst, sizeof(rst), sum) +
					 options / 2 * 0x0101);
	if (store_ip(ctx, p, IPPROTO_TCP, len) || store_options(ctx, ETH_HLEN + ip_len + sizeof(rst), options))
		return -1;
	p->len = ETH_HLEN + ip_len + len;
	return ctx_store(ctx, ETH_HLEN + ip_len, &rst, sizeof(rst));
}

__noinline int reject_icmp4(ctx_t *ctx, struct pkt *p)
{
	struct {
		struct ip4_answer ip;
		struct unreachable icmp;
		__u8 quote[20 + QUOTE_L4];
	} __attribute__((packed)) a = {};
	__u32 payload = sizeof(a.icmp) + sizeof(a.quote);

	if (!p || p->l4 != ETH_HLEN + 20)
		return -1;
	if (bpf_skb_load_bytes(ctx, ETH_HLEN, a.quote, sizeof(a.quote)))
		return -1;
	answer_ip4(&a.ip, p, IPPROTO_ICMP, payload);
	a.icmp.type = ICMP_UNREACHABLE;
	a.icmp.code = ICMP_ADMIN_PROHIBITED;
	a.icmp.checksum = fold(bpf_csum_diff(NULL, 0, (void *)&a.icmp, payload, 0));
	if (op_resize(ctx, sizeof(a)))
		return -1;
	p->len = sizeof(a);
	return ctx_store(ctx, 0, &a, sizeof(a));
}

__noinline int reject_icmp6(ctx_t *ctx, struct pkt *p)
{
	struct {
		struct ip6_answer ip;
		struct unreachable icmp;
		__u8 quote[40 + QUOTE_L4];
	} __attribute__((packed)) a = {};
	__u32 payload = sizeof(a.icmp) + sizeof(a.quote);

	if (!p || p->l4 != ETH_HLEN + 40)
		return -1;
	if (bpf_skb_load_bytes(ctx, ETH_HLEN, a.quote, sizeof(a.quote)))
		return -1;
	answer_ip6(&a.ip, p, IPPROTO_ICMPV6, payload);
	a.icmp.type = ICMPV6_UNREACHABLE;
	a.icmp.code = ICMPV6_ADMIN_PROHIBITED;
	a.icmp.checksum = fold(bpf_csum_diff(NULL, 0, (void *)&a.icmp, payload,
					     pseudo_header(p, payload, IPPROTO_ICMPV6)));
	if (op_resize(ctx, sizeof(a)))
		return -1;
	p->len = sizeof(a);
	return ctx_store(ctx, 0, &a, sizeof(a));
}

/* Back to where it came from: the port, or through the tunnel to the host that sent it. */
static __always_inline enum verdict answer_sender(ctx_t *ctx, struct pkt *p)
{
	const struct port *port;

	if (FLOW_TARGET_KIND(p->from) == TARGET_HOST)
		return encap(ctx, p, FLOW_TARGET_INDEX(p->from));
	port = port_at(FLOW_TARGET_INDEX(p->from));
	if (!port || !port->ifindex)
		return drop(p, DROP_REJECTED);
	p->action = op_deliver(ctx, p, port);
	return V_SENT;
}

/*
 * Is the packet from one and to one, and no answer or error itself (RFC 1122, 3.2.2; RFC 4443, 2.4)? Later fragments
 * have no header to answer.
 */
static __always_inline bool is_one4(__be32 address)
{
	__u8 first = bpf_ntohl(address) >> 24;

	/* Not "this host", loopback, multicast, reserved or the limited broadcast. */
	return first && first != 127 && first < 224;
}

static __always_inline bool is_one6(const union weft_addr *a)
{
	/* Not multicast, unspecified or loopback. */
	return a->bytes[0] != 0xff && (a->halves[0] || a->v6[2] || bpf_ntohl(a->v6[3]) > 1);
}

static __always_inline bool is_answerable(ctx_t *ctx, const struct pkt *p)
{
	__be16 fragment;

	if (p->flags & (PKT_MULTICAST | PKT_ICMP_ERROR) || p->source_mac[0] & 1 ||
	    (p->protocol == IPPROTO_TCP && p->tcp_flags & TCP_RST))
		return false;
	if (p->family == FAMILY_IPV6)
		return is_one6(&p->source) && is_one6(&p->destination) && p->l4 == p->l3 + 40;
	if (p->family != FAMILY_IPV4 || !is_one4(p->source.v4) || !is_one4(p->destination.v4))
		return false;
	return p->l4 == p->l3 + 20 &&
	       !bpf_skb_load_bytes(ctx, p->l3 + 6, &fragment, sizeof(fragment)) &&
	       !(fragment & bpf_htons(0x1fff));
}

static __always_inline int answer(ctx_t *ctx, struct pkt *p)
{
	if (p->protocol == IPPROTO_TCP)
		return reject_tcp(ctx, p);
	return p->family == FAMILY_IPV4 ? reject_icmp4(ctx, p) : reject_icmp6(ctx, p);
}

#endif

/* Every reject counts as a drop; that the answer went out is V_SENT. */
__noinline int reject(ctx_t *ctx, struct pkt *p)
{
#if WEFT_XDP
	return V_UP;
#else
	if (!p)
		return V_DROP;
	/* Only the first fragment is answered (RFC 1122, 3.2.2). */
	if (p->fragment == FRAGMENT_LATER || unwrap(ctx, p) || !is_answerable(ctx, p))
		p->reason = DROP_REJECT_SILENT;
	else if (!may_reject(p->tenant))
		p->reason = DROP_REJECT_LIMITED;
	else if (answer(ctx, p))
		p->reason = DROP_REJECT_SILENT;
	else
		p->reason = DROP_REJECTED;
	count_drop(p->reason);
	return p->reason == DROP_REJECTED ? answer_sender(ctx, p) : V_CONSUMED;
#endif
}

#endif
