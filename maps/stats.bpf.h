/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counters, one value a CPU, and events. */
#ifndef WEFT_MAPS_STATS_BPF_H
#define WEFT_MAPS_STATS_BPF_H

#include "include/acl.h"
#include "include/chain.h"
#include "include/drop_reasons.h"
#include "include/flow.h"
#include "include/port.h"

#define PER_CPU_COUNTERS(name, entries, counters)                                  \
	struct {                                                                    \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);                            \
		__uint(max_entries, entries);                                       \
		__type(key, __u32);                                                 \
		__type(value, counters);                                            \
	} name SEC(".maps")

PER_CPU_COUNTERS(drops, DROP_REASONS, __u64);
PER_CPU_COUNTERS(port_stats, WEFT_PORTS_MAX, struct traffic);
PER_CPU_COUNTERS(network_stats, WEFT_NETWORKS_MAX, struct traffic);
PER_CPU_COUNTERS(chain_stats, WEFT_CHAINS_MAX * CHAIN_STEPS, struct chain_traffic);
PER_CPU_COUNTERS(sf_stats, WEFT_FUNCTIONS_MAX * FUNCTION_INSTANCES, struct sf_traffic);
PER_CPU_COUNTERS(tenant_stats, WEFT_TENANTS_MAX, struct tenant_traffic);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WEFT_TENANTS_MAX);
	__type(key, __u32);
	__type(value, struct tenant_limits);
} tenant_limits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

#endif
