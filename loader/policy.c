// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/alloc.h"
#include "loader/policy.h"

const char *const policy_keys[POLICY_KEYS] = {
	[KEY_DIRECTION] = "direction",     [KEY_APPLY_TO] = "apply_to",
	[KEY_ETHERTYPE] = "ethertype",     [KEY_PROTOCOL] = "protocol",
	[KEY_SOURCE] = "source",           [KEY_DESTINATION] = "destination",
	[KEY_SOURCE_PORT] = "source_port", [KEY_DESTINATION_PORT] = "destination_port",
	[KEY_ICMP_TYPE] = "icmp_type",     [KEY_ICMP_CODE] = "icmp_code",
	[KEY_TCP_FLAGS] = "tcp_flags",     [KEY_CONNTRACK_STATE] = "conntrack_state",
};

/* Smaller is asked first. */
static int rank(const struct rule *rule)
{
	static const int kinds[] = {
		[ACL_DENY] = 0, [ACL_REJECT] = 1, [ACL_ALLOW] = 2, [ACL_INSPECT] = 2
	};

	return (65535 - rule->priority) * 3 + kinds[rule->action];
}

static int policy_order(const void *a, const void *b)
{
	const struct policy_rule *x = a, *y = b;
	int order = rank(&x->rule) - rank(&y->rule);

	return order ? order : strcmp(x->name, y->name);
}

int policy_open(struct policy *p, const struct model *m, const struct model_tenant *tenant,
		struct error *e)
{
	json_t *acl = json_object_get(tenant->body, "acl"), *object;
	const char *name;

	*p = (struct policy){ .m = m, .tenant = tenant };
	p->rules = alloc_zero(json_object_size(acl), sizeof(*p->rules));
	json_object_foreach (acl, name, object) {
		struct policy_rule *r = &p->rules[p->n];
		char path[CONFIG_PATH_LEN];
		const struct identity *one;

		snprintf(path, sizeof(path), "tenants/%s/acl/%s", tenant->name, name);
		one = identity_find(m->ids, path);
		r->name = name;
		if (rule_encode(tenant->name, name, object, one ? one->id : 0, &r->rule, e)) {
			policy_close(p);
			return -1;
		}
		p->n++;
	}
	qsort(p->rules, p->n, sizeof(*p->rules), policy_order);
	return 0;
}

void policy_close(struct policy *p)
{
	free(p->rules);
	*p = (struct policy){ 0 };
}

/* ---- what names stand for ---- */

static bool in_prefix(const struct model_address *a, const struct model_address *prefix)
{
	unsigned int whole = prefix->bits / 8, rest = prefix->bits % 8;

	if (a->family != prefix->family || memcmp(&a->addr, &prefix->addr, whole))
		return false;
	return !rest || !((a->addr.bytes[whole] ^ prefix->addr.bytes[whole]) >> (8 - rest));
}

static bool in_text(const struct model_address *a, const char *text)
{
	struct model_address prefix;

	return text && !model_prefix(text, &prefix) && in_prefix(a, &prefix);
}

static bool in_texts(const struct model_address *a, const json_t *texts)
{
	const json_t *item;
	size_t i;

	json_array_foreach ((json_t *)texts, i, item)
		if (in_text(a, json_string_value(item)))
			return true;
	return false;
}

static bool at_port(const struct model_address *a, const struct model_port *port)
{
	for (size_t i = 0; port && i < port->n_addresses; i++)
		if (in_prefix(a, &port->addresses[i]))
			return true;
	return false;
}

static const json_t *group_of(const struct policy *p, const char *name)
{
	return json_object_get(json_object_get(p->tenant->body, "groups"), name);
}

static bool in_group(const struct policy *p, const struct model_address *a, const char *name)
{
	const json_t *group = group_of(p, name), *item;
	size_t i;

	json_array_foreach (json_object_get(group, "ports"), i, item)
		if (at_port(a, model_port(p->m, p->tenant->name, json_string_value(item))))
			return true;
	return in_texts(a, json_object_get(group, "prefixes"));
}

