/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sink.bpf.c: counts and drops what is UDP (or one protocol of choice), and lets all else pass.
 *
 * Two hooks, since a frame may come to a veth in two ways: through native XDP, or past it, straight
 * into the stack (bpf_redirect_peer). A frame that the first drops never meets the second.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "sink.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2); /* of even turns, of odd ones */
	__type(key, __u32);
	__type(value, __u64);
} received SEC(".maps");

const volatile struct sink_options options = { .protocol = IPPROTO_UDP };

static __always_inline int counted(void *data, void *end)
{
	__u8 *p = data;
	__u64 *n;
	__u16 type;
	__u32 turn = 0;

	if (data + 34 > end)
		return 0;
	type = *(__u16 *)(p + 12);
	if (!(type == bpf_htons(ETH_P_IP) && p[23] == options.protocol) &&
	    !(type == bpf_htons(ETH_P_IPV6) && p[20] == options.protocol))
		return 0;
	if (options.turn_ns)
		turn = bpf_ktime_get_ns() / options.turn_ns & 1;
	n = bpf_map_lookup_elem(&received, &turn);
	if (n)
		(*n)++;
	return 1;
}

SEC("xdp")
int sink_xdp(struct xdp_md *ctx)
{
	return counted((void *)(long)ctx->data, (void *)(long)ctx->data_end) ? XDP_DROP : XDP_PASS;
}

SEC("tcx/ingress")
int sink_tc(struct __sk_buff *skb)
{
	return counted((void *)(long)skb->data, (void *)(long)skb->data_end) ? TC_ACT_SHOT
									     : TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
