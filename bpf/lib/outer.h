/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The 50 bytes that a VXLAN tunnel over IPv4 puts before a frame (RFC 7348); lib/nsh.h makes them VXLAN-GPE. */
#ifndef WEFT_BPF_OUTER_H
#define WEFT_BPF_OUTER_H

#include "lib/weft.h"

#define VXLAN_PORT 4789
#define VXLAN_FLAG_VNI 0x08
#define TUNNEL_PORT_FIRST 49152		/* RFC 7348, 5: the dynamic range */

struct vxlan_header {
	__u8 flags;
	__u8 reserved[3];
	__be32 vni;		/* 24 bits, and 8 reserved */
};

struct outer {
	__u8 destination_mac[6], source_mac[6];
	__be16 ethertype;
	__u8 version_ihl, tos;
	__be16 total_length, id, fragment;
	__u8 ttl, protocol;
	__be16 checksum;
	__u8 source[4], destination[4];
	__be16 source_port, destination_port, udp_length, udp_checksum;
	struct vxlan_header vxlan;
} __attribute__((packed, aligned(2)));

#define OUTER_LEN 50
_Static_assert(sizeof(struct outer) == OUTER_LEN, "the layout on the wire");

/*
 * What is the same for all packets to a host is made once (struct next_hop) and copied a word at a time; what varies
 * is put into the words on their way. Fields stored one by one and then read as words would stall the processor.
 */
struct outer_words {
	__u64 word[6];		/* up to and with the first half of the VNI */
	__u16 vni_end;
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fields are put into words as a little-endian machine reads them");

/* Where the fields that vary stand: bits of a word. */
#define OUTER_IP_LENGTH(v) ((__u64)(v))			/* word 2 */
#define OUTER_IP_CHECKSUM(v) ((__u64)(v))		/* word 3 */
#define OUTER_SOURCE_PORT(v) ((__u64)(v) << 16)		/* word 4 */
#define OUTER_DESTINATION_PORT(v) ((__u64)(v) << 32)	/* word 4 */
#define OUTER_UDP_LENGTH(v) ((__u64)(v) << 48)		/* word 4 */
#define OUTER_GPE(flags, next) ((__u64)(flags) << 16 | (__u64)(next) << 40)	/* word 5 */
#define OUTER_VNI(v) ((__u64)(v) << 48)			/* word 5 */

static __always_inline __u16 ip_sum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* The checksum's place holds, in host order, the sum of the IPv4 header without its length. */
static __always_inline void outer_prepare(struct next_hop *hop, const __u8 destination_mac[6],
					  const __u8 source_mac[6], const __u8 source[4],
					  const struct host *to)
{
	union {
		struct outer header;
		struct outer_words words;
	} o = {};

	__builtin_memcpy(o.header.destination_mac, destination_mac, ETH_ALEN);
	__builtin_memcpy(o.header.source_mac, source_mac, ETH_ALEN);
	o.header.ethertype = bpf_htons(ETH_P_IP);
	o.header.version_ihl = 0x45;
	o.header.fragment = bpf_htons(0x4000);	/* and no id: never fragmented, so it needs none (RFC 6864) */
	o.header.ttl = 64;
	o.header.protocol = IPPROTO_UDP;
	o.header.checksum = ip_sum_fold(to->ip_checksum);
	__builtin_memcpy(o.header.source, source, 4);
	__builtin_memcpy(o.header.destination, to->vtep4, 4);
	o.header.destination_port = bpf_htons(VXLAN_PORT);
	o.header.vxlan.flags = VXLAN_FLAG_VNI;	/* the UDP checksum SHOULD be zero over IPv4 (RFC 7348, 5) */
	for (int i = 0; i < 6; i++)
		hop->outer[i] = o.words.word[i];
}

/* Are these the addresses that were prepared for? */
static __always_inline bool outer_is_between(const struct next_hop *hop, const __u8 source[4],
					     const __u8 destination[4])
{
	return *(const __u32 *)source == (__u32)(hop->outer[3] >> 16) &&
	       *(const __u32 *)destination == (__u32)(hop->outer[3] >> 48 | hop->outer[4] << 16);
}

/* `len`: bytes of the inner frame. A super-packet may be longer than 16 bits tell: segmentation mends it. */
static __always_inline void outer_fill(struct outer_words *o, const struct next_hop *hop, __u32 vni,
				       __u32 hash, __u32 len)
{
	__u32 ip_len = len + OUTER_LEN - ETH_HLEN, vni_wire = bpf_htonl(vni << 8);
	__u16 sum;

	if (ip_len > 0xffff)
		ip_len = 0xffff;
	sum = ~ip_sum_fold((hop->outer[3] & 0xffff) + ip_len);
	o->word[0] = hop->outer[0];
	o->word[1] = hop->outer[1];
	o->word[2] = hop->outer[2] | OUTER_IP_LENGTH(bpf_htons(ip_len));
	o->word[3] = (hop->outer[3] & ~0xffffULL) | OUTER_IP_CHECKSUM(bpf_htons(sum));
	o->word[4] = hop->outer[4] | OUTER_SOURCE_PORT(bpf_htons(TUNNEL_PORT_FIRST | (hash & 0x3fff))) |
		     OUTER_UDP_LENGTH(bpf_htons(ip_len - 20));
	o->word[5] = hop->outer[5] | OUTER_VNI(vni_wire & 0xffff);
	o->vni_end = vni_wire >> 16;
}

/*
 * Into the frame. A frame's headers lie at no multiple of a word; clang, which thinks that BPF bears no such store, would make
 * 25 of the seven.
 */
static __always_inline void outer_put(void *to, const struct outer_words *o)
{
	for (int i = 0; i < 6; i++)
		*(__u64 *)(to + 8 * i) = o->word[i];
	*(__u16 *)(to + 48) = o->vni_end;
}

#endif
