/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * victim.bpf.c: a reflector that writes its name into frames of march, and that becomes a black hole when it is told so.
 * At TC, or in native XDP for frames whose tag is in the data.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "march.h"

struct victim_state state;

/* `tag` bytes of tag are before the IPv4 header. */
static __always_inline void sign(__u8 *data, __u8 *end, int tag)
{
	if (data + MARCH_BYTES + tag > end)
		return;
	data += tag;
	if (*(__u16 *)(data + 12) == bpf_htons(ETH_P_IP) && data[MARCH_IP_AT + 9] == IPPROTO_UDP &&
	    *(__u16 *)(data + MARCH_UDP_AT + 2) == bpf_htons(MARCH_PORT))
		data[MARCH_NAME_AT] = state.name;
}

SEC("tcx/ingress")
int victim_tc(struct __sk_buff *skb)
{
	if (state.dead)
		return TC_ACT_SHOT;
	if (bpf_skb_pull_data(skb, 0))
		return TC_ACT_SHOT;
	sign((void *)(long)skb->data, (void *)(long)skb->data_end, 0);
	return bpf_redirect(skb->ifindex, 0);
}

SEC("xdp")
int victim_xdp(struct xdp_md *ctx)
{
	if (state.dead)
		return XDP_DROP;
	sign((void *)(long)ctx->data, (void *)(long)ctx->data_end, TAG_BYTES);
	return XDP_TX;
}

char _license[] SEC("license") = "Dual BSD/GPL";
