// SPDX-License-Identifier: BSD-2-Clause
/* From a tenant's rules as they are written to what the classifier takes: names become terms with their members. */
#include <stdlib.h>
#include <string.h>

#include "loader/acl/hash.h"
#include "loader/alloc.h"
#include "loader/config/schema.h"
#include "loader/entries.h"
#include "loader/rules.h"

/* Terms by the keyed hash of their names; open addressing. */
struct term_slot {
	uint64_t key;
	uint32_t term; /* plus 1 */
};

struct members {
	struct acl_prefix *prefix;
	uint32_t *slot;
	size_t prefixes, prefix_room, slots, slot_room;
};

struct ordered {
	const char *name;
	const json_t *object; /* NULL: `rule` has it */
	const struct rule *rule;
	uint32_t order;
};

struct gather {
	const struct model *m;
	const struct model_tenant *t;
	struct acl_rules *r;
	struct error *e;
};

static void add_prefix(struct members *to, const struct model_address *a)
{
	to->prefix =
		alloc_grow(to->prefix, &to->prefix_room, to->prefixes + 1, sizeof(*to->prefix));
	memset(&to->prefix[to->prefixes], 0, sizeof(*to->prefix));
	to->prefix[to->prefixes].family = a->family;
	to->prefix[to->prefixes].bits = a->bits;
	to->prefix[to->prefixes++].addr = a->addr;
}

static void add_texts(struct members *to, const json_t *texts)
{
	struct model_address a;
	const json_t *item;
	size_t i;

	json_array_foreach ((json_t *)texts, i, item)
		if (!model_prefix(json_string_value(item), &a))
			add_prefix(to, &a);
}

static void add_port(struct members *to, const struct model_port *port, bool addresses)
{
	if (!port)
		return;
	for (size_t i = 0; addresses && i < port->n_addresses; i++)
		add_prefix(to, &port->addresses[i]);
	if (!port->here)
		return;
	to->slot = alloc_grow(to->slot, &to->slot_room, to->slots + 1, sizeof(*to->slot));
	to->slot[to->slots++] = port->slot;
}

static void add_group(const struct gather *g, struct members *to, const char *name)
{
	const json_t *group = json_object_get(json_object_get(g->t->body, "groups"), name), *item;
	size_t i;

	add_texts(to, json_object_get(group, "prefixes"));
	json_array_foreach (json_object_get(group, "ports"), i, item)
		add_port(to, model_port(g->m, g->t->name, json_string_value(item)), true);
}

/* A network without subnets is where its ports are. */
static void add_network(struct members *to, const struct model_network *n)
{
	if (!n)
		return;
	add_texts(to, n->subnets);
	for (size_t i = 0; i < n->n_ports; i++)
		add_port(to, n->ports[i], !json_array_size(n->subnets));
}

/* True if the members may change without the name. */
static bool follow(const struct gather *g, const char *text, struct members *to)
{
	struct model_address a;

	if (!strncmp(text, "group:", 6))
		add_group(g, to, text + 6);
	else if (!strncmp(text, "port:", 5))
		add_port(to, model_port(g->m, g->t->name, text + 5), true);
	else if (!strncmp(text, "network:", 8))
		add_network(to, model_network(g->m, g->t->name, text + 8));
	else if (!model_prefix(text, &a)) {
		add_prefix(to, &a);
		return false;
	}
	return true;
}

static int compare_prefixes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct acl_prefix));
}

