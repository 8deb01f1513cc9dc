// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "loader/alloc.h"
#include "loader/lint_space.h"

/* The set that a list of names or prefixes stands for, kept since many rules share theirs. */
struct named_set {
	char key[RULE_REFS * RULE_REF_LEN + 2]; /* which end and family, then the words */
	const struct set *set;
	UT_hash_handle hh;
};

static const wide max_of[DIMENSIONS] = {
	[DIM_PORT] = UINT32_MAX,        [DIM_PROTOCOL] = 255,    [DIM_SOURCE_PORT] = 65535,
	[DIM_DESTINATION_PORT] = 65535, [DIM_ETHERTYPE] = 65535, [DIM_ICMP_TYPE] = 255,
	[DIM_ICMP_CODE] = 255,          [DIM_TCP_FLAGS] = 255,   [DIM_STATE] = 1,
};

/* Packets that ask the rules are new or of no flow; those of a flow follow it. */
enum { STATE_NEW = 0, STATE_INVALID = 1 };

void space_maker_open(struct space_maker *m, const struct policy *p, struct arena *arena)
{
	struct set_draft none = { 0 }, others = { 0 };

	*m = (struct space_maker){ .policy = p, .arena = arena };
	for (int d = 0; d < DIMENSIONS; d++)
		m->all[d] = set_range(arena, 0, max_of[d]);
	m->all_addresses[PART_OTHER] = set_range(arena, 0, 0);
	m->all_addresses[PART_IPV4] = set_range(arena, 0, UINT32_MAX);
	m->all_addresses[PART_IPV6] = set_range(arena, 0, ~(wide)0);
	set_add(&others, 0, 0x07ff);
	set_add(&others, 0x0801, 0x86dc);
	set_add(&others, 0x86de, 0xffff);
	m->other_ethertypes = set_done(arena, &others);
	m->no_set = set_done(arena, &none);
}

void space_maker_close(struct space_maker *m)
{
	struct named_set *one, *next;

	HASH_ITER (hh, m->named, one, next) {
		HASH_DEL(m->named, one);
		free(one);
	}
}

/* ---- names to sets ---- */

static wide number_of(const struct model_address *a)
{
	unsigned int bytes = a->family == FAMILY_IPV4 ? 4 : 16;
	wide n = 0;

	for (unsigned int i = 0; i < bytes; i++)
		n = n << 8 | a->addr.bytes[i];
	return n;
}

static void add_prefix(struct space_maker *m, struct set_draft *d, int family,
		       const struct model_address *a)
{
	unsigned int width = a->family == FAMILY_IPV4 ? 32 : 128;
	wide first = number_of(a), size = a->bits ? (wide)1 << (width - a->bits) : 0;

	m->arena->steps++;
	if (a->family != (family == PART_IPV4 ? FAMILY_IPV4 : FAMILY_IPV6))
		return;
	/* A prefix of no bits is all, whose size is no number of 128 bits. */
	if (a->bits)
		set_add(d, first, first + (size - 1));
	else
		set_add(d, 0, width == 32 ? (wide)UINT32_MAX : ~(wide)0);
}

static void add_texts(struct space_maker *m, struct set_draft *d, int family, const json_t *texts)
{
	struct model_address a;
	const json_t *item;
	size_t i;

	json_array_foreach ((json_t *)texts, i, item) {
		if (!arena_holds(m->arena))
			return;
		if (!model_prefix(json_string_value(item), &a))
			add_prefix(m, d, family, &a);
	}
}

static void add_port(struct space_maker *m, struct set_draft *d, int family,
		     const struct model_port *port)
{
	m->arena->steps++;
	for (size_t i = 0; port && i < port->n_addresses; i++)
		add_prefix(m, d, family, &port->addresses[i]);
}

static const struct model_port *port_of(const struct space_maker *m, const char *name)
{
	return model_port(m->policy->m, m->policy->tenant->name, name);
}

static const json_t *group_of(const struct space_maker *m, const char *name)
{
	return json_object_get(json_object_get(m->policy->tenant->body, "groups"), name);
}

static const struct model_network *network_of(const struct space_maker *m, const char *name)
{
	return model_network(m->policy->m, m->policy->tenant->name, name);
}

