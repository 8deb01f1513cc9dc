// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "loader/config/check.h"
#include "loader/config/checker.h"
#include "loader/config/schema.h"
#include "loader/config/tree.h"

int checker_refuse(const struct checker *c, const char *path, const json_t *at, const char *fmt,
		   ...)
{
	char place[MARKS_PLACE_SIZE], text[700];
	const json_t *object = json_object_get(c->flat, path);
	int is_object = !marks_get(c->marks, at).line;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	marks_place(c->marks, is_object ? object : at, is_object, place, sizeof(place));
	return error_set(c->err, EXIT_REFUSED, "%s%s: %s", place, path, text);
}

const char *checker_claim(struct checker *c, const char *what, const char *path)
{
	const char *owner = json_string_value(json_object_get(c->claims, what));

	if (!owner)
		json_object_set_new(c->claims, what, json_string(path));
	return owner;
}

const char *checker_owner(const struct checker *c, const char *what)
{
	return json_string_value(json_object_get(c->claims, what));
}

const json_t *checker_find(const struct checker *c, const char *path, const char *kind_name,
			   const char *name)
{
	const struct schema_kind *kind = schema_kind(kind_name);
	char full[CHECK_TEXT];

	if (!kind || !name)
		return NULL;
	if (kind->of_tenant)
		snprintf(full, sizeof(full), "tenants/%.*s/%s/%s", (int)strcspn(path + 8, "/"),
			 path + 8, kind->path, name);
	else
		snprintf(full, sizeof(full), "%s/%s", kind->path, name);
	return json_object_get(c->flat, full);
}

static int refuse_reference(struct checker *c, const char *path, const json_t *at, const char *key,
			    const char *kind, const char *name)
{
	const struct schema_kind *found = schema_kind(kind);

	if (found->of_tenant)
		return checker_refuse(
			c, path, at,
			"%s names %s %s, which this tenant does not have: add it under %s, "
			"or correct the name",
			key, kind, name, found->path);
	return checker_refuse(
		c, path, at,
		"%s names %s %s, which does not exist: add it under %s, or correct the name", key,
		kind, name, found->path);
}

/* A name, or KIND:NAME, or for an endpoint a prefix, which refers to nothing. */
static int check_reference(struct checker *c, const char *path, const struct schema_key *key,
			   const json_t *value)
{
	const char *text = json_string_value(value);
	const char *colon = text ? strchr(text, ':') : NULL;
	char kind[16] = "";

	if (!text)
		return 0;
	if (key->ref) {
		if (checker_find(c, path, key->ref, text))
			return 0;
		return refuse_reference(c, path, value, key->name, key->ref, text);
	}
	/* An IPv6 prefix has colons too, but none of its parts is the name of a kind. */
	if (!colon || (size_t)(colon - text) >= sizeof(kind))
		return 0;
	memcpy(kind, text, (size_t)(colon - text));
	if (!schema_kind(kind) || checker_find(c, path, kind, colon + 1))
		return 0;
	return refuse_reference(c, path, value, key->name, kind, colon + 1);
}

static int check_object(struct checker *c, const char *path, const struct schema_kind *kind,
			const json_t *object);

/* One value of a key: an object, several, a scalar, or a list of scalars. */
static int check_value(struct checker *c, const char *path, const struct schema_key *key,
		       json_t *value)
{
	bool refers = key->ref || (key->words && key->shape == SCHEMA_LIST);
	const char *name;
	json_t *item;
	size_t i;

	if (!key->object && !refers)
		return 0;
	if (json_is_array(value)) {
		json_array_foreach (value, i, item)
			if (key->object ? check_object(c, path, key->object, item)
					: check_reference(c, path, key, item))
				return -1;
		return 0;
	}
	if (!key->object)
		return check_reference(c, path, key, value);
	if (key->shape == SCHEMA_OBJECT)
		return check_object(c, path, key->object, value);
	json_object_foreach (value, name, item)
		if (check_object(c, path, key->object, item))
			return -1;
	return 0;
}

static int check_object(struct checker *c, const char *path, const struct schema_kind *kind,
			const json_t *object)
{
	for (const struct schema_key *k = kind->keys; k->name; k++) {
		json_t *value = json_object_get(object, k->name);

		if (value && check_value(c, path, k, value))
			return -1;
	}
	return 0;
}

/* Every reference of every object, found along the table. */
int check_references(struct checker *c)
{
	const char *path;
	json_t *object;

	json_object_foreach ((json_t *)c->flat, path, object) {
		const struct schema_kind *kind = schema_kind_at(path);

		if (kind && check_object(c, path, kind, object))
			return -1;
	}
	return 0;
}

int config_check(const json_t *tree, const struct marks *marks, struct error *err)
{
	/* References first: the others may then follow them without asking. */
	static int (*const checks[])(struct checker *) = {
		check_references, check_hosts,  check_functions, check_networks,
		check_ports,      check_chains, check_inserts,   check_choices,
	};
	struct checker c = { .tree = tree,
			     .flat = config_flatten(tree),
			     .marks = marks,
			     .err = err,
			     .claims = json_object() };
	int failed = 0;

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]) && !failed; i++)
		failed = checks[i](&c);
	json_decref((json_t *)c.flat);
	json_decref(c.claims);
	return failed;
}

int config_check_losses(const json_t *stored, const json_t *wanted, struct error *err)
{
	const json_t *after = json_object_get(wanted, "tenants");
	const char *tenant, *port;
	json_t *body, *object;

	json_object_foreach (json_object_get(stored, "tenants"), tenant, body) {
		const json_t *kept = json_object_get(json_object_get(after, tenant), "ports");
		size_t n = json_object_size(json_object_get(body, "ports")), lost = 0;

		json_object_foreach (json_object_get(body, "ports"), port, object)
			lost += !json_object_get(kept, port);
		if (lost * 2 > n)
			return error_set(
				err, EXIT_REFUSED,
				"tenants/%s: %zu of its %zu ports would go, more than half: look "
				"at `diff`, then repeat with --force if that is meant",
				tenant, lost, n);
	}
	return 0;
}
