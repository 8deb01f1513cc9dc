/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * forward: what is the same for every frame that leaves a workload, whether it comes from the port or back
 * from the chain on the port's wire: its last taps, flow, then output; flooding, rejecting, resetting and the SYN proxy where
 * these are called for.
 * reads:  struct pkt
 * writes: pkt.action
 * maps:   those of flow, flood, output, reject, reset, syn_proxy and tap
 * drops:  those of flow, flood, output, reject, reset and syn_proxy
 */
#ifndef WEFT_STAGE_FORWARD_H
#define WEFT_STAGE_FORWARD_H

#include "stages/flood.h"
#include "stages/reset.h"
#include "stages/syn_proxy.h"

static __always_inline enum verdict forward(ctx_t *ctx, struct pkt *p, bool inspected)
{
	struct flow *f = NULL;
	enum verdict v;

	/* Towards a workload they wait until it really gets the frame. */
	if (!WEFT_XDP && p->taps && !inspected) {
		v = unwrap(ctx, p);
		if (!v)
			v = copy_taps(ctx, p, PCP_LEAVING);
		if (v)
			return v;
	}
	if (p->flags & PKT_MULTICAST)
		return flood_stage(ctx, p);
	v = flow(p, &f);
	if (v == V_FLOOD)
		return flood_stage(ctx, p);
	if (v == V_REJECT)
		return reject(ctx, p);
	if (v == V_COOKIE)
		return syn_cookie(ctx, p);
	if (!v && p->proxy > PROXY_FORGED)
		v = syn_proxy(ctx, p, f);
	if (!v)
		v = output(ctx, p, f, inspected);
	return v == V_RESET ? reset(ctx, p) : v;
}

#endif
