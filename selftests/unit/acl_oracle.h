/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which rule decides a packet, asked of the rules as they are written: names are followed anew for
 * every packet. For tenant red of the world in acl_compile.c.
 */
#ifndef WEFT_ACL_ORACLE_H
#define WEFT_ACL_ORACLE_H

#include "config_helpers.h"

#include "loader/model.h"

struct packet {
	int direction;
	const char *port;
	struct model_address source, destination;
	int protocol;
	unsigned int source_port, destination_port;
};

static bool within(const char *prefix_text, const struct model_address *a)
{
	struct model_address p;

	assert_int_equal(model_prefix(prefix_text, &p), 0);
	if (p.family != a->family)
		return false;
	for (int bit = 0; bit < p.bits; bit++)
		if ((p.addr.bytes[bit / 8] ^ a->addr.bytes[bit / 8]) & 0x80 >> bit % 8)
			return false;
	return true;
}

static const json_t *red(const json_t *tree, const char *part, const char *name)
{
	const json_t *body = json_object_get(json_object_get(tree, "tenants"), "red");

	return json_object_get(json_object_get(body, part), name);
}

static bool any_within(const json_t *texts, const struct model_address *a)
{
	const json_t *item;
	size_t i;

	json_array_foreach ((json_t *)texts, i, item)
		if (within(json_string_value(item), a))
			return true;
	return false;
}

static bool port_has(const json_t *tree, const char *port, const struct model_address *a)
{
	return any_within(json_object_get(red(tree, "ports", port), "addresses"), a);
}

static bool end_matches(const json_t *tree, const char *ref, const struct model_address *a)
{
	const json_t *ports, *item;
	size_t i;

	if (!strncmp(ref, "port:", 5))
		return port_has(tree, ref + 5, a);
	if (!strncmp(ref, "group:", 6)) {
		ports = red(tree, "groups", ref + 6);
		json_array_foreach (json_object_get(ports, "ports"), i, item)
			if (port_has(tree, json_string_value(item), a))
				return true;
		return any_within(json_object_get(ports, "prefixes"), a);
	}
	if (!strcmp(ref, "network:a"))
		return any_within(json_object_get(red(tree, "networks", "a"), "subnets"), a);
	/* b has no subnets: it is where its ports are. */
	if (!strcmp(ref, "network:b"))
		return port_has(tree, "p2", a) || port_has(tree, "p3", a) ||
		       port_has(tree, "p4", a);
	return within(ref, a);
}

static bool side_matches(const json_t *tree, const json_t *rule, const char *key,
			 const struct model_address *a)
{
	const json_t *list = json_object_get(rule, key), *item;
	size_t i;

	json_array_foreach ((json_t *)list, i, item)
		if (end_matches(tree, json_string_value(item), a))
			return true;
	return !list;
}

static bool applies(const json_t *tree, const json_t *rule, const char *port)
{
	const json_t *list = json_object_get(rule, "apply_to"), *item, *member;
	size_t i, k;

	json_array_foreach ((json_t *)list, i, item) {
		const char *ref = json_string_value(item);

		if (!strncmp(ref, "port:", 5) && !strcmp(ref + 5, port))
			return true;
		if (!strncmp(ref, "network:", 8) &&
		    !strcmp(ref + 8, json_string_value(
					     json_object_get(red(tree, "ports", port), "network"))))
			return true;
		if (strncmp(ref, "group:", 6))
			continue;
		json_array_foreach (json_object_get(red(tree, "groups", ref + 6), "ports"), k,
				    member)
			if (!strcmp(json_string_value(member), port))
				return true;
	}
	return !list;
}

static bool range_matches(const json_t *rule, const char *key, unsigned int port)
{
	const json_t *list = json_object_get(rule, key), *item;
	size_t i;

	json_array_foreach ((json_t *)list, i, item)
		if (port >= json_integer_value(json_array_get(item, 0)) &&
		    port <= json_integer_value(json_array_get(item, 1)))
			return true;
	return !list;
}

static bool rule_matches(const json_t *tree, const json_t *rule, const struct packet *p)
{
	const char *ethertype = json_string_value(json_object_get(rule, "ethertype"));
	int protocol = schema_protocol_number(json_object_get(rule, "protocol"));

	if (strcmp(json_string_value(json_object_get(rule, "direction")),
		   p->direction == TO_WORKLOAD ? "in" : "out") ||
	    (ethertype && strcmp(ethertype, p->source.family == FAMILY_IPV4 ? "ipv4" : "ipv6")) ||
	    (protocol >= 0 && protocol != p->protocol))
		return false;
	return applies(tree, rule, p->port) && side_matches(tree, rule, "source", &p->source) &&
	       side_matches(tree, rule, "destination", &p->destination) &&
	       range_matches(rule, "source_port", p->source_port) &&
	       range_matches(rule, "destination_port", p->destination_port);
}

static int weight(const json_t *rule)
{
	const char *action = json_string_value(json_object_get(rule, "action"));

	return (int)json_integer_value(json_object_get(rule, "priority")) * 3 +
	       (!strcmp(action, "deny")     ? 2
		: !strcmp(action, "reject") ? 1
					    : 0);
}

/* The name of the deciding rule, or NULL. Rules are asked in the order of their names. */
static const char *oracle(const json_t *tree, const json_t *acl, const struct packet *p)
{
	const char *name, *best = NULL;
	int best_weight = -1;
	json_t *rule;

	json_object_foreach ((json_t *)acl, name, rule) {
		if (weight(rule) > best_weight && rule_matches(tree, rule, p)) {
			best = name;
			best_weight = weight(rule);
		}
	}
	return best;
}

#endif
