/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): 64 bits that nobody can aim at who does not know the key. What tenants
 * write is told apart by such.
 */
#ifndef WEFT_ACL_HASH_H
#define WEFT_ACL_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t keyed_hash(const uint64_t key[2], const void *data, size_t size);

#endif