static void add_addresses(struct space_maker *m, struct set_draft *d, int family, const char *ref)
{
	const struct model_network *n = strncmp(ref, "network:", 8) ? NULL : network_of(m, ref + 8);
	const json_t *group = strncmp(ref, "group:", 6) ? NULL : group_of(m, ref + 6), *item;
	json_t *alone;
	size_t i;

	if (n) {
		add_texts(m, d, family, n->subnets);
		for (i = 0; !json_array_size(n->subnets) && i < n->n_ports; i++)
			add_port(m, d, family, n->ports[i]);
	} else if (group) {
		add_texts(m, d, family, json_object_get(group, "prefixes"));
		json_array_foreach (json_object_get(group, "ports"), i, item)
			if (arena_holds(m->arena))
				add_port(m, d, family, port_of(m, json_string_value(item)));
	} else if (!strncmp(ref, "port:", 5)) {
		add_port(m, d, family, port_of(m, ref + 5));
	} else {
		alone = json_pack("[s]", ref);
		add_texts(m, d, family, alone);
		json_decref(alone);
	}
}

/* Ports of the tenant by their place in the model. */
static void add_index(struct space_maker *m, struct set_draft *d, const struct model_port *port)
{
	wide index = port ? (wide)(port - m->policy->m->ports) : 0;

	m->arena->steps++;
	if (port)
		set_add(d, index, index);
}

static void add_ports(struct space_maker *m, struct set_draft *d, const char *ref)
{
	const struct model_network *n = strncmp(ref, "network:", 8) ? NULL : network_of(m, ref + 8);
	const json_t *group = strncmp(ref, "group:", 6) ? NULL : group_of(m, ref + 6), *item;
	size_t i;

	if (!strncmp(ref, "port:", 5))
		add_index(m, d, port_of(m, ref + 5));
	for (i = 0; n && i < n->n_ports; i++)
		add_index(m, d, n->ports[i]);
	json_array_foreach (json_object_get(group, "ports"), i, item)
		if (arena_holds(m->arena))
			add_index(m, d, port_of(m, json_string_value(item)));
}

/* `family` -1: ports that the rule applies to. */
static const struct set *named(struct space_maker *m, const char refs[RULE_REFS][RULE_REF_LEN], int n,
			       int family, const struct set *all)
{
	struct set_draft d = { 0 };
	struct named_set *one;
	char key[sizeof(one->key)] = { 0 };
	size_t len;

	if (!refs[0][0])
		return all;
	key[0] = (char)('a' + family + 1);
	for (int i = 0; i < n && refs[i][0]; i++) {
		len = strlen(key);
		snprintf(key + len, sizeof(key) - len, "%s,", refs[i]);
	}
	HASH_FIND_STR(m->named, key, one);
	if (one)
		return one->set;
	for (int i = 0; i < n && refs[i][0]; i++) {
		if (family < 0)
			add_ports(m, &d, refs[i]);
		else
			add_addresses(m, &d, family, refs[i]);
	}
	one = alloc_zero(1, sizeof(*one));
	snprintf(one->key, sizeof(one->key), "%s", key);
	one->set = set_done(m->arena, &d);
	HASH_ADD_STR(m->named, key, one);
	return one->set;
}

/* ---- a rule ---- */

static const struct set *one_or_all(struct space_maker *m, enum dimension dim, bool has,
				    unsigned int value)
{
	return has ? set_range(m->arena, value, value) : m->all[dim];
}

static const struct set *ranges(struct space_maker *m, enum dimension dim, unsigned int n,
				const struct port_range *list)
{
	struct set_draft d = { 0 };

	if (!n)
		return m->all[dim];
	for (unsigned int i = 0; i < n && i < RULE_RANGES; i++)
		if (list[i].first <= list[i].last)
			set_add(&d, list[i].first, list[i].last);
	return set_done(m->arena, &d);
}

static const struct set *flags(struct space_maker *m, const struct rule *rule)
{
	struct set_draft d = { 0 };

	if (!rule->tcp_mask)
		return m->all[DIM_TCP_FLAGS];
	for (unsigned int f = 0; f < 256; f++)
		if ((f & rule->tcp_mask) == rule->tcp_flags)
			set_add(&d, f, f);
	return set_done(m->arena, &d);
}

static const struct set *states(struct space_maker *m, const struct rule *rule)
{
	struct set_draft d = { 0 };

	if (!rule->ct_states && rule->stateless)
		return m->all[DIM_STATE];
	if (!rule->ct_states || rule->ct_states & CT_STATE_NEW)
		set_add(&d, STATE_NEW, STATE_NEW);
	if (rule->ct_states & CT_STATE_INVALID)
		set_add(&d, STATE_INVALID, STATE_INVALID);
	return set_done(m->arena, &d);
}

