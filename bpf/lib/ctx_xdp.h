/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* XDP: the primitives that the stages stand on, for struct xdp_md. ctx_tc.h is the twin. */
#ifndef WEFT_BPF_CTX_XDP_H
#define WEFT_BPF_CTX_XDP_H

#define WEFT_XDP 1

/* Not a typedef: CO-RE takes the name of the type literally. */
#define ctx_t struct xdp_md

static __always_inline void ctx_make_linear(ctx_t *ctx, __u32 want)
{
}

static __always_inline __u32 ctx_len(const ctx_t *ctx)
{
	__u64 len = (void *)(long)ctx->data_end - (void *)(long)ctx->data;

	/* Keeps clang from doing the subtraction in 32 bits, which pointers do not bear. */
	asm volatile("" : "+r"(len));
	return len;
}

static __always_inline bool ctx_is_super(const ctx_t *ctx)
{
	return false;
}

static __always_inline __u32 ctx_ifindex(const ctx_t *ctx)
{
	return ctx->ingress_ifindex;
}

static __always_inline long ctx_load(ctx_t *ctx, __u32 offset, void *to, __u32 len)
{
	return bpf_xdp_load_bytes(ctx, offset, to, len);
}

/*
 * A tag that the device keeps beside the frame is not seen here; NICs are told to leave it in the frame. On a veth
 * the frame counts as untagged, with all that follows for it, and the tag is gone when it is sent on.
 */
static __always_inline bool ctx_tag_beside(ctx_t *ctx, __u16 *tci, __u16 *type)
{
	return false;
}

static __always_inline int ctx_store(ctx_t *ctx, __u32 offset, const void *from, __u32 len)
{
	return bpf_xdp_store_bytes(ctx, offset, (void *)from, len);
}

static __always_inline int verdict_to_action(enum verdict v, const struct pkt *p)
{
	switch (v) {
	case V_SENT:
		return p->action;
	case V_UP:
	case V_PASS:
		return XDP_PASS;
	default:
		return XDP_DROP;
	}
}

#define HOOK(name) SEC("xdp") int name##_xdp(ctx_t *ctx)

#endif
