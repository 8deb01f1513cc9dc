/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * returned: what a function has given back: which chain, which step of it, which pass, which workload. Told by the device,
 * the tag with its PCP if the chain has one, and the protected workload's MAC; of a function on another host by that (nsh.h); by
 * nothing that a workload can write. Of a chain that a rule chose, the flow has to say so too (chosen.h).
 * reads:  struct pkt
 * writes: pkt.from, port, tenant, vni, zone, behind, back_chain, back_port
 * maps:   sf chains functions port_slots fdb flood tenants acl
 * drops:  acl_in sf_untagged sf_unknown sf_no_flow, and those of antispoof
 */
#ifndef WEFT_STAGE_RETURNED_H
#define WEFT_STAGE_RETURNED_H

#include "stages/antispoof.h"
#include "stages/chosen.h"
#include "stages/copies.h"
#include "stages/flood.h"
#include "stages/insert.h"

struct returned {
	__u32 chain;
	__u32 pcp;
	__u32 step;
	__u32 instance;
	__u32 away;		/* SF_AWAY: of a port of another host, which judges; 0: of this one */
};

static __always_inline const struct sf_return *sf_find(const struct pkt *p, __u32 tci, const __u8 mac[6])
{
	struct sf_key key = { .ifindex = p->ifindex, .tci = tci };

	__builtin_memcpy(key.mac, mac, ETH_ALEN);
	return bpf_map_lookup_elem(&sf, &key);
}

static __always_inline void belongs_to(struct pkt *p, const struct port *port)
{
	p->tenant = port->tenant;
	p->zone = port->network;
	p->vni = port->vni;
}

/* On this port's wire, by which a frame comes back on its way from the workload or towards it. */
static __always_inline void comes_back(struct pkt *p, const struct sf_return *found, const struct port *port, __u32 pcp)
{
	bool leaving = pcp == PCP_LEAVING;

	belongs_to(p, port);
	p->back_port = found->port;
	p->back_chain = 0;
	p->on_wire = port->chain == found->chain;
	if (p->on_wire) {
		p->behind = leaving ? BEHIND_NONE : BEHIND_ALL;
		return;
	}
	/* A rule chose the chain for a flow, if anybody did. */
	p->behind = leaving ? BEHIND_CHOSEN_LEAVING : BEHIND_CHOSEN_TOWARDS;
	p->back_chain = found->chain;
	p->flags |= PKT_NO_CREATE;
}

/* Is the function in that wire, for all or for this flow? */
static __always_inline bool is_in_wire(struct pkt *p, const struct sf_return *found, __u32 pcp)
{
	const struct port *port;

	/* Whether it is in a wire of another host that knows. */
	if (SF_IS_AWAY(found->port))
		return true;
	port = port_at(found->port);
	if (!port)
		return false;
	comes_back(p, found, port, pcp);
	return !p->back_chain || is_named_back(p);
}

static __always_inline bool may_be_made(const struct pkt *p)
{
	bool is_rst = p->protocol == IPPROTO_TCP && p->tcp_flags & TCP_RST;

	return (is_rst || p->flags & PKT_ICMP_ERROR) && !(p->flags & PKT_MULTICAST);
}

/*
 * A RST or an ICMP error that the function has made itself: it has the tag, but no pass (PCP 0), since no frame of it ever
 * went there, and comes by whichever arm. Its pass follows from whose wire the function is in: the receiver's, or else
 * the sender's; of both, it would go to the function once more, which lets nothing of the flow pass by now. It ends what
 * is there, and begins nothing.
 */
static __always_inline const struct sf_return *find_made(struct pkt *p, struct returned *back)
{
	const struct sf_return *towards, *leaving;

	if (!may_be_made(p))
		return NULL;
	p->flags |= PKT_MADE | PKT_NO_CREATE;
	back->pcp = PCP_TOWARDS;
	towards = sf_find(p, p->tci, p->destination_mac);
	leaving = sf_find(p, p->tci, p->source_mac);
	if (towards && (!leaving || is_in_wire(p, towards, PCP_TOWARDS)))
		return towards;
	back->pcp = PCP_LEAVING;
	return leaving;
}

