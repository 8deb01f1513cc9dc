// SPDX-License-Identifier: BSD-2-Clause
/* Functions, chains, what they are bound to, and the rules' groups. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "include/nsh.h"
#include "loader/config/checker.h"

static int claim_device(struct checker *c, const char *path, const char *host, const json_t *device)
{
	const char *name = json_string_value(device), *owner;
	char what[CHECK_TEXT];

	if (!name)
		return 0;
	snprintf(what, sizeof(what), "device %s %s", host, name);
	owner = checker_claim(c, what, path);
	if (!owner)
		return 0;
	return checker_refuse(
		c, path, device,
		"device %s of host %s is in use by %s: give the function a device of its own", name,
		host, owner);
}

/* Before the ports, so that the device of a function is known to them as taken. */
int check_functions(struct checker *c)
{
	char path[CHECK_TEXT];
	const char *name, *instance_name;
	json_t *function, *instance;

	json_object_foreach (json_object_get(c->tree, "service_functions"), name, function) {
		snprintf(path, sizeof(path), "service_functions/%s", name);
		json_object_foreach (json_object_get(function, "instances"), instance_name,
				     instance) {
			const char *host = json_string_value(json_object_get(instance, "host"));
			const json_t *two = json_object_get(instance, "devices");

			if (claim_device(c, path, host, json_object_get(instance, "device")) ||
			    claim_device(c, path, host, json_array_get(two, 0)) ||
			    claim_device(c, path, host, json_array_get(two, 1)))
				return -1;
		}
	}
	return 0;
}

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
static int check_rule(struct checker *c, const char *path, const json_t *rule)
{
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(rule, "apply_to"), i, item) {
		const char *text = json_string_value(item);

		if (strncmp(text, "group:", 6) ||
		    !json_object_get(checker_find(c, path, "group", text + 6), "prefixes"))
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

/* May frames of the port go to functions on other hosts? */
static bool goes_away(struct checker *c, const char *path, const json_t *chain, const json_t *port)
{
	const char *host = json_string_value(json_object_get(port, "host"));
	const json_t *step;
	size_t i;

	json_array_foreach (json_object_get(chain, "steps"), i, step) {
		const char *name = json_string_value(json_object_get(step, "function"));
		const json_t *function = checker_find(c, path, "sf", name);
		const char *instance_name;
		json_t *instance;

		json_object_foreach (json_object_get(function, "instances"), instance_name,
				     instance)
			if (strcmp(host_of(instance), host))
				return true;
	}
	return false;
}

/* One wire, one chain; and a chain tells its workloads apart by their MACs. */
static int check_wire(struct checker *c, const char *path, const char *tenant, const json_t *insert,
		      const json_t *at)
{
	const char *chain_name = json_string_value(json_object_get(insert, "chain"));
	const char *port_name = strchr(json_string_value(at), ':') + 1, *owner;
	const json_t *port = checker_find(c, path, "port", port_name);
	const char *mac = json_string_value(json_object_get(port, "mac"));
	char what[CHECK_TEXT];

	snprintf(what, sizeof(what), "wire %s %s", tenant, port_name);
	owner = checker_claim(c, what, path);
	if (owner)
		return checker_refuse(
			c, path, at,
			"port %s has a chain already, by %s: a port has one chain, name it in "
			"one of them",
			port_name, owner);
	snprintf(what, sizeof(what), "chain %s %s %s", tenant, chain_name, mac);
	owner = checker_claim(c, what, port_name);
	if (owner)
		return checker_refuse(
			c, path, at,
			"ports %s and %s have the same mac %s, and chain %s could not tell "
			"them apart: give one another mac, or a chain of its own",
			owner, port_name, mac, chain_name);
	if (!goes_away(c, path, checker_find(c, path, "chain", chain_name), port))
		return 0;
	return check_path(c, path, at, tenant, chain_name);
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
				if (check_wire(c, path, tenant, insert, item))
					return -1;
		}
	}
	return 0;
}
