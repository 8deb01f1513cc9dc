/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * nsh: a frame on a service path: for a function of this host, or back from one of another (docs/NSH.md). A host is believed
 * for paths that protect ports of its own, and what comes back for functions that it runs. The service index tells the
 * step; a frame comes here once with each, so none goes round.
 * reads:  NSH, struct pkt
 * writes: the frame; pkt.vni, tci, ifindex, instance, action; those of returned
 * maps:   nsh_paths chains functions sf fdb port_slots, and those of returned and copies
 * drops:  nsh_path nsh_index nsh_mac nsh_copies sf_down sf_unknown internal, and those of returned and unwrap
 */
#ifndef WEFT_STAGE_NSH_H
#define WEFT_STAGE_NSH_H

#include "stages/output.h"
#include "stages/returned.h"

#define NO_PLACE FUNCTION_INSTANCES

static __always_inline __u32 sender_of(const struct pkt *p)
{
	return FLOW_TARGET_INDEX(p->from);
}

/* Which of four VNIs it is; CHAIN_NETWORKS: none. */
static __always_inline __u32 network_among(const __u32 vnis[CHAIN_NETWORKS], __u32 vni)
{
	for (__u32 i = 0; i < CHAIN_NETWORKS; i++)
		if (vnis[i] == vni && vni)
			return i;
	return CHAIN_NETWORKS;
}

/* Where the function has the instance; a function of its own, since the search has many outcomes. */
__noinline int place_of_instance(__u32 slot, __u32 id)
{
	const struct function *f = slot ? function_at(slot) : NULL;
	int place = NO_PLACE;

	if (!f || !id)
		return NO_PLACE;
	for (int i = 0; i < FUNCTION_INSTANCES; i++)
		if (f->instance[i].id == id)
			place = i;
	return place;
}

/* The path, and where on it the frame is; *home: it is back from the step, else it is to go there. */
static __always_inline enum verdict find_path(struct pkt *p, const struct nsh *nsh, struct returned *back, bool *home)
{
	const struct host_config *us = this_host();
	const struct host *sender = host_at(sender_of(p));
	__u32 judge = *(const __u32 *)nsh->judge, service = bpf_ntohl(nsh->service), place;
	struct nsh_path_key key = { .path = NSH_SPI_OF(service) >> 1 };
	const struct nsh_path *path;
	const struct chain *chain;

	if (!us || !sender)
		return drop(p, DROP_INTERNAL);
	*home = judge == *(const __u32 *)us->vtep4;
	if (!*home && judge != *(const __u32 *)sender->vtep4)
		return drop(p, DROP_NSH_PATH);
	key.host = *home ? us->slot : sender_of(p);
	path = bpf_map_lookup_elem(&nsh_paths, &key);
	chain = path ? chain_at(path->chain) : NULL;
	if (!chain || network_among(path->vnis, p->vni) == CHAIN_NETWORKS)
		return drop(p, DROP_NSH_PATH);
	back->chain = path->chain;
	back->pcp = NSH_SPI_OF(service) & 1 ? PCP_TOWARDS : PCP_LEAVING;
	p->tci = bpf_ntohl(nsh->tag) >> 16;
	if (p->tci != (back->pcp << PCP_SHIFT | chain->tag) && p->tci != (PCP_MADE << PCP_SHIFT | chain->tag))
		return drop(p, DROP_NSH_PATH);
	place = NSH_SI_FIRST - *home - NSH_SI_OF(service);
	if (place >= chain->steps)
		return drop(p, DROP_NSH_INDEX);
	back->step = step_at(chain, back->pcp, place);
	back->instance = place_of_instance(chain_step(chain, back->step)->function, bpf_ntohl(nsh->instance));
	return back->instance >= NO_PLACE ? drop(p, DROP_NSH_INDEX) : V_NEXT;
}

/* The protected workload's. */
static __always_inline const __u8 *mac_of_workload(const struct pkt *p, __u32 pcp)
{
	return pcp == PCP_LEAVING ? p->source_mac : p->destination_mac;
}

static __always_inline bool is_for_all(const struct pkt *p, const struct returned *back)
{
	return back->pcp == PCP_TOWARDS && p->flags & PKT_MULTICAST;
}

/* ---- for a function of this host ---- */

