/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * forward: what is the same for every frame, whether it comes from the port, from the tunnel or back from a chain: flow,
 * the chain that the sender's rule chose, then output; flooding, rejecting, resetting and the SYN proxy, which stands
 * between the sender's chains and the receiver's, where these are called for.
 * reads:  struct pkt
 * writes: pkt.action
 * maps:   those of flow, flood, output, reject, reset and syn_proxy
 * drops:  those of flow, flood, output, reject, reset and syn_proxy
 */
#ifndef WEFT_STAGE_FORWARD_H
#define WEFT_STAGE_FORWARD_H

#include "stages/flood.h"
#include "stages/reset.h"
#include "stages/syn_proxy.h"

static __always_inline enum verdict forward(ctx_t *ctx, struct pkt *p)
{
	struct flow *f = NULL;
	enum verdict v;

	if (p->flags & PKT_MULTICAST)
		return flood_stage(ctx, p);
	v = flow(p, &f);
	if (v == V_FLOOD)
		return flood_stage(ctx, p);
	if (v == V_REJECT)
		return reject(ctx, p);
	if (v == V_COOKIE)
		return syn_cookie(ctx, p);
	if (!v && p->chosen[FROM_WORKLOAD])
		v = into_chosen(ctx, p, FROM_WORKLOAD);
	if (!v && p->proxy > PROXY_FORGED)
		v = syn_proxy(ctx, p, f);
	if (!v)
		v = output(ctx, p, f);
	return v == V_RESET ? reset(ctx, p) : v;
}

#endif
