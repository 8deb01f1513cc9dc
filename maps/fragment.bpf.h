/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Datagrams in fragments, a table a tenant, and the frames that wait for a first fragment (include/fragment.h). */
#ifndef WEFT_MAPS_FRAGMENT_BPF_H
#define WEFT_MAPS_FRAGMENT_BPF_H

#include "include/fragment.h"
#include "maps/flow.bpf.h"

const struct fragment_set *show_fragment_set __attribute__((unused));

TENANT_TABLE(fragments, BPF_MAP_TYPE_ARRAY, __u32, struct fragment_set, BPF_F_INNER_MAP);

/* Keyed by the tenant, so that one that fills its places takes nobody else's; memory is taken only for frames. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, EARLY_TENANTS * EARLY_FRAMES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct early_key);
	__type(value, struct early_frame);
} early SEC(".maps");

#endif
