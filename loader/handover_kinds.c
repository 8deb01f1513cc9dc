// SPDX-License-Identifier: BSD-2-Clause
#include <linux/bpf.h>
#include <stddef.h>

#include "include/flow_versions.h"
#include "loader/handover_kinds.h"

#define TABLE(name, type, key, flags)                                                              \
	{                                                                                          \
		name, type, sizeof(struct key), sizeof(struct flow_2), flags, #key, "flow"         \
	}
#define QUEUE(name, key)                                                                           \
	{                                                                                          \
		name, BPF_MAP_TYPE_QUEUE, 0, sizeof(struct key), 0, NULL, NULL                     \
	}

static const struct inner_kind kinds_2[FAMILIES][FLOW_ROLES] = {
	{
		TABLE("ct4", BPF_MAP_TYPE_HASH, ct4_key, BPF_F_NO_PREALLOC),
		TABLE("half4", BPF_MAP_TYPE_LRU_HASH, ct4_key, 0),
		QUEUE("recent4", ct4_key),
	},
	{
		TABLE("ct6", BPF_MAP_TYPE_HASH, ct6_key, BPF_F_NO_PREALLOC),
		TABLE("half6", BPF_MAP_TYPE_LRU_HASH, ct6_key, 0),
		QUEUE("recent6", ct6_key),
	},
};

static const struct inner_kind *kind_4(int family, enum flow_role role)
{
	static const enum inner kinds[FAMILIES][2] = {
		{ INNER_CT4, INNER_HALF4 },
		{ INNER_CT6, INNER_HALF6 },
	};

	return role == ROLE_RECENT ? NULL : &inner_kinds[kinds[family][role]];
}

const struct inner_kind *handover_kind(unsigned int version, int family, enum flow_role role)
{
	return version == 2 ? &kinds_2[family][role] : kind_4(family, role);
}
