// SPDX-License-Identifier: BSD-2-Clause
/* fdb and neigh entries put in by hand. They are not configuration: `save` does not print them. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loader/audit.h"
#include "loader/batch.h"
#include "loader/config/schema_types.h"
#include "loader/show.h"
#include "loader/sync.h"

union where_key {
	struct fdb_key fdb;
	struct neigh_key neigh;
};

union where_value {
	struct fdb_entry fdb;
	struct neigh_entry neigh;
};

/* An operand and what it names. The root is locked meanwhile, by the batch. */
struct where {
	struct command_line *cl;
	struct batch *b;
	struct model model;
	struct scope scope;
	enum sync_map map;
	union where_key key;
	union where_value value;
};

/* Of one machine, as in the YAML: no group's, not zero. */
static int parse_as(const struct schema_type *type, const char *object, const char *text,
		    struct error *e)
{
	char why[160];
	json_t *value = type->parse(NULL, text, why, sizeof(why));

	if (!value)
		return error_set(e, EXIT_USAGE, "%s: \"%s\" %s", object, text, why);
	json_decref(value);
	return 0;
}

static int parse_key(struct where *w, struct error *e)
{
	const char *rest = w->scope.rest;
	struct model_address a;

	if (w->map == MAP_FDB) {
		w->key.fdb.vni = w->scope.network->vni;
		if (parse_as(&schema_type_mac, "fdb", rest, e))
			return -1;
		return model_mac(rest, w->key.fdb.mac);
	}
	w->key.neigh.vni = w->scope.network->vni;
	if (parse_as(&schema_type_address, "neigh", rest, e))
		return -1;
	model_prefix(rest, &a);
	w->key.neigh.family = a.family;
	memcpy(w->key.neigh.address, a.addr.bytes, 16);
	return 0;
}

static int parse_target(struct where *w, struct error *e)
{
	const char *kind = w->cl->argv[1], *name = w->cl->argv[2];
	struct fdb_entry *entry = &w->value.fdb;
	const struct model_host *h;
	const struct model_port *p;

	if (!strcmp(kind, "host")) {
		h = model_host(&w->model, name);
		if (!h)
			return error_set(e, EXIT_REFUSED,
					 "fdb: host %s does not exist: see `weft host show`", name);
		if (h == w->model.self)
			return error_set(e, EXIT_REFUSED, "fdb: host %s is this one: name the port",
					 name);
		*entry = (struct fdb_entry){ .kind = TARGET_HOST, .index = h->slot };
		return 0;
	}
	if (strcmp(kind, "port"))
		return error_set(e, EXIT_USAGE,
				 "fdb: %s is neither port nor host: write port NAME or host NAME",
				 kind);
	p = model_port(&w->model, w->scope.tenant->name, name);
	if (!p || p->network != w->scope.network)
		return error_set(e, EXIT_REFUSED,
				 "fdb: network %s/%s has no port %s: see `weft port show %s`",
				 w->scope.tenant->name, w->scope.network->name, name,
				 w->scope.tenant->name);
	if (!p->here)
		return error_set(e, EXIT_REFUSED, "fdb: port %s is not on this host: write host %s",
				 name, p->host->name);
	*entry = (struct fdb_entry){ .kind = TARGET_PORT, .index = p->slot };
	return 0;
}

static int parse_value(struct where *w, struct error *e)
{
	if (w->map == MAP_FDB)
		return parse_target(w, e);
	w->value.neigh.origin = ORIGIN_MANUAL;
	if (strcmp(w->cl->argv[1], "mac"))
		return error_set(e, EXIT_USAGE,
				 "neigh %s: write mac MAC, as in mac 02:00:00:00:00:0a",
				 w->cl->argv[0]);
	if (parse_as(&schema_type_mac, "neigh", w->cl->argv[2], e))
		return -1;
	return model_mac(w->cl->argv[2], w->value.neigh.mac);
}

