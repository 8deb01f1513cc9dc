/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hook `underlay`: tunnel packets from other hosts. All else passes untouched. (A program that writes into packets has the kernel
 * unshare the headers of those that somebody else holds too, a capture say, before it begins.)
 */
#include "lib/weft.h"
#include "stages/tunnel.h"
#include "stages/nsh.h"
#include "stages/parse.h"
#include "stages/resume.h"

static __always_inline enum verdict from_underlay(ctx_t *ctx, struct pkt *p)
{
	struct returned back = {};
	enum verdict v = tunnel(ctx, p);

	if (v)
		return v;
	v = parse(ctx, p, p->l2);
	if (!v && p->l2 == AWAY_LEN)
		v = nsh(ctx, p, &back);
	return v ? v : resume(ctx, p, &back);
}

HOOK(underlay)
{
	struct pkt *p = pkt_new();

	return p ? conclude(ctx, p, from_underlay(ctx, p)) : verdict_to_action(V_DROP, p);
}

char _license[] SEC("license") = "Dual BSD/GPL";
