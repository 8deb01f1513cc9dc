// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A flow's first packet, once it is parsed: looked for, resolved, judged, made a flow of. For each query of a map, in
 * one run; all flows come from host 1 to the port in slot 0.
 */
#include "lib/weft.h"
#include "stages/output.h"

#define QUERIES 65536

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, QUERIES);
	__type(key, __u32);
	__type(value, struct acl_query);
} queries SEC(".maps");

__u64 passed;

static __always_inline void fill(struct pkt *p, const struct acl_query *q)
{
	p->from = FLOW_TARGET(TARGET_HOST, 1);
	p->vni = 1;
	p->ethertype = q->ethertype;
	p->family = q->family;
	p->protocol = p->flow_protocol = q->protocol;
	p->tcp_flags = q->tcp_flags;
	p->source_port = bpf_htons(q->source_port);
	p->destination_port = bpf_htons(q->destination_port);
	p->source = q->source;
	p->destination = q->destination;
	p->source_mac[0] = p->destination_mac[0] = 2;
	p->source_mac[5] = 1;
	p->destination_mac[5] = 2;
}

static long admit(__u32 i, void *unused)
{
	__u32 key = i;
	const struct acl_query *q = bpf_map_lookup_elem(&queries, &key);
	struct pkt *p = pkt_new();
	struct flow *f;

	if (!q || !p)
		return 1;
	fill(p, q);
	if (!flow(p, &f) && f)
		passed++;
	return 0;
}

static long nothing_step(__u32 i, void *unused)
{
	__u32 key = i;
	const struct acl_query *q = bpf_map_lookup_elem(&queries, &key);
	struct pkt *p = pkt_new();

	if (!q || !p)
		return 1;
	fill(p, q);
	return 0;
}

/* mark: how many queries. */
SEC("tc")
int classify(struct __sk_buff *skb)
{
	passed = 0;
	bpf_loop(skb->mark, admit, NULL, 0);
	return 0;
}

SEC("tc")
int nothing(struct __sk_buff *skb)
{
	bpf_loop(skb->mark, nothing_step, NULL, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
