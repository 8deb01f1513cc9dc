// SPDX-License-Identifier: BSD-2-Clause
/* Chains, what they are bound to, and the rules' groups. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "include/nsh.h"
#include "loader/config/checker.h"

/* It would have to tell the two passes of one frame apart. */
static int check_steps(struct checker *c, const char *path, const json_t *steps)
{
	const json_t *step, *other;
	size_t i, k;

	json_array_foreach ((json_t *)steps, i, step) {
		const json_t *function = json_object_get(step, "function");

		json_array_foreach ((json_t *)steps, k, other)
			if (k < i && json_equal(function, json_object_get(other, "function")))
				return checker_refuse(
					c, path, function,
					"steps %zu and %zu are both function %s: a function stands once in a "
					"chain, remove one of them",
					k + 1, i + 1, json_string_value(function));
	}
	return 0;
}

bool check_is_tap(const json_t *step)
{
	const char *mode = json_string_value(json_object_get(step, "mode"));

	return mode && !strcmp(mode, "tap");
}

bool check_is_near(const json_t *chain, const json_t *step)
{
	return !json_integer_value(json_object_get(chain, "tag")) || check_is_tap(step);
}

static int check_chain(struct checker *c, const char *path, const json_t *chain)
{
	const json_t *tag = json_object_get(chain, "tag"), *step;
	char what[CHECK_TEXT];
	size_t i;

	if (check_steps(c, path, json_object_get(chain, "steps")))
		return -1;
	json_array_foreach (json_object_get(chain, "steps"), i, step) {
		const char *function = json_string_value(json_object_get(step, "function"));
		const char *owner;

		if (check_is_near(chain, step)) {
			snprintf(what, sizeof(what), "near %s", function);
			checker_claim(c, what, path);
		}
		snprintf(what, sizeof(what), "tag %s %lld", function,
			 (long long)json_integer_value(tag));
		owner = checker_claim(c, what, path);
		if (owner)
			return checker_refuse(
				c, path, tag,
				"tag %lld at function %s is that of %s already: give each chain "
				"of a function its own",
				(long long)json_integer_value(tag), function, owner);
	}
	return 0;
}

/* What applies to a group applies to its ports; a group of prefixes has none. */
static bool is_of_prefixes(struct checker *c, const char *path, const char *ref)
{
	return !strncmp(ref, "group:", 6) &&
	       json_object_get(checker_find(c, path, "group", ref + 6), "prefixes");
}

static int check_rule(struct checker *c, const char *path, const json_t *rule)
{
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(rule, "apply_to"), i, item) {
		const char *text = json_string_value(item);

		if (!is_of_prefixes(c, path, text))
			continue;
		return checker_refuse(
			c, path, item,
			"apply_to names %s, a group of prefixes: name ports or a group of ports",
			text);
	}
	return 0;
}

int check_chains(struct checker *c)
{
	char path[CHECK_TEXT];
	const char *tenant, *name;
	json_t *body, *object;

	json_object_foreach (json_object_get(c->tree, "tenants"), tenant, body) {
		json_object_foreach (json_object_get(body, "chains"), name, object) {
			snprintf(path, sizeof(path), "tenants/%s/chains/%s", tenant, name);
			if (check_chain(c, path, object))
				return -1;
		}
		json_object_foreach (json_object_get(body, "acl"), name, object) {
			snprintf(path, sizeof(path), "tenants/%s/acl/%s", tenant, name);
			if (check_rule(c, path, object))
				return -1;
		}
	}
	return 0;
}

static const char *host_of(const json_t *instance)
{
	return json_string_value(json_object_get(instance, "host"));
}

/* The chain in which the function stands as a tap or without a tag, so that it serves its own host alone; NULL: none. */
static const char *near_by(struct checker *c, const char *function)
{
	char what[CHECK_TEXT];

	snprintf(what, sizeof(what), "near %s", function);
	return checker_owner(c, what);
}

/* A chain whose frames go to other hosts is known there by a number that follows from its name. */
static int check_path(struct checker *c, const char *path, const json_t *at, const char *tenant,
		      const char *chain)
{
	char name[CHECK_TEXT], what[CHECK_TEXT];
	const char *owner;

	snprintf(name, sizeof(name), "%s/%s", tenant, chain);
	snprintf(what, sizeof(what), "path %u", nsh_path_of(name));
	owner = checker_claim(c, what, name);
	if (!owner || !strcmp(owner, name))
		return 0;
	return checker_refuse(
		c, path, at,
		"chain %s and chain %s have functions on other hosts, and by their names the same service path number, 0x%06x: give one of them another name",
		name, owner, nsh_path_of(name));
}

