/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Hook `port`: frames from a workload. */
#include "lib/weft.h"
#include "lib/recent.h"
#include "stages/checksum.h"
#include "stages/fragment.h"
#include "stages/forward.h"
#include "stages/neighbour.h"

/* The tag of the workload's frames tells the port; XDP leaves tagged frames to TC. */
static __always_inline const struct port *find_port(struct pkt *p)
{
	__u16 vid = p->tags && !p->service_tag ? p->tci & VID_MASK : 0;
	const struct port *port = recent_port(p, vid, &p->port);

	/* A tag that no port has is the drop of the untagged frames' port, if the device has that. */
	return !port && vid ? port_bound_to(p->ifindex, 0, &p->port) : port;
}

/* V_NEXT: no function takes it, and the frame goes on without them; taps may be waiting. */
static __always_inline enum verdict into_chain(ctx_t *ctx, struct pkt *p, __u32 chain)
{
	enum verdict v;
	int step;

	if (WEFT_XDP && !chain_takes_xdp(chain))
		return V_UP;
	step = next_step(p, chain, PCP_LEAVING, 0);
	if (step == STEPS_DONE)
		return V_NEXT;
	if (step < 0)
		return step == STEPS_AWAY ? V_UP : V_DROP;
	v = copy_taps_bare(ctx, p, PCP_LEAVING);
	return v ? v : to_function(ctx, p, chain, PCP_LEAVING, step);
}

static __always_inline enum verdict from_workload(ctx_t *ctx, struct pkt *p, bool *known)
{
	const struct port *port;
	enum verdict v, parsed;
	__u32 chain;

	p->ifindex = ctx_ifindex(ctx);
	parsed = parse(ctx, p, 0);
	if (WEFT_XDP && p->tags)
		return V_UP;
	port = find_port(p);
	/* XDP may not have seen the tag: TC has. */
	if (!port)
		return WEFT_XDP ? V_UP : drop(p, DROP_UNKNOWN_PORT);
	*known = true;
	if (parsed)
		return parsed;
	p->tenant = port->tenant;
	p->zone = port->network;
	p->vni = port->vni;
	p->from = FLOW_TARGET(TARGET_PORT, p->port);
	/* The outer tag found the port; it may be the only one, and must have. */
	if (p->tags > (port->vid ? 1 : 0))
		return drop(p, DROP_VLAN_NOT_ALLOWED);
	v = antispoof(p, port);
	if (v)
		return v;
	v = checksum(ctx, p);
	if (v)
		return v;
	v = neighbour(ctx, p, p->port);
	if (v)
		return v;
	chain = chain_on_wire(p, port, FROM_WORKLOAD);
	/* A function gets fragments as they were sent; they are looked at when they are back. */
	if (!chain || port->chain_since) {
		v = fragment(ctx, p, 0);
		if (v)
			return v;
	}
	if (chain && port->chain_since) {
		v = existing_leaving(p);
		if (v)
			return v == V_RESET ? reset(ctx, p) : v;
	}
	if (chain && !p->kept) {
		v = into_chain(ctx, p, chain);
		if (!v && !port->chain_since)
			v = fragment(ctx, p, 0);
		if (v)
			return v;
	}
	return forward(ctx, p);
}

/* Dropped, though an answer may have gone out in its place. */
static __always_inline bool is_refused(const struct pkt *p)
{
	return p->reason == DROP_REJECTED || p->reason == DROP_REJECT_LIMITED || p->reason == DROP_REJECT_SILENT ||
	       p->reason == DROP_CHAIN_RESET;
}

HOOK(port)
{
	struct pkt *p = pkt_new();
	bool known = false;
	enum verdict v;

	if (!p)
		return verdict_to_action(V_DROP, p);
	v = from_workload(ctx, p, &known);
	if (v == V_AWAY)
		v = depart(ctx, p);
	if (v == V_DROP) {
		count_drop(p->reason);
		if (known)
			count_port_drop(p->port);
	} else if (is_refused(p) && v != V_UP) {
		count_port_drop(p->port);
	} else if (v == V_SENT || v == V_CONSUMED) {
		count_from(p, p->port);
		count_rounds(p, v);
	}
	return verdict_to_action(v, p);
}

char _license[] SEC("license") = "Dual BSD/GPL";
