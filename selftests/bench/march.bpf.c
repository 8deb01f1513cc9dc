/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * march.bpf.c: numbered frames, of flows in turn, and where they arrive a record of each: when it was sent, when it came,
 * and by whom. The sender is run by march with live frames; the receiver is at both hooks, as in sink.bpf.c.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "march.h"

struct march_state state;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MARCH_RECORDS);
	__type(key, __u32);
	__type(value, struct march_record);
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MARCH_FLOWS);
	__type(key, __u32);
	__type(value, struct march_flow);
} flows SEC(".maps");

/* As in flood.bpf.c: what was missed for longer than a millisecond is not caught up. */
static __always_inline int is_early(__u64 now)
{
	if (!state.config.gap_ns)
		return 0;
	if (now < state.next)
		return 1;
	if (state.next + 1000000 < now)
		state.next = now;
	state.next += state.config.gap_ns;
	return 0;
}

static __always_inline __u32 flow_of(__u64 number)
{
	return number % (state.config.flows ?: 1);
}

SEC("xdp")
int march(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u64 now = bpf_ktime_get_ns(), number;
	struct march_record *record;
	__u32 index;
	int i;

	if (data + MARCH_BYTES > end)
		return XDP_ABORTED;
	if (is_early(now))
		return XDP_DROP;
	number = state.sent++;
	index = number % MARCH_RECORDS;
	record = bpf_map_lookup_elem(&records, &index);
	if (!record)
		return XDP_ABORTED;
	*record = (struct march_record){ .sent = now };
	for (i = 0; i < MARCH_BYTES / 8; i++)
		((__u64 *)data)[i] = state.config.head[i];
	*(__u16 *)(data + MARCH_UDP_AT) = bpf_htons(state.config.sport + flow_of(number));
	__builtin_memcpy(data + MARCH_NUMBER_AT, &number, sizeof(number));
	return bpf_redirect(state.config.ifindex, 0);
}

static __always_inline int arrived(const __u8 *data, const __u8 *end)
{
	struct march_record *record;
	struct march_flow *flow;
	__u64 number;
	__u32 index;

	if (data + MARCH_BYTES > end || *(__u16 *)(data + 12) != bpf_htons(ETH_P_IP) ||
	    data[MARCH_IP_AT + 9] != IPPROTO_UDP ||
	    *(__u16 *)(data + MARCH_UDP_AT + 2) != bpf_htons(MARCH_PORT))
		return 0;
	__builtin_memcpy(&number, data + MARCH_NUMBER_AT, sizeof(number));
	index = number % MARCH_RECORDS;
	record = bpf_map_lookup_elem(&records, &index);
	index = flow_of(number);
	flow = bpf_map_lookup_elem(&flows, &index);
	if (!record || !flow)
		return 1;
	record->name = data[MARCH_NAME_AT];
	record->received = bpf_ktime_get_ns();
	if (flow->received++ && flow->name != record->name)
		flow->moves++;
	flow->name = record->name;
	return 1;
}

SEC("xdp")
int arrived_xdp(struct xdp_md *ctx)
{
	return arrived((void *)(long)ctx->data, (void *)(long)ctx->data_end) ? XDP_DROP : XDP_PASS;
}

SEC("tcx/ingress")
int arrived_tc(struct __sk_buff *skb)
{
	return arrived((void *)(long)skb->data, (void *)(long)skb->data_end) ? TC_ACT_SHOT : TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
