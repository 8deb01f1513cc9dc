/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcp_options: of a SYN's options the window scale (RFC 7323, 2), which all later windows must be read with, and what a
 * cookie has to remember.
 * reads:  the packet, pkt.l4, pkt.l4_len
 * writes: pkt.tcp_scale, pkt.tcp_mss, pkt.tcp_sack
 * maps:   none
 * drops:  none
 */
#ifndef WEFT_STAGE_TCP_OPTIONS_H
#define WEFT_STAGE_TCP_OPTIONS_H

#include "lib/weft.h"

#define TCP_OPTIONS_MAX 40	/* bytes */
#define TCP_OPTION_END 0
#define TCP_OPTION_NOP 1
#define TCP_OPTION_MSS 2
#define TCP_OPTION_SCALE 3
#define TCP_OPTION_SACK_PERMITTED 4
#define TCP_OPTION_SACK 5

struct option_walk {
	ctx_t *ctx;
	struct pkt *p;
	__u32 offset, end;
};

static __always_inline __u32 option_byte(const struct option_walk *w, __u32 i)
{
	const __u8 *byte = w->offset + i < w->end ? at(w->ctx, w->offset + i, 1) : NULL;

	return byte ? *byte : TCP_OPTION_END;
}

/* One option. What its length makes impossible ends the walk, as receivers do; of several scales the last counts, as there. */
static long option_step(__u32 i, struct option_walk *w)
{
	__u32 kind = option_byte(w, 0), len, scale;

	if (kind == TCP_OPTION_END)
		return 1;
	if (kind == TCP_OPTION_NOP) {
		w->offset++;
		return 0;
	}
	len = option_byte(w, 1);
	if (len < 2 || w->offset + len > w->end)
		return 1;
	if (kind == TCP_OPTION_SCALE && len == 3) {
		scale = option_byte(w, 2);
		/* RFC 7323, 2.3 */
		w->p->tcp_scale = scale > FLOW_TCP_SCALE_MAX ? FLOW_TCP_SCALE_MAX : scale;
	}
	if (kind == TCP_OPTION_MSS && len == 4)
		w->p->tcp_mss = option_byte(w, 2) << 8 | option_byte(w, 3);
	if (kind == TCP_OPTION_SACK_PERMITTED && len == 2)
		w->p->tcp_sack = 1;
	w->offset += len;
	return 0;
}

static __noinline void tcp_options(ctx_t *ctx, struct pkt *p)
{
	struct option_walk w = {
		.ctx = ctx,
		.p = p,
		.offset = p->l4 + sizeof(struct tcphdr),
		.end = p->l4 + p->l4_len,
	};

	p->tcp_scale = FLOW_TCP_UNSCALED;
	p->tcp_mss = 0;
	p->tcp_sack = 0;
	bpf_loop(TCP_OPTIONS_MAX, option_step, &w, 0);
}

#endif
