/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * acl: the classifier, behind one narrow interface: acl_classify(query, tenant) -> action and rule. First the entries
 * that are few enough to be tried in turn, then the tree of a larger set, whose cost hardly grows with it
 * (docs/CLASSIFIER.md).
 * reads:  struct acl_query
 * writes: struct acl_query's answer: action, rule and, if the rule has one, chain
 * maps:   acl, acl_tree, acl_index, tenants
 * drops:  none (the caller knows the direction)
 */
#ifndef WEFT_STAGE_ACL_H
#define WEFT_STAGE_ACL_H

#include "lib/scratch.h"

static __always_inline bool prefix_matches(const union weft_addr *a, const union weft_addr *prefix,
					   __u32 bits)
{
	/* 32 bits at a time; a shift by 32 is never asked for. */
	for (int i = 0; i < 4; i++) {
		__u32 difference = bpf_ntohl(a->v6[i] ^ prefix->v6[i]);

		if (bits < 32)
			return !bits || !(difference >> (32 - bits));
		if (difference)
			return false;
		bits -= 32;
	}
	return true;
}

/* Separately verified, so that the scan's verification does not multiply with it. */
__noinline int acl_entry_matches(const struct acl_entry *e, const struct acl_query *q)
{
	if (!e || !q)
		return 0;
	if (e->direction != q->direction || (e->port && e->port - 1 != q->port) ||
	    (e->ethertype && e->ethertype != q->ethertype) || (e->family && e->family != q->family))
		return 0;
	if (e->flags & ENTRY_PROTOCOL && e->protocol != q->protocol)
		return 0;
	if (q->source_port < e->source_first || q->source_port > e->source_last ||
	    q->destination_port < e->destination_first || q->destination_port > e->destination_last)
		return 0;
	if ((e->flags & ENTRY_ICMP_TYPE && e->icmp_type != q->icmp_type) ||
	    (e->flags & ENTRY_ICMP_CODE && e->icmp_code != q->icmp_code))
		return 0;
	if ((q->tcp_flags & e->tcp_mask) != e->tcp_flags || (e->ct_states && !(e->ct_states & q->ct_state)))
		return 0;
	/* A packet of no flow meets only the rules that speak of such, or that know no flows. */
	if (q->ct_state == CT_STATE_INVALID && !e->ct_states && !(e->flags & ENTRY_STATELESS))
		return 0;
	return prefix_matches(&q->source, &e->source, e->source_bits) &&
	       prefix_matches(&q->destination, &e->destination, e->destination_bits);
}

/* Takes the place of whatever decided before. */
static __always_inline void acl_decide(struct acl_query *q, __u8 action, __u8 flags, __u32 rule, __u32 chain)
{
	q->action = action;
	q->entry_flags = flags;
	q->rule = rule;
	q->chain = chain;
	q->found = 1;
}

struct acl_search {
	void *acl;		/* the inner maps: held for the whole search, so that no packet sees half a change */
	void *tree;
	void *index;
	struct acl_query *query;
	struct acl_walk *walk;
	__u32 voids;		/* cells of `acl` before those with ranks that are void | how many << 16 */
};

/* ---- entries, one after the other ---- */

static long acl_scan_step(__u32 i, struct acl_search *s)
{
	__u32 key = i + 1;
	const union acl_slot *slot = bpf_map_lookup_elem(s->acl, &key);

	if (!slot)
		return 1;
	if (!acl_entry_matches(&slot->entry, s->query))
		return 0;
	/* Its chain stands elsewhere: acl_entry_chain(). */
	acl_decide(s->query, slot->entry.action, slot->entry.flags, slot->entry.rule, i);
	s->walk->best = (__u32)slot->entry.rank_high << 16 | slot->entry.rank_low;
	return 1;
}

/* Of the i-th entry: behind all else that is in the map. */
static __always_inline __u32 acl_entry_chain(struct acl_search *s, const struct acl_header *h, __u32 i)
{
	__u32 key = (s->voids & 0xffff) + (s->voids >> 16) + h->beside + i / ACL_CHAINS;
	const union acl_slot *slot = h->inspect ? bpf_map_lookup_elem(s->acl, &key) : NULL;

	return slot ? slot->chains[i % ACL_CHAINS] : 0;
}

