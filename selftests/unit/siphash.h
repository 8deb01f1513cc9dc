/* SPDX-License-Identifier: BSD-2-Clause */
/* SipHash-2-4 of whole words (Aumasson, Bernstein, 2012), written from the paper: what the SYN proxy's cookies are judged by. */
#ifndef WEFT_UNIT_SIPHASH_H
#define WEFT_UNIT_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t rotl(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

static inline uint64_t siphash(const uint64_t key[2], const uint64_t *words, size_t n)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
			  key[1] ^ 0x7465646279746573 };

	for (size_t i = 0; i <= n + 1; i++) {
		uint64_t m = i < n ? words[i] : (uint64_t)(n * 8) << 56;

		if (i <= n)
			v[3] ^= m;
		else
			v[2] ^= 0xff;
		for (int round = 0; round < (i <= n ? 2 : 4); round++) {
			v[0] += v[1], v[1] = rotl(v[1], 13), v[1] ^= v[0], v[0] = rotl(v[0], 32);
			v[2] += v[3], v[3] = rotl(v[3], 16), v[3] ^= v[2];
			v[0] += v[3], v[3] = rotl(v[3], 21), v[3] ^= v[0];
			v[2] += v[1], v[1] = rotl(v[1], 17), v[1] ^= v[2], v[2] = rotl(v[2], 32);
		}
		if (i <= n)
			v[0] ^= m;
	}
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
