/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flood: broadcast, multicast and unknown unicast, copied to the ports of this host and to the hosts that
 * have ports in the network, and to no other. TC alone: XDP cannot copy. Judged packet by packet, since a
 * copy has no one flow: ACL out once, ACL in for each receiver.
 * reads:  struct pkt
 * writes: copies of the frame; the frame itself is spent
 * maps:   flood networks port_slots hosts next_hops chains
 * drops:  acl_out acl_in reject_silent chain_no_flow sf_no_flow flood_failed link_local icmp_unrelated, and those of insert
 *         and output
 */
#ifndef WEFT_STAGE_FLOOD_H
#define WEFT_STAGE_FLOOD_H

#if !WEFT_XDP

#include "stages/output.h"

/* With the port's tag, if it has one; the frame is as before after it. */
static __always_inline int copy_to_port(ctx_t *ctx, const struct port *port)
{
	if (port->vid && bpf_skb_vlan_push(ctx, bpf_htons(ETH_P_8021Q), port->vid))
		return -1;
	op_copy(ctx, port->ifindex);
	return port->vid ? bpf_skb_vlan_pop(ctx) : 0;
}

/* The step that a copy goes to, as next_step(). */
static __always_inline int copy_step(struct pkt *p, __u32 slot)
{
	int step = next_step(p, slot, PCP_TOWARDS, 0);

	/* Of this copy, not of the frame. */
	if (p->skipped[TO_WORKLOAD]) {
		if (step != STEPS_DOWN)
			count_round(p, TO_WORKLOAD);
		p->skipped[TO_WORKLOAD] = 0;
		p->round[TO_WORKLOAD] = 0;
	}
	return step;
}

/* Into the instance, which is of this host. The frame is as before after it. */
static __always_inline enum verdict copy_to_step(ctx_t *ctx, struct pkt *p, __u32 slot, __u32 step)
{
	const struct chain *chain = chain_at(slot);

	if (!chain)
		return drop(p, DROP_INTERNAL);
	if (tag_on(ctx, chain, PCP_TOWARDS))
		return drop(p, DROP_FLOOD_FAILED);
	count_sent(p, slot, step);
	op_copy(ctx, entrance(chain_step(chain, step), p->instance, PCP_TOWARDS));
	return tag_off(ctx, chain) ? drop(p, DROP_FLOOD_FAILED) : V_SENT;
}

/* Where the chain stands in the list; FLOOD_CHAINS: there is no room. */
static __always_inline __u32 place_of_chain(struct flooding *state, __u32 chain, bool *first)
{
	for (__u32 i = 0; i < FLOOD_CHAINS; i++) {
		if (state->chains[i] == chain)
			return i;
		if (!state->chains[i]) {
			state->chains[i] = chain;
			*first = true;
			return i;
		}
	}
	return FLOOD_CHAINS;
}

/*
 * V_SENT: a copy has gone into the chain, or will go once all of this host have theirs; V_NEXT: there is nothing in it but taps, or
 * no function takes it.
 */
static __always_inline enum verdict flood_to_step(ctx_t *ctx, struct pkt *p, struct flooding *state, __u32 chain,
						  __u32 place)
{
	int step = copy_step(p, chain);

	if (step == STEPS_DOWN || copy_taps(ctx, p, PCP_TOWARDS))
		return V_DROP;
	if (step == STEPS_DONE) {
		state->round |= 1 << place;
		return V_NEXT;
	}
	if (!step_is_away(chain, step, p->instance))
		return copy_to_step(ctx, p, chain, step);
	place &= FLOOD_CHAINS - 1;
	state->away |= 1 << place;
	state->step[place] = step;
	state->instance[place] = p->instance;
	return V_SENT;
}

/*
 * One copy a chain, whatever the number of its ports: what it returns goes to all of them. V_NEXT: past the chain. For more chains
 * than there is room for it is lost.
 */
static __always_inline enum verdict flood_to_chain(ctx_t *ctx, struct pkt *p, struct flooding *state, __u32 chain)
{
	bool first = false;
	__u32 place = place_of_chain(state, chain, &first);

	if (first)
		return flood_to_step(ctx, p, state, chain, place);
	if (place == FLOOD_CHAINS)
		return drop(p, DROP_FLOOD_FAILED);
	return state->round & 1 << place ? V_NEXT : V_SENT;
}

