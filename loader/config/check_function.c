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

static bool has_one_up(const json_t *tree, const char *function, const char *host)
{
	const json_t *instances = json_object_get(
		json_object_get(json_object_get(tree, "service_functions"), function), "instances");
	const char *name;
	json_t *instance;

	json_object_foreach ((json_t *)instances, name, instance)
		if (!strcmp(text_at(instance, "host"), host) &&
		    !strcmp(schema_text("instance", instance, "admin"), "up"))
			return true;
	return false;
}

static int check_step_loss(const json_t *stored, const json_t *wanted, const char *chain,
			   const json_t *step, const char *host, struct error *err)
{
	const char *function = text_at(step, "function"), *policy = text_at(step, "on_failure");
	bool open = policy && !strcmp(policy, "open");

	if (has_one_up(wanted, function, host) || !has_one_up(stored, function, host))
		return 0;
	return error_set(
		err, EXIT_REFUSED,
		"service_functions/%s: no instance on host %s would be up, and chain %s needs one there: without "
		"any, what it protects %s (on_failure: %s): set another one up first, bypass the chain, or "
		"repeat with --force if that is meant",
		function, host, chain, open ? "is not inspected" : "is dropped",
		open ? "open" : "closed");
}

static int check_wire_loss(const json_t *stored, const json_t *wanted, const char *tenant,
			   const json_t *insert, const json_t *ref, struct error *err)
{
	const json_t *body = json_object_get(json_object_get(wanted, "tenants"), tenant), *step;
	const char *name = text_at(insert, "chain"), *port = strchr(json_string_value(ref), ':') + 1;
	const json_t *chain = json_object_get(json_object_get(body, "chains"), name);
	const char *host =
		text_at(json_object_get(json_object_get(body, "ports"), port), "host");
	char full[CHECK_TEXT];
	size_t i;

	if (schema_flag("chain", chain, "bypass"))
		return 0;
	snprintf(full, sizeof(full), "%s/%s", tenant, name);
	json_array_foreach (json_object_get(chain, "steps"), i, step)
		if (check_step_loss(stored, wanted, full, step, host, err))
			return -1;
	return 0;
}

int config_check_instances(const json_t *stored, const json_t *wanted, struct error *err)
{
	const char *tenant, *name;
	json_t *body, *insert, *ref;
	size_t i;

	json_object_foreach (json_object_get(wanted, "tenants"), tenant, body)
		json_object_foreach (json_object_get(body, "insert"), name, insert)
			json_array_foreach (json_object_get(insert, "apply_to"), i, ref)
				if (check_wire_loss(stored, wanted, tenant, insert, ref, err))
					return -1;
	return 0;
}