/* Can the rule match packets of this family at all, for what it says beside addresses? */
static bool may_be(const struct rule *rule, int family)
{
	uint16_t ethertype = rule->ethertype;
	int protocol = rule->has_protocol ? rule->protocol : -1;

	if (family == PART_OTHER)
		return ethertype != 0x0800 && ethertype != 0x86dd && protocol < 0 &&
		       !rule->source[0][0] && !rule->destination[0][0];
	if (family == PART_IPV4)
		return (!ethertype || ethertype == 0x0800) && protocol != 58;
	return (!ethertype || ethertype == 0x86dd) && protocol != 1;
}

static const struct set *ethertypes(struct space_maker *m, const struct rule *rule, int family)
{
	if (family != PART_OTHER)
		return m->all[DIM_ETHERTYPE];
	return rule->ethertype ? set_range(m->arena, rule->ethertype, rule->ethertype)
			       : m->other_ethertypes;
}

static void bounds(const struct set *set, wide out[2])
{
	out[0] = set->list[0].first;
	out[1] = set->list[set->n - 1].last;
}

static void bounds16(const struct set *set, uint16_t out[2])
{
	out[0] = (uint16_t)set->list[0].first;
	out[1] = (uint16_t)set->list[set->n - 1].last;
}

static void make_brief(const struct part *p, struct brief *b)
{
	const struct set *ports = p->dim[DIM_PORT];

	bounds(p->dim[DIM_SOURCE], b->source);
	bounds(p->dim[DIM_DESTINATION], b->destination);
	b->port[0] = (uint32_t)ports->list[0].first;
	b->port[1] = (uint32_t)ports->list[ports->n - 1].last;
	bounds16(p->dim[DIM_SOURCE_PORT], b->source_port);
	bounds16(p->dim[DIM_DESTINATION_PORT], b->destination_port);
	bounds16(p->dim[DIM_PROTOCOL], b->protocol);
}

/* The dimension in which it is empty, or -1. */
static int empty_in(const struct part *p)
{
	for (int d = 0; d < DIMENSIONS; d++)
		if (!p->dim[d]->n)
			return d;
	return -1;
}

static const char *say_empty(int dim)
{
	switch (dim) {
	case DIM_PORT:
		return "apply_to names no port";
	case DIM_SOURCE:
		return "source names no address of the family that the rest asks for";
	case DIM_DESTINATION:
		return "destination names no address of the family that the rest asks for";
	case DIM_STATE:
		return "conntrack_state names neither new nor invalid";
	default:
		return "no packet is as it says";
	}
}

void space_make(struct space_maker *m, const struct rule *rule, struct space *s)
{
	struct part common;
	int empty = -1;

	memset(s, 0, sizeof(*s));
	for (int d = 0; d < DIMENSIONS; d++)
		common.dim[d] = m->all[d];
	common.dim[DIM_PORT] = named(m, rule->apply_to, RULE_APPLY_TO(rule), -1, m->all[DIM_PORT]);
	common.dim[DIM_PROTOCOL] = one_or_all(m, DIM_PROTOCOL, rule->has_protocol, rule->protocol);
	common.dim[DIM_SOURCE_PORT] =
		ranges(m, DIM_SOURCE_PORT, rule->source_ports, rule->source_port);
	common.dim[DIM_DESTINATION_PORT] =
		ranges(m, DIM_DESTINATION_PORT, rule->destination_ports, rule->destination_port);
	common.dim[DIM_ICMP_TYPE] =
		one_or_all(m, DIM_ICMP_TYPE, rule->has_icmp_type, rule->icmp_type);
	common.dim[DIM_ICMP_CODE] =
		one_or_all(m, DIM_ICMP_CODE, rule->has_icmp_code, rule->icmp_code);
	common.dim[DIM_TCP_FLAGS] = flags(m, rule);
	common.dim[DIM_STATE] = states(m, rule);
	s->empty = "no packet is as it says";
	for (int f = 0; f < PARTS; f++) {
		struct part *p = &s->part[f];

		if (!may_be(rule, f))
			continue;
		*p = common;
		p->dim[DIM_SOURCE] = named(m, rule->source, RULE_REFS, f, m->all_addresses[f]);
		p->dim[DIM_DESTINATION] = named(m, rule->destination, RULE_REFS, f, m->all_addresses[f]);
		p->dim[DIM_ETHERTYPE] = ethertypes(m, rule, f);
		empty = empty_in(p);
		s->has[f] = empty < 0;
		if (s->has[f])
			make_brief(p, &s->brief[f]);
		else if (s->empty)
			s->empty = say_empty(empty);
	}
	if (s->has[PART_OTHER] || s->has[PART_IPV4] || s->has[PART_IPV6])
		s->empty = NULL;
}