/* ---- the index: the class of an address or a port, or whether a class is in a set ---- */

/*
 * How many of the keys the word is not below. Comparisons become sign bits: as branches, which is all that BPF has,
 * the verifier would go through each outcome of each. The barrier keeps clang from seeing what they are.
 */
static __always_inline __u32 acl_count(const __u32 *key, int n, __u32 word)
{
	__u64 count = 0;

#pragma unroll
	for (int i = 0; i < n; i++) {
		__u64 difference = (__u64)word - key[i];

		asm volatile("" : "+r"(difference));
		count += difference >> 63;
	}
	return n - (__u32)count;
}

/* Below (1), or not: words that are left of an address, as two numbers; those behind the last are 0 on both sides. */
static __always_inline __u64 acl_is_below(const __u32 *bound, __u64 high, __u64 low)
{
	__u64 bound_high = (__u64)bound[0] << 32 | bound[1];

	return high != bound_high ? high < bound_high : low < bound[2];
}

static __always_inline __u64 acl_is_above(const __u32 *bound, __u64 high, __u64 low)
{
	__u64 bound_high = (__u64)bound[0] << 32 | bound[1];

	return high != bound_high ? high > bound_high : low > bound[2];
}

static __always_inline __u32 acl_find_rest(const struct acl_rest *rest, const struct acl_walk *w)
{
	__u32 at = w->word;
	__u64 high = (__u64)w->words[at & 3] << 32 | (at < 3 ? w->words[(at + 1) & 3] : 0);
	__u64 low = at < 2 ? w->words[(at + 2) & 3] : 0;

	if (acl_is_below(rest->first, high, low))
		return rest->before;
	return acl_is_above(rest->last, high, low) ? rest->after : rest->within;
}

static __always_inline long acl_find_in(void *map, struct acl_walk *w)
{
	__u32 at = w->index_at & ACL_ROOT_CELL, levels = w->index_at >> ACL_ROOT_SHIFT & ACL_ROOT_LEVELS;
	const union acl_cell *cell = bpf_map_lookup_elem(map, &at);
	__u32 wanted = w->words[w->word & 3], n, value;

	if (!cell)
		return 1;
	if (levels == ACL_REST) {
		w->index_at = acl_find_rest(&cell->rest, w);
		return 1;
	}
	if (levels) {
		n = acl_count(cell->branch.key, 15, wanted);
		value = cell->branch.child;
		n = n < value >> 28 ? n : value >> 28;
		w->index_at = ((value + n) & ACL_ROOT_CELL) | (levels - 1) << ACL_ROOT_SHIFT;
		return 0;
	}
	n = acl_count(cell->words.key, 8, wanted);
	value = cell->words.value[(n - 1) & 7];
	w->index_at = value;
	w->word++;
	return !(value & ACL_DEEPER);
}

static long acl_find_class(__u32 i, struct acl_search *s)
{
	return acl_find_in(s->index, s->walk);
}

static long acl_find_member(__u32 i, struct acl_search *s)
{
	return acl_find_in(s->tree, s->walk);
}

/* What `words` of the walk are. No function of its own: each costs the chain of calls 32 bytes of stack. */
#define acl_find(s, root, step)								\
	({										\
		__u32 found_ = root;							\
											\
		/* No root: all is of class 0. */					\
		if (found_) {								\
			(s)->walk->index_at = found_;					\
			(s)->walk->word = 0;						\
			bpf_loop(ACL_INDEX_STEPS, step, s, 0);				\
			found_ = (s)->walk->index_at;					\
		}									\
		found_;									\
	})

static __always_inline __u32 acl_address_class(struct acl_search *s, __u32 root, const union weft_addr *a)
{
	for (int i = 0; i < 4; i++)
		s->walk->words[i] = bpf_ntohl(a->v6[i]);
	return acl_find(s, root, acl_find_class);
}

