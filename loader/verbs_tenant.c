// SPDX-License-Identifier: BSD-2-Clause
/* What is done to a tenant as it is configured: port bind, acl commit, epoch bump. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loader/attach.h"
#include "loader/audit.h"
#include "loader/batch.h"
#include "loader/config/schema.h"
#include "loader/rules_commit.h"
#include "loader/sync.h"

static int check_bindable(const struct batch *b, const struct target *t, const json_t *port,
			  struct error *e)
{
	const char *host = json_string_value(json_object_get(port, "host"));
	const char *device = json_string_value(json_object_get(port, "device"));
	char self[WEFT_NAME_LEN + 1];
	struct device_info info;

	if (commit_pick_host(&b->state, b->state.tree, self, e))
		return -1;
	if (strcmp(host, self))
		return error_set(e, EXIT_REFUSED,
				 "port %s/%s is on host %s, and this is %s: bind it there",
				 t->tenant, t->name, host, self[0] ? self : "none of the hosts");
	if (!device_info(device, &info, e))
		return 0;
	if (!e->exit_code)
		error_set(e, EXIT_REFUSED,
			  "port %s/%s: device %s is not there: make it first, or name another with "
			  "`weft port bind %s/%s device DEVICE`",
			  t->tenant, t->name, device, t->tenant, t->name);
	return -1;
}

static int bind_port(struct command_line *cl, struct batch *b, struct error *e)
{
	struct target t;
	json_t *port;
	int failed;

	if (target_parse(&t, "port", cl->argv[0], e))
		return -1;
	port = json_object_get(b->flat, t.path);
	if (!port)
		return error_set(e, EXIT_REFUSED, "port %s does not exist: see `weft port show`",
				 cl->argv[0]);
	if (cl->argc > 1 && (cl->argc != 3 || strcmp(cl->argv[1], "device")))
		return error_set(e, EXIT_USAGE, "port bind %s: write: device DEVICE", cl->argv[0]);
	port = schema_object_set("port", port, cl->argc - 1, cl->argv + 1, e);
	if (!port)
		return -1;
	failed = check_bindable(b, &t, port, e);
	if (!failed)
		batch_put(b, t.path, port);
	json_decref(port);
	batch_name(b, t.tenant);
	return failed;
}

int cmd_port_bind(struct command_line *cl, struct error *e)
{
	return batch_edit(cl, bind_port, e);
}

static int check_tenant(const struct batch *b, const char *name, struct error *e)
{
	char path[CONFIG_PATH_LEN];

	if (schema_check_name("tenant", name, e))
		return -1;
	snprintf(path, sizeof(path), "tenants/%s", name);
	if (!json_object_get(b->flat, path))
		return error_set(e, EXIT_REFUSED,
				 "tenant %s does not exist: see `weft tenant show`", name);
	return 0;
}

/*
 * One tenant is refused if its rules hold what is no rule; with all of them, the others are
 * committed. Whoever may write `rules` can so neither touch the live ACL with rubbish nor keep
 * other tenants from theirs.
 */
static int commit_rules(struct command_line *cl, struct batch *b, struct error *e)
{
	const char *name;
	json_t *body;

	if (cl->argc) {
		if (check_tenant(b, cl->argv[0], e))
			return -1;
		batch_name(b, cl->argv[0]);
		batch_judge(b, cl->argv[0]);
		return EXIT_DONE;
	}
	b->each_alone = true;
	json_object_foreach (json_object_get(b->state.tree, "tenants"), name, body) {
		if (state_rejected(&b->state, name))
			continue;
		batch_name(b, name);
		batch_judge(b, name);
	}
	return EXIT_DONE;
}

int cmd_acl_commit(struct command_line *cl, struct error *e)
{
	struct batch *b;
	int result = cl->argc ? rules_commit(cl, e) : RULES_COMMIT_OTHER;

	if (result != RULES_COMMIT_OTHER)
		return result;
	if (batch_begin(cl, &b, e))
		return -1;
	result = commit_rules(cl, b, e);
	if (result == EXIT_DONE)
		result = batch_commit(b, e);
	if (result == EXIT_DONE && cl->argc && state_make_rules(&b->root, cl->argv[0], e))
		result = -1;
	if (result == EXIT_DONE && (b->state.rejected || b->left_out))
		result = EXIT_PARTLY;
	batch_end(b);
	return result;
}

int cmd_epoch_bump(struct command_line *cl, struct error *e)
{
	struct tenant tenant;
	struct batch *b;
	char path[CONFIG_PATH_LEN];
	uint32_t slot;
	int fd, failed;

	if (batch_begin(cl, &b, e))
		return -1;
	failed = check_tenant(b, cl->argv[0], e);
	fd = failed ? -1 : root_map(&b->root, sync_maps[MAP_TENANTS].name, e);
	failed = fd < 0;
	if (!failed) {
		snprintf(path, sizeof(path), "tenants/%s", cl->argv[0]);
		slot = identity_find(&b->state.ids, path)->slot;
		failed = bpf_map_lookup_elem(fd, &slot, &tenant);
		tenant.epoch = next_epoch(tenant.epoch);
		failed = failed || bpf_map_update_elem(fd, &slot, &tenant, BPF_ANY);
		if (failed)
			error_set(e, EXIT_REFUSED, "tenant %s: its epoch cannot be written: %s",
				  cl->argv[0], strerror(errno));
		else
			audit_command(cl, &b->root, "bump", path, NULL, json_integer(tenant.epoch));
		close(fd);
	}
	batch_end(b);
	return failed ? -1 : EXIT_DONE;
}
