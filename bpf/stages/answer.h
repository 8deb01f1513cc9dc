/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * answer: what is common to all that is sent back in a packet's place: its headers crosswise, its way.
 * reads:  struct pkt
 * writes: the frame
 * maps:   port_slots, and those of output
 * drops:  rejected, and those of output
 */
#ifndef WEFT_STAGE_ANSWER_H
#define WEFT_STAGE_ANSWER_H

#include "lib/sum.h"
#include "stages/output.h"
#include "stages/tcp_options.h"

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

static __always_inline __u32 pseudo_header(const struct pkt *p, __u32 len, __u8 protocol)
{
	__u32 size = p->family == FAMILY_IPV4 ? 4 : 16;
	__u32 sum = bpf_htons(len) + bpf_htons(protocol);

	sum = bpf_csum_diff(NULL, 0, (__be32 *)&p->source, size, sum);
	return bpf_csum_diff(NULL, 0, (__be32 *)&p->destination, size, sum);
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

/* A TCP header's length counts four bytes at a time, so options do. */
static __always_inline int store_options(ctx_t *ctx, __u32 offset, __u32 len)
{
	__u32 nops = TCP_OPTION_NOP * 0x01010101;

	for (__u32 done = 0; done < TCP_OPTIONS_MAX && done < len; done += sizeof(nops))
		if (ctx_store(ctx, offset + done, &nops, sizeof(nops)))
			return -1;
	return 0;
}

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

#define swap(a, b)                     \
	do {                           \
		typeof(a) _a = (a);    \
		(a) = (b);             \
		(b) = _a;              \
	} while (0)

/* The packet as if its receiver had sent it: what answers that goes the packet's own way. */
static __always_inline void exchange_ends(struct pkt *p)
{
	swap(p->source, p->destination);
	swap(p->source_port, p->destination_port);
	for (int i = 0; i < ETH_ALEN; i++)
		swap(p->source_mac[i], p->destination_mac[i]);
}

/* Back to where it came from: the port, or through the tunnel to the host that sent it. */
static __always_inline enum verdict answer_sender(ctx_t *ctx, struct pkt *p)
{
	const struct port *port;

	if (FLOW_TARGET_KIND(p->from) == TARGET_HOST)
		return encap(ctx, p, FLOW_TARGET_INDEX(p->from), NULL);
	port = port_at(FLOW_TARGET_INDEX(p->from));
	if (!port || !port->ifindex || !is_of_network(port, p))
		return drop(p, DROP_REJECTED);
	p->action = op_deliver(ctx, p, port);
	return V_SENT;
}

#endif
