/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* This host, the other hosts, and the way to them (include/host.h). */
#ifndef WEFT_MAPS_HOST_BPF_H
#define WEFT_MAPS_HOST_BPF_H

#include "include/host.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct host_config);
} host SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WEFT_HOSTS_MAX);
	__type(key, __u32);
	__type(value, struct host);
} hosts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WEFT_HOSTS_MAX);
	__type(key, __u32);
	__type(value, struct next_hop);
} next_hops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * WEFT_HOSTS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct vtep_key);
	__type(value, struct vtep);
} vteps SEC(".maps");

/* Never NULL: an array of one. */
static __always_inline const struct host_config *this_host(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&host, &zero);
}

static __always_inline const struct host *host_at(__u32 slot)
{
	return bpf_map_lookup_elem(&hosts, &slot);
}

static __always_inline const struct vtep *vtep_of(const __u8 address4[4])
{
	/* In words: what is stored in parts and read as a whole stalls the processor; the tables' compare does. */
	union {
		__u64 words[2];
		struct vtep_key key;
	} k = { .words = { *(const __u32 *)address4 } };

	return bpf_map_lookup_elem(&vteps, &k.key);
}

#endif