static __always_inline struct acl_query *new_query(void)
{
	struct scratch *s = scratch_here();

	if (!s)
		return NULL;
	__builtin_memset(&s->query, 0, sizeof(s->query));
	return &s->query;
}

/*
 * What goes to everybody is never answered with a reject (RFC 1122, 3.2.2). Nor does it go through a chain that a rule
 * chose: what comes back from there is believed by its flow alone.
 */
static __always_inline enum verdict judge_flooded(struct pkt *p, struct acl_query *q, const struct tenant *t,
						  __u32 port, enum weft_direction direction)
{
	enum verdict v = judge_port(p, q, t, port, direction);

	account(p, q, false);
	if (!v && q->chain)
		return drop(p, DROP_CHAIN_NO_FLOW);
	return v == V_REJECT ? drop(p, DROP_REJECT_SILENT) : v;
}

__noinline int flood_to_port(ctx_t *ctx, struct pkt *p, struct flooding *state, __u32 slot)
{
	const struct port *port = port_at(slot);
	struct acl_query *q = new_query();
	const struct tenant *t;
	enum verdict v;
	__u32 chain;

	if (!p || !state)
		return V_DROP;
	t = tenant_at(p->tenant);
	if (!port || !t || !q)
		return drop(p, DROP_INTERNAL);
	if (!port->ifindex || !is_of_network(port, p) || p->from == FLOW_TARGET(TARGET_PORT, slot))
		return V_NEXT;
	query_from(q, p);
	v = judge_flooded(p, q, t, slot, TO_WORKLOAD);
	if (v)
		return v;
	chain = chain_on_wire(p, port, TO_WORKLOAD);
	if (chain) {
		v = flood_to_chain(ctx, p, state, chain);
		if (v)
			return v == V_SENT ? V_NEXT : v;
	}
	if (copy_to_port(ctx, port))
		return drop(p, DROP_FLOOD_FAILED);
	count_to(p, slot);
	return V_NEXT;
}

/* Makes room for the headers, or puts others in their place. Who gets NSH comes after who gets none. */
static __always_inline enum verdict flood_encap(ctx_t *ctx, struct pkt *p, struct flooding *state,
						const struct outer_words *outer, const struct nsh *nsh)
{
	__u32 had = state->encapsulated, wanted = nsh ? AWAY_LEN : OUTER_LEN;

	/* Of a super-packet the kernel knows where the headers are. */
	if (!had ? op_encap(ctx, p, outer, nsh) :
		   had < wanted && (ctx->gso_size || bpf_skb_change_head(ctx, NSH_BYTES, 0)))
		return drop(p, DROP_ENCAP_FAILED);
	state->encapsulated = wanted;
	return had && op_put_outer(ctx, outer, nsh) ? drop(p, DROP_FLOOD_FAILED) : V_NEXT;
}

/* To one host after the other; only the headers change. */
__noinline int flood_to_host(ctx_t *ctx, struct pkt *p, struct flooding *state, __u32 slot, const struct nsh *nsh)
{
	struct next_hop *hop = next_hop_of(slot);
	const struct host *to = host_at(slot);
	struct outer_words outer;
	enum verdict v;

	if (!p || !state)
		return V_DROP;
	if (!to || !hop || !*(const __u32 *)to->vtep4)
		return drop(p, DROP_HOST_UNKNOWN);
	if (!next_hop_fresh(hop, to, 1) && next_hop_refresh(ctx, slot)) {
		/* A copy cannot wait for the neighbour: let the kernel find it for the next one. */
		return drop(p, DROP_NO_ROUTE);
	}
	if (!outer_for(ctx, p, hop, nsh, &outer))
		return drop(p, DROP_TOO_BIG);
	v = flood_encap(ctx, p, state, &outer, nsh);
	if (v)
		return v;
	ctx->mark = 0;
	return bpf_clone_redirect(ctx, hop->ifindex, 0) ? drop(p, DROP_FLOOD_FAILED) : V_NEXT;
}

