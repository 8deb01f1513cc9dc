/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * given: a function gives back what it was given. What is of a known flow is believed if that flow leads through the wire
 * that the function is in; all else, a flow's first packet or what belongs to none, if such a frame went into the function a
 * moment ago. So nothing comes of what it makes up, plays again, or moves from one tenant's tag to another's.
 * reads:  struct pkt, the flow, sf_flows
 * writes: pkt.steer
 * maps:   sf_flows tenants port_slots chains, and those of chosen
 * drops:  none (sf_no_flow is the caller's)
 */
#ifndef WEFT_STAGE_GIVEN_H
#define WEFT_STAGE_GIVEN_H

#include "stages/chosen.h"
#include "stages/steer.h"

#define GIVEN_FOR_S 10		/* a function may hold a frame for so long */

/* Into any instance: a flow may have been moved to another one meanwhile. */
__noinline int was_given(struct pkt *p)
{
	const struct host_config *us = this_host();
	struct scratch *s = scratch_here();
	const struct sf_flow *known;

	if (!p || !us || !s)
		return false;
	/* Of a configuration older than functions with several instances nothing is remembered. */
	if (!p->giver)
		return true;
	if (!p->steer && steer(p))
		return false;
	steer_key(&s->steering, p->giver, p->steer, p->tenant);
	known = bpf_map_lookup_elem(&sf_flows, &s->steering.key);
	return known && (__u32)bpf_jiffies64() - known->seen < GIVEN_FOR_S * us->hz;
}

static __always_inline bool is_made_up(struct pkt *p)
{
	return p->giver && !was_given(p);
}

/* Has the tenant such a flow? */
static __noinline bool is_known(struct pkt *p)
{
	const struct tenant *t = tenant_at(p->tenant);

	if (!t || is_stateless(p))
		return false;
	flow_key(p);
	return flow_find(p, t);
}

/* To the next step, before its flow is asked for: of a later fragment's nothing is known yet. */
static __always_inline bool may_go_on(struct pkt *p)
{
	bool later = p->fragment == FRAGMENT_LATER;

	if (p->back_chain && !later)
		return is_named_back(p);
	return !is_made_up(p) || (!later && is_known(p));
}

/* Where packets of this direction went; where they are denied, the other's origin is known. */
static __always_inline __u32 flow_leads_to(const struct flow *f, const struct pkt *p)
{
	const struct flow_path *us = flow_our_path(f, p);

	return FLOW_TARGET_PLACE(us->flags & FLOW_DENIED ? flow_their_path(f, p)->source : us->target);
}

/*
 * The flow is known, and the frame came back on the wire of a port: does the flow lead there? Towards the workload it would go to
 * another one, or it is older than the chain and goes round it. (What a rule chose is asked of the flow anyhow.)
 */
__noinline int leads_past(struct pkt *p, const struct flow *f)
{
	const struct port *port;
	bool leaving;

	if (!p || !f)
		return true;
	port = port_at(p->back_port);
	leaving = p->behind == BEHIND_NONE;
	if (!port)
		return true;
	if (!leaving && flow_leads_to(f, p) != FLOW_TARGET(TARGET_PORT, p->back_port))
		return true;
	return port->chain_since && (!leaving || mac_equal(flow_our_path(f, p)->mac, p->destination_mac)) &&
	       fate_of(p, f, port) == FATE_KEEP;
}

#endif
