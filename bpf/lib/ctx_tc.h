/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TC: the primitives that the stages stand on, for struct __sk_buff. ctx_xdp.h is the twin; a hook is
 * compiled once with each.
 */
#ifndef WEFT_BPF_CTX_TC_H
#define WEFT_BPF_CTX_TC_H

#define WEFT_XDP 0

/* Not a typedef: CO-RE takes the name of the type literally. */
#define ctx_t struct __sk_buff

#define TC_ACT_OK 0
#define TC_ACT_SHOT 2
#define TCX_NEXT -1	/* TC_ACT_UNSPEC below clsact: the next program, or the stack */

/* The first `want` bytes, or all that there are, can be read. */
static __always_inline void ctx_make_linear(ctx_t *ctx, __u32 want)
{
	if (want > ctx->len)
		want = ctx->len;
	if ((void *)(long)ctx->data + want > (void *)(long)ctx->data_end)
		bpf_skb_pull_data(ctx, want);
}

static __always_inline __u32 ctx_len(const ctx_t *ctx)
{
	return ctx->len;
}

/* Will it be cut into packets yet? */
static __always_inline bool ctx_is_super(const ctx_t *ctx)
{
	return ctx->gso_size;
}

static __always_inline __u32 ctx_ifindex(const ctx_t *ctx)
{
	return ctx->ifindex;
}

/* The tag that the device or the driver keeps beside the data. */
static __always_inline bool ctx_tag_beside(const ctx_t *ctx, __u16 *tci, __u16 *type)
{
	*tci = ctx->vlan_tci;
	*type = bpf_ntohs(ctx->vlan_proto);
	return ctx->vlan_present;
}

static __always_inline int ctx_store(ctx_t *ctx, __u32 offset, const void *from, __u32 len)
{
	return bpf_skb_store_bytes(ctx, offset, from, len, 0);
}

static __always_inline int ctx_load(ctx_t *ctx, __u32 offset, void *to, __u32 len)
{
	return bpf_skb_load_bytes(ctx, offset, to, len);
}

static __always_inline int verdict_to_action(enum verdict v, const struct pkt *p)
{
	switch (v) {
	case V_SENT:
		return p->action;
	case V_PASS:
		return TCX_NEXT;
	default:
		return TC_ACT_SHOT;
	}
}

#define HOOK(name) SEC("tc") int name##_tc(ctx_t *ctx)

#endif
