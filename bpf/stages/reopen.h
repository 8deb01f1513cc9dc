/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * reopen: a SYN, or INIT, with the ports of an established connection. If both ends have forgotten that one (a host that crashed and
 * uses its ports again), they shake hands anew, and only we remember. So the handshake is followed beside it, in the half-open
 * table, and takes its place once both ends have acknowledged; until then nothing is taken from the established one, and what
 * fits that belongs to it. A forged SYN gets no answer but a challenge ACK, and its entry ends as other handshakes do.
 * reads:  struct pkt, the established flow
 * writes: a flow in the half-open table, pkt.tcp_fit
 * maps:   half4 half6 tenants
 * drops:  those of tcp_check
 */
#ifndef WEFT_STAGE_REOPEN_H
#define WEFT_STAGE_REOPEN_H

#include "stages/flow.h"

/* The SYN passes, and the established flow stays: here begins the other. Who may speak to whom is asked as before. */
__noinline int reopen_begin(struct pkt *p, const struct flow *established)
{
	struct scratch *room = scratch_here();
	union flow_key key;
	struct flow *f;
	void *table;

	if (!p || !established || !room)
		return 0;
	table = half_table(p);
	if (!table)
		return 0;
	key = key_of(p);
	f = &room->flow;
	*f = *established;
	f->first = p->tcp_flags;
	f->born = flow_birth(p, flow_our_path(f, p)->epoch);
	for (int i = 0; i < 2; i++) {
		f->path[i].flags &= ~(FLOW_CLOSING | FLOW_LIBERAL);
		f->path[i].tcp = 0;
		f->dir[i].packets = f->dir[i].bytes = 0;
		f->dir[i].packets_high = f->dir[i].bytes_high = 0;
		f->dir[i].last_seen = jiffies32();
	}
	if (p->protocol == IPPROTO_TCP)
		syn_learn(p, f);
	else
		sctp_begin_beside(p, f);
	return bpf_map_update_elem(table, &key, f, BPF_ANY);
}

/*
 * What does not move the established flow may belong to the handshake beside it. Returns that flow where it does; else NULL,
 * and the packet is as it was.
 */
static __noinline struct flow *reopen_find(struct pkt *p)
{
	const struct tenant *t = tenant_at(p->tenant);
	__u8 fit = p->tcp_fit, reason = p->reason;
	struct flow *f = half_find(p);

	if (!f || !t || flow_expired(f, p->protocol, t))
		return NULL;
	/* The other end's SYN is no answer to this one's. */
	if (asks_anew(p) && !is_original(p, f))
		return NULL;
	p->flags |= PKT_HALF_OPEN;
	p->tcp_fit = TCP_BESIDE;
	if (!(p->protocol == IPPROTO_TCP ? tcp_check_slowly(p, f) : sctp_check(p, f)) && !(p->tcp_fit & TCP_STAYS))
		return f;
	p->flags &= ~PKT_HALF_OPEN;
	p->tcp_fit = fit;
	p->reason = reason;
	return NULL;
}

/* Not beside a connection of the SYN proxy, whose numbers are not the client's: there the challenge ACK ends it first. */
static __always_inline bool may_reopen(const struct pkt *p, __u8 flags)
{
	return shakes_hands(p->protocol) && !(p->flags & PKT_HALF_OPEN) && !(flags & FLOW_PROXIED);
}

static __always_inline bool begins_beside(const struct pkt *p)
{
	return asks_anew(p) || (p->protocol == IPPROTO_SCTP && sctp_begins(p));
}

#endif
