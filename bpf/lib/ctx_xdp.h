/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* XDP: the primitives that the stages stand on, for struct xdp_md. ctx_tc.h is the twin. */
#ifndef WEFT_BPF_CTX_XDP_H
#define WEFT_BPF_CTX_XDP_H

#define WEFT_XDP 1

/* Not a typedef: CO-RE takes the name of the type literally. */
#define ctx_t struct xdp_md

#ifdef FLAVOUR_XDP_BOUND
extern int bpf_xdp_metadata_rx_vlan_tag(const struct xdp_md *ctx, __be16 *vlan_proto,
					__u16 *vlan_tci) __ksym;

/* Never set. The verifier knows it for a constant, so what hangs on it is gone before the program runs. */
const volatile bool room_to_grow = false;

/*
 * The kernel remembers where a bound program was first put, and follows that pointer when the device goes away.
 * The verifier's rewriting may have moved the program to more pages since then (6.18 at least; a1aa9ef47c29
 * mended the same for blinding only): an oops with the RTNL lock held. Dead code is removed first of all, and the
 * pages stay: the program, which grows by a tenth, never needs to move.
 */
static __always_inline void keep_room_to_grow(void)
{
	if (room_to_grow)
		asm volatile(".rept 2048; r0 = 0; .endr" ::: "r0");
}
#endif

static __always_inline void ctx_make_linear(ctx_t *ctx, __u32 l2)
{
}

static __always_inline __u32 ctx_len(const ctx_t *ctx)
{
	__u64 len = (void *)(long)ctx->data_end - (void *)(long)ctx->data;

	/* Keeps clang from doing the subtraction in 32 bits, which pointers do not bear. */
	asm volatile("" : "+r"(len));
	return len;
}

static __always_inline __u32 ctx_ifindex(const ctx_t *ctx)
{
	return ctx->ingress_ifindex;
}

/*
 * veth and many NICs keep a received frame's tag beside it, where XDP does not see it: a forged tag would
 * look like no tag. The flavour that is loaded bound to its device (6.8+) asks for the tag. The kernel looks
 * for the question before it removes dead code, so this cannot be a load-time switch.
 */
static __always_inline bool ctx_tag_beside(ctx_t *ctx, __u16 *tci)
{
#ifdef FLAVOUR_XDP_BOUND
	__be16 protocol = 0;

	keep_room_to_grow();
	return bpf_xdp_metadata_rx_vlan_tag(ctx, &protocol, tci) == 0;
#else
	return false;
#endif
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
