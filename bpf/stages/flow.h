/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow: what is known of the packet's flow; a new one, or one judged in an older epoch, is judged here.
 * reads:  struct pkt
 * writes: pkt.to, pkt.rule; a new flow, or the verdict and target of this direction of a known one
 * maps:   ct4 ct6 half4 half6 tenants fdb acl
 * drops:  acl_in acl_out rejected ct_invalid ct_full ct_missing icmp_unrelated sf_no_flow wrong_host
 *         not_here same_port internal
 */
#ifndef WEFT_STAGE_FLOW_H
#define WEFT_STAGE_FLOW_H

#include "lib/flow_key.h"
#include "lib/flow_table.h"
#include "stages/judge.h"
#include "stages/output_check.h"

/*
 * Where the packet's destination MAC is. Not inlined: on flow_admit's stack stands what puts a new flow into its table,
 * and 6.1 bears 512 bytes for all of it.
 */
static __noinline enum verdict resolve(struct pkt *p)
{
	const struct fdb_entry *entry = fdb_find(p->vni, p->destination_mac);

	if (!entry)
		return V_FLOOD;
	p->to = FLOW_TARGET(entry->kind, entry->index);
	/* What came from another host is never sent on to one: no loops. */
	if (FLOW_TARGET_KIND(p->from) == TARGET_HOST && entry->kind != TARGET_PORT)
		return drop(p, DROP_NOT_HERE);
	if (p->to == p->from)
		return drop(p, DROP_SAME_PORT);
	return V_NEXT;
}

/* A host speaks for the MACs that live there alone. */
static __always_inline enum verdict check_origin(struct pkt *p)
{
	const struct fdb_entry *entry;

	if (FLOW_TARGET_KIND(p->from) != TARGET_HOST)
		return V_NEXT;
	entry = fdb_find(p->vni, p->source_mac);
	if (!entry || FLOW_TARGET(entry->kind, entry->index) != p->from)
		return drop(p, DROP_WRONG_HOST);
	return V_NEXT;
}

/* Asks for a connection: SYN or INIT. */
static __always_inline bool asks_anew(const struct pkt *p)
{
	if (p->protocol == IPPROTO_TCP)
		return (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	return p->protocol == IPPROTO_SCTP && p->sctp_chunks & SCTP_CHUNK(INIT);
}

/* May this packet, which belongs to no flow, begin one? */
static __always_inline bool may_begin(const struct pkt *p, const struct tenant *t)
{
	switch (p->protocol) {
	case IPPROTO_TCP:
		return (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN ||
		       (t->flags & TENANT_LOOSE &&
			(p->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK)) == TCP_ACK);
	case IPPROTO_SCTP:
		return sctp_begins(p) || (t->flags & TENANT_LOOSE && sctp_goes_on(p));
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return p->flags & PKT_ICMP_QUERY;
	}
	return true;
}

/* ICMP that is neither query, reply nor error (ND between workloads, say) is judged packet by packet. */
static __always_inline bool is_stateless(const struct pkt *p)
{
	if (p->family == FAMILY_NONE)
		return true;
	return (p->protocol == IPPROTO_ICMP || p->protocol == IPPROTO_ICMPV6) &&
	       !(p->flags & (PKT_ICMP_QUERY | PKT_ICMP_REPLY | PKT_ICMP_ERROR));
}

/* The client begins anew while its workload has not answered the SYN proxy. */
static __always_inline bool is_given_up(const struct flow *f, const struct pkt *p)
{
	__u8 flags = *flow_flags(f, p->dir);

	return flags & FLOW_PROXIED && flags & FLOW_ORIGINAL && !(p->flags & PKT_NO_CREATE) &&
	       FLOW_TCP_HALF(*flow_tcp(f, p->dir ^ 1)) == TCP_HALF_NONE;
}

/* Over: idle too long, or a closed connection whose ports are used anew. */
static __always_inline bool flow_is_over(const struct flow *f, const struct pkt *p, const struct tenant *t)
{
	if (asks_anew(p) && (flow_is_closed(f, p->flow_protocol) || is_given_up(f, p)))
		return true;
	return flow_expired(f, p->flow_protocol, t);
}

/* The port's record with its chain is written before the epoch: what begins in between is not older than the chain. */
static __always_inline __u32 born_at(__u32 epoch, __u32 end)
{
	const struct port *port = FLOW_TARGET_KIND(end) == TARGET_PORT ? port_at(FLOW_TARGET_INDEX(end)) : NULL;

	return port && flow_is_older(epoch, port->chain_since) ? port->chain_since : epoch;
}

static __always_inline __u32 flow_birth(const struct pkt *p, __u32 epoch)
{
	return born_at(born_at(epoch, p->from), p->to);
}

/* `chosen`: the chains that the rules chose for its sender and its receiver. */
static __always_inline void flow_begin(struct flow *f, struct pkt *p, const struct tenant *t, __u32 epoch,
				       const __u32 chosen[2])
{
	struct flow_path *us = flow_our_path(f, p), *them = flow_their_path(f, p);

	__builtin_memset(f, 0, sizeof(*f));
	f->dir[0].last_seen = f->dir[1].last_seen = jiffies32();
	us->epoch = them->epoch = epoch;
	us->source = them->target = p->from | chosen[FROM_WORKLOAD] << 16;
	us->target = them->source = p->to | chosen[TO_WORKLOAD] << 16;
	f->rule = p->rule;
	us->flags = FLOW_ORIGINAL;
	f->first = p->protocol == IPPROTO_TCP ? p->tcp_flags : p->icmp_type;
	f->first_code = p->icmp_code;
	f->born = flow_birth(p, epoch);
	mac_copy(us->mac, p->destination_mac);
	mac_copy(them->mac, p->source_mac);
	/* Picked up in the middle (loose): both ends are believed to have shaken hands. */
	if (p->protocol == IPPROTO_TCP && !(p->tcp_flags & TCP_SYN))
		window_pick_up(p, f);
	else if (p->protocol == IPPROTO_SCTP && !sctp_begins(p))
		sctp_set(f, SCTP_ESTABLISHED);
	else if (!shakes_hands(p->protocol))
		f->dir[0].began = f->dir[1].began = jiffies32();
}

/* The flow that lies in scratch was put in, or was not. */
static __always_inline enum verdict flow_inserted(struct pkt *p, const struct flow *f, long error)
{
	/* -EEXIST: another CPU was faster with the same flow: this packet goes on with that. */
	if (!error || error == -EEXIST)
		return V_NEXT;
	if (error == -E2BIG)
		flow_tell_full(p, f);
	return drop(p, error == -E2BIG ? DROP_CT_FULL : error == -ENOENT ? DROP_CT_MISSING : DROP_INTERNAL);
}

/* The flow that lies in scratch: 0, -EEXIST, or why not. */
static __always_inline long flow_store(struct pkt *p, const struct flow *f)
{
	bool handshake = p->protocol == IPPROTO_TCP ? p->tcp_flags & TCP_SYN :
						      p->protocol == IPPROTO_SCTP && sctp_begins(p);
	union flow_key key;
	void *table;

	if (!handshake)
		return flow_insert(p);
	key = key_of(p);
	/* Any expired or closed flow with this key was removed by flow_admit. */
	table = half_table(p);
	return table ? bpf_map_update_elem(table, &key, f, BPF_NOEXIST) : -ENOENT;
}

#endif
