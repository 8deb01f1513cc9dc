/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The 50 bytes that a VXLAN tunnel over IPv4 puts before a frame (RFC 7348). */
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
} __attribute__((packed));

#define OUTER_LEN 50
_Static_assert(sizeof(struct outer) == OUTER_LEN, "the layout on the wire");

/* `len`: bytes of the inner frame. A super-packet may be longer than 16 bits tell: segmentation mends it. */
static __always_inline void outer_fill(struct outer *o, const struct next_hop *hop,
				       const struct host_config *us, const struct host *to, __u32 vni,
				       __u32 hash, __u32 len)
{
	__u32 ip_len = len + OUTER_LEN - ETH_HLEN, sum;

	if (ip_len > 0xffff)
		ip_len = 0xffff;
	__builtin_memcpy(o->destination_mac, hop->destination_mac, ETH_ALEN);
	__builtin_memcpy(o->source_mac, hop->source_mac, ETH_ALEN);
	o->ethertype = bpf_htons(ETH_P_IP);
	o->version_ihl = 0x45;
	o->tos = 0;
	o->total_length = bpf_htons(ip_len);
	o->id = 0;			/* RFC 6864: never fragmented, so it needs none */
	o->fragment = bpf_htons(0x4000);
	o->ttl = 64;
	o->protocol = IPPROTO_UDP;
	sum = to->ip_checksum + ip_len;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	o->checksum = bpf_htons(~sum);
	__builtin_memcpy(o->source, us->vtep4, 4);
	__builtin_memcpy(o->destination, to->vtep4, 4);
	o->source_port = bpf_htons(TUNNEL_PORT_FIRST | (hash & 0x3fff));
	o->destination_port = bpf_htons(VXLAN_PORT);
	o->udp_length = bpf_htons(ip_len - 20);
	o->udp_checksum = 0;		/* RFC 7348, 5: SHOULD be zero over IPv4 */
	o->vxlan.flags = VXLAN_FLAG_VNI;
	__builtin_memset(o->vxlan.reserved, 0, 3);
	o->vxlan.vni = bpf_htonl(vni << 8);
}

#endif
