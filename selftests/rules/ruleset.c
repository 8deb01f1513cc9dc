// SPDX-License-Identifier: BSD-2-Clause
#include <stdlib.h>
#include <string.h>

#include "loader/alloc.h"
#include "selftests/rules/ruleset.h"

const char *const ruleset_names[RULES_KINDS] = {
	[RULES_ACL] = "acl",	   [RULES_FW] = "fw",		[RULES_IPC] = "ipc",
	[RULES_WEFT] = "weft",	   [RULES_NESTED] = "nested",	[RULES_LENGTHS] = "lengths",
	[RULES_RANGES] = "ranges",
};

/* A generator of our own, so that every run is the same. */
static uint64_t next(uint64_t *seed)
{
	uint64_t x = *seed += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint32_t ruleset_below(struct ruleset *r, uint32_t n)
{
	return (uint32_t)(next(&r->seed) >> 32) % n;
}

#define below(n) ruleset_below(r, n)

/* ---- addresses ---- */

/* Sites are few, subnets of them more, hosts many: prefixes lie in each other as they do in networks. */
static void address(struct ruleset *r, uint32_t hosts, uint8_t bytes[16])
{
	uint64_t site = below(64), subnet, host;
	uint32_t subnets = hosts / 64 < 4 ? 4 : hosts / 64 > 60000 ? 60000 : hosts / 64;

	/* Skewed: the first ones are asked for most. */
	subnet = (uint64_t)below(subnets) * below(subnets) / subnets;
	host = below(256);
	memset(bytes, 0, 16);
	if (r->family == FAMILY_IPV4) {
		bytes[0] = (uint8_t)(10 + site * 3);
		bytes[1] = (uint8_t)(subnet >> 8);
		bytes[2] = (uint8_t)subnet;
		bytes[3] = (uint8_t)host;
		return;
	}
	bytes[0] = 0x20;
	bytes[1] = (uint8_t)(site >> 4);
	bytes[3] = (uint8_t)site;
	bytes[5] = (uint8_t)(subnet >> 8);
	bytes[6] = (uint8_t)subnet;
	bytes[7] = below(3) ? 0 : (uint8_t)below(4);
	bytes[15] = (uint8_t)host;
}

static uint32_t add_term(struct ruleset *r, size_t prefixes)
{
	struct acl_term *t = &r->term[r->source.terms];

	*t = (struct acl_term){ .key = next(&r->seed), .prefixes = prefixes };
	t->prefix = alloc_zero(prefixes, sizeof(*t->prefix));
	return (uint32_t)r->source.terms++;
}

static struct acl_prefix prefix(struct ruleset *r, uint32_t hosts, unsigned int bits)
{
	struct acl_prefix p = { .family = r->family, .bits = (uint8_t)bits };

	address(r, hosts, p.addr.bytes);
	if (r->family == FAMILY_IPV6)
		p.bits = (uint8_t)(bits >= 32 ? 128 : bits >= 28 ? 64 : bits > 16 ? 56 : 12 + bits * 2);
	for (unsigned int bit = p.bits; bit < 128; bit++)
		p.addr.bytes[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
	return p;
}

static void name_term(struct ruleset *r, struct acl_rule *rule, int side, uint32_t term)
{
	r->name = alloc_grow(r->name, &r->name_room, r->names + 1, sizeof(*r->name));
	if (!rule->terms[side]++)
		rule->term[side] = (uint32_t)r->names;
	r->name[r->names++] = term;
}

static void name_prefix(struct ruleset *r, struct acl_rule *rule, int side, uint32_t hosts,
			unsigned int bits)
{
	uint32_t term = add_term(r, 1);

	*(struct acl_prefix *)r->term[term].prefix = prefix(r, hosts, bits);
	name_term(r, rule, side, term);
}

/* ---- what else rules ask for ---- */

static void set_protocol(struct acl_rule *rule, uint8_t protocol)
{
	rule->match.flags |= ENTRY_PROTOCOL;
	rule->match.protocol = protocol;
}

static void pick_protocol(struct ruleset *r, struct acl_rule *rule, uint32_t any)
{
	uint32_t d = below(100);

	if (d < any)
		return;
	d = below(100);
	set_protocol(rule, d < 72 ? 6 : d < 94 ? 17 : r->family == FAMILY_IPV4 ? 1 : 58);
	if (d >= 97) {
		rule->match.flags |= ENTRY_ICMP_TYPE;
		rule->match.icmp_type = (uint8_t)(below(2) ? 8 : below(256));
	}
}

static bool has_ports(const struct acl_rule *rule)
{
	return rule->match.flags & ENTRY_PROTOCOL && (rule->match.protocol == 6 || rule->match.protocol == 17);
}

static struct port_range a_range(struct ruleset *r, uint32_t exact, uint32_t some)
{
	static const uint16_t known[] = { 22, 25, 53, 80, 110, 123, 135, 139, 143, 161, 389, 443, 445,
					  514, 993, 1433, 1521, 3306, 3389, 5060, 5432, 8080, 8443 };
	uint32_t d = below(100);
	uint16_t port = below(3) ? known[below(sizeof(known) / sizeof(known[0]))] : (uint16_t)below(65536);

	if (d < exact)
		return (struct port_range){ port, port };
	if (d < exact + some) {
		uint16_t width = (uint16_t)(1 << below(12));

		return (struct port_range){ port, (uint16_t)(port > 65535 - width ? 65535 : port + width) };
	}
	return below(2) ? (struct port_range){ 1024, 65535 } : (struct port_range){ 0, 1023 };
}

static void pick_ports(struct ruleset *r, struct acl_rule *rule, uint32_t source_any, uint32_t any,
		       uint32_t exact, uint32_t some)
{
	if (!has_ports(rule))
		return;
	if (below(100) >= source_any)
		rule->source_port[rule->source_ports++] = a_range(r, exact, some);
	if (below(100) >= any)
		rule->destination_port[rule->destination_ports++] = a_range(r, exact, some);
}

static unsigned int pick_bits(struct ruleset *r, uint32_t wide, uint32_t middle)
{
	uint32_t d = below(100);

	return d < wide ? 8 + below(9) : d < wide + middle ? 17 + below(14) : 32;
}

static void make_acl(struct ruleset *r, struct acl_rule *rule, uint32_t hosts)
{
	pick_protocol(r, rule, 5);
	if (below(100) < 95)
		name_prefix(r, rule, SIDE_SOURCE, hosts, pick_bits(r, 12, 45));
	if (below(100) < 98)
		name_prefix(r, rule, SIDE_DESTINATION, hosts, pick_bits(r, 4, 36));
	pick_ports(r, rule, 97, 15, 80, 12);
}

static void make_fw(struct ruleset *r, struct acl_rule *rule, uint32_t hosts)
{
	uint32_t d = below(1000);

	pick_protocol(r, rule, 3);
	/* Both any: few, since ports alone tell them apart. */
	if (d < 550 && d > 2)
		name_prefix(r, rule, SIDE_SOURCE, hosts, pick_bits(r, 10, 40));
	if (d >= 300)
		name_prefix(r, rule, SIDE_DESTINATION, hosts, pick_bits(r, 5, 35));
	pick_ports(r, rule, 65, 15, 45, 25);
}

static void make_ipc(struct ruleset *r, struct acl_rule *rule, uint32_t hosts)
{
	pick_protocol(r, rule, 15);
	if (below(100) < 92)
		name_prefix(r, rule, SIDE_SOURCE, hosts, pick_bits(r, 20, 50));
	if (below(100) < 92)
		name_prefix(r, rule, SIDE_DESTINATION, hosts, pick_bits(r, 15, 45));
	pick_ports(r, rule, 55, 25, 70, 15);
}

/* Prefixes in each other around one address, on both sides. */
static void make_nested(struct ruleset *r, struct acl_rule *rule, size_t i)
{
	for (int side = SIDE_SOURCE; side <= SIDE_DESTINATION; side++) {
		uint32_t term = add_term(r, 1), flip;
		struct acl_prefix *p = (struct acl_prefix *)r->term[term].prefix;

		*p = (struct acl_prefix){ .family = r->family,
					  .bits = (uint8_t)(1 + (side ? i / 32 % 32 : i % 32)) };
		p->addr.bytes[0] = 10;
		flip = p->bits - 1u;
		if (below(4) == 0)
			p->addr.bytes[flip / 8] ^= (uint8_t)(0x80 >> flip % 8);
		for (unsigned int bit = p->bits; bit < 128; bit++)
			p->addr.bytes[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
		name_term(r, rule, side, term);
	}
	set_protocol(rule, 6);
	rule->destination_port[rule->destination_ports++] = (struct port_range){ (uint16_t)below(65536), 65535 };
}

static void make_lengths(struct ruleset *r, struct acl_rule *rule, size_t i)
{
	for (int side = SIDE_SOURCE; side <= SIDE_DESTINATION; side++) {
		uint32_t term = add_term(r, 1);
		struct acl_prefix *p = (struct acl_prefix *)r->term[term].prefix;

		*p = (struct acl_prefix){ .family = r->family,
					  .bits = (uint8_t)(1 + (side ? i / 32 % 32 : i % 32)) };
		for (int k = 0; k < (r->family == FAMILY_IPV4 ? 4 : 16); k++)
			p->addr.bytes[k] = (uint8_t)below(256);
		for (unsigned int bit = p->bits; bit < 128; bit++)
			p->addr.bytes[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
		name_term(r, rule, side, term);
	}
	set_protocol(rule, below(2) ? 6 : 17);
	rule->destination_port[rule->destination_ports++] = a_range(r, 60, 30);
}

static void make_ranges(struct ruleset *r, struct acl_rule *rule)
{
	struct port_range *range = rule->source_port;

	set_protocol(rule, 6);
	rule->source_ports = rule->destination_ports = 1;
	for (int i = 0; i < 2; i++, range = rule->destination_port) {
		range->first = (uint16_t)below(65536);
		range->last = (uint16_t)(range->first + below(65536u - range->first));
	}
}

/* Groups, lists, ports, flags, states. Terms 0–63 are groups of prefixes, 64–79 ports, 80–95 groups of ports. */
enum { GROUPS = 64, OWN_PORTS = RULESET_PORTS, PORT_GROUPS = 16, SHARED = GROUPS + OWN_PORTS + PORT_GROUPS };

static void make_shared(struct ruleset *r, uint32_t hosts)
{
	for (int i = 0; i < SHARED; i++) {
		uint32_t term = add_term(r, i < GROUPS ? 1 + below(12) : 0);
		struct acl_term *t = &r->term[term];
		uint32_t *slot = alloc_zero(OWN_PORTS, sizeof(*slot));

		for (size_t k = 0; k < t->prefixes; k++)
			((struct acl_prefix *)t->prefix)[k] = prefix(r, hosts, pick_bits(r, 2, 38));
		for (uint32_t k = 0; k < OWN_PORTS; k++)
			if (i >= GROUPS && (i < GROUPS + OWN_PORTS ? k == (uint32_t)i - GROUPS : !below(4)))
				slot[t->slots++] = 100 + 7 * k;
		t->slot = slot;
	}
}

static void make_weft(struct ruleset *r, struct acl_rule *rule, uint32_t hosts)
{
	static const uint8_t states[] = { 0, 0, 0, 0, CT_STATE_NEW, CT_STATE_INVALID, CT_STATE_NEW | CT_STATE_INVALID };

	if (below(4))
		for (uint32_t i = 1 + below(3); i; i--)
			name_term(r, rule, SIDE_PORT, GROUPS + below(OWN_PORTS + PORT_GROUPS));
	for (int side = SIDE_SOURCE; side <= SIDE_DESTINATION; side++)
		for (uint32_t i = below(4); i; i--) {
			if (below(2))
				name_term(r, rule, side, below(GROUPS));
			else
				name_prefix(r, rule, side, hosts, pick_bits(r, 3, 30));
		}
	pick_protocol(r, rule, 10);
	if (has_ports(rule))
		for (uint32_t i = below(RULE_RANGES); i; i--) {
			rule->destination_port[rule->destination_ports++] = a_range(r, 80, 15);
			if (!below(4))
				rule->source_port[rule->source_ports++] = a_range(r, 50, 25);
		}
	if (rule->match.protocol == 6 && !below(5)) {
		rule->match.tcp_mask = 0x17;
		rule->match.tcp_flags = (uint8_t)(below(2) ? 2 : 0x10);
	}
	rule->match.ct_states = states[below(sizeof(states))];
	if (!below(10))
		rule->match.flags |= ENTRY_STATELESS;
	if (!below(6))
		rule->match.ethertype = r->family == FAMILY_IPV4 ? 0x0800 : 0x86dd;
}

static void make_rule(struct ruleset *r, enum ruleset_kind kind, struct acl_rule *rule, size_t i, uint32_t hosts)
{
	switch (kind) {
	case RULES_ACL:
		make_acl(r, rule, hosts);
		break;
	case RULES_FW:
		make_fw(r, rule, hosts);
		break;
	case RULES_IPC:
		make_ipc(r, rule, hosts);
		break;
	case RULES_NESTED:
		make_nested(r, rule, i);
		break;
	case RULES_LENGTHS:
		make_lengths(r, rule, i);
		break;
	case RULES_RANGES:
		make_ranges(r, rule);
		break;
	default:
		make_weft(r, rule, hosts);
	}
}

/* Who writes rules puts the special ones first, or most of them: else nothing would be left of those behind. */
static int compare_rules(const void *a, const void *b)
{
	const struct acl_rule *x = a, *y = b;

	return x->match.rank < y->match.rank ? 1 : x->match.rank > y->match.rank ? -1 : 0;
}

static uint32_t special(struct ruleset *r, const struct acl_rule *rule)
{
	uint32_t score = 0;

	for (int side = SIDE_SOURCE; side <= SIDE_DESTINATION; side++)
		if (rule->terms[side])
			score += r->term[r->name[rule->term[side]]].prefix->bits * (r->family == FAMILY_IPV4 ? 4u : 1u);
	score += rule->source_ports ? 40 : 0;
	score += rule->destination_ports ? 40 : 0;
	score += rule->match.flags & ENTRY_PROTOCOL ? 20 : 0;
	return score + below(60);
}

static void put_in_order(struct ruleset *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		r->rule[i].match.rank = special(r, &r->rule[i]);
	qsort(r->rule, n, sizeof(*r->rule), compare_rules);
}

void ruleset_make(struct ruleset *r, enum ruleset_kind kind, uint8_t family, size_t n, uint64_t seed)
{
	*r = (struct ruleset){ .seed = seed, .family = family };
	r->term = alloc_zero(8 * n + SHARED, sizeof(*r->term));
	r->rule = alloc_zero(n, sizeof(*r->rule));
	if (kind == RULES_WEFT)
		make_shared(r, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		struct acl_rule *rule = &r->rule[i];

		rule->direction = kind == RULES_WEFT ? (uint8_t)below(2) : TO_WORKLOAD;
		rule->match.action = (uint8_t)below(4);
		if (rule->match.action == ACL_INSPECT)
			rule->match.chain = 1 + below(WEFT_CHAINS_MAX - 1);
		make_rule(r, kind, rule, i, (uint32_t)n);
	}
	if (kind <= RULES_IPC)
		put_in_order(r, n);
	for (size_t i = 0; i < n; i++) {
		r->rule[i].match.rank = (uint32_t)i * 16 + 8;
		r->rule[i].match.rule = (uint32_t)i + 1;
	}
	r->source.term = r->term;
	r->source.rule = r->rule;
	r->source.name = r->name;
	r->source.rules = n;
	r->source.who = "tenant test";
}

void ruleset_free(struct ruleset *r)
{
	for (size_t i = 0; i < r->source.terms; i++) {
		free((void *)r->term[i].prefix);
		free((void *)r->term[i].slot);
	}
	free(r->term);
	free(r->rule);
	free(r->name);
	*r = (struct ruleset){ 0 };
}

/* ---- packets ---- */

static union weft_addr within(struct ruleset *r, const struct acl_rule *rule, int side)
{
	union weft_addr a = { { 0 } };
	const struct acl_term *t;
	const struct acl_prefix *p;

	address(r, (uint32_t)r->source.rules, a.bytes);
	if (!rule->terms[side])
		return a;
	t = &r->term[r->name[rule->term[side] + below(rule->terms[side])]];
	if (!t->prefixes)
		return a;
	p = &t->prefix[below((uint32_t)t->prefixes)];
	/* At its first or last address, or anywhere in it. */
	for (unsigned int bit = 0; bit < (r->family == FAMILY_IPV4 ? 32 : 128); bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		if (bit < p->bits)
			a.bytes[bit / 8] = (uint8_t)((a.bytes[bit / 8] & ~mask) | (p->addr.bytes[bit / 8] & mask));
		else if (bit == p->bits && !below(3))
			a.bytes[bit / 8] ^= mask;
	}
	return a;
}

static uint16_t port_within(struct ruleset *r, const struct port_range *range, unsigned int n)
{
	uint32_t d = below(8);

	range = n ? range + below(n) : NULL;
	if (!range || !d)
		return (uint16_t)below(65536);
	if (d == 1)
		return (uint16_t)(range->first - 1);
	if (d == 2)
		return (uint16_t)(range->last + 1);
	return (uint16_t)(d < 5 ? range->first : range->first + below(range->last - range->first + 1u));
}

struct acl_query ruleset_packet(struct ruleset *r)
{
	static const uint8_t protocols[] = { 6, 17, 47, 132 };
	const struct acl_rule *rule = &r->rule[below((uint32_t)r->source.rules)];
	struct acl_query q = { .family = r->family, .direction = rule->direction, .ct_state = CT_STATE_NEW };

	q.ethertype = r->family == FAMILY_IPV4 ? 0x0800 : 0x86dd;
	q.source = within(r, rule, SIDE_SOURCE);
	q.destination = within(r, rule, SIDE_DESTINATION);
	q.port = 100 + 7 * below(RULESET_PORTS);
	q.protocol = rule->match.flags & ENTRY_PROTOCOL && below(16) ? rule->match.protocol : protocols[below(4)];
	if (q.protocol == 6 || q.protocol == 17 || q.protocol == 132) {
		q.source_port = port_within(r, rule->source_port, rule->source_ports);
		q.destination_port = port_within(r, rule->destination_port, rule->destination_ports);
	}
	if (q.protocol == 1 || q.protocol == 58) {
		q.icmp_type = below(4) ? rule->match.icmp_type : (uint8_t)below(256);
		q.icmp_code = (uint8_t)below(2);
	}
	if (q.protocol == 6)
		q.tcp_flags = (uint8_t)(below(8) ? 2 : below(64));
	if (!below(8))
		q.ct_state = CT_STATE_INVALID;
	return q;
}
