// SPDX-License-Identifier: BSD-2-Clause
/* Rules to entries: names become prefixes and slots, and every rule its product of alternatives. */
#include <stdlib.h>
#include <string.h>

#include "loader/alloc.h"
#include "loader/config/schema.h"
#include "loader/rules.h"

/*
 * Steps that a tenant's rules may cost altogether: names to follow and pairs of addresses to try, whether or not they
 * make entries. Some seconds; whoever may write `rules` cannot keep the compiler busy for longer.
 */
#define ACL_STEPS_MAX (UINT64_C(1) << 24)

struct prefixes {
	struct model_address *list;
	size_t n, room;
	bool any; /* not restricted: one entry that matches all */
};

/* A rule, taken apart. */
struct parts {
	const struct model *m;
	const struct model_tenant *t;
	const char *name;
	struct rule rule;
	uint32_t *ports; /* slots plus 1, or a single 0 */
	size_t n_ports, port_room;
	struct prefixes source, destination;
	uint64_t steps;
	uint8_t family; /* that ethertype or protocol ask for */
};

struct ordered {
	const char *name;
	const json_t *object;
	uint32_t rank;
};

static void add_prefix(struct prefixes *p, const struct model_address *prefix)
{
	p->list = alloc_grow(p->list, &p->room, p->n + 1, sizeof(*p->list));
	p->list[p->n++] = *prefix;
}

static int compare_prefixes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct model_address));
}

