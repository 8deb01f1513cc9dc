/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What every shared header stands on: fixed-width types, addresses, limits.
 *
 * Shared headers hold data only. They compile alone with the host compiler and with clang for BPF.
 * Byte order: addresses and MACs are byte arrays as on the wire; every other field is in host order,
 * but for the ports inside conntrack keys, which are as on the wire.
 */
#ifndef WEFT_BASE_H
#define WEFT_BASE_H

#ifdef __VMLINUX_H__
#define weft_static_assert(cond) _Static_assert(cond, #cond)
#else
#include <assert.h>
#include <linux/types.h>
#define weft_static_assert(cond) static_assert(cond, #cond)
#endif

/* Before a loop of a few known steps in a packet's way: programs are compiled for size. */
#ifdef __bpf__
#define weft_unroll _Pragma("clang loop unroll(full)")
#else
#define weft_unroll
#endif

/* The layout of all maps together. A loader of another version converts them or refuses (flow_versions.h). */
#define WEFT_ABI 4

#define WEFT_NAME_LEN 32	/* names are [a-z0-9][a-z0-9._-]{0,31}; not NUL-terminated at full length */

/* Slots of the arrays. A slot is a place on this host, an id is for ever: see struct config_value. */
#define WEFT_HOSTS_MAX 4096
#define WEFT_TENANTS_MAX 8192
#define WEFT_NETWORKS_MAX 16384	/* a conntrack zone is a network's slot, 16 bits */
#define WEFT_PORTS_MAX 32768
#define WEFT_CHAINS_MAX 4096
#define WEFT_FUNCTIONS_MAX 1024
#define WEFT_UNDERLAYS_MAX 16	/* underlay devices of one host */

enum weft_family { FAMILY_NONE = 0, FAMILY_IPV4 = 4, FAMILY_IPV6 = 6 };

/* An IPv4 address stands in the first four bytes, the rest is zero; the family is told beside it. */
union weft_addr {
	__u8 bytes[16];
	__be32 v4;
	__be32 v6[4];
	__u64 halves[2];
};

enum weft_direction { FROM_WORKLOAD = 0, TO_WORKLOAD = 1 };

#endif
