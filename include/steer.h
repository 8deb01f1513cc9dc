/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which instance of a function a flow goes to: the numbers that are drawn. Programs choose by them, and the command, which
 * counts an instance's flows and traces a packet, comes to the same choice.
 */
#ifndef WEFT_STEER_H
#define WEFT_STEER_H

#include "flow_table.h"
#include "function.h"

/* One end of a flow. All fragments of a datagram have but their addresses in common: their port is 0. */
static inline __attribute__((always_inline)) __u64 steer_end4(__be32 address, __be16 port)
{
	return (__u64)address << 16 | port;
}

static inline __attribute__((always_inline)) __u64 steer_end6(__u64 first, __u64 last, __be16 port)
{
	return (first * 0x9e3779b97f4a7c15ULL ^ last) * 0xff51afd7ed558ccdULL + port;
}

/*
 * Of both directions alike. `protocol` is 0 for fragments, of which the later ones may not tell it (IPv6 headers may stand
 * before it in the first), and for what is no IP. Never 0.
 */
static inline __attribute__((always_inline)) __u64 steer_flow(__u64 one_end, __u64 other_end, __u16 zone, __u8 protocol,
							      __u64 seed)
{
	__u64 words[3] = {
		one_end < other_end ? one_end : other_end,
		one_end < other_end ? other_end : one_end,
		(__u64)zone << 16 | protocol,
	};

	return flow_hash(words, 3, seed) | 1;
}

/* Logarithm to the base of 2 of what is not 0, times 2^16. */
static inline __attribute__((always_inline)) __u32 steer_log2(__u32 x)
{
	__u32 whole = 31 - __builtin_clz(x), part = (x << (31 - whole) & 0x7fffffff) >> 15;

	/* log2(1 + f) is f + 0.344 f (1 - f), but for a hundredth. */
	return whole << 16 | (part + ((part * (0x10000 - part) >> 16) * 22544 >> 16));
}

/*
 * The least wins. Minus the logarithm of a random number, by weight: an instance of weight 2 wins as often as two of 1
 * (Schindelhauer, Schomaker, 2005).
 */
static inline __attribute__((always_inline)) __u64 steer_rank(__u32 instance, __u16 weight, __u64 flow)
{
	__u32 drawn = flow_mix(flow ^ (__u64)instance * 0x9e3779b97f4a7c15ULL) | 1;

	return ((__u64)((32u << 16) - steer_log2(drawn)) << 16) / (weight | !weight);
}

#endif
