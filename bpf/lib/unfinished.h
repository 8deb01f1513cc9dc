/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A checksum that its sender left to whoever comes later (CHECKSUM_PARTIAL): the kernel keeps beside the data where
 * it goes. struct __sk_buff does not tell of it, so the kernel's own struct is read, which the context of a TC program
 * points to at run time. Each frame from a workload is asked, and a helper that reads costs as much as a look-up; since 6.2
 * the struct can be read in place. XDP's frames have nothing beside them.
 */
#ifndef WEFT_BPF_UNFINISHED_H
#define WEFT_BPF_UNFINISHED_H

#include "lib/weft.h"

#if !WEFT_XDP

#include <bpf/bpf_core_read.h>

#define CHECKSUM_PARTIAL 3

/* Load-time switch: the kernel has bpf_rdonly_cast (6.2+). */
const volatile bool read_in_place = false;

extern void *bpf_rdonly_cast(const void *object, __u32 btf_id) __ksym __weak;

/* What is read of struct sk_buff. The loader looks up where the running kernel has it (CO-RE); pairs stay pairs. */
struct sk_buff___weft {
	unsigned char *head, *data;
	__u8 ip_summed : 2;
	__u16 csum_start, csum_offset;
} __attribute__((preserve_access_index));

struct unfinished {
	__s32 start;	/* from this offset in the data on bytes are summed up; before it if negative */
	__u16 offset;	/* there, counted from `start`, the sum goes */
};

static __always_inline bool find_unfinished_in_place(ctx_t *ctx, struct unfinished *u)
{
	const struct sk_buff___weft *skb = bpf_rdonly_cast(ctx, bpf_core_type_id_kernel(struct sk_buff___weft));

	if (BPF_CORE_READ_BITFIELD(skb, ip_summed) != CHECKSUM_PARTIAL)
		return false;
	u->start = skb->csum_start - (__s32)((__u64)skb->data - (__u64)skb->head);
	u->offset = skb->csum_offset;
	return true;
}

static __always_inline bool find_unfinished_by_helper(ctx_t *ctx, struct unfinished *u)
{
	const struct sk_buff___weft *skb = (const void *)ctx;
	struct {
		__u16 start, offset;
	} place;
	struct {
		__u64 head, data;
	} buffer;

	if (BPF_CORE_READ_BITFIELD_PROBED(skb, ip_summed) != CHECKSUM_PARTIAL ||
	    bpf_core_read(&place, sizeof(place), &skb->csum_start) ||
	    bpf_core_read(&buffer, sizeof(buffer), &skb->head))
		return false;
	u->start = place.start - (__s32)(buffer.data - buffer.head);
	u->offset = place.offset;
	return true;
}

/* False if the frame has no such checksum. */
static __always_inline bool find_unfinished(ctx_t *ctx, struct unfinished *u)
{
	return read_in_place ? find_unfinished_in_place(ctx, u) : find_unfinished_by_helper(ctx, u);
}

/* Where the L4 header has its checksum; 0: it has none that anybody leaves unfinished. */
static __always_inline __u16 checksum_offset(const struct pkt *p)
{
	switch (p->family ? p->protocol : 0) {
	case IPPROTO_TCP:
		return 16;
	case IPPROTO_UDP:
		return 6;
	case IPPROTO_SCTP:
		return 8;
	}
	return 0;
}

/* At the L4 header's own place. */
static __always_inline bool is_in_place(const struct unfinished *u, const struct pkt *p)
{
	return u->start == p->l4 && u->offset && u->offset == checksum_offset(p);
}

#endif

#endif
