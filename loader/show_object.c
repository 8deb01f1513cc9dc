// SPDX-License-Identifier: BSD-2-Clause
/* `weft OBJECT show [NAME]`: configuration objects as they are stored. */
#include <bpf/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loader/attach.h"
#include "loader/batch.h"
#include "loader/config/emit.h"
#include "loader/config/schema.h"
#include "loader/devices.h"
#include "loader/show.h"
#include "loader/show_acl.h"

/* `here`: the devices of this network namespace are the root's. */
static const char *port_state(const struct show *s, const char *path, int port_slots, bool here)
{
	char name[SHOW_NAME_SIZE];
	struct device_info info;
	const char *slash;
	struct model_port *p;
	struct port port;

	show_name(path, name, sizeof(name));
	slash = strchr(name, '/');
	name[slash - name] = '\0';
	p = model_port(&s->model, name, slash + 1);
	if (!p || !p->here)
		return "elsewhere";
	if (port_slots < 0 || bpf_map_lookup_elem(port_slots, &p->slot, &port) || port.id != p->id)
		return "pending";
	/* A device that has gone is bound in the map until the next command, or the agent, has seen it. */
	if (here && (device_info(p->device, &info, NULL) || info.ifindex != port.ifindex))
		return "pending";
	return port.ifindex ? "bound" : "pending";
}

static void show_text(const struct show *s, const char *kind, const char *path,
		      const json_t *object, const char *state, const json_t *stats)
{
	const struct identity *id = identity_find(&s->state.ids, path);
	char name[SHOW_NAME_SIZE];
	const char *key;
	json_t *value;

	printf("%s ", show_name(path, name, sizeof(name)));
	config_emit_object(stdout, kind, object);
	if (state)
		printf(" %s", state);
	if (s->cl->details && id && identity_has_slot(path))
		printf(" id %llu slot %u", (unsigned long long)id->id, id->slot);
	else if (s->cl->details && id)
		printf(" id %llu", (unsigned long long)id->id);
	json_object_foreach ((json_t *)stats, key, value)
		printf(" %s %lld", key, (long long)json_integer_value(value));
	putchar('\n');
}

static void show_json(const struct show *s, json_t *all, const char *path, const json_t *object,
		      const char *state, json_t *stats)
{
	const struct identity *id = identity_find(&s->state.ids, path);
	json_t *copy = json_copy((json_t *)object);
	char name[SHOW_NAME_SIZE];

	if (state)
		json_object_set_new(copy, "state", json_string(state));
	if (s->cl->details && id)
		json_object_set_new(copy, "id", json_integer((json_int_t)id->id));
	if (s->cl->details && id && identity_has_slot(path))
		json_object_set_new(copy, "slot", json_integer(id->slot));
	if (stats)
		json_object_set(copy, "statistics", stats);
	json_object_set_new(all, show_name(path, name, sizeof(name)), copy);
}

static void show_one(const struct show *s, json_t *all, const char *kind, const char *path,
		     const json_t *object, const char *state, json_t *stats)
{
	if (s->cl->json)
		show_json(s, all, path, object, state, stats);
	else
		show_text(s, kind, path, object, state, stats);
}

/*
 * Is the object at the path one of those asked for? A tenant asks for all that it has of the kind.
 */
static bool is_meant(const char *path, const struct schema_kind *kind, const char *operand)
{
	char name[SHOW_NAME_SIZE];
	size_t len;

	if (schema_kind_at(path) != kind)
		return false;
	if (!operand)
		return true;
	show_name(path, name, sizeof(name));
	len = strlen(operand);
	if (kind->of_tenant && !strchr(operand, '/'))
		return !strncmp(name, operand, len) && name[len] == '/';
	return !strcmp(name, operand);
}

static int show_all(const struct show *s, const char *kind_name, const char *operand,
		    struct error *e)
{
	const struct schema_kind *kind = schema_kind(kind_name);
	bool is_port = !strcmp(kind_name, "port");
	struct error unused = { 0 };
	int port_slots = is_port ? root_map(&s->root, "port_slots", &unused) : -1;
	bool here = is_port && !devices_check_netns(&s->root, &unused);
	struct acl_stats *stats =
		s->cl->stats && !strcmp(kind_name, "acl") ? acl_stats_open(s) : NULL;
	json_t *all = json_object(), *object;
	const char *path;
	int failed = 0;
	size_t n = 0;

	json_object_foreach (s->state.flat, path, object) {
		json_t *counted = NULL;

		if (failed || !is_meant(path, kind, operand))
			continue;
		n++;
		if (stats)
			counted = acl_stats_of(stats, path, e);
		failed = stats && !counted;
		if (!failed)
			show_one(s, all, kind_name, path, object,
				 is_port ? port_state(s, path, port_slots, here) : NULL, counted);
		json_decref(counted);
	}
	if (stats)
		acl_stats_close(stats);
	if (port_slots >= 0)
		close(port_slots);
	if (failed) {
		json_decref(all);
		return -1;
	}
	if (operand && !n && (strchr(operand, '/') || !kind->of_tenant)) {
		json_decref(all);
		return error_set(e, EXIT_REFUSED, "%s %s does not exist: see `weft %s show`",
				 kind_name, operand, kind_name);
	}
	if (s->cl->json)
		return cli_json(s->cl, all, e);
	json_decref(all);
	return EXIT_DONE;
}

int cmd_object_show(struct command_line *cl, struct error *e)
{
	const char *kind = cl->command->object, *operand = cl->argc ? cl->argv[0] : NULL;
	struct target t;
	struct show s;
	int result;

	if (operand && (strchr(operand, '/') || !schema_kind(kind)->of_tenant) &&
	    target_parse(&t, kind, operand, e))
		return -1;
	if (show_open(&s, cl, e))
		return -1;
	result = show_all(&s, kind, operand, e);
	show_close(&s);
	return result;
}
