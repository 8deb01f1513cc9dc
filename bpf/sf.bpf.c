/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Hook `sf`: frames back from a function's device. Nothing is believed but what a chain sends there. */
#include "lib/weft.h"
#include "stages/home.h"
#include "stages/parse.h"
#include "stages/probe.h"
#include "stages/resume.h"

static __always_inline enum verdict from_function(ctx_t *ctx, struct pkt *p)
{
	struct returned back = {};
	enum verdict v;

	p->ifindex = ctx_ifindex(ctx);
	v = parse(ctx, p, 0);
	if (v)
		return v;
	v = probe(ctx, p);
	if (v)
		return v;
	v = returned(ctx, p, &back);
	if (v)
		return v;
	return back.away ? home(ctx, p, &back) : resume(ctx, p, &back);
}

HOOK(sf)
{
	struct pkt *p = pkt_new();

	return p ? conclude(ctx, p, from_function(ctx, p)) : verdict_to_action(V_DROP, p);
}

char _license[] SEC("license") = "Dual BSD/GPL";