/* ---- two of them ---- */

#define WITHIN(a, b, member) ((a)->member[0] <= (b)->member[0] && (a)->member[1] >= (b)->member[1])
#define MEETS(a, b, member)  ((a)->member[0] <= (b)->member[1] && (b)->member[0] <= (a)->member[1])

static bool brief_contains(const struct brief *a, const struct brief *b)
{
	return WITHIN(a, b, source) && WITHIN(a, b, destination) &&
	       WITHIN(a, b, destination_port) && WITHIN(a, b, source_port) &&
	       WITHIN(a, b, protocol) && WITHIN(a, b, port);
}

static bool brief_overlaps(const struct brief *a, const struct brief *b)
{
	return MEETS(a, b, source) && MEETS(a, b, destination) && MEETS(a, b, destination_port) &&
	       MEETS(a, b, source_port) && MEETS(a, b, protocol) && MEETS(a, b, port);
}

static bool part_overlaps(struct arena *a, const struct part *x, const struct part *y)
{
	for (int d = 0; d < DIMENSIONS; d++)
		if (x->dim[d] != y->dim[d] && !set_overlaps(a, x->dim[d], y->dim[d]))
			return false;
	return true;
}

bool space_contains(struct arena *a, const struct space *outer, const struct space *inner)
{
	for (int f = 0; f < PARTS; f++)
		if (inner->has[f] &&
		    (!outer->has[f] || !brief_contains(&outer->brief[f], &inner->brief[f])))
			return false;
	for (int f = 0; f < PARTS; f++)
		for (int d = 0; inner->has[f] && d < DIMENSIONS; d++)
			if (!set_contains(a, outer->part[f].dim[d], inner->part[f].dim[d]))
				return false;
	return true;
}

bool space_overlaps(struct arena *a, const struct space *x, const struct space *y)
{
	for (int f = 0; f < PARTS; f++)
		if (x->has[f] && y->has[f] && brief_overlaps(&x->brief[f], &y->brief[f]) &&
		    part_overlaps(a, &x->part[f], &y->part[f]))
			return true;
	return false;
}

/* ---- differences ---- */

void remains_begin(struct remains *r, const struct space *s)
{
	r->n = 0;
	r->too_many = false;
	for (int f = 0; f < PARTS; f++) {
		if (!s->has[f])
			continue;
		r->piece[r->n].family = f;
		r->piece[r->n++].part = s->part[f];
	}
}

static void add_piece(struct remains *r, int family, const struct part *part)
{
	if (r->n == PIECES_MAX) {
		r->too_many = true;
		return;
	}
	r->piece[r->n].family = family;
	r->piece[r->n++].part = *part;
}

/*
 * A product without another: what differs in the first dimension; of what is common there, what differs in the second;
 * and so on. What is common in all of them is taken.
 */
static void cut(struct arena *a, struct remains *r, int family, struct part *left,
		const struct part *taken)
{
	for (int d = 0; d < DIMENSIONS; d++) {
		const struct set *whole = left->dim[d];

		if (set_contains(a, taken->dim[d], whole))
			continue;
		left->dim[d] = set_minus(a, whole, taken->dim[d]);
		add_piece(r, family, left);
		left->dim[d] = set_common(a, whole, taken->dim[d]);
	}
}

bool remains_take(struct arena *a, struct remains *r, const struct space *s)
{
	size_t n = r->n, kept = 0;
	bool any = false;

	for (size_t i = 0; i < n && !r->too_many && arena_holds(a); i++) {
		int family = r->piece[i].family;
		struct part left = r->piece[i].part;

		if (!s->has[family] || !part_overlaps(a, &left, &s->part[family])) {
			r->piece[kept++] = r->piece[i];
			continue;
		}
		any = true;
		cut(a, r, family, &left, &s->part[family]);
	}
	if (r->too_many || !arena_holds(a)) {
		r->too_many = true;
		return any;
	}
	/* The new pieces stand behind the old ones. */
	memmove(&r->piece[kept], &r->piece[n], (r->n - n) * sizeof(r->piece[0]));
	r->n = kept + r->n - n;
	return any;
}
