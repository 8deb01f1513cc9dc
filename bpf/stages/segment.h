/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * segment: a TCP segment without data that takes the packet's place in the frame, its headers written anew.
 * reads:  struct pkt
 * writes: the frame, pkt.len
 * maps:   none
 * drops:  none
 */
#ifndef WEFT_STAGE_SEGMENT_H
#define WEFT_STAGE_SEGMENT_H

#include "lib/scratch.h"
#include "lib/unfinished.h"
#include "stages/answer.h"

#define TCP_OPTION(a, b, c, d) bpf_htonl((__u32)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define TCP_OPTION_NONE TCP_OPTION(TCP_OPTION_NOP, TCP_OPTION_NOP, TCP_OPTION_NOP, TCP_OPTION_NOP)

static __always_inline __u32 ip_header_len(const struct pkt *p)
{
	return p->family == FAMILY_IPV4 ? 20 : 40;
}

/* Without options or extension headers, and between two: what can be answered in place. */
static __always_inline bool is_plain_ip(const struct pkt *p)
{
	if (p->fragment || p->l4 != p->l3 + ip_header_len(p) || p->source_mac[0] & 1)
		return false;
	if (p->family == FAMILY_IPV6)
		return is_one6(&p->source) && is_one6(&p->destination);
	return is_one4(p->source.v4) && is_one4(p->destination.v4);
}

/* In scratch; from the packet's receiver to its sender. Never NULL, but the verifier cannot know. */
static __always_inline struct segment *segment_begin(const struct pkt *p, __u8 flags, __u32 seq, __u32 ack, __u16 window)
{
	struct scratch *room = scratch_here();
	struct segment *s;

	if (!room)
		return NULL;
	s = &room->segment;
	__builtin_memset(s, 0, sizeof(*s));
	s->source = p->destination_port;
	s->destination = p->source_port;
	s->seq = bpf_htonl(seq);
	s->ack = bpf_htonl(ack);
	s->flags = flags;
	s->window = bpf_htons(window);
	for (int i = 0; i < SEGMENT_OPTIONS; i++)
		s->option[i] = TCP_OPTION_NONE;
	return s;
}

/* An answer is as long as what it answers, or shorter; what is to be longer stays on this machine (see op_resize). */
static __always_inline int segment_fit(ctx_t *ctx, __u32 want, bool data)
{
	__u32 len = ctx_len(ctx);

	if (len == want)
		return 0;
	if (len > want)
		return op_cut(ctx, want) && data ? -1 : 0;
	return op_resize(ctx, want);
}

/*
 * The segment in scratch. Its header is as long as pkt.l4_len says, its options cut or filled up to that. The frame begins with its own Ethernet
 * header and has no tag; `data`: it has some of the packet's.
 */
__noinline int segment_write(ctx_t *ctx, struct pkt *p, bool data)
{
	struct scratch *room = scratch_here();
	struct segment *s;
	__u32 ip_len, len, size, sum, at;
	bool unfinished = false;

	if (!p || !room || p->l3 != ETH_HLEN)
		return -1;
	s = &room->segment;
	ip_len = ip_header_len(p);
	len = p->l4_len;
	if (len < 20 || len > 60 || len & 3)
		return -1;
	size = len < sizeof(*s) ? len : sizeof(*s);
#if !WEFT_XDP
	/* As of a RST (reject.h). */
	{
		struct unfinished u;

		unfinished = find_unfinished(ctx, &u);
		if (unfinished && !is_in_place(&u, p))
			return -1;
	}
#endif
	if (segment_fit(ctx, ETH_HLEN + ip_len + len, data))
		return -1;
	p->len = ETH_HLEN + ip_len + len;
	for (__u32 i = 0; i < SEGMENT_OPTIONS; i++)
		if (20 + 4 * i >= size)
			s->option[i] = 0;
	s->offset = len / 4 << 4;
	s->checksum = 0;
	sum = pseudo_header(p, len, IPPROTO_TCP);
	/* A pair of no-operations is 0x0101 in either byte order. */
	s->checksum = unfinished ? ~fold(sum) :
				   fold(bpf_csum_diff(NULL, 0, (__be32 *)s, sizeof(*s), sum) +
					(len - size) / 2 * 0x0101);
	at = ETH_HLEN + ip_len;
	if (store_ip(ctx, p, IPPROTO_TCP, len) || store_options(ctx, at + size, len - size) ||
	    ctx_store(ctx, at, s, 20))
		return -1;
	for (__u32 i = 0; i < SEGMENT_OPTIONS; i++)
		if (20 + 4 * i < size && ctx_store(ctx, at + 20 + 4 * i, &s->option[i], 4))
			return -1;
	return 0;
}

#endif
