/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * proxied: a segment of a connection that the SYN proxy has answered: the workload's numbers are not those that the client
 * knows. Flows are tracked in the workload's. Here the packet's fields are put into these; the frame follows in syn_proxy.h.
 * A function on the workload's wire so sees the workload's, one on the client's wire the client's.
 * reads:  struct pkt, the flow, its record
 * writes: pkt.tcp_*, pkt.proxy*
 * maps:   proxied tenants port_slots
 * drops:  syn_proxy
 */
#ifndef WEFT_STAGE_PROXIED_H
#define WEFT_STAGE_PROXIED_H

#include "lib/proxied.h"
#include "stages/syn_cookie.h"

/* Windows are read with a scale by who gets them: the same bytes, in the steps that it reads. */
static __always_inline __u16 rescaled(__u16 window, __u32 from, __u32 to)
{
	__u32 bytes = (__u32)window << (from & 15) >> (to & 15);

	return bytes > 0xffff ? 0xffff : bytes;
}

struct scales {
	__u8 client;		/* of its windows, as it means them */
	__u8 client_read;	/* as the workload reads them */
	__u8 workload;
	__u8 workload_read;
};

/* Scales count in a connection if both its SYNs have one (RFC 7323, 2.2); here there are two, with one client. */
static __always_inline struct scales scales_of(const struct proxied *r)
{
	__u8 client = COOKIE_SCALE(COOKIE_OPTIONS(r->cookie));
	bool offered = client != FLOW_TCP_UNSCALED, both = offered && r->scale != FLOW_TCP_UNSCALED;

	return (struct scales){ offered ? client : 0, both ? client : 0, both ? r->scale : 0,
				offered ? SYN_PROXY_SCALE : 0 };
}

static __always_inline enum verdict from_client(struct pkt *p, const struct proxied *r)
{
	struct scales s = scales_of(r);

	/* Back from a function on the workload's wire. */
	if (p->behind >= BEHIND_CHOSEN_TOWARDS)
		return V_NEXT;
	if (!r->ready) {
		/* Whatever comes of the client means that the workload has not got its SYN, or not answered yet. */
		if ((p->tcp_flags & (TCP_SYN | TCP_RST | TCP_ACK)) != TCP_ACK || p->tcp_ack != r->cookie + 1 ||
		    p->flags & PKT_ICMP_ERROR || p->fragment)
			return drop(p, DROP_SYN_PROXY);
		if (WEFT_XDP)
			return V_UP;
		become_syn(p, r->isn, r->cookie);
		return V_NEXT;
	}
	p->proxy = PROXY_TOWARDS;
	if (p->flags & PKT_ICMP_ERROR) {
		p->tcp_seq += r->delta;
		return V_NEXT;
	}
	if (p->tcp_flags & TCP_ACK)
		p->tcp_ack += r->delta;
	if (!(p->tcp_flags & TCP_SYN))
		p->tcp_window = rescaled(p->tcp_window, s.client, s.client_read);
	p->proxy_window = p->tcp_window;
	return V_NEXT;
}

static __always_inline enum verdict from_proxied(struct pkt *p, const struct proxied *r)
{
	struct scales s = scales_of(r);

	/* What an ICMP error quotes are the client's own numbers. */
	if (p->flags & PKT_ICMP_ERROR)
		return V_NEXT;
	if (!r->ready) {
		if (!(p->tcp_flags & TCP_RST) && (p->tcp_flags & (TCP_SYN | TCP_ACK)) != (TCP_SYN | TCP_ACK))
			return drop(p, DROP_SYN_PROXY);
		if (p->behind >= BEHIND_CHOSEN_TOWARDS || p->fragment)
			return V_NEXT;
		p->proxy = p->tcp_flags & TCP_RST ? PROXY_REFUSED : PROXY_ANSWERED;
		return WEFT_XDP ? V_UP : V_NEXT;
	}
	/* Back from a function on the client's wire, in the client's numbers. */
	if (p->behind >= BEHIND_CHOSEN_TOWARDS) {
		p->tcp_seq += r->delta;
		if (!(p->tcp_flags & TCP_SYN))
			p->tcp_window = rescaled(p->tcp_window, s.workload_read, s.workload);
		return V_NEXT;
	}
	p->proxy = PROXY_BACK;
	p->proxy_window = p->tcp_flags & TCP_SYN ? p->tcp_window :
						   rescaled(p->tcp_window, s.workload, s.workload_read);
	return V_NEXT;
}

/* What ends the flow is TC, and it is to find the frame as it came. */
static __always_inline bool may_be_ended(const struct pkt *p)
{
	const struct port *port = FLOW_TARGET_KIND(p->to) == TARGET_PORT ? port_at(FLOW_TARGET_INDEX(p->to)) : NULL;

	return port && port->chain_since;
}

/* The client is to get a RST (reset.h), with the number that it waits for. */
__noinline int proxied_ends(struct pkt *p, const struct flow *f)
{
	const struct tenant *t;
	struct proxied *r;

	if (!p || !f)
		return 0;
	t = tenant_at(p->tenant);
	r = t ? proxied_find(p, t) : NULL;
	if (!r || !r->ready)
		return 0;
	if (!(*flow_flags(f, p->dir) & FLOW_ORIGINAL))
		p->tcp_seq -= r->delta;
	else if (p->proxy == PROXY_TOWARDS)
		p->tcp_ack -= r->delta;
	return 0;
}

/* Verified once for all hooks. */
__noinline int proxied_numbers(struct pkt *p, const struct flow *f)
{
	const struct tenant *t;
	struct proxied *r;

	if (!p || !f)
		return V_DROP;
	/* The ACK that began the flow. */
	if (p->proxy == PROXY_OPENS)
		return V_NEXT;
	if (WEFT_XDP && may_be_ended(p))
		return V_UP;
	t = tenant_at(p->tenant);
	r = t ? proxied_find(p, t) : NULL;
	if (!r)
		return drop(p, DROP_SYN_PROXY);
	if (r->seen != jiffies32())
		r->seen = jiffies32();
	p->proxy_cookie = r->cookie;
	p->proxy_delta = r->delta;
	return *flow_flags(f, p->dir) & FLOW_ORIGINAL ? from_client(p, r) : from_proxied(p, r);
}

#endif
