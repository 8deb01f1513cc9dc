/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * reflector.bpf.c: sends every frame on to another device (or back to its own), and counts by VLAN
 * tag.
 *
 * At TC, since a veth carries the VLAN tag beside the frame: there it is untouched by a redirect,
 * while XDP would lose it.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#define UNTAGGED 0x10000

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, UNTAGGED + 1);
	__type(key, __u32); /* tag control information, or UNTAGGED */
	__type(value, __u64);
} frames SEC(".maps");

const volatile __u32 arms[2] = {}; /* ifindex; twice the same for one arm */

SEC("tcx/ingress")
int reflect(struct __sk_buff *skb)
{
	__u32 tci = skb->vlan_present ? skb->vlan_tci & 0xffff : UNTAGGED;
	__u64 *n = bpf_map_lookup_elem(&frames, &tci);

	if (n)
		__sync_fetch_and_add(n, 1);
	return bpf_redirect(skb->ifindex == arms[0] ? arms[1] : arms[0], 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";
