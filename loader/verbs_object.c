// SPDX-License-Identifier: BSD-2-Clause
/* add, set, replace and del of configuration objects. */
#include <stdio.h>
#include <string.h>

#include "loader/batch.h"
#include "loader/config/schema.h"
#include "loader/rules.h"

/*
 * The object that the target means: an instance lies within its function. A borrowed reference, or
 * NULL.
 */
static json_t *find(const struct batch *b, const struct target *t)
{
	json_t *object = json_object_get(b->flat, t->path);

	return t->part[0] ? json_object_get(json_object_get(object, "instances"), t->part) : object;
}

static const char *kind_of(const struct target *t)
{
	return t->part[0] ? "instance" : t->kind;
}

/*
 * Objects are shared, so an instance changes in a copy of its function. Takes over the object; NULL
 * deletes.
 */
static void put(struct batch *b, const struct target *t, json_t *object)
{
	json_t *function, *instances;

	if (!t->part[0]) {
		batch_put(b, t->path, object);
		json_decref(object);
		return;
	}
	function = json_object_get(b->flat, t->path);
	instances = json_object_get(function, "instances");
	function = function ? json_copy(function) : json_object();
	instances = instances ? json_copy(instances) : json_object();
	if (object)
		json_object_set_new(instances, t->part, object);
	else
		json_object_del(instances, t->part);
	/* A function is its instances: without any there is none. */
	if (json_object_size(instances)) {
		json_object_set_new(function, "instances", instances);
		batch_put(b, t->path, function);
	} else {
		json_decref(instances);
		batch_put(b, t->path, NULL);
	}
	json_decref(function);
}

static int name_of(const struct command_line *cl, struct target *t, struct error *e)
{
	return target_parse(t, cl->command->object, cl->argv[0], e);
}

static int absent(const struct target *t, struct error *e)
{
	return error_set(e, EXIT_REFUSED, "%s %s%s%s%s%s does not exist: see `weft %s show`",
			 kind_of(t), t->tenant, t->tenant[0] ? "/" : "", t->name,
			 t->part[0] ? "/" : "", t->part, t->kind);
}

/* Checks the new object once more as a whole, and puts it in place. Takes it over. */
static int finish(struct batch *b, const struct target *t, json_t *object, struct error *e)
{
	char tenant[CONFIG_PATH_LEN];
	json_t *normal;

	if (!object)
		return -1;
	if (t->tenant[0]) {
		snprintf(tenant, sizeof(tenant), "tenants/%s", t->tenant);
		if (!json_object_get(b->flat, tenant)) {
			json_decref(object);
			return error_set(e, EXIT_REFUSED,
					 "%s %s/%s: tenant %s does not exist: `weft tenant add %s` "
					 "first",
					 t->kind, t->tenant, t->name, t->tenant, t->tenant);
		}
		batch_name(b, t->tenant);
	}
	if (!strcmp(t->kind, "tenant"))
		batch_name(b, t->name);
	if (!strcmp(t->kind, "acl")) {
		normal = rule_normalize(t->tenant, t->name, object, e);
		json_decref(object);
		if (!normal)
			return -1;
		object = normal;
	}
	put(b, t, object);
	return EXIT_DONE;
}

static int add(struct command_line *cl, struct batch *b, struct error *e)
{
	struct target t;

	if (name_of(cl, &t, e))
		return -1;
	if (find(b, &t))
		return error_set(e, EXIT_REFUSED,
				 "%s %s exists already: change it with set, or make it new with "
				 "replace",
				 kind_of(&t), cl->argv[0]);
	return finish(b, &t, schema_object_from_pairs(kind_of(&t), cl->argc - 1, cl->argv + 1, e),
		      e);
}

int batch_set(struct batch *b, const struct target *t, int argc, char **argv, struct error *e)
{
	const json_t *old = find(b, t);

	return old ? finish(b, t, schema_object_set(kind_of(t), old, argc, argv, e), e)
		   : absent(t, e);
}

static int set(struct command_line *cl, struct batch *b, struct error *e)
{
	struct target t;

	return name_of(cl, &t, e) ? -1 : batch_set(b, &t, cl->argc - 1, cl->argv + 1, e);
}

static int replace(struct command_line *cl, struct batch *b, struct error *e)
{
	struct target t;

	if (name_of(cl, &t, e))
		return -1;
	return finish(b, &t, schema_object_from_pairs(kind_of(&t), cl->argc - 1, cl->argv + 1, e),
		      e);
}

/* A tenant goes with all that it has. */
static void del_tenant(struct batch *b, const struct target *t)
{
	char prefix[CONFIG_PATH_LEN];
	const char *path;
	json_t *object;
	void *next;
	int len = snprintf(prefix, sizeof(prefix), "%s/", t->path);

	json_object_foreach_safe(b->flat, next, path,
				 object) if (!strncmp(path, prefix, (size_t)len))
		json_object_del(b->flat, path);
}

static int del(struct command_line *cl, struct batch *b, struct error *e)
{
	struct target t;

	if (name_of(cl, &t, e))
		return -1;
	if (!find(b, &t))
		return absent(&t, e);
	if (t.tenant[0])
		batch_name(b, t.tenant);
	if (!strcmp(t.kind, "tenant"))
		del_tenant(b, &t);
	put(b, &t, NULL);
	return EXIT_DONE;
}

int cmd_object_add(struct command_line *cl, struct error *e)
{
	return batch_edit(cl, add, e);
}

int cmd_object_set(struct command_line *cl, struct error *e)
{
	return batch_edit(cl, set, e);
}

int cmd_object_replace(struct command_line *cl, struct error *e)
{
	return batch_edit(cl, replace, e);
}

int cmd_object_del(struct command_line *cl, struct error *e)
{
	return batch_edit(cl, del, e);
}