/* To the function of another host that is to have one of the chains' copy. */
__noinline int flood_away(ctx_t *ctx, struct pkt *p, struct flooding *state, __u32 place)
{
	struct scratch *room = scratch_here();
	enum verdict v;

	if (!p || !state)
		return V_DROP;
	place &= FLOOD_CHAINS - 1;
	p->instance = state->instance[place];
	v = to_away(p, state->chains[place], PCP_TOWARDS, state->step[place]);
	if (v != V_AWAY || !room)
		return V_DROP;
	count_sent(p, state->chains[place], state->step[place]);
	return flood_to_host(ctx, p, state, room->away, &room->nsh);
}

static __always_inline void flood_done(struct pkt *p, enum verdict v)
{
	if (v)
		count_drop(p->reason);
	/* Of a copy, not of the frame. */
	p->reason = DROP_NONE;
}

static __always_inline struct flooding *new_flooding(void)
{
	struct scratch *s = scratch_here();

	if (!s)
		return NULL;
	__builtin_memset(&s->flooding, 0, sizeof(s->flooding));
	return &s->flooding;
}

/* To everybody in the network; what came from another host stays on this one. */
static __always_inline enum verdict flood_all(ctx_t *ctx, struct pkt *p)
{
	const struct network *network = network_of(p->vni);
	struct flooding *state = new_flooding();
	__u32 targets;

	if (!network)
		return drop(p, DROP_NETWORK_UNKNOWN);
	if (!state)
		return drop(p, DROP_INTERNAL);
	targets = network->flood;
	p->hash = flow_mix(*(__u32 *)p->source_mac);
	for (__u32 n = 0; n < FLOOD_MAX; n++) {
		struct flood_key key = { .vni = p->vni, .n = n };
		struct flood_target *target;
		enum verdict v = V_NEXT;

		if (n >= targets)
			break;
		target = bpf_map_lookup_elem(&flood, &key);
		if (!target)
			continue;
		if (target->kind == TARGET_PORT)
			v = flood_to_port(ctx, p, state, target->index);
		else if (FLOW_TARGET_KIND(p->from) != TARGET_HOST)
			v = flood_to_host(ctx, p, state, target->index, NULL);
		flood_done(p, v);
	}
	for (__u32 place = 0; place < FLOOD_CHAINS; place++)
		if (state->away & 1 << place)
			flood_done(p, flood_away(ctx, p, state, place));
	return V_CONSUMED;
}

static __always_inline bool is_link_local(const __u8 mac[6])
{
	return mac[0] == 0x01 && mac[1] == 0x80 && mac[2] == 0xc2 && !mac[3] && !mac[4] && mac[5] < 0x10;
}

/* ACL out, once, where the sender is a port of this host; then the copies. */
__noinline int flooded(ctx_t *ctx, struct pkt *p)
{
	const struct tenant *t;
	struct acl_query *q;
	enum verdict v;

	if (!p)
		return V_DROP;
	t = tenant_at(p->tenant);
	q = new_query();
	if (!t || !q)
		return drop(p, DROP_INTERNAL);
	if (is_made_up(p))
		return drop(p, DROP_SF_NO_FLOW);
	/* Spanning tree, LACP and their like speak of one link; no bridge hands them on (802.1D, 7.12.6). */
	if (is_link_local(p->destination_mac))
		return drop(p, DROP_LINK_LOCAL);
	/* Errors belong to a flow, and no flow is everybody's (RFC 1122, 3.2.2). */
	if (p->flags & PKT_ICMP_ERROR)
		return drop(p, DROP_ICMP_UNRELATED);
	if (FLOW_TARGET_KIND(p->from) == TARGET_PORT) {
		query_from(q, p);
		v = judge_flooded(p, q, t, FLOW_TARGET_INDEX(p->from), FROM_WORKLOAD);
	} else {
		v = check_origin(p);
	}
	if (v)
		return V_DROP;
	v = unwrap(ctx, p);
	return v ? v : flood_all(ctx, p);
}

#endif

/* V_UP in XDP. */
static __always_inline enum verdict flood_stage(ctx_t *ctx, struct pkt *p)
{
#if WEFT_XDP
	return V_UP;
#else
	return flooded(ctx, p);
#endif
}

#endif
