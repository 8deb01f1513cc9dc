// SPDX-License-Identifier: BSD-2-Clause
/* Functions and their instances: what each may have alone, and who would be left without one. */
#include <stdio.h>
#include <string.h>

#include "include/function.h"
#include "loader/config/check.h"
#include "loader/config/checker.h"
#include "loader/config/schema.h"

static const char *text_at(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

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

/* Flows remember their instance by a hash of its name, which is the same on all hosts. */
static int claim_id(struct checker *c, const char *path, const char *function, const char *name,
		    const json_t *instance)
{
	char what[CHECK_TEXT];
	const char *owner;

	snprintf(what, sizeof(what), "%s/%s", function, name);
	snprintf(what, sizeof(what), "instance %s %08x", function, instance_id(what));
	owner = checker_claim(c, what, name);
	if (!owner)
		return 0;
	return checker_refuse(
		c, path, instance,
		"the names of instances %s and %s have the same hash, by which flows remember where they go: "
		"give one of them another name",
		owner, name);
}

static int check_number(struct checker *c, const char *path, const json_t *instances)
{
	json_t *on_host = json_object(), *instance;
	const char *name;
	int failed = 0;

	json_object_foreach ((json_t *)instances, name, instance) {
		const json_t *host = json_object_get(instance, "host");
		json_int_t n = 1 + json_integer_value(
					   json_object_get(on_host, json_string_value(host)));

		json_object_set_new(on_host, json_string_value(host), json_integer(n));
		if (n <= FUNCTION_INSTANCES)
			continue;
		failed = checker_refuse(
			c, path, host,
			"instance %s is the %dth on host %s, which has room for %d of a function: run "
			"some of them on other hosts, or as another function",
			name, (int)n, json_string_value(host), FUNCTION_INSTANCES);
		break;
	}
	json_decref(on_host);
	return failed;
}

/* Before the ports, so that the device of a function is known to them as taken. */
int check_functions(struct checker *c)
{
	char path[CHECK_TEXT];
	const char *name, *instance_name;
	json_t *function, *instance;

	json_object_foreach (json_object_get(c->tree, "service_functions"), name, function) {
		const json_t *instances = json_object_get(function, "instances");

		snprintf(path, sizeof(path), "service_functions/%s", name);
		if (check_number(c, path, instances))
			return -1;
		json_object_foreach ((json_t *)instances, instance_name, instance) {
			const char *host = text_at(instance, "host");
			const json_t *two = json_object_get(instance, "devices");

			if (claim_id(c, path, name, instance_name, instance) ||
			    claim_device(c, path, host, json_object_get(instance, "device")) ||
			    claim_device(c, path, host, json_array_get(two, 0)) ||
			    claim_device(c, path, host, json_array_get(two, 1)))
				return -1;
		}
	}
	return 0;
}

/* ---- who would be left without one ---- */

struct loss {
	const json_t *stored, *wanted, *body; /* the body is a tenant's, as it would be */
	const char *tenant, *chain; /* its name */
	json_t *near_stored, *near_wanted; /* functions that serve their own host alone */
	json_t *known; /* what has been looked at: many rules have one chain, and apply to the same */
	struct error *err;
};

/* Functions that serve ports of their own host alone. */
static json_t *near_functions(const json_t *tree)
{
	const char *tenant, *name;
	json_t *near = json_object(), *body, *chain, *step;
	size_t i;

	json_object_foreach (json_object_get(tree, "tenants"), tenant, body)
		json_object_foreach (json_object_get(body, "chains"), name, chain)
			json_array_foreach (json_object_get(chain, "steps"), i, step)
				if (check_is_near(chain, step))
					json_object_set_new(near, text_at(step, "function"), json_true());
	return near;
}

/* One that ports of that host can use. */
static bool has_one_up(const json_t *tree, const json_t *near, const char *function, const char *host)
{
	bool anywhere = !json_object_get(near, function);
	const json_t *instances = json_object_get(
		json_object_get(json_object_get(tree, "service_functions"), function), "instances");
	const char *name;
	json_t *instance;

	json_object_foreach ((json_t *)instances, name, instance)
		if ((anywhere || !strcmp(text_at(instance, "host"), host)) &&
		    !strcmp(schema_text("instance", instance, "admin"), "up"))
			return true;
	return false;
}

static int check_step_loss(const struct loss *l, const char *chain, const json_t *step, const char *host)
{
	const char *function = text_at(step, "function"), *policy = text_at(step, "on_failure");
	bool open = policy && !strcmp(policy, "open");

	/* Nothing waits for a tap. */
	if (check_is_tap(step))
		return 0;
	if (has_one_up(l->wanted, l->near_wanted, function, host) ||
	    !has_one_up(l->stored, l->near_stored, function, host))
		return 0;
	return error_set(
		l->err, EXIT_REFUSED,
		"service_functions/%s: no instance on host %s would be up, and chain %s needs one there: without "
		"any, what it protects %s (on_failure: %s): set another one up first, bypass the chain, or "
		"repeat with --force if that is meant",
		function, host, chain, open ? "is not inspected" : "is dropped",
		open ? "open" : "closed");
}

static int check_port_loss(const struct loss *l, const char *port)
{
	const json_t *chain = json_object_get(json_object_get(l->body, "chains"), l->chain), *step;
	const char *host = text_at(json_object_get(json_object_get(l->body, "ports"), port), "host");
	char full[CHECK_TEXT];
	size_t i;

	if (schema_flag("chain", chain, "bypass"))
		return 0;
	snprintf(full, sizeof(full), "%s/%s", l->tenant, l->chain);
	json_array_foreach (json_object_get(chain, "steps"), i, step)
		if (check_step_loss(l, full, step, host))
			return -1;
	return 0;
}

/* All of the tenant's, or of one's of its networks. */
static int check_ports_loss(const struct loss *l, const char *network)
{
	const char *name;
	json_t *port;

	json_object_foreach (json_object_get(l->body, "ports"), name, port)
		if ((!network || !strcmp(text_at(port, "network"), network)) && check_port_loss(l, name))
			return -1;
	return 0;
}

/* One word of apply_to; without any that is for all. */
static int check_ref_loss(const struct loss *l, const char *ref)
{
	const char *name = ref ? strchr(ref, ':') + 1 : NULL;
	char key[3 * CHECK_TEXT];
	const json_t *item;
	size_t i;

	snprintf(key, sizeof(key), "%s/%s %s", l->tenant, l->chain, ref ? ref : "");
	if (json_object_get(l->known, key))
		return 0;
	json_object_set_new(l->known, key, json_true());
	if (!ref)
		return check_ports_loss(l, NULL);
	if (!strncmp(ref, "port:", 5))
		return check_port_loss(l, name);
	if (!strncmp(ref, "network:", 8))
		return check_ports_loss(l, name);
	json_array_foreach (json_object_get(json_object_get(json_object_get(l->body, "groups"), name), "ports"), i, item)
		if (check_port_loss(l, json_string_value(item)))
			return -1;
	return 0;
}

/* Of an insert, or of a rule with a chain. */
static int check_chain_loss(struct loss *l, const json_t *object)
{
	const json_t *refs = json_object_get(object, "apply_to"), *ref;
	size_t i;

	l->chain = text_at(object, "chain");
	if (!l->chain)
		return 0;
	if (!refs)
		return check_ref_loss(l, NULL);
	json_array_foreach (refs, i, ref)
		if (check_ref_loss(l, json_string_value(ref)))
			return -1;
	return 0;
}

/* Of a tenant: its inserts, or its rules. */
static int check_losses_of(struct loss *l, const char *what)
{
	const char *name;
	json_t *object;

	json_object_foreach (json_object_get(l->body, what), name, object)
		if (check_chain_loss(l, object))
			return -1;
	return 0;
}

int config_check_instances(const json_t *stored, const json_t *wanted, struct error *err)
{
	struct loss l = { .stored = stored,
			  .wanted = wanted,
			  .err = err,
			  .known = json_object(),
			  .near_stored = near_functions(stored),
			  .near_wanted = near_functions(wanted) };
	int failed = 0;
	json_t *body;

	json_object_foreach (json_object_get(wanted, "tenants"), l.tenant, body) {
		l.body = body;
		if (!failed)
			failed = check_losses_of(&l, "insert") || check_losses_of(&l, "acl");
	}
	json_decref(l.known);
	json_decref(l.near_stored);
	json_decref(l.near_wanted);
	return failed ? -1 : 0;
}
