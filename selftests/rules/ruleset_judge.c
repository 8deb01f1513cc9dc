// SPDX-License-Identifier: BSD-2-Clause
/* The judge: one rule after the other, in their order, and each as it reads. It knows nothing of how rules are found. */
#include "ruleset.h"

static bool in_prefix(const struct acl_prefix *p, const union weft_addr *a, uint8_t family)
{
	if (p->family != family)
		return false;
	for (unsigned int i = 0; i < p->bits / 8u; i++)
		if (p->addr.bytes[i] != a->bytes[i])
			return false;
	return !(p->bits % 8) || !((p->addr.bytes[p->bits / 8] ^ a->bytes[p->bits / 8]) >> (8 - p->bits % 8));
}

static bool in_terms(const struct ruleset *r, const struct acl_rule *rule, int side, const struct acl_query *q)
{
	const union weft_addr *a = side == SIDE_SOURCE ? &q->source : &q->destination;

	for (uint32_t i = 0; i < rule->terms[side]; i++) {
		const struct acl_term *t = &r->term[r->name[rule->term[side] + i]];

		for (size_t k = 0; side == SIDE_PORT && k < t->slots; k++)
			if (t->slot[k] == q->port)
				return true;
		for (size_t k = 0; side != SIDE_PORT && k < t->prefixes; k++)
			if (in_prefix(&t->prefix[k], a, q->family))
				return true;
	}
	return !rule->terms[side];
}

static bool in_ranges(const struct port_range *range, unsigned int n, uint16_t port)
{
	for (unsigned int i = 0; i < n; i++)
		if (port >= range[i].first && port <= range[i].last)
			return true;
	return !n;
}

static bool rule_matches(const struct ruleset *r, const struct acl_rule *rule, const struct acl_query *q)
{
	const struct acl_match *m = &rule->match;

	if (rule->direction != q->direction)
		return false;
	if (m->flags & ENTRY_PROTOCOL && m->protocol != q->protocol)
		return false;
	if (!in_ranges(rule->destination_port, rule->destination_ports, q->destination_port) ||
	    !in_ranges(rule->source_port, rule->source_ports, q->source_port))
		return false;
	if (!in_terms(r, rule, SIDE_DESTINATION, q) || !in_terms(r, rule, SIDE_SOURCE, q) ||
	    !in_terms(r, rule, SIDE_PORT, q))
		return false;
	if (m->ethertype && m->ethertype != q->ethertype)
		return false;
	if ((m->flags & ENTRY_ICMP_TYPE && m->icmp_type != q->icmp_type) ||
	    (m->flags & ENTRY_ICMP_CODE && m->icmp_code != q->icmp_code))
		return false;
	if ((q->tcp_flags & m->tcp_mask) != m->tcp_flags)
		return false;
	/* A packet of no flow is for rules that say so, or that know no flows. */
	if (q->ct_state == CT_STATE_INVALID && !m->ct_states && !(m->flags & ENTRY_STATELESS))
		return false;
	return !m->ct_states || m->ct_states & q->ct_state;
}

long ruleset_judge(const struct ruleset *r, const struct acl_query *q)
{
	for (size_t i = 0; i < r->source.rules; i++)
		if (rule_matches(r, &r->rule[i], q))
			return (long)i;
	return -1;
}
