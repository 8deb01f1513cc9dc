/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * reflector.bpf.c: sends every frame on to another device (or back to its own), and counts by VLAN
 * tag.
 *
 * At TC a veth carries the VLAN tag beside the frame, where a redirect leaves it untouched. In native XDP the tag is seen
 * only if it is in the data, and else would be lost: so there only where frames come by XDP (`mode: xdp`).
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define UNTAGGED 0x10000
#define TYPE_AT 12 /* behind the two MAC addresses; a tag, if there is one, and then what it says */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, UNTAGGED + 1);
	__type(key, __u32); /* tag control information, or UNTAGGED */
	__type(value, __u64);
} frames SEC(".maps");

const volatile __u32 arms[2] = {}; /* ifindex; twice the same for one arm */

static __always_inline void count(__u32 tci)
{
	__u64 *n = bpf_map_lookup_elem(&frames, &tci);

	if (n)
		__sync_fetch_and_add(n, 1);
}

SEC("tcx/ingress")
int reflect(struct __sk_buff *skb)
{
	count(skb->vlan_present ? skb->vlan_tci & 0xffff : UNTAGGED);
	return bpf_redirect(skb->ifindex == arms[0] ? arms[1] : arms[0], 0);
}

SEC("xdp")
int reflect_xdp(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u16 *type = (__u16 *)(data + TYPE_AT);

	count(data + ETH_HLEN + 2 <= end && type[0] == bpf_htons(ETH_P_8021Q) ? bpf_ntohs(type[1]) : UNTAGGED);
	if (arms[0] == arms[1])
		return XDP_TX;
	return bpf_redirect(ctx->ingress_ifindex == arms[0] ? arms[1] : arms[0], 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";
