/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The tenants' SYN proxies (include/syn_proxy.h). */
#ifndef WEFT_MAPS_SYN_PROXY_BPF_H
#define WEFT_MAPS_SYN_PROXY_BPF_H

#include "include/syn_proxy.h"
#include "maps/flow.bpf.h"

const struct proxied_bucket *show_proxied_bucket __attribute__((unused));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WEFT_TENANTS_MAX);
	__type(key, __u32);
	__type(value, struct syn_pressure);
} syn_pressure SEC(".maps");

TENANT_TABLE(proxied, BPF_MAP_TYPE_ARRAY, __u32, struct proxied_bucket, BPF_F_INNER_MAP);

#endif
