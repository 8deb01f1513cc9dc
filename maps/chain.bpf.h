/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Service insertion (include/chain.h). */
#ifndef WEFT_MAPS_CHAIN_BPF_H
#define WEFT_MAPS_CHAIN_BPF_H

#include "include/chain.h"
#include "include/nsh.h"
#include "include/probe.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WEFT_CHAINS_MAX);
	__type(key, __u32);
	__type(value, struct chain);
} chains SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sf_key);
	__type(value, struct sf_return);
} sf SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WEFT_FUNCTIONS_MAX);
	__type(key, __u32);
	__type(value, struct function);
} functions SEC(".maps");

/* Mapped by the agent, which writes words of its own while packets write theirs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WEFT_FUNCTIONS_MAX * FUNCTION_INSTANCES);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct sf_state);
} sf_state SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WEFT_FUNCTIONS_MAX * FUNCTION_INSTANCES);
	__type(key, __u32);
	__type(value, struct sf_drain);
} sf_drains SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 131072);
	__type(key, struct sf_flow_key);
	__type(value, struct sf_flow);
} sf_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROBES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct probe_key);
	__type(value, struct probe);
} probes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NSH_PATHS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nsh_path_key);
	__type(value, struct nsh_path);
} nsh_paths SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WEFT_CHAINS_MAX);
	__type(key, __u32);
	__type(value, struct nsh_chain);
} nsh_chains SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, NSH_COPIES_MAX);
	__type(key, struct nsh_copy_key);
	__type(value, struct nsh_copy);
} nsh_copies SEC(".maps");

static __always_inline const struct chain *chain_at(__u32 slot)
{
	return bpf_map_lookup_elem(&chains, &slot);
}

static __always_inline const struct function *function_at(__u32 slot)
{
	return bpf_map_lookup_elem(&functions, &slot);
}

#endif
