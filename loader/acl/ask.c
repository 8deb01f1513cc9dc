// SPDX-License-Identifier: BSD-2-Clause
/* What bpf/stages/acl.h does with the tree and the index, in userspace. */
#include <arpa/inet.h>
#include <string.h>

#include "loader/acl/classifier.h"

struct walk {
	const struct acl_compiled *c;
	const struct acl_query *q;
	uint32_t value[ACL_VALUES];
	uint32_t waiting[ACL_ASIDE_MAX], waiting_rank[ACL_ASIDE_MAX], n;
	const struct acl_match *best;
	uint32_t limit; /* what is better has a rank below it */
};

static void find_classes(struct walk *w)
{
	const struct acl_header *h = &w->c->header;
	const struct acl_query *q = w->q;
	uint32_t root = q->family == FAMILY_IPV4 ? h->addresses4 : h->addresses6;
	uint32_t source[4], destination[4], port[4] = { q->port };
	bool icmp = q->protocol == 1 || q->protocol == 58;

	for (int i = 0; i < 4; i++) {
		source[i] = ntohl(q->source.v6[i]);
		destination[i] = ntohl(q->destination.v6[i]);
	}
	if (q->family != FAMILY_NONE) {
		w->value[ACL_SOURCE] = acl_index_find(&w->c->index, root, source);
		w->value[ACL_DESTINATION] = acl_index_find(&w->c->index, root, destination);
	}
	w->value[ACL_PORT] = acl_index_find(&w->c->index, h->ports, port);
	w->value[ACL_SOURCE_PORT] = q->source_port;
	w->value[ACL_DESTINATION_PORT] = q->destination_port;
	w->value[ACL_PROTOCOL] = q->protocol;
	w->value[ACL_ICMP] = icmp ? (uint32_t)q->icmp_type << 8 | q->icmp_code : 0;
}

static bool in_side(const struct walk *w, const struct acl_match *m, int side)
{
	uint32_t words[4] = { w->value[side] };

	if (m->sets & 1 << side)
		return acl_index_find(&w->c->tree, m->first[side], words) == 1;
	return w->value[side] >= m->first[side] && w->value[side] <= m->last[side];
}

static bool in_range(const struct port_range *r, int n, uint16_t port)
{
	for (int i = 0; i < n; i++)
		if (port >= r[i].first && port <= r[i].last)
			return true;
	return false;
}

static bool ports_match(const struct walk *w, const struct acl_match *m)
{
	const struct acl_query *q = w->q;
	const struct acl_ranges *r = &w->c->tree.cell[m->ranges].ranges;

	if (!in_range(&m->source_port, 1, q->source_port) ||
	    !in_range(&m->destination_port, 1, q->destination_port))
		return false;
	return !m->ranges || (in_range(r->source, RULE_RANGES, q->source_port) &&
			      in_range(r->destination, RULE_RANGES, q->destination_port));
}

static bool matches(const struct walk *w, const struct acl_match *m)
{
	const struct acl_query *q = w->q;

	if (m->ethertype && m->ethertype != q->ethertype)
		return false;
	if (m->flags & ENTRY_PROTOCOL && m->protocol != q->protocol)
		return false;
	if ((m->flags & ENTRY_ICMP_TYPE && m->icmp_type != q->icmp_type) ||
	    (m->flags & ENTRY_ICMP_CODE && m->icmp_code != q->icmp_code))
		return false;
	if ((q->tcp_flags & m->tcp_mask) != m->tcp_flags ||
	    (m->ct_states && !(m->ct_states & q->ct_state)))
		return false;
	if (q->ct_state == CT_STATE_INVALID && !m->ct_states && !(m->flags & ENTRY_STATELESS))
		return false;
	for (int side = 0; side < SIDES; side++)
		if (!in_side(w, m, side))
			return false;
	return ports_match(w, m);
}

static bool is_void(const struct acl_compiled *c, uint32_t rank)
{
	for (uint32_t i = 0; i < c->n_voids; i++)
		if (c->voids[i] == rank)
			return true;
	return false;
}

static bool is_better(const struct walk *w, uint32_t rank)
{
	return rank < w->limit;
}

/* The next branch that may hold something better; 0: none. */
static uint32_t turn_aside(struct walk *w)
{
	while (w->n) {
		w->n--;
		if (is_better(w, w->waiting_rank[w->n]))
			return w->waiting[w->n];
	}
	return 0;
}

static uint32_t through_node(struct walk *w, const struct acl_node *node)
{
	uint32_t child = node->child;

	if (node->aside && is_better(w, node->aside_rank) && w->n < ACL_ASIDE_MAX) {
		w->waiting[w->n] = node->aside;
		w->waiting_rank[w->n++] = node->aside_rank;
	}
	for (int i = 0; i < ACL_CUTS; i++)
		child += w->value[node->value] >= node->cut[i];
	return child;
}

const struct acl_match *acl_ask(const struct acl_compiled *c, const struct acl_query *q,
				uint32_t limit, unsigned int *visits)
{
	enum acl_family family = q->family == FAMILY_IPV4   ? ACL_IPV4
				 : q->family == FAMILY_IPV6 ? ACL_IPV6
							    : ACL_OTHER;
	uint32_t at = c->header.root[q->direction][family];
	struct walk w = { .c = c, .q = q, .limit = limit };
	unsigned int n = 0;

	find_classes(&w);
	while (at) {
		const union acl_cell *cell = &c->tree.cell[at];

		n++;
		if (cell->node.kind == ACL_NODE) {
			at = through_node(&w, &cell->node);
			continue;
		}
		at = 0;
		if (cell->node.kind == ACL_MATCH && is_better(&w, cell->match.rank)) {
			if (matches(&w, &cell->match) && !is_void(c, cell->match.rank)) {
				w.best = &cell->match;
				w.limit = cell->match.rank;
			} else {
				at = cell->match.next;
			}
		}
		if (!at)
			at = turn_aside(&w);
	}
	if (visits)
		*visits = n;
	return w.best;
}
