/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A packet's flow: the key, and which of the flow's two directions the packet has. */
#ifndef WEFT_BPF_FLOW_KEY_H
#define WEFT_BPF_FLOW_KEY_H

#include "include/flow_table.h"
#include "lib/weft.h"

/*
 * The last eight bytes of a key of either family, in one word: a key stored field by field and read as words, as the
 * tables do, stalls the processor.
 */
static __always_inline __u64 key_end(const struct pkt *p, __be16 low_port, __be16 high_port)
{
	return low_port | (__u64)high_port << 16 | (__u64)p->flow_protocol << 32 | FLOW_KEY_USED(FLOW_USED) |
	       (__u64)p->zone << 48;
}

_Static_assert(offsetof(struct ct4_key, zone) == 14 && offsetof(struct ct6_key, zone) == 38 &&
	       offsetof(struct ct4_key, used) == 13 && offsetof(struct ct6_key, used) == 37 &&
	       offsetof(struct ct4_key, protocol) == 12 && offsetof(struct ct6_key, protocol) == 36, "key_end()");

static __always_inline void flow_key4(struct pkt *p)
{
	__u64 source = (__u64)p->source.v4 << 16 | p->source_port;
	__u64 destination = (__u64)p->destination.v4 << 16 | p->destination_port;
	__u64 low, high;

	p->dir = source > destination;
	low = p->dir ? destination : source;
	high = p->dir ? source : destination;
	p->key_words[0] = low >> 16 | high >> 16 << 32;
	p->key_words[1] = key_end(p, low, high);
	p->hash = flow_mix(low * 0x9e3779b97f4a7c15ULL ^ high ^ (__u64)p->flow_protocol << 56);
}


static __always_inline void flow_key6(struct pkt *p)
{
	__u64 s0 = p->source.halves[0], d0 = p->destination.halves[0];
	__u64 s1 = p->source.halves[1], d1 = p->destination.halves[1];
	const union weft_addr *low, *high;

	if (s0 != d0)
		p->dir = s0 > d0;
	else if (s1 != d1)
		p->dir = s1 > d1;
	else
		p->dir = p->source_port > p->destination_port;
	low = p->dir ? &p->destination : &p->source;
	high = p->dir ? &p->source : &p->destination;
	__builtin_memcpy(p->key6.low_address, low, 16);
	__builtin_memcpy(p->key6.high_address, high, 16);
	p->key_words[4] = key_end(p, p->dir ? p->destination_port : p->source_port,
				  p->dir ? p->source_port : p->destination_port);
	p->hash = flow_mix((s0 ^ d0) * 0x9e3779b97f4a7c15ULL ^ s1 ^ d1 ^
		      (__u64)(p->source_port ^ p->destination_port) << 32 ^ p->flow_protocol);
}

static __always_inline void flow_key(struct pkt *p)
{
	if (p->family == FAMILY_IPV4)
		flow_key4(p);
	else
		flow_key6(p);
}

/*
 * The line of one direction. The barrier keeps the mask beside its use: what clang makes of `!` and `&` together,
 * 6.1's verifier does not know to be 0 or 1.
 */
static __always_inline struct flow_dir *flow_direction(const struct flow *f, __u32 dir)
{
	asm volatile("" : "+r"(dir));
	return (struct flow_dir *)&f->dir[dir & 1];
}

static __always_inline struct flow_path *flow_path(const struct flow *f, __u32 dir)
{
	asm volatile("" : "+r"(dir));
	return (struct flow_path *)&f->path[dir & 1];
}

static __always_inline __u8 *flow_flags(const struct flow *f, __u32 dir)
{
	return &flow_path(f, dir)->flags;
}

static __always_inline __u8 *flow_tcp(const struct flow *f, __u32 dir)
{
	return &flow_path(f, dir)->tcp;
}

static __always_inline __u16 *flow_window(const struct flow *f, __u32 dir)
{
	asm volatile("" : "+r"(dir));
	return (__u16 *)&f->tcp_max_window[dir & 1];
}

/* This packet's direction, and the other one. */
static __always_inline struct flow_dir *flow_us(const struct flow *f, const struct pkt *p)
{
	return flow_direction(f, p->dir);
}

static __always_inline struct flow_dir *flow_them(const struct flow *f, const struct pkt *p)
{
	return flow_direction(f, p->dir ^ 1);
}

static __always_inline struct flow_path *flow_our_path(const struct flow *f, const struct pkt *p)
{
	return flow_path(f, p->dir);
}

static __always_inline struct flow_path *flow_their_path(const struct flow *f, const struct pkt *p)
{
	return flow_path(f, p->dir ^ 1);
}

#endif
