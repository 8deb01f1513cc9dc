/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tenants, their conntrack tables and their compiled ACLs (include/flow.h, include/acl.h). */
#ifndef WEFT_MAPS_FLOW_BPF_H
#define WEFT_MAPS_FLOW_BPF_H

#include "include/acl.h"
#include "include/flow_table.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WEFT_TENANTS_MAX);
	__type(key, __u32);
	__type(value, struct tenant);
} tenant_slots SEC(".maps");	/* not "tenants": that is the directory of their own maps */

/*
 * clang writes only those types in full that something refers to, and the patterns below need them: until 6.2 or
 * so the kernel takes a map into an outer one only if both or neither know their types.
 */
const struct ct4_key *show_ct4_key __attribute__((unused));
const struct ct6_key *show_ct6_key __attribute__((unused));
const struct flow *show_flow __attribute__((unused));
const struct ct4_bucket *show_ct4_bucket __attribute__((unused));
const struct ct6_bucket *show_ct6_bucket __attribute__((unused));
const union acl_slot *show_acl_slot __attribute__((unused));
const struct rule_hits_key *show_rule_hits_key __attribute__((unused));
const struct rule_hits *show_rule_hits __attribute__((unused));
const union acl_cell *show_acl_cell __attribute__((unused));

/*
 * One inner map a tenant and kind, so that memory, cost and mistakes stay with the tenant. The inner
 * declarations are only the pattern that libbpf makes the outer map from; the loader makes the real
 * ones, each as large as its tenant's quota.
 */
#define TENANT_TABLES(name, entries, inner_type, inner_key, inner_value, inner_flags) \
	struct name##_inner {                                                       \
		__uint(type, inner_type);                                           \
		__uint(max_entries, 64);                                            \
		__uint(map_flags, inner_flags);                                     \
		__type(key, inner_key);                                             \
		__type(value, inner_value);                                         \
	};                                                                          \
	struct {                                                                    \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);                           \
		__uint(max_entries, entries);                                       \
		__type(key, __u32);                                                 \
		__array(values, struct name##_inner);                               \
	} name SEC(".maps")
#define TENANT_TABLE(name, ...) TENANT_TABLES(name, WEFT_TENANTS_MAX, __VA_ARGS__)

/* The command maps them into its memory; and what it can map begins with a page, so that places begin with cache lines. */
TENANT_TABLE(ct4, BPF_MAP_TYPE_ARRAY, __u32, struct ct4_bucket, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
TENANT_TABLE(ct6, BPF_MAP_TYPE_ARRAY, __u32, struct ct6_bucket, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
TENANT_TABLE(half4, BPF_MAP_TYPE_LRU_HASH, struct ct4_key, struct flow, 0);
TENANT_TABLE(half6, BPF_MAP_TYPE_LRU_HASH, struct ct6_key, struct flow, 0);
TENANT_TABLE(acl, BPF_MAP_TYPE_ARRAY, __u32, union acl_slot, BPF_F_INNER_MAP);
TENANT_TABLE(rule_hits, BPF_MAP_TYPE_PERCPU_HASH, struct rule_hits_key, struct rule_hits, BPF_F_NO_PREALLOC);
/* Two places a tenant: one that is in use, and one where the next is put before `acl` names it. */
TENANT_TABLES(acl_tree, ACL_MAPS, BPF_MAP_TYPE_ARRAY, __u32, union acl_cell, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
TENANT_TABLES(acl_index, ACL_MAPS, BPF_MAP_TYPE_ARRAY, __u32, union acl_cell, BPF_F_INNER_MAP);

static __always_inline const struct tenant *tenant_at(__u32 slot)
{
	return bpf_map_lookup_elem(&tenant_slots, &slot);
}

#endif