static __always_inline const struct sf_return *find_towards(const struct pkt *p, __u32 tci)
{
	static const __u8 all_ones[ETH_ALEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	return sf_find(p, tci, p->flags & PKT_MULTICAST ? all_ones : p->destination_mac);
}

static __always_inline const struct sf_return *find_tagged(struct pkt *p, struct returned *back)
{
	/* A frame without a tag is another than one with the tag 0, which no chain has. */
	if (!(p->tci & VID_MASK))
		return NULL;
	back->pcp = p->tci >> PCP_SHIFT;
	if (back->pcp == PCP_MADE)
		return find_made(p, back);
	return back->pcp == PCP_LEAVING ? sf_find(p, p->tci, p->source_mac) : find_towards(p, p->tci);
}

/*
 * Without a tag device and MACs tell the pass: who sends it is the workload, or who gets it. No two of a chain's workloads on
 * this host can send to each other where that would not do (loader/untagged.c). Nothing tells what the function has made from
 * what it has let pass, so any RST or ICMP error may be its own.
 */
static __always_inline const struct sf_return *find_untagged(struct pkt *p, struct returned *back)
{
	const struct sf_return *found;

	back->pcp = PCP_LEAVING;
	found = sf_find(p, PCP_LEAVING << PCP_SHIFT, p->source_mac);
	if (!found) {
		back->pcp = PCP_TOWARDS;
		found = find_towards(p, PCP_TOWARDS << PCP_SHIFT);
	}
	if (!found)
		return find_made(p, back);
	if (may_be_made(p))
		p->flags |= PKT_MADE;
	return found;
}

/* Broadcast towards the workloads: the network is the one in which the sender's MAC is known, or that NSH names. */
static __always_inline enum verdict find_sender(struct pkt *p, const struct chain *chain)
{
	const struct network *network;
	const struct fdb_entry *entry;

	for (int i = 0; i < CHAIN_NETWORKS; i++) {
		if (!chain->vnis[i])
			break;
		if (p->vni && p->vni != chain->vnis[i])
			continue;
		entry = fdb_find(chain->vnis[i], p->source_mac);
		network = network_of(chain->vnis[i]);
		if (!entry || !network)
			continue;
		p->vni = chain->vnis[i];
		p->tenant = network->tenant;
		p->zone = network->slot;
		p->from = FLOW_TARGET(entry->kind, entry->index);
		return V_NEXT;
	}
	return drop(p, DROP_SF_UNKNOWN);
}

static __always_inline enum verdict returned_towards(struct pkt *p, const struct sf_return *found)
{
	const struct chain *chain = chain_at(found->chain);
	const struct fdb_entry *entry;
	const struct port *port;

	/* Where it is leaving, antispoof says so. */
	if (!chain || speaks_as_router(p))
		return drop(p, DROP_SF_UNKNOWN);
	p->flags |= PKT_NO_CREATE;
	if (p->flags & PKT_MULTICAST)
		return find_sender(p, chain);
	port = port_at(found->port);
	if (!port)
		return drop(p, DROP_SF_UNKNOWN);
	comes_back(p, found, port, PCP_TOWARDS);
	entry = fdb_find(p->vni, p->source_mac);
	if (!entry)
		return drop(p, DROP_SF_UNKNOWN);
	p->from = FLOW_TARGET(entry->kind, entry->index);
	return V_NEXT;
}

/*
 * Does the step, as the chain's record has it by now, end at this device? While steps change nothing may miss one. What the
 * function made itself comes by either, and from a tap comes nothing.
 */
__noinline int step_ends_here(const struct pkt *p, __u32 slot, __u32 n, __u32 instance, __u32 pcp)
{
	const struct chain *chain = chain_at(slot);
	const struct chain_step *step;
	__u32 leaving, towards;

	if (!p || !chain || n >= chain->steps)
		return false;
	step = chain_step(chain, n);
	if (step->flags & STEP_TAP)
		return false;
	leaving = entrance(step, instance, PCP_LEAVING);
	towards = entrance(step, instance, PCP_TOWARDS);
	if (p->flags & PKT_MADE)
		return p->ifindex == towards || p->ifindex == leaving;
	return p->ifindex == (pcp == PCP_LEAVING ? towards : leaving);
}

/* Of a port of this host. */
static __always_inline enum verdict returned_for(struct pkt *p, const struct sf_return *found, struct returned *back)
{
	const struct port *port;

	back->chain = found->chain;
	back->step = found->step;
	back->instance = found->instance;
	if (back->pcp != PCP_LEAVING)
		return returned_towards(p, found);
	port = port_at(found->port);
	if (!port)
		return drop(p, DROP_SF_UNKNOWN);
	p->port = found->port;
	p->from = FLOW_TARGET(TARGET_PORT, found->port);
	comes_back(p, found, port, PCP_LEAVING);
	/* No flow is everybody's. */
	if (p->back_chain && p->flags & PKT_MULTICAST)
		return drop(p, DROP_SF_NO_FLOW);
	/* A function speaks for the workload whose wire it is in, and for no other. */
	return antispoof(p, port);
}

/* ARP and ND end at the port; none ever went to a function. */
static __always_inline bool never_went(const struct pkt *p)
{
	return p->ethertype == ETH_P_ARP || is_nd(p);
}

/* Of what is for everybody, a copy of this host's own may be in the function as well. */
static __always_inline __u32 away_of(ctx_t *ctx, const struct pkt *p, const struct sf_return *found, __u32 pcp)
{
	if (!SF_IS_AWAY(found->port))
		return 0;
#if !WEFT_XDP
	if (p->flags & PKT_MULTICAST && pcp != PCP_LEAVING)
		return copy_take(ctx, p, COPY_AT(found->chain, found->step, found->instance));
#endif
	return found->port;
}

/* From a function's device. */
__noinline int returned(ctx_t *ctx, struct pkt *p, struct returned *back)
{
	const struct sf_return *found;

	if (!p || !back)
		return V_DROP;
	/* XDP does not use it; then clang would pass anything, and the verifier refuse that. */
	asm volatile("" : : "r"(ctx));
	/* XDP does not see a tag that is kept beside the frame: TC does. */
	if (WEFT_XDP && !p->tags)
		return V_UP;
	found = p->tags ? find_tagged(p, back) : find_untagged(p, back);
	if (!found)
		return drop(p, p->tags ? DROP_SF_UNKNOWN : DROP_SF_UNTAGGED);
	if (p->tags > 1 || p->service_tag || never_went(p))
		return drop(p, DROP_SF_UNKNOWN);
	if (!step_ends_here(p, found->chain, found->step, found->instance, back->pcp))
		return drop(p, DROP_SF_UNKNOWN);
	if (WEFT_XDP && p->flags & PKT_MULTICAST && SF_IS_AWAY(found->port))
		return V_UP;
	back->away = away_of(ctx, p, found, back->pcp);
	if (back->away) {
		back->chain = found->chain;
		back->step = found->step;
		back->instance = found->instance;
		return V_NEXT;
	}
	return returned_for(p, found, back);
}

#if !WEFT_XDP
/*
 * One copy went to the function if any port's ACL let the frame in, and the function may have made it itself: so each
 * port's is asked, without counting or logging a second time.
 */
static __always_inline bool lets_in(const struct pkt *p, __u32 slot)
{
	const struct tenant *t = tenant_at(p->tenant);
	struct acl_query q = { .port = slot, .direction = TO_WORKLOAD };

	if (!t)
		return false;
	query_from(&q, p);
	acl_classify(&q, t);
	return !q.chain && (q.action == ACL_ALLOW || t->flags & TENANT_MONITOR);
}

/* To the ports of this network that the chain protects. */
__noinline int returned_copy(ctx_t *ctx, struct pkt *p, __u32 slot, __u32 chain)
{
	const struct port *port = port_at(slot);

	if (!p)
		return V_DROP;
	if (!port || !port->ifindex || !is_of_network(port, p) || port->chain != chain ||
	    p->from == FLOW_TARGET(TARGET_PORT, slot))
		return V_NEXT;
	if (!lets_in(p, slot))
		return drop(p, DROP_ACL_IN);
	if (copy_to_port(ctx, port))
		return drop(p, DROP_FLOOD_FAILED);
	count_to(p, slot);
	/* The first one's. */
	return copy_taps(ctx, p, PCP_TOWARDS);
}
#endif

static __always_inline enum verdict returned_multicast(ctx_t *ctx, struct pkt *p, const struct returned *back)
{
#if WEFT_XDP
	return V_UP;
#else
	const struct network *network = network_of(p->vni);
	enum verdict v;
	__u32 targets;

	if (!network)
		return drop(p, DROP_NETWORK_UNKNOWN);
	if (is_made_up(p))
		return drop(p, DROP_SF_NO_FLOW);
	v = unwrap(ctx, p);
	if (v)
		return v;
	targets = network->flood;
	for (__u32 n = 0; n < FLOOD_MAX; n++) {
		struct flood_key key = { .vni = p->vni, .n = n };
		struct flood_target *target;

		if (n >= targets)
			break;
		target = bpf_map_lookup_elem(&flood, &key);
		/* Local ports stand first. */
		if (!target || target->kind != TARGET_PORT)
			break;
		if (returned_copy(ctx, p, target->index, back->chain))
			count_drop(p->reason);
	}
	return V_CONSUMED;
#endif
}

#endif
