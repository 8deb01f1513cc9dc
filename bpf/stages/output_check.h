/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * output_check: can this program send the packet where it goes? XDP asks before it has any effect; what it
 * cannot send it passes up to TC, which can send everything.
 * reads:  pkt.to
 * writes: nothing
 * maps:   port_slots next_hops chains
 * drops:  none
 */
#ifndef WEFT_STAGE_OUTPUT_CHECK_H
#define WEFT_STAGE_OUTPUT_CHECK_H

#include "lib/next_hop.h"
#include "lib/outer.h"

static __always_inline bool chain_takes_xdp(__u32 slot)
{
	const struct chain *chain = chain_at(slot);

	return chain && (chain->flags & CHAIN_BYPASS || chain->step[0].flags & STEP_XDP_DELIVER);
}

/* May the chain that stands on the receiver's wire lead to another host? XDP finds out only when the flow has its instance. */
static __always_inline bool wire_goes_away(__u32 target)
{
	const struct port *port = FLOW_TARGET_KIND(target) == TARGET_PORT ? port_at(FLOW_TARGET_INDEX(target)) : NULL;
	const struct chain *chain = port && port->chain ? chain_at(port->chain) : NULL;

	return chain && chain->flags & CHAIN_AWAY;
}

static __always_inline bool port_takes_xdp(__u32 slot)
{
	const struct port *port = port_at(slot);

	if (!port || !(port->flags & PORT_XDP_DELIVER) || port->vid)
		return false;
	return !port->chain || chain_takes_xdp(port->chain);
}

/* `outer`: bytes that come before the frame, without the tag that a function has given back with it. */
static __always_inline bool host_takes_xdp(const struct pkt *p, __u32 slot, __u32 outer)
{
	const struct next_hop *hop = next_hop_of(slot);
	__u32 tag = p->tag_in_data ? VLAN_HLEN : 0;

	return hop && next_hop_fresh(hop, host_at(slot), 2) && p->len - tag + outer - ETH_HLEN <= hop->xdp_mtu;
}

static __always_inline bool can_send(const struct pkt *p, __u32 target)
{
	__u32 slot = FLOW_TARGET_INDEX(target);

	if (!WEFT_XDP)
		return true;
	if (FLOW_TARGET_KIND(target) == TARGET_PORT)
		return port_takes_xdp(slot);
	return host_takes_xdp(p, slot, OUTER_LEN);
}

static __always_inline bool can_output(const struct pkt *p)
{
	return can_send(p, p->to);
}

#endif
