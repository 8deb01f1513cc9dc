// SPDX-License-Identifier: BSD-2-Clause
/* Rules as entries that packets try one after the other: small sets, and changes since a tree was built. */
#include <stdlib.h>
#include <string.h>

#include "loader/alloc.h"
#include "loader/rules.h"

struct part {
	struct acl_list *list;
	const struct acl_rules *r;
	const struct acl_rule *rule;
	size_t most;
	struct acl_entry entry;
};

static uint8_t family_asked(const struct acl_match *m)
{
	if (m->ethertype == 0x0800 || (m->flags & ENTRY_PROTOCOL && m->protocol == 1))
		return FAMILY_IPV4;
	if (m->ethertype == 0x86dd || (m->flags & ENTRY_PROTOCOL && m->protocol == 58))
		return FAMILY_IPV6;
	return FAMILY_NONE;
}

static struct acl_entry common(const struct acl_rule *rule, uint32_t rank)
{
	const struct acl_match *m = &rule->match;

	return (struct acl_entry){
		.family = family_asked(m),
		.direction = rule->direction,
		.action = m->action,
		.flags = m->flags,
		.ethertype = m->ethertype,
		.source_last = UINT16_MAX,
		.destination_last = UINT16_MAX,
		.rank_high = (__u16)(rank >> 16),
		.rank_low = (__u16)rank,
		.rule = m->rule,
		.protocol = m->protocol,
		.icmp_type = m->icmp_type,
		.icmp_code = m->icmp_code,
		.tcp_mask = m->tcp_mask,
		.tcp_flags = m->tcp_flags,
		.ct_states = m->ct_states,
	};
}

static bool emit(struct part *p)
{
	struct acl_list *list = p->list;

	if (list->n >= p->most)
		return false;
	list->entries = alloc_grow(list->entries, &list->room, list->n + 1, sizeof(*list->entries));
	list->chains = alloc_grow(list->chains, &list->chain_room, list->n + 1, sizeof(*list->chains));
	list->chains[list->n] = (uint16_t)p->rule->match.chain;
	list->entries[list->n++] = p->entry;
	return true;
}

void acl_list_free(struct acl_list *list)
{
	free(list->entries);
	free(list->chains);
	*list = (struct acl_list){ 0 };
}

static bool add_ranges(struct part *p)
{
	const struct acl_rule *rule = p->rule;

	for (int s = 0; s < (rule->source_ports ? rule->source_ports : 1); s++) {
		if (rule->source_ports) {
			p->entry.source_first = rule->source_port[s].first;
			p->entry.source_last = rule->source_port[s].last;
		}
		for (int d = 0; d < (rule->destination_ports ? rule->destination_ports : 1); d++) {
			if (rule->destination_ports) {
				p->entry.destination_first = rule->destination_port[d].first;
				p->entry.destination_last = rule->destination_port[d].last;
			}
			if (!emit(p))
				return false;
		}
	}
	return true;
}

static void put_prefix(struct acl_entry *entry, int side, const struct acl_prefix *prefix)
{
	entry->family = prefix->family;
	if (side == SIDE_SOURCE) {
		entry->source = prefix->addr;
		entry->source_bits = prefix->bits;
	} else {
		entry->destination = prefix->addr;
		entry->destination_bits = prefix->bits;
	}
}

/* Each prefix of a side, then the next side; a family that contradicts another matches nothing. */
static bool add_side(struct part *p, int side)
{
	const struct acl_rule *rule = p->rule;
	struct acl_entry before = p->entry;

	if (side == SIDE_PORT)
		return add_ranges(p);
	if (!rule->terms[side])
		return add_side(p, side + 1);
	for (uint32_t i = 0; i < rule->terms[side]; i++) {
		const struct acl_term *t = &p->r->term[p->r->name_of[rule->term[side] + i]];

		/* What is so large is no small set, whether or not it makes entries. */
		if (t->prefixes > p->most)
			return false;
		for (size_t k = 0; k < t->prefixes; k++) {
			p->entry = before;
			if (before.family != FAMILY_NONE && before.family != t->prefix[k].family)
				continue;
			put_prefix(&p->entry, side, &t->prefix[k]);
			if (!add_side(p, side + 1))
				return false;
		}
	}
	return true;
}

bool acl_list_add(struct acl_list *list, const struct acl_rules *r, size_t i, uint32_t rank,
		  size_t most)
{
	const struct acl_rule *rule = &r->rule[i];
	struct part p = { .list = list, .r = r, .rule = rule, .most = most };

	p.entry = common(rule, rank);
	if (!rule->terms[SIDE_PORT])
		return add_side(&p, SIDE_SOURCE);
	for (uint32_t k = 0; k < rule->terms[SIDE_PORT]; k++) {
		const struct acl_term *t = &r->term[r->name_of[rule->term[SIDE_PORT] + k]];

		for (size_t s = 0; s < t->slots; s++) {
			p.entry = common(rule, rank);
			p.entry.port = (__u16)(t->slot[s] + 1);
			if (!add_side(&p, SIDE_SOURCE))
				return false;
		}
	}
	return true;
}