/* A network without subnets is where its ports are. */
static bool in_network(const struct policy *p, const struct model_address *a, const char *name)
{
	const struct model_network *n = model_network(p->m, p->tenant->name, name);

	if (!n || json_array_size(n->subnets))
		return n && in_texts(a, n->subnets);
	for (size_t i = 0; i < n->n_ports; i++)
		if (at_port(a, n->ports[i]))
			return true;
	return false;
}

static bool end_matches(const struct policy *p, const char refs[RULE_REFS][RULE_REF_LEN],
			const struct policy_question *q, const struct model_address *a)
{
	if (!refs[0][0])
		return true;
	for (int i = 0; q->family != FAMILY_NONE && i < RULE_REFS && refs[i][0]; i++) {
		const char *ref = refs[i];

		if (!strncmp(ref, "group:", 6) ? in_group(p, a, ref + 6)
		    : !strncmp(ref, "port:", 5)
			    ? at_port(a, model_port(p->m, p->tenant->name, ref + 5))
		    : !strncmp(ref, "network:", 8) ? in_network(p, a, ref + 8)
						   : in_text(a, ref))
			return true;
	}
	return false;
}

static bool names_port(const json_t *names, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach ((json_t *)names, i, item)
		if (!strcmp(json_string_value(item), name))
			return true;
	return false;
}

static bool applies(const struct policy *p, const struct rule *rule, const struct model_port *port)
{
	if (!rule->apply_to[0][0])
		return true;
	for (int i = 0; i < RULE_APPLY_TO(rule) && rule->apply_to[i][0]; i++) {
		const char *ref = rule->apply_to[i];

		if (!strncmp(ref, "port:", 5) ? !strcmp(ref + 5, port->name)
		    : !strncmp(ref, "network:", 8)
			    ? port->network && !strcmp(ref + 8, port->network->name)
			    : names_port(json_object_get(group_of(p, ref + 6), "ports"),
					 port->name))
			return true;
	}
	return false;
}

/* ---- a rule and a question ---- */

static bool in_ranges(const struct port_range *ranges, unsigned int n, uint16_t port)
{
	for (unsigned int i = 0; i < n; i++)
		if (port >= ranges[i].first && port <= ranges[i].last)
			return true;
	return !n;
}

/* A packet of no flow is for rules that say so, or that know no flows. */
static bool state_matches(const struct rule *rule, uint8_t state)
{
	if (rule->ct_states)
		return rule->ct_states & state;
	return state != CT_STATE_INVALID || rule->stateless;
}

unsigned int policy_misses(const struct policy *p, const struct policy_rule *r,
			   const struct policy_question *q)
{
	const struct rule *rule = &r->rule;
	const bool matches[POLICY_KEYS] = {
		[KEY_DIRECTION] = rule->direction == q->direction,
		[KEY_APPLY_TO] = applies(p, rule, q->port),
		[KEY_ETHERTYPE] = !rule->ethertype || rule->ethertype == q->ethertype,
		[KEY_PROTOCOL] = !rule->has_protocol || rule->protocol == q->protocol,
		[KEY_SOURCE] = end_matches(p, rule->source, q, &q->source),
		[KEY_DESTINATION] = end_matches(p, rule->destination, q, &q->destination),
		[KEY_SOURCE_PORT] =
			in_ranges(rule->source_port, rule->source_ports, q->source_port),
		[KEY_DESTINATION_PORT] = in_ranges(rule->destination_port, rule->destination_ports,
						   q->destination_port),
		[KEY_ICMP_TYPE] = !rule->has_icmp_type || rule->icmp_type == q->icmp_type,
		[KEY_ICMP_CODE] = !rule->has_icmp_code || rule->icmp_code == q->icmp_code,
		[KEY_TCP_FLAGS] = (q->tcp_flags & rule->tcp_mask) == rule->tcp_flags,
		[KEY_CONNTRACK_STATE] = state_matches(rule, q->ct_state),
	};
	unsigned int misses = 0;

	for (int key = 0; key < POLICY_KEYS; key++)
		misses |= (unsigned int)!matches[key] << key;
	return misses;
}

const struct policy_rule *policy_decide(const struct policy *p, const struct policy_question *q)
{
	for (size_t i = 0; i < p->n; i++)
		if (!policy_misses(p, &p->rules[i], q))
			return &p->rules[i];
	return NULL;
}