static int compare_slots(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* What is named twice, by a group and by itself, is there once. Returns how many are left. */
static size_t unique(void *list, size_t n, size_t size, int (*compare)(const void *, const void *))
{
	char *items = list;
	size_t kept = 0;

	if (!n)
		return 0;
	qsort(list, n, size, compare);
	for (size_t i = 1; i < n; i++)
		if (compare(items + kept * size, items + i * size))
			memmove(items + ++kept * size, items + i * size, size);
	return kept + 1;
}

static void add_port_addresses(struct prefixes *p, const struct model_port *port)
{
	for (size_t i = 0; port && i < port->n_addresses; i++)
		add_prefix(p, &port->addresses[i]);
}

static void add_texts(struct prefixes *p, const json_t *texts)
{
	struct model_address prefix;
	const json_t *item;
	size_t i;

	json_array_foreach ((json_t *)texts, i, item)
		if (!model_prefix(json_string_value(item), &prefix))
			add_prefix(p, &prefix);
}

static const json_t *group_of(const struct model_tenant *t, const char *name)
{
	return json_object_get(json_object_get(t->body, "groups"), name);
}

/* A network without subnets is where its ports are. */
static void add_network(struct parts *parts, struct prefixes *p, const struct model_network *n)
{
	if (!n)
		return;
	parts->steps += json_array_size(n->subnets) + n->n_ports;
	add_texts(p, n->subnets);
	for (size_t i = 0; !json_array_size(n->subnets) && i < n->n_ports; i++)
		add_port_addresses(p, n->ports[i]);
}

static void add_group(struct parts *parts, struct prefixes *p, const char *name)
{
	const json_t *group = group_of(parts->t, name), *item;
	size_t i;

	parts->steps += json_array_size(json_object_get(group, "prefixes")) +
			json_array_size(json_object_get(group, "ports"));
	add_texts(p, json_object_get(group, "prefixes"));
	json_array_foreach (json_object_get(group, "ports"), i, item)
		add_port_addresses(p,
				   model_port(parts->m, parts->t->name, json_string_value(item)));
}

static void expand(struct parts *parts, const char refs[RULE_REFS][RULE_REF_LEN],
		   struct prefixes *p)
{
	struct model_address prefix;

	p->any = !refs[0][0];
	for (int i = 0; i < RULE_REFS && refs[i][0]; i++) {
		const char *text = refs[i];

		if (!strncmp(text, "group:", 6))
			add_group(parts, p, text + 6);
		else if (!strncmp(text, "port:", 5))
			add_port_addresses(p, model_port(parts->m, parts->t->name, text + 5));
		else if (!strncmp(text, "network:", 8))
			add_network(parts, p, model_network(parts->m, parts->t->name, text + 8));
		else if (!model_prefix(text, &prefix))
			add_prefix(p, &prefix);
	}
	p->n = unique(p->list, p->n, sizeof(*p->list), compare_prefixes);
}

static void add_port(struct parts *parts, const struct model_port *port)
{
	parts->steps++;
	if (!port || !port->here)
		return;
	parts->ports = alloc_grow(parts->ports, &parts->port_room, parts->n_ports + 1,
				  sizeof(*parts->ports));
	parts->ports[parts->n_ports++] = port->slot + 1;
}

static void expand_ports(struct parts *parts)
{
	const char(*refs)[RULE_REF_LEN] = parts->rule.apply_to;
	const char *tenant = parts->t->name;

	if (!refs[0][0]) {
		parts->ports =
			alloc_grow(parts->ports, &parts->port_room, 1, sizeof(*parts->ports));
		parts->ports[parts->n_ports++] = 0;
	}
	for (int i = 0; i < RULE_REFS && refs[i][0]; i++) {
		const struct model_network *n;
		const json_t *item;
		size_t j;

		if (!strncmp(refs[i], "port:", 5))
			add_port(parts, model_port(parts->m, tenant, refs[i] + 5));
		if (!strncmp(refs[i], "group:", 6))
			json_array_foreach (
				json_object_get(group_of(parts->t, refs[i] + 6), "ports"), j, item)
				add_port(parts,
					 model_port(parts->m, tenant, json_string_value(item)));
		n = strncmp(refs[i], "network:", 8) ? NULL
						    : model_network(parts->m, tenant, refs[i] + 8);
		for (j = 0; n && j < n->n_ports; j++)
			add_port(parts, n->ports[j]);
	}
	parts->n_ports = unique(parts->ports, parts->n_ports, sizeof(*parts->ports), compare_slots);
}

static uint8_t family_asked(const struct rule *rule)
{
	if (rule->ethertype == 0x0800 || (rule->has_protocol && rule->protocol == 1))
		return FAMILY_IPV4;
	if (rule->ethertype == 0x86dd || (rule->has_protocol && rule->protocol == 58))
		return FAMILY_IPV6;
	return FAMILY_NONE;
}

/* What all entries of the rule have in common. */
static struct acl_entry common_entry(const struct parts *parts)
{
	const struct rule *rule = &parts->rule;
	struct acl_entry entry = {
		.family = parts->family,
		.direction = rule->direction,
		.action = rule->action,
		.ethertype = rule->ethertype,
		.source_last = 65535,
		.destination_last = 65535,
		.rule = (__u32)rule->id,
		.protocol = rule->protocol,
		.icmp_type = rule->icmp_type,
		.icmp_code = rule->icmp_code,
		.tcp_mask = rule->tcp_mask,
		.tcp_flags = rule->tcp_flags,
		.ct_states = rule->ct_states,
	};

	entry.flags = (rule->has_protocol ? ENTRY_PROTOCOL : 0) |
		      (rule->has_icmp_type ? ENTRY_ICMP_TYPE : 0) |
		      (rule->has_icmp_code ? ENTRY_ICMP_CODE : 0) | (rule->log ? ENTRY_LOG : 0) |
		      (rule->stateless ? ENTRY_STATELESS : 0);
	return entry;
}

static int emit(struct acl_list *list, const struct parts *parts, const struct acl_entry *entry,
		struct error *e)
{
	if (list->n >= ACL_ENTRIES_MAX)
		return error_set(
			e, EXIT_REFUSED,
			"acl %s/%s: with this rule the tenant has more than %d entries, "
			"one for each port x source x destination x port range: use prefixes in place "
			"of groups, or leave out apply_to",
			parts->t->name, parts->name, ACL_ENTRIES_MAX);
	list->entries = alloc_grow(list->entries, &list->room, list->n + 1, sizeof(*list->entries));
	list->entries[list->n++] = *entry;
	return 0;
}

static int take_steps(struct acl_list *list, const struct parts *parts, uint64_t steps,
		      struct error *e)
{
	list->steps += steps;
	if (list->steps <= ACL_STEPS_MAX)
		return 0;
	return error_set(
		e, EXIT_REFUSED,
		"acl %s/%s: with this rule the tenant's rules name too much to be compiled in "
		"reasonable time: use prefixes or networks in place of large groups",
		parts->t->name, parts->name);
}

static int emit_ranges(struct acl_list *list, const struct parts *parts, struct acl_entry entry,
		       struct error *e)
{
	const struct rule *rule = &parts->rule;
	int sources = rule->source_ports ? rule->source_ports : 1;
	int destinations = rule->destination_ports ? rule->destination_ports : 1;

	for (int s = 0; s < sources; s++) {
		if (rule->source_ports) {
			entry.source_first = rule->source_port[s].first;
			entry.source_last = rule->source_port[s].last;
		}
		for (int d = 0; d < destinations; d++) {
			if (rule->destination_ports) {
				entry.destination_first = rule->destination_port[d].first;
				entry.destination_last = rule->destination_port[d].last;
			}
			if (emit(list, parts, &entry, e))
				return -1;
		}
	}
	return 0;
}

/* Gives the entry a prefix at one end. False if the families contradict: nothing can match. */
static bool put_prefix(struct acl_entry *entry, bool source, const struct prefixes *p, size_t i)
{
	const struct model_address *prefix = p->any ? NULL : &p->list[i];

	if (!prefix)
		return true;
	if (entry->family != FAMILY_NONE && entry->family != prefix->family)
		return false;
	entry->family = prefix->family;
	if (source) {
		entry->source = prefix->addr;
		entry->source_bits = prefix->bits;
	} else {
		entry->destination = prefix->addr;
		entry->destination_bits = prefix->bits;
	}
	return true;
}

static int emit_rule(struct acl_list *list, const struct parts *parts, struct error *e)
{
	size_t sources = parts->source.any ? 1 : parts->source.n;
	size_t destinations = parts->destination.any ? 1 : parts->destination.n;

	for (size_t p = 0; p < parts->n_ports; p++) {
		for (size_t s = 0; s < sources; s++) {
			struct acl_entry half = common_entry(parts);

			half.port = parts->ports[p];
			if (take_steps(list, parts, 1 + destinations, e))
				return -1;
			if (!put_prefix(&half, true, &parts->source, s))
				continue;
			for (size_t d = 0; d < destinations; d++) {
				struct acl_entry entry = half;

				if (put_prefix(&entry, false, &parts->destination, d) &&
				    emit_ranges(list, parts, entry, e))
					return -1;
			}
		}
	}
	return 0;
}

static int compile_rule(const struct model *m, const struct model_tenant *t,
			const struct ordered *one, struct acl_list *list, struct error *e)
{
	struct parts parts = { .m = m, .t = t, .name = one->name };
	char path[CONFIG_PATH_LEN];
	const struct identity *identity;
	int failed;

	snprintf(path, sizeof(path), "tenants/%s/acl/%s", t->name, one->name);
	identity = identity_find(m->ids, path);
	if (rule_encode(t->name, one->name, one->object, identity ? identity->id : 0, &parts.rule,
			e))
		return -1;
	parts.family = family_asked(&parts.rule);
	expand_ports(&parts);
	if (parts.n_ports) {
		expand(&parts, parts.rule.source, &parts.source);
		expand(&parts, parts.rule.destination, &parts.destination);
	}
	failed =
		take_steps(list, &parts, 1 + parts.steps, e) || emit_rule(list, &parts, e) ? -1 : 0;
	free(parts.ports);
	free(parts.source.list);
	free(parts.destination.list);
	return failed;
}

/* Smaller is asked first. */
static uint32_t rank_of(const json_t *object)
{
	const char *action = schema_text("acl", object, "action");
	uint32_t kind = !strcmp(action, "deny") ? 0 : !strcmp(action, "reject") ? 1 : 2;

	return (uint32_t)(65535 - schema_number("acl", object, "priority")) << 2 | kind;
}

static int compare_rules(const void *a, const void *b)
{
	const struct ordered *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return strcmp(x->name, y->name);
}

int acl_compile(const struct model *m, const struct model_tenant *t, struct acl_list *list,
		struct error *e)
{
	json_t *acl = json_object_get(t->body, "acl"), *object;
	struct ordered *rules = alloc_zero(json_object_size(acl), sizeof(*rules));
	const char *name;
	size_t n = 0;
	int failed = 0;

	*list = (struct acl_list){ 0 };
	json_object_foreach (acl, name, object)
		rules[n++] = (struct ordered){ name, object, rank_of(object) };
	qsort(rules, n, sizeof(*rules), compare_rules);
	for (size_t i = 0; i < n && !failed; i++)
		failed = compile_rule(m, t, &rules[i], list, e);
	free(rules);
	if (failed) {
		free(list->entries);
		*list = (struct acl_list){ 0 };
	}
	return failed;
}
