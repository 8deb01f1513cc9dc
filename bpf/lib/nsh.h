/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* VXLAN-GPE (draft-ietf-nvo3-vxlan-gpe) and NSH (RFC 8300) with MD type 1, as they stand on the wire: docs/NSH.md. */
#ifndef WEFT_BPF_NSH_H
#define WEFT_BPF_NSH_H

#include "lib/outer.h"

#define NSH_PORT 4790
#define GPE_FLAG_NEXT 0x04
#define GPE_FLAGS (VXLAN_FLAG_VNI | GPE_FLAG_NEXT)	/* and version 0, no broadcast, no OAM */
#define GPE_NEXT_NSH 4
#define AWAY_LEN (OUTER_LEN + NSH_BYTES)

struct nsh {
	__be32 base;
	__be32 service;		/* path, index */
	__u8 judge[4];		/* tunnel address of the host that judges */
	__be32 instance;	/* instance_id() */
	__be32 tag;		/* TCI at the function, and 16 bits of 0 */
	__be32 unused;
};

_Static_assert(sizeof(struct nsh) == NSH_BYTES, "the layout on the wire");

#define NSH_BASE 0x00060103u	/* version 0, no OAM; 6 words, MD type 1, an Ethernet frame follows */
#define NSH_BASE_MASK 0xe03f0fffu	/* but for the TTL, and bits that a receiver ignores */
#define NSH_TTL(base) ((base) >> 22 & 63)
#define NSH_TTL_AWAY 63
#define NSH_TTL_BACK 62		/* one service function forwarder further */
#define NSH_SPI_OF(service) ((service) >> 8)
#define NSH_SI_OF(service) ((service) & 0xff)
#define NSH_SI_FIRST 255	/* counts down by one a function */

static __always_inline void nsh_fill(struct nsh *to, __u32 ttl, __u32 spi, __u32 si)
{
	to->base = bpf_htonl(NSH_BASE | ttl << 22);
	to->service = bpf_htonl(spi << 8 | si);
	to->unused = 0;
}

/* Whose frame it is, and of which instance: the contexts. */
static __always_inline void nsh_tell(struct nsh *to, const __u8 judge[4], __u32 instance, __u32 tci)
{
	__builtin_memcpy(to->judge, judge, 4);
	to->instance = bpf_htonl(instance);
	to->tag = bpf_htonl(tci << 16);
}

/* Makes a tunnel's header one of VXLAN-GPE with NSH behind it. */
static __always_inline void outer_nsh(struct outer_words *o)
{
	o->word[4] ^= OUTER_DESTINATION_PORT(bpf_htons(VXLAN_PORT ^ NSH_PORT));
	o->word[5] |= OUTER_GPE(GPE_FLAG_NEXT, GPE_NEXT_NSH);
}

/* An NSH, behind the tunnel's header. */
static __always_inline void nsh_put(void *to, const struct nsh *from)
{
	const __u64 *words = (const void *)from;

	weft_unroll
	for (int i = 0; i < NSH_BYTES / 8; i++)
		*(__u64 *)(to + 8 * i) = words[i];
}

#endif