static int add(struct where *w, int fd, struct error *e)
{
	if (parse_value(w, e))
		return -1;
	if (bpf_map_update_elem(fd, &w->key, &w->value, BPF_ANY))
		return error_set(e, EXIT_REFUSED, "map %s: %s", sync_maps[w->map].name,
				 strerror(errno));
	return 0;
}

static int del(struct where *w, int fd, struct error *e)
{
	const char *object = sync_maps[w->map].name;
	union where_value old;

	if (bpf_map_lookup_elem(fd, &w->key, &old))
		return error_set(e, EXIT_REFUSED, "%s %s does not exist: see `weft %s show`",
				 object, w->cl->argv[0], object);
	if ((w->map == MAP_FDB ? old.fdb.origin : old.neigh.origin) != ORIGIN_MANUAL)
		return error_set(e, EXIT_REFUSED,
				 "%s %s was not put in by hand, it follows from a port: delete or "
				 "change the port",
				 object, w->cl->argv[0]);
	if (bpf_map_delete_elem(fd, &w->key) && errno != ENOENT)
		return error_set(e, EXIT_REFUSED, "map %s: %s", object, strerror(errno));
	return 0;
}

/* {"mac": "02:…"}, {"port": 7} or {"host": 2}: the two latter by slot. NULL: there is no such entry. */
static json_t *entry_now(const struct where *w, int fd)
{
	union where_value v;
	char mac[18];

	if (bpf_map_lookup_elem(fd, &w->key, &v))
		return NULL;
	if (w->map == MAP_FDB)
		return json_pack("{s:I}", v.fdb.kind == TARGET_PORT ? "port" : "host", (json_int_t)v.fdb.index);
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", v.neigh.mac[0], v.neigh.mac[1],
		 v.neigh.mac[2], v.neigh.mac[3], v.neigh.mac[4], v.neigh.mac[5]);
	return json_pack("{s:s}", "mac", mac);
}

/* Does it, and tells the log. */
static int act(struct where *w, int fd, int (*action)(struct where *, int, struct error *),
	       struct error *e)
{
	json_t *before = entry_now(w, fd);
	char object[256];

	if (action(w, fd, e)) {
		json_decref(before);
		return -1;
	}
	snprintf(object, sizeof(object), "%s/%s", sync_maps[w->map].name, w->cl->argv[0]);
	audit_command(w->cl, &w->b->root, w->cl->command->verb, object, before, entry_now(w, fd));
	return 0;
}

/*
 * With the root locked: changes one entry, then commits, which restores what the entry hid, and
 * judges flows again.
 */
static int change(struct command_line *cl, enum sync_map map,
		  int (*action)(struct where *, int, struct error *), struct error *e)
{
	struct where w = { .cl = cl, .map = map };
	struct show view = { .cl = cl };
	char self[WEFT_NAME_LEN + 1];
	int fd = -1, result = -1;

	if (batch_begin(cl, &w.b, e))
		return -1;
	snprintf(self, sizeof(self), "%.*s", WEFT_NAME_LEN, w.b->state.host.name);
	model_make(&w.model, w.b->state.tree, &w.b->state.ids, self);
	view.model = w.model;
	if (!show_scope(&view, cl->argv[0], true, &w.scope, e) && !parse_key(&w, e))
		fd = root_map(&w.b->root, sync_maps[map].name, e);
	if (fd >= 0 && !act(&w, fd, action, e)) {
		batch_judge(w.b, w.scope.tenant->name);
		result = batch_commit(w.b, e);
	}
	if (fd >= 0)
		close(fd);
	model_free(&w.model);
	batch_end(w.b);
	return result;
}

int cmd_fdb_add(struct command_line *cl, struct error *e)
{
	return change(cl, MAP_FDB, add, e);
}

int cmd_fdb_del(struct command_line *cl, struct error *e)
{
	return change(cl, MAP_FDB, del, e);
}

int cmd_neigh_add(struct command_line *cl, struct error *e)
{
	return change(cl, MAP_NEIGH, add, e);
}

int cmd_neigh_del(struct command_line *cl, struct error *e)
{
	return change(cl, MAP_NEIGH, del, e);
}
