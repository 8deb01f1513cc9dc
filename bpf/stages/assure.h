/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * assure: a flow of a protocol without connections that is no probe gets the longer idle time, and stays in a full table; by
 * nf_conntrack's rules. UDP: once both ends have been heard, the packet that comes when it is two seconds old. ICMP: never.
 * Others: the packet after the first answer.
 * reads:  struct pkt, both directions of the flow
 * writes: flow.path[].tcp
 * maps:   host
 * drops:  none
 */
#ifndef WEFT_STAGE_ASSURE_H
#define WEFT_STAGE_ASSURE_H

#include "include/flow_state.h"
#include "lib/flow_table.h"

#define UDP_STREAM_SECONDS 2

/* Some jiffies are not known to this CPU yet that another one has seen. */
static __always_inline bool is_older_than(__u32 began, __u32 jiffies)
{
	return (__s32)(jiffies32() - began - jiffies) > 0;
}

static __always_inline bool is_probe(const struct pkt *p, const struct flow *f)
{
	const struct host_config *us;

	if (p->protocol == IPPROTO_ICMP || p->protocol == IPPROTO_ICMPV6)
		return true;
	if (p->protocol != IPPROTO_UDP)
		return false;
	us = this_host();
	return !us || !is_older_than(flow_us(f, p)->began, UDP_STREAM_SECONDS * us->hz);
}

static __always_inline void assure(const struct pkt *p, struct flow *f)
{
	if (*flow_tcp(f, p->dir) || !flow_replied(f) || is_probe(p, f))
		return;
	*flow_tcp(f, 0) = *flow_tcp(f, 1) = FLOW_ASSURED;
}

#endif