static __always_inline void acl_find_classes(struct acl_search *s, const struct acl_header *h)
{
	const struct acl_query *q = s->query;
	struct acl_walk *w = s->walk;

	if (q->family) {
		__u32 root = q->family == FAMILY_IPV4 ? h->addresses4 : h->addresses6;

		w->value[ACL_SOURCE] = acl_address_class(s, root, &q->source);
		w->value[ACL_DESTINATION] = acl_address_class(s, root, &q->destination);
	}
	w->words[0] = q->port;
	w->value[ACL_PORT] = acl_find(s, h->ports, acl_find_class);
	w->value[ACL_SOURCE_PORT] = q->source_port;
	w->value[ACL_DESTINATION_PORT] = q->destination_port;
	w->value[ACL_PROTOCOL] = q->protocol;
	w->value[ACL_ICMP] = q->protocol == IPPROTO_ICMP || q->protocol == IPPROTO_ICMPV6 ?
				     (__u32)q->icmp_type << 8 | q->icmp_code : 0;
}

/* ---- the tree ---- */

/* What neither is a class nor needs another cell. */
__noinline int acl_match_fields(const struct acl_match *m, const struct acl_query *q)
{
	if (!m || !q)
		return 0;
	if (q->source_port < m->source_port.first || q->source_port > m->source_port.last ||
	    q->destination_port < m->destination_port.first || q->destination_port > m->destination_port.last)
		return 0;
	if ((m->ethertype && m->ethertype != q->ethertype) ||
	    (m->flags & ENTRY_PROTOCOL && m->protocol != q->protocol))
		return 0;
	if ((m->flags & ENTRY_ICMP_TYPE && m->icmp_type != q->icmp_type) ||
	    (m->flags & ENTRY_ICMP_CODE && m->icmp_code != q->icmp_code))
		return 0;
	if ((q->tcp_flags & m->tcp_mask) != m->tcp_flags || (m->ct_states && !(m->ct_states & q->ct_state)))
		return 0;
	/* A packet of no flow meets only the rules that speak of such, or that know no flows. */
	return q->ct_state != CT_STATE_INVALID || m->ct_states || m->flags & ENTRY_STATELESS;
}

static __always_inline bool acl_in_side(struct acl_search *s, const struct acl_match *m, int side)
{
	__u32 value = s->walk->value[side];

	if (!(m->sets & 1 << side))
		return value >= m->first[side] && value <= m->last[side];
	s->walk->words[0] = value;
	return acl_find(s, m->first[side], acl_find_member) == 1;
}

static __always_inline bool acl_in_ranges(const struct port_range *r, __u16 port)
{
	__u64 out = 1;

#pragma unroll
	for (int i = 0; i < RULE_RANGES; i++) {
		__u64 difference = ((__u64)port - r[i].first) | ((__u64)r[i].last - port);

		asm volatile("" : "+r"(difference));
		out &= difference >> 63;
	}
	return !out;
}

static __always_inline bool acl_ports_match(struct acl_search *s, const struct acl_match *m)
{
	__u32 key = m->ranges;
	const union acl_cell *cell;

	if (!key)
		return true;
	cell = bpf_map_lookup_elem(s->tree, &key);
	return cell && acl_in_ranges(cell->ranges.source, s->query->source_port) &&
	       acl_in_ranges(cell->ranges.destination, s->query->destination_port);
}

/* Has the rule been changed or deleted since the tree was built? */
static __always_inline bool acl_is_void(struct acl_search *s, __u32 rank)
{
	__u64 is = 0;

	for (__u32 i = 0; i < ACL_VOID_MAX / ACL_VOIDS && i < s->voids >> 16; i++) {
		__u32 key = (s->voids & 0xffff) + i;
		const union acl_slot *slot = bpf_map_lookup_elem(s->acl, &key);

		if (!slot)
			break;
#pragma unroll
		for (int k = 0; k < ACL_VOIDS; k++) {
			__u64 difference = (__u64)(slot->voids[k] ^ rank) - 1;

			asm volatile("" : "+r"(difference));
			is |= difference >> 63;
		}
	}
	return is;
}

/* The cell to look at next: of the node's children, the one that the packet's value leads to. */
static __always_inline __u32 acl_through(struct acl_walk *w, const struct acl_node *node)
{
	__u32 n = w->n;

	if (node->aside && node->aside_rank < w->best && n < ACL_ASIDE_MAX) {
		w->waiting[n] = node->aside;
		w->waiting_rank[n] = node->aside_rank;
		w->n = n + 1;
	}
	return node->child + acl_count(node->cut, ACL_CUTS, w->value[node->value & 7]);
}

