/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * parse_fragment: an IP fragment's place in its datagram; the first's L4 headers, which it must have whole. XDP hands
 * fragments up.
 * reads:  the packet, struct pkt
 * writes: pkt.fragment*, and what parse_l4 writes
 * maps:   none
 * drops:  fragment_bad fragment_tiny, and those of parse_l4
 */
#ifndef WEFT_STAGE_PARSE_FRAGMENT_H
#define WEFT_STAGE_PARSE_FRAGMENT_H

#include "stages/parse_l4.h"

#define IP_PACKET_MAX 65535
#define TCP_HEADER_MIN 20
#define ND_FIRST 133	/* ND is ICMPv6 133 to 137 */
#define ND_LAST 137
#define SEND_FIRST 148	/* its certification paths (RFC 3971) */
#define SEND_LAST 149

struct fragment_header {	/* RFC 8200, 4.5 */
	__u8 next, reserved;
	__be16 offset;		/* in units of 8 bytes, two reserved bits, more */
	__be32 id;
};

/* Nobody sends ND in fragments, and nobody may take it (RFC 6980); a fragment header alone counts. */
static __always_inline bool is_fragmented_nd(const struct pkt *p)
{
	return p->family == FAMILY_IPV6 && p->protocol == IPPROTO_ICMPV6 &&
	       ((p->icmp_type >= ND_FIRST && p->icmp_type <= ND_LAST) ||
		(p->icmp_type >= SEND_FIRST && p->icmp_type <= SEND_LAST));
}

/* Bytes of L4 that a first fragment has to have; what has no ports may be cut anywhere. */
static __always_inline __u32 l4_least(__u8 protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return TCP_HEADER_MIN;
	case IPPROTO_SCTP:
		return SCTP_HEADER;
	case IPPROTO_UDP:
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return 8;
	}
	return 0;
}

static __always_inline enum verdict parse_first(ctx_t *ctx, struct pkt *p, __u32 len)
{
	__u32 headers = p->l4 - p->fragment_at;
	enum verdict v;

	if (headers > len)
		return drop(p, DROP_BAD_EXTENSION);
	if (p->fragment && len - headers < l4_least(p->protocol))
		return drop(p, DROP_FRAGMENT_TINY);
	v = parse_l4(ctx, p, len - headers);
	return !v && is_fragmented_nd(p) ? drop(p, DROP_FRAGMENT_BAD) : v;
}

/*
 * `first`: where in the fragmented part its `len` bytes belong; `before`: bytes that stand before that part in every
 * fragment, so that nothing is put together that is longer than a packet can be. The lengths are those of the header.
 */
static __always_inline enum verdict parse_fragment(ctx_t *ctx, struct pkt *p, __u32 first, bool more, __u32 before,
						   __u32 len)
{
	first &= 0xfff8;
	/* IPv6 may have the header and no fragments (RFC 6946): a packet like another. */
	if (!first && !more)
		return parse_first(ctx, p, len);
	if (WEFT_XDP)
		return V_UP;
	p->fragment = first ? FRAGMENT_LATER : FRAGMENT_FIRST;
	p->fragment_more = more;
	if (!len || (more && len % 8) || before + first + len > IP_PACKET_MAX || ctx_is_super(ctx))
		return drop(p, DROP_FRAGMENT_BAD);
	p->fragment_first = first;
	p->fragment_end = first + len;
	if (!first)
		return parse_first(ctx, p, len);
	/* RFC 1858, 3: within the TCP header, wherever the first may have ended. */
	if (p->protocol == IPPROTO_TCP && first < TCP_HEADER_MIN)
		return drop(p, DROP_FRAGMENT_TINY);
	p->flow_protocol = p->protocol;
	return V_NEXT;
}

#endif