/* Whose it will be when it is back is what `sf` says of it: that must be the sender's. Returns its SF_AWAY, or 0. */
static __always_inline __u32 find_away(const struct pkt *p, const struct chain *chain, const struct returned *back)
{
	static const __u8 all_ones[ETH_ALEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	__u32 wanted = SF_AWAY(sender_of(p), network_among(chain->vnis, p->vni));
	bool for_all = is_for_all(p, back);
	const struct sf_return *found = sf_find(p, p->tci, for_all ? all_ones : mac_of_workload(p, back->pcp));

	if (!found || found->chain != back->chain || found->step != back->step || found->instance != back->instance)
		return 0;
	if (for_all)
		return SF_IS_AWAY(found->port) && network_among(chain->vnis, p->vni) < CHAIN_NETWORKS ? wanted : 0;
	return found->port == wanted ? wanted : 0;
}

static __always_inline enum verdict into_function(ctx_t *ctx, struct pkt *p, const struct returned *back, __u32 entrance)
{
	enum verdict v = unwrap(ctx, p);

	if (v)
		return v;
	if (op_push_tag(ctx, p->tci))
		return drop(p, DROP_INTERNAL);
	p->instance = back->instance;
	count_sent(p, back->chain, back->step);
	p->action = op_send(ctx, entrance);
	return V_SENT;
}

__noinline int for_function(ctx_t *ctx, struct pkt *p, const struct returned *back)
{
	const struct sf_instance *one;
	const struct chain *chain;
	const struct function *f;
	__u32 away, entrance;

	if (!p || !back)
		return V_DROP;
	chain = chain_at(back->chain);
	f = chain ? function_at(chain_step(chain, back->step)->function) : NULL;
	if (!f)
		return drop(p, DROP_INTERNAL);
	one = instance_at(f, back->instance);
	if (is_away(one))
		return drop(p, DROP_NSH_INDEX);
	if (!(f->present >> (back->instance & (FUNCTION_INSTANCES - 1)) & 1))
		return drop(p, DROP_SF_DOWN);
	if (WEFT_XDP && (!chain_takes_xdp(back->chain) || is_for_all(p, back)))
		return V_UP;
	entrance = instance_entrance(one, back->pcp);
	p->ifindex = instance_entrance(one, back->pcp == PCP_LEAVING ? PCP_TOWARDS : PCP_LEAVING);
	away = find_away(p, chain, back);
	if (!away)
		return drop(p, DROP_NSH_MAC);
#if !WEFT_XDP
	if (is_for_all(p, back) && copy_put(ctx, p, COPY_AT(back->chain, back->step, back->instance), away))
		return drop(p, DROP_NSH_COPIES);
#endif
	return into_function(ctx, p, back, entrance);
}

/* ---- back from another host's ---- */

/* The workload's port; -1: it has none here. Whether the path protects it, returned_for() asks. */
static __always_inline int find_protected(const struct pkt *p, const struct returned *back)
{
	const __u8 *mac = mac_of_workload(p, back->pcp);
	const struct fdb_entry *entry = fdb_find(p->vni, mac);
	const struct port *port = entry && entry->kind == TARGET_PORT ? port_at(entry->index) : NULL;

	return port && port->vni == p->vni && mac_equal(port->mac, mac) ? (int)entry->index : -1;
}

__noinline int from_away(struct pkt *p, struct returned *back)
{
	struct sf_return found = {};
	const struct sf_instance *one;
	const struct chain *chain;
	int port;

	if (!p || !back)
		return V_DROP;
	chain = chain_at(back->chain);
	one = chain ? step_instance(chain_step(chain, back->step), back->instance) : NULL;
	if (!one)
		return drop(p, DROP_INTERNAL);
	if (!is_away(one) || one->leaving_ifindex != sender_of(p))
		return drop(p, DROP_NSH_INDEX);
	if (never_went(p))
		return drop(p, DROP_SF_UNKNOWN);
	if (p->tci >> PCP_SHIFT == PCP_MADE) {
		if (!may_be_made(p))
			return drop(p, DROP_SF_UNKNOWN);
		p->flags |= PKT_MADE | PKT_NO_CREATE;
	}
	port = is_for_all(p, back) ? 0 : find_protected(p, back);
	if (port < 0)
		return drop(p, DROP_NSH_MAC);
	found.port = port;
	found.chain = back->chain;
	found.step = back->step;
	found.instance = back->instance;
	return returned_for(p, &found, back);
}

/* V_NEXT: it is back, and *back tells from where. */
static __always_inline enum verdict nsh(ctx_t *ctx, struct pkt *p, struct returned *back)
{
	const struct nsh *header = at(ctx, OUTER_LEN, sizeof(*header));
	bool home = false;
	enum verdict v;

	if (!header)
		return drop(p, DROP_NSH_BAD);
	v = find_path(p, header, back, &home);
	if (v)
		return v;
	return home ? from_away(p, back) : for_function(ctx, p, back);
}

#endif
