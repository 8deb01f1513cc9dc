/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * existing: what becomes of flows that are older than the chain on a wire: `keep` lets them go on without it until
 * they end, `reset` ends them. (`insert`: they are as others.) What is over and begins anew is no older flow.
 * reads:  struct pkt, the flow's birth, port.chain_since, the chain
 * writes: a flow that is reset: its TCP state, or it is removed
 * maps:   ct4 ct6 half4 half6 proxied port_slots chains tenants
 * drops:  chain_reset
 */
#ifndef WEFT_STAGE_EXISTING_H
#define WEFT_STAGE_EXISTING_H

#include "stages/flow.h"
#include "stages/proxied.h"

enum fate { FATE_INSERT = 0, FATE_KEEP, FATE_RESET };

/* What the chain does with a flow that is older than it, or is not. */
static __always_inline enum fate fate_by(const struct pkt *p, const struct flow *f, __u32 slot, bool older)
{
	const struct chain *chain = chain_at(slot);

	if (!chain || chain->flags & CHAIN_BYPASS || !older)
		return FATE_INSERT;
	if (chain->flags & CHAIN_RESET)
		return FATE_RESET;
	/* A closed connection has ended, though its segments may come for as long as its ends like. */
	if (!(chain->flags & CHAIN_KEEP) || flow_is_closed(f, p->flow_protocol))
		return FATE_INSERT;
	return FATE_KEEP;
}

/* What the chain on the port's wire does with the flow. Ask only where port.chain_since is set. */
static __always_inline enum fate fate_of(const struct pkt *p, const struct flow *f, const struct port *port)
{
	return fate_by(p, f, port->chain, flow_is_older(f->born, port->chain_since));
}

/*
 * TCP stays known as a closed connection, so that each segment of it is answered with a RST, and a SYN begins anew.
 * All else, a SYN included, is forgotten: what is dropped here is sent again, and then begins anew.
 */
static __noinline enum verdict flow_reset(struct pkt *p, struct flow *f)
{
	p->reason = DROP_CHAIN_RESET;
	/* What ends flows is TC. */
	if (WEFT_XDP)
		return V_UP;
	if (p->flags & PKT_ICMP_ERROR)
		return V_DROP;
	if (p->protocol != IPPROTO_TCP || p->tcp_flags & TCP_SYN) {
		flow_remove(p, FLOW_CHAIN_RESET);
		return V_DROP;
	}
	if (!flow_is_closed(f, IPPROTO_TCP))
		flow_tell(p, f, FLOW_EVENT_CLOSED, FLOW_CHAIN_RESET);
	if (*flow_flags(f, p->dir) & FLOW_PROXIED)
		proxied_ends(p, f);
	tcp_mark_reset(f);
	return V_RESET;
}

/* `round`: which of pkt.round. */
static __always_inline void keep_out(struct pkt *p, __u32 chain, __u32 round)
{
	p->round[round] = chain;
	p->kept |= 1 << round;
}

/*
 * A frame that leaves a workload is looked at before all that decides, so the flow must be looked up for this. It
 * is kept out only where it goes to whom the flow went before: an old tuple is no way round the function to others.
 */
__noinline int existing_leaving(struct pkt *p)
{
	const struct port *port;
	const struct tenant *t;
	enum fate fate;
	struct flow *f;

	if (!p)
		return V_DROP;
	port = port_at(p->port);
	t = tenant_at(p->tenant);
	if (!port || !t || p->flags & PKT_MULTICAST || is_stateless(p))
		return V_NEXT;
	flow_key(p);
	f = flow_find(p, t);
	if (!f || flow_is_over(f, p, t))
		return V_NEXT;
	fate = fate_of(p, f, port);
	if (fate == FATE_RESET)
		return flow_reset(p, f);
	if (fate == FATE_KEEP && mac_equal(flow_our_path(f, p)->mac, p->destination_mac))
		keep_out(p, port->chain, FROM_WORKLOAD);
	return V_NEXT;
}

/* The same for a frame towards a workload, whose flow is known by now. */
static __always_inline enum verdict existing_towards(struct pkt *p, struct flow *f, const struct port *port,
						     __u32 *chain)
{
	enum fate fate = fate_of(p, f, port);

	if (fate == FATE_RESET)
		return flow_reset(p, f);
	if (fate == FATE_KEEP) {
		keep_out(p, *chain, TO_WORKLOAD);
		*chain = 0;
	}
	return V_NEXT;
}

/* XDP asks before it judges, and so writes, anything: TC will have to end this flow. */
static __always_inline bool ends_towards(const struct pkt *p, const struct flow *f)
{
	const struct port *port = FLOW_TARGET_KIND(p->to) == TARGET_PORT ? port_at(FLOW_TARGET_INDEX(p->to)) : NULL;

	return port && port->chain_since && fate_of(p, f, port) == FATE_RESET;
}

#endif