static int compare_slots(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* In an order of their own, and each once: what is told twice is no other term. */
static size_t unique(void *list, size_t n, size_t size, int (*compare)(const void *, const void *))
{
	char *items = list;
	size_t kept = 0;

	if (n < 2)
		return n;
	qsort(list, n, size, compare);
	for (size_t i = 1; i < n; i++)
		if (compare(items + kept * size, items + i * size))
			memmove(items + ++kept * size, items + i * size, size);
	return kept + 1;
}

static void note_named(struct acl_rules *r, uint64_t key, const struct members *m)
{
	struct acl_named *named;
	uint64_t two[2];

	r->named = alloc_grow(r->named, &r->named_room, r->n_named + 1, sizeof(*r->named));
	named = memset(&r->named[r->n_named++], 0, sizeof(*named));
	named->key = key;
	two[0] = keyed_hash(r->key, m->prefix, m->prefixes * sizeof(*m->prefix));
	two[1] = keyed_hash(r->key, m->slot, m->slots * sizeof(*m->slot));
	named->digest = keyed_hash(r->key, two, sizeof(two));
}

static uint32_t add_term(const struct gather *g, const char *text, uint64_t key)
{
	struct acl_rules *r = g->r;
	struct members m = { 0 };

	bool named = follow(g, text, &m);

	if (named) {
		m.prefixes = unique(m.prefix, m.prefixes, sizeof(*m.prefix), compare_prefixes);
		m.slots = unique(m.slot, m.slots, sizeof(*m.slot), compare_slots);
		note_named(r, key, &m);
	}
	r->term = alloc_grow(r->term, &r->term_room, r->terms + 1, sizeof(*r->term));
	r->term[r->terms] = (struct acl_term){ .key = key,
					       .prefix = m.prefix,
					       .prefixes = m.prefixes,
					       .slot = m.slot,
					       .slots = m.slots,
					       .changes = named && !strncmp(text, "group:", 6) };
	return (uint32_t)r->terms++;
}

static void put_known(struct acl_rules *r, uint64_t key, uint32_t term)
{
	size_t at = (size_t)key & r->known_mask;

	while (r->known[at].term)
		at = (at + 1) & r->known_mask;
	r->known[at] = (struct term_slot){ key, term + 1 };
}

static void grow_known(struct acl_rules *r)
{
	struct term_slot *had = r->known;
	size_t slots = r->known_mask + 1;

	r->known = alloc_zero(2 * slots, sizeof(*r->known));
	r->known_mask = 2 * slots - 1;
	for (size_t i = 0; i < slots; i++)
		if (had[i].term)
			put_known(r, had[i].key, had[i].term - 1);
	free(had);
}

static uint32_t find_term(const struct gather *g, const char *text)
{
	struct acl_rules *r = g->r;
	uint64_t key = keyed_hash(r->key, text, strlen(text));
	size_t at = (size_t)key & r->known_mask;

	while (r->known[at].term && r->known[at].key != key)
		at = (at + 1) & r->known_mask;
	if (r->known[at].term)
		return r->known[at].term - 1;
	if (2 * r->terms > r->known_mask)
		grow_known(r);
	put_known(r, key, add_term(g, text, key));
	return (uint32_t)r->terms - 1;
}

static void add_names(const struct gather *g, struct acl_rule *rule, int side,
		      const char refs[RULE_REFS][RULE_REF_LEN], int n)
{
	struct acl_rules *r = g->r;

	rule->term[side] = (uint32_t)r->names;
	for (int i = 0; i < n && refs[i][0]; i++) {
		uint32_t term = find_term(g, refs[i]);

		r->name_of =
			alloc_grow(r->name_of, &r->name_room, r->names + 1, sizeof(*r->name_of));
		r->name_of[r->names++] = term;
		rule->terms[side]++;
	}
}

/* May the rule come to match at a port of this host, be it when a group's members change? */
static bool applies(const struct gather *g, const struct rule *rule, const struct acl_rule *made)
{
	for (int i = 0; i < made->terms[SIDE_PORT]; i++)
		if (!strncmp(rule->apply_to[i], "group:", 6) ||
		    g->r->term[g->r->name_of[made->term[SIDE_PORT] + (uint32_t)i]].slots)
			return true;
	return !made->terms[SIDE_PORT];
}

static uint32_t chain_slot(const struct gather *g, const struct rule *rule)
{
	const struct model_chain *chain = NULL;

	if (rule->action == ACL_INSPECT)
		chain = model_chain(g->m, g->t->name, rule->apply_to[RULE_CHAIN] + strlen(CHAIN_REF));
	return chain ? chain->slot : 0;
}

static void add_fields(struct acl_rule *made, const struct rule *rule)
{
	struct acl_match *m = &made->match;

	made->direction = rule->direction;
	m->ethertype = rule->ethertype;
	m->rule = (__u32)rule->id;
	m->protocol = rule->protocol;
	m->icmp_type = rule->icmp_type;
	m->icmp_code = rule->icmp_code;
	m->tcp_mask = rule->tcp_mask;
	m->tcp_flags = rule->tcp_flags;
	m->ct_states = rule->ct_states;
	m->action = rule->action;
	m->flags = (__u8)((rule->has_protocol ? ENTRY_PROTOCOL : 0) |
			  (rule->has_icmp_type ? ENTRY_ICMP_TYPE : 0) |
			  (rule->has_icmp_code ? ENTRY_ICMP_CODE : 0) |
			  (rule->log ? ENTRY_LOG : 0) | (rule->stateless ? ENTRY_STATELESS : 0));
	made->source_ports = rule->source_ports;
	made->destination_ports = rule->destination_ports;
	memcpy(made->source_port, rule->source_port, sizeof(made->source_port));
	memcpy(made->destination_port, rule->destination_port, sizeof(made->destination_port));
}

static int encode(const struct gather *g, const struct ordered *one, struct rule *rule)
{
	char path[CONFIG_PATH_LEN];
	const struct identity *identity;

	snprintf(path, sizeof(path), "tenants/%s/acl/%s", g->t->name, one->name);
	identity = identity_find(g->m->ids, path);
	return rule_encode(g->t->name, one->name, one->object, identity ? identity->id : 0, rule, g->e);
}

static int add_rule(const struct gather *g, const struct ordered *one)
{
	struct acl_rules *r = g->r;
	struct acl_rule *made = &r->rule[r->rules];
	const struct rule *rule = one->rule;
	struct rule encoded;

	if (!rule) {
		if (encode(g, one, &encoded))
			return -1;
		rule = &encoded;
	}
	memset(made, 0, sizeof(*made));
	add_fields(made, rule);
	made->match.chain = chain_slot(g, rule);
	add_names(g, made, SIDE_PORT, rule->apply_to, RULE_APPLY_TO(rule));
	if (!applies(g, rule, made))
		return 0;
	add_names(g, made, SIDE_SOURCE, rule->source, RULE_REFS);
	add_names(g, made, SIDE_DESTINATION, rule->destination, RULE_REFS);
	r->digest[r->rules] = keyed_hash(r->key, rule, sizeof(*rule));
	r->order[r->rules] = one->order;
	r->name[r->rules++] = one->name;
	return 0;
}

/* Smaller is asked first. */
static uint32_t order_of(const json_t *object)
{
	const char *action = schema_text("acl", object, "action");
	uint32_t kind = !strcmp(action, "deny") ? 0 : !strcmp(action, "reject") ? 1 : 2;

	return (uint32_t)(65535 - schema_number("acl", object, "priority")) << 2 | kind;
}

static uint32_t order_of_rule(const struct rule *rule)
{
	uint32_t kind = rule->action == ACL_DENY ? 0 : rule->action == ACL_REJECT ? 1 : 2;

	return (uint32_t)(65535 - rule->priority) << 2 | kind;
}

static int compare_rules(const void *a, const void *b)
{
	const struct ordered *x = a, *y = b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void make_room(struct acl_rules *r, size_t n)
{
	r->known_mask = 63;
	r->known = alloc_zero(r->known_mask + 1, sizeof(*r->known));
	r->rule = alloc_zero(n + 1, sizeof(*r->rule));
	r->name = alloc_zero(n + 1, sizeof(*r->name));
	r->digest = alloc_zero(n + 1, sizeof(*r->digest));
	r->order = alloc_zero(n + 1, sizeof(*r->order));
}

/* Spread over all numbers, so that others fit between. */
static void give_ranks(struct acl_rules *r)
{
	uint32_t step = (uint32_t)(UINT32_MAX / (r->rules + 2));

	for (size_t i = 0; i < r->rules; i++)
		r->rule[i].match.rank = (uint32_t)(i + 1) * step;
}

/* Who may come into groups, or leave them: the tenant's ports, and others of its subnets. */
#define MOVERS_MAX 256

static void find_movers(const struct gather *g)
{
	struct members m = { 0 };

	for (size_t i = 0; i < g->m->n_ports && m.prefixes < MOVERS_MAX; i++)
		if (g->m->ports[i].tenant == g->t)
			add_port(&m, &g->m->ports[i], true);
	for (size_t i = 0; i < g->m->n_networks && m.prefixes < 2 * MOVERS_MAX; i++)
		if (g->m->networks[i].tenant == g->t)
			add_texts(&m, g->m->networks[i].subnets);
	g->r->mover = m.prefix;
	g->r->moving_slot = m.slot;
	g->r->source.mover = m.prefix;
	g->r->source.movers = m.prefixes;
	g->r->source.moving_slot = m.slot;
	g->r->source.moving_slots = m.slots;
}

static int gather(const struct gather *g, struct ordered *rules, size_t n)
{
	struct acl_rules *r = g->r;
	int failed = 0;

	qsort(rules, n, sizeof(*rules), compare_rules);
	make_room(r, n);
	for (size_t i = 0; i < n && !failed; i++)
		failed = add_rule(g, &rules[i]);
	give_ranks(r);
	snprintf(r->who, sizeof(r->who), "tenant %s", g->t->name);
	r->source = (struct acl_source){ .term = r->term,
					 .rule = r->rule,
					 .name = r->name_of,
					 .terms = r->terms,
					 .rules = r->rules,
					 .who = r->who };
	find_movers(g);
	if (failed)
		acl_rules_free(r);
	return failed;
}

int acl_rules_gather(const struct model *m, const struct model_tenant *t, const uint64_t key[2],
		     struct acl_rules *r, struct error *e)
{
	json_t *acl = json_object_get(t->body, "acl"), *object;
	struct ordered *rules = alloc_zero(json_object_size(acl) + 1, sizeof(*rules));
	struct gather g = { m, t, r, e };
	const char *name;
	size_t n = 0;
	int failed;

	*r = (struct acl_rules){ .key = { key[0], key[1] } };
	json_object_foreach (acl, name, object)
		rules[n++] = (struct ordered){ name, object, NULL, order_of(object) };
	failed = gather(&g, rules, n);
	free(rules);
	return failed;
}

int acl_rules_gather_map(const struct model *m, const struct model_tenant *t, const uint64_t key[2],
			 const struct entries *list, struct acl_rules *r, struct error *e)
{
	struct ordered *rules = alloc_zero(list->n + 1, sizeof(*rules));
	struct gather g = { m, t, r, e };
	int failed;

	*r = (struct acl_rules){ .key = { key[0], key[1] } };
	r->names_kept = alloc_zero(list->n + 1, sizeof(*r->names_kept));
	for (size_t i = 0; i < list->n; i++) {
		const struct rule_key *name = entries_key(list, i);
		const struct rule *rule = entries_value(list, i);

		memcpy(r->names_kept[i], name->name, WEFT_NAME_LEN);
		rules[i] = (struct ordered){ r->names_kept[i], NULL, rule, order_of_rule(rule) };
	}
	failed = gather(&g, rules, list->n);
	free(rules);
	return failed;
}

void acl_rules_free(struct acl_rules *r)
{
	for (size_t i = 0; i < r->terms; i++) {
		free((void *)r->term[i].prefix);
		free((void *)r->term[i].slot);
	}
	free(r->term);
	free(r->rule);
	free(r->name_of);
	free(r->names_kept);
	free(r->name);
	free(r->digest);
	free(r->order);
	free(r->named);
	free(r->mover);
	free(r->moving_slot);
	free(r->known);
	*r = (struct acl_rules){ 0 };
}
