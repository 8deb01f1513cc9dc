/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * output: the packet goes where its flow says: to a port of this host, through the chain that its rule chose and the one on
 * that port's wire, if there are such, or through the tunnel to another host. Here the flow moves.
 * reads:  pkt.to, chosen, behind, the flow
 * writes: the frame; the flow's counters and state
 * maps:   port_slots, and those of encap, insert, tap and flow
 * drops:  port_unbound decap_failed ct_full sf_down chain_reset syn_proxy, and those of encap and away
 */
#ifndef WEFT_STAGE_OUTPUT_H
#define WEFT_STAGE_OUTPUT_H

#include "stages/admit.h"
#include "stages/encap.h"
#include "stages/insert.h"
#include "stages/tap.h"

/*
 * Is the port in the network that the packet was judged for, and of its tenant? An entry put in by hand, or left behind, may
 * name another's; and what a VNI means may be a jiffy old (lib/recent.h).
 */
static __always_inline bool is_of_network(const struct port *port, const struct pkt *p)
{
	return port->vni == p->vni && port->tenant == p->tenant && port->network == p->zone;
}

static __always_inline bool is_wrapped(const struct pkt *p)
{
	return p->l2 || p->tags;
}

static __always_inline enum verdict unwrap_wrapped(ctx_t *ctx, struct pkt *p)
{
	if (p->l2) {
		if (op_decap(ctx, p))
			return drop(p, DROP_DECAP_FAILED);
		p->l3 -= p->l2;
		p->l4 -= p->l2;
		p->l2 = 0;
	} else if (p->tags) {
		/* XDP leaves a tag beside the data behind by itself. */
		if ((!WEFT_XDP || p->tag_in_data) && op_pop_tag(ctx))
			return drop(p, DROP_INTERNAL);
		if (p->tag_in_data) {
			p->l3 -= VLAN_HLEN;
			p->l4 -= VLAN_HLEN;
			p->len -= VLAN_HLEN;
		}
		p->tags = 0;
	}
	return V_NEXT;
}

/* Off with what the frame came in: the tunnel's header, or the workload's tag. */
__noinline int unwrap(ctx_t *ctx, struct pkt *p)
{
	return p ? unwrap_wrapped(ctx, p) : V_DROP;
}

/* What the frame came in goes off, and then its copies go out. */
static __always_inline enum verdict copy_taps_bare(ctx_t *ctx, struct pkt *p, __u32 pcp)
{
	enum verdict v = unwrap(ctx, p);

	return v ? v : copy_taps(ctx, p, pcp);
}

/* Into the chain that the rule of this end has chosen. V_NEXT: there is none, or no function takes the frame. */
__noinline int into_chosen(ctx_t *ctx, struct pkt *p, __u32 direction)
{
	__u32 pcp = direction == FROM_WORKLOAD ? PCP_LEAVING : PCP_TOWARDS, chain;
	enum verdict v;
	int step;

	if (!p)
		return V_DROP;
	chain = direction == FROM_WORKLOAD ? p->chosen[FROM_WORKLOAD] : p->chosen[TO_WORKLOAD];
	if (!chain)
		return V_NEXT;
	/* What the client would be said to send, its function has not seen. */
	if (direction == FROM_WORKLOAD && p->proxy == PROXY_OPENS)
		return drop(p, DROP_SYN_PROXY);
	p->by_rule = 1;
	step = next_step(p, chain, pcp, 0);
	p->by_rule = 0;
	if (step < 0)
		return step == STEPS_AWAY ? V_UP : V_DROP;
	/* Taps behind the last function towards a workload wait until it really gets the frame, or the chain on its wire does. */
	if (step == STEPS_DONE)
		return p->taps && direction == FROM_WORKLOAD ? copy_taps_bare(ctx, p, pcp) : V_NEXT;
	v = copy_taps_bare(ctx, p, pcp);
	return v ? v : to_function(ctx, p, chain, pcp, step);
}

/*
 * Longer than the receiver's device takes, as a function's frame may be. The kernel would look too, but count it nowhere, and not at
 * all at what is redirected straight into the receiver's namespace. In a frame of its own, for the stack's sake.
 */
__noinline int is_giant(ctx_t *ctx, __u32 ifindex)
{
	__u32 unused = 0;

	return bpf_check_mtu(ctx, ifindex, &unused, 0, 0) == BPF_MTU_CHK_RET_FRAG_NEEDED;
}

/* `f` is NULL for a packet without a flow; here and in to_host. */
__noinline int to_port(ctx_t *ctx, struct pkt *p, struct flow *f)
{
	const struct port *port;
	int step = STEPS_DONE;
	__u32 slot, chain;
	enum verdict v;

	if (!p)
		return V_DROP;
	slot = FLOW_TARGET_INDEX(p->to);
	port = port_at(slot);
	if (!port || !port->ifindex || !is_of_network(port, p))
		return drop(p, DROP_PORT_UNBOUND);
	v = into_chosen(ctx, p, TO_WORKLOAD);
	if (v)
		return v;
	chain = p->behind == BEHIND_ALL ? 0 : chain_on_wire(p, port, TO_WORKLOAD);
	if (chain && f && port->chain_since) {
		v = existing_towards(p, f, port, &chain);
		if (v)
			return v;
	}
	if (chain && p->taps) {
		v = copy_taps_bare(ctx, p, PCP_TOWARDS);
		if (v)
			return v;
	}
	if (chain)
		step = next_step(p, chain, PCP_TOWARDS, 0);
	if (step < 0)
		return step == STEPS_AWAY ? V_UP : V_DROP;
	v = unwrap_wrapped(ctx, p);
	if (v)
		return v;
	if (step != STEPS_DONE) {
		v = copy_taps(ctx, p, PCP_TOWARDS);
		return v ? v : to_function(ctx, p, chain, PCP_TOWARDS, step);
	}
	/* Nearly all are no longer than any device takes. */
	if (p->len > ETH_FRAME_LEN && is_giant(ctx, port->ifindex))
		return drop(p, DROP_TOO_BIG);
	/* After unwrap: the flow counts the frame as the workloads see it, without a tag of ours. */
	v = flow_advance(p, f);
	if (!v)
		v = copy_taps(ctx, p, PCP_TOWARDS);
	if (v)
		return v;
	count_to(p, slot);
	p->action = op_deliver(ctx, p, port);
	return V_SENT;
}

__noinline int to_host(ctx_t *ctx, struct pkt *p, struct flow *f)
{
	enum verdict v;

	if (!p)
		return V_DROP;
	v = is_wrapped(p) ? unwrap(ctx, p) : V_NEXT;
	if (v)
		return v;
	v = flow_advance(p, f);
	if (v)
		return v;
	return encap(ctx, p, FLOW_TARGET_INDEX(p->to), NULL);
}

static __always_inline enum verdict output(ctx_t *ctx, struct pkt *p, struct flow *f)
{
	if (FLOW_TARGET_KIND(p->to) == TARGET_PORT)
		return to_port(ctx, p, f);
	if (FLOW_TARGET_KIND(p->to) == TARGET_HOST)
		return to_host(ctx, p, f);
	return drop(p, DROP_INTERNAL);
}

#endif
