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
#include "stages/answer.h"

#if !WEFT_XDP

#define ICMP_UNREACHABLE 3
#define ICMP_ADMIN_PROHIBITED 13	/* RFC 1812, 5.2.7.1 */
#define ICMPV6_UNREACHABLE 1
#define ICMPV6_ADMIN_PROHIBITED 1	/* RFC 4443, 3.1 */
#define QUOTE_L4 8			/* bytes of the refused packet's L4 header that are quoted */

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

/*
 * Is the packet from one and to one, and no answer or error itself (RFC 1122, 3.2.2; RFC 4443, 2.4)? Later fragments
 * have no header to answer.
 */
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
