/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counting: every hook's last act. */
#ifndef WEFT_BPF_COUNT_H
#define WEFT_BPF_COUNT_H

#include "lib/weft.h"

static __always_inline void count_drop(__u32 reason)
{
	__u64 *n = bpf_map_lookup_elem(&drops, &reason);

	if (n)
		*n += 1;
}

static __always_inline struct tenant_traffic *tenant_counters(__u32 tenant)
{
	return bpf_map_lookup_elem(&tenant_stats, &tenant);
}

static __always_inline void count_from(const struct pkt *p, __u32 port)
{
	__u32 network = p->zone;
	struct traffic *t = bpf_map_lookup_elem(&port_stats, &port);

	if (t) {
		t->from_packets++;
		t->from_bytes += p->len;
	}
	t = bpf_map_lookup_elem(&network_stats, &network);
	if (t) {
		t->from_packets++;
		t->from_bytes += p->len;
	}
}

static __always_inline void count_to(const struct pkt *p, __u32 port)
{
	__u32 network = p->zone;
	struct traffic *t = bpf_map_lookup_elem(&port_stats, &port);

	if (t) {
		t->to_packets++;
		t->to_bytes += p->len;
	}
	t = bpf_map_lookup_elem(&network_stats, &network);
	if (t) {
		t->to_packets++;
		t->to_bytes += p->len;
	}
}

static __always_inline void count_port_drop(__u32 port)
{
	struct traffic *t = bpf_map_lookup_elem(&port_stats, &port);

	if (t)
		t->drops++;
}

#endif