static long acl_walk_step(__u32 i, struct acl_search *s)
{
	struct acl_walk *w = s->walk;
	__u32 key = w->at, n;
	const union acl_cell *cell = bpf_map_lookup_elem(s->tree, &key);

	if (!cell)
		return 1;
	if (cell->node.kind == ACL_NODE) {
		w->at = acl_through(w, &cell->node);
		return 0;
	}
	key = 0;
	if (cell->node.kind == ACL_MATCH && cell->match.rank < w->best) {
		const struct acl_match *m = &cell->match;

		key = m->next;
		if (acl_match_fields(m, s->query) && acl_in_side(s, m, ACL_SOURCE) &&
		    acl_in_side(s, m, ACL_DESTINATION) && acl_in_side(s, m, ACL_PORT) && acl_ports_match(s, m) &&
		    !acl_is_void(s, m->rank)) {
			acl_decide(s->query, m->action, m->flags, m->rule, m->chain);
			w->best = m->rank;
			key = 0;
		}
	}
	if (!key) {
		n = w->n - 1;
		if (n >= ACL_ASIDE_MAX)
			return 1;
		w->n = n;
		/* Cell 0 is empty: what can hold nothing better is passed over. */
		key = w->waiting_rank[n] < w->best ? w->waiting[n] : 0;
	}
	w->at = key;
	return 0;
}

/* Asks the tenant's rules: a function of its own, verified once for all that ask. */
__noinline int acl_look_up(struct acl_query *q)
{
	struct scratch *room = scratch_here();
	struct acl_search s = { .query = q };
	const union acl_slot *slot;
	const struct acl_header *h;
	__u32 key, entries;

	if (!q || !room)
		return 0;
	key = q->tenant;
	s.walk = &room->acl;
	s.acl = bpf_map_lookup_elem(&acl, &key);
	if (!s.acl)
		return 0;
	key = 0;
	slot = bpf_map_lookup_elem(s.acl, &key);
	if (!slot)
		return 0;
	h = &slot->header;
	entries = h->entries < ACL_ENTRIES_MAX ? h->entries : ACL_ENTRIES_MAX;
	s.voids = (entries + 1) | (h->voids + ACL_VOIDS - 1) / ACL_VOIDS << 16;
	s.walk->best = ~0u;
	bpf_loop(entries, acl_scan_step, &s, 0);
	if (q->action == ACL_INSPECT)
		q->chain = acl_entry_chain(&s, h, q->chain);
	if (!h->tree)
		return 0;
	key = h->tree - 1;
	s.tree = bpf_map_lookup_elem(&acl_tree, &key);
	key = h->index - 1;
	s.index = bpf_map_lookup_elem(&acl_index, &key);
	if (!s.tree || !s.index)
		return 0;
	key = q->family == FAMILY_IPV4 ? ACL_IPV4 : q->family == FAMILY_IPV6 ? ACL_IPV6 : ACL_OTHER;
	s.walk->at = h->root[q->direction & 1][key];
	if (!s.walk->at)
		return 0;
	s.walk->n = 0;
	acl_find_classes(&s, h);
	/* A branch that is passed over takes a step too. */
	bpf_loop(2 * ACL_VISITS_MAX, acl_walk_step, &s, 0);
	return 0;
}

static __always_inline void acl_classify(struct acl_query *q, const struct tenant *t)
{
	q->found = 0;
	q->rule = 0;
	q->chain = 0;
	q->entry_flags = 0;
	q->action = t->flags & (q->direction == FROM_WORKLOAD ? TENANT_ALLOW_OUT : TENANT_ALLOW_IN) ?
			    ACL_ALLOW : ACL_DENY;
	if (q->ct_state == CT_STATE_INVALID)
		q->action = ACL_DENY;
	acl_look_up(q);
	if (q->action != ACL_INSPECT) {
		q->chain = 0;
		return;
	}
	/* Never without its chain. */
	q->action = q->chain ? ACL_ALLOW : ACL_DENY;
}

#endif