/* Where the function runs: on the host? On others, and on which? */
static void find_hosts(const json_t *function, const char *host, bool *here, const char **elsewhere)
{
	const char *name;
	json_t *instance;

	*here = false;
	*elsewhere = NULL;
	json_object_foreach (json_object_get(function, "instances"), name, instance) {
		if (!strcmp(host_of(instance), host))
			*here = true;
		else
			*elsewhere = host_of(instance);
	}
}

/* Where a function is not on the port's host its frames go to another one, if the function may have such. */
static int check_ways(struct checker *c, const char *path, const json_t *at, const char *tenant, const char *chain,
		      const char *port_name, const char *or_else)
{
	const json_t *object = checker_find(c, path, "chain", chain), *step;
	const char *host = json_string_value(json_object_get(checker_find(c, path, "port", port_name), "host"));
	bool crosses = false;
	size_t i;

	json_array_foreach (json_object_get(object, "steps"), i, step) {
		const char *name = json_string_value(json_object_get(step, "function"));
		const char *elsewhere, *owner = near_by(c, name);
		bool here;

		find_hosts(checker_find(c, path, "sf", name), host, &here, &elsewhere);
		crosses |= elsewhere && !owner;
		if (!here && owner)
			return checker_refuse(
				c, path, at,
				"port:%s is on host %s and function %s on host %s; in %s it is a tap or has no tag, and so "
				"serves ports of its own host alone: run the function on %s%s",
				port_name, host, name, elsewhere ? elsewhere : "none", owner, host, or_else);
	}
	return crosses ? check_path(c, path, at, tenant, chain) : 0;
}

/* A chain tells its workloads apart by their MACs. */
static int claim_mac(struct checker *c, const char *path, const json_t *at, const char *tenant,
		     const char *chain, const char *port_name, const json_t *port)
{
	const char *mac = json_string_value(json_object_get(port, "mac")), *owner;
	char what[CHECK_TEXT];

	snprintf(what, sizeof(what), "chain %s %s %s", tenant, chain, mac);
	owner = checker_claim(c, what, port_name);
	if (!owner || !strcmp(owner, port_name))
		return 0;
	return checker_refuse(
		c, path, at,
		"ports %s and %s have the same mac %s, and chain %s could not tell "
		"them apart: give one another mac, or a chain of its own",
		owner, port_name, mac, chain);
}

int check_protected(struct checker *c, const char *path, const json_t *at, const char *tenant,
		    const char *chain, const char *port_name, const char *or_else)
{
	const json_t *port = checker_find(c, path, "port", port_name);

	if (claim_mac(c, path, at, tenant, chain, port_name, port))
		return -1;
	return check_ways(c, path, at, tenant, chain, port_name, or_else);
}

/* One wire, one chain; an insert may name a port twice, by itself and by a group. */
static int check_wire(struct checker *c, const char *path, const char *tenant, const json_t *insert,
		      const char *port_name, const json_t *at)
{
	const char *chain_name = json_string_value(json_object_get(insert, "chain")), *owner;
	char what[CHECK_TEXT];

	snprintf(what, sizeof(what), "wire %s %s", tenant, port_name);
	owner = checker_claim(c, what, path);
	if (owner && !strcmp(owner, path))
		return 0;
	if (owner)
		return checker_refuse(
			c, path, at,
			"port %s has a chain already, by %s: a port has one chain, name it in "
			"one of them",
			port_name, owner);
	return check_protected(c, path, at, tenant, chain_name, port_name, "");
}

/* The wire of a port, or those of a group. */
static int check_wires(struct checker *c, const char *path, const char *tenant, const json_t *insert,
		       const json_t *at)
{
	const char *ref = json_string_value(at);
	const json_t *item;
	size_t i;

	if (is_of_prefixes(c, path, ref))
		return checker_refuse(
			c, path, at,
			"apply_to names %s, a group of prefixes: name ports or a group of ports", ref);
	if (!strncmp(ref, "port:", 5))
		return check_wire(c, path, tenant, insert, ref + 5, at);
	json_array_foreach (json_object_get(checker_find(c, path, "group", ref + 6), "ports"), i, item)
		if (check_wire(c, path, tenant, insert, json_string_value(item), at))
			return -1;
	return 0;
}

int check_inserts(struct checker *c)
{
	char path[CHECK_TEXT];
	const char *tenant, *name;
	json_t *body, *insert, *item;
	size_t i;

	json_object_foreach (json_object_get(c->tree, "tenants"), tenant, body) {
		json_object_foreach (json_object_get(body, "insert"), name, insert) {
			snprintf(path, sizeof(path), "tenants/%s/insert/%s", tenant, name);
			json_array_foreach (json_object_get(insert, "apply_to"), i, item)
				if (check_wires(c, path, tenant, insert, item))
					return -1;
		}
	}
	return 0;
}
