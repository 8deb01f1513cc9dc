// SPDX-License-Identifier: BSD-2-Clause
/* weft status: what is loaded, attached, pending and bypassed. One tree is made, and printed as text or as JSON. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/attach.h"
#include "loader/commands.h"
#include "loader/confirm.h"
#include "loader/load.h"
#include "loader/programs.h"
#include "loader/state.h"
#include "loader/status_health.h"
#include "loader/tunnel.h"

static const char *const roles[] = { "port", "underlay", "sf" };
static const char *const modes[] = { "auto", "tc", "xdp" };

static json_t *device_json(const struct attachment *a)
{
	json_t *hooks = json_array();
	bool whole = a->present && a->ifindex && !a->hidden;

	if (whole)
		json_array_append_new(hooks, json_string(a->clsact ? "clsact" : "tcx"));
	if (whole && a->guard)
		json_array_append_new(hooks, json_string("guard"));
	if (whole && a->xdp)
		json_array_append_new(hooks, json_string("xdp"));
	return json_pack(
		"{s:s, s:s, s:s, s:i, s:s, s:s, s:o}", "device", a->device, "role", roles[a->role],
		"mode", modes[a->mode], "ifindex", (int)a->ifindex, "state",
		!a->present ? "absent"
		: a->hidden ? "unknown"
		: whole     ? "attached"
			    : "damaged",
		"note", a->hidden ? "only root may look at its hooks" : a->note, "hooks", hooks);
}

static const struct attachment *find(const struct attachment *list, int n, const char *device)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(list[i].device, device) && list[i].present && list[i].ifindex)
			return &list[i];
	return NULL;
}

#define PENDING_REMEDY "apply again once it is there; a port: or `weft port bind`"

struct pending {
	const struct attachment *list;
	int n;
	json_t *out;
};

static void want(const struct pending *p, const char *path, const json_t *device)
{
	const char *name = json_string_value(device);

	if (name && !find(p->list, p->n, name))
		json_array_append_new(p->out, json_pack("{s:s, s:s, s:s}", "object", path, "device",
							name, "remedy", PENDING_REMEDY));
}

/* The devices of one object that are wanted on this host. */
static void want_object(const struct pending *p, const char *path, const json_t *object,
			const char *host)
{
	const char *at = json_string_value(json_object_get(object, "host"));
	const json_t *item;
	size_t i;

	if (!at || strcmp(at, host))
		return;
	want(p, path, json_object_get(object, "device"));
	json_array_foreach (json_object_get(object, "devices"), i, item)
		want(p, path, item);
}

static void want_tenant_ports(const struct pending *p, const char *tenant, const json_t *body,
			      const char *host)
{
	const char *name;
	json_t *port;
	char path[128];

	json_object_foreach (json_object_get(body, "ports"), name, port) {
		snprintf(path, sizeof(path), "port %s/%s", tenant, name);
		want_object(p, path, port, host);
	}
}

static json_t *pending_json(const json_t *tree, const char *host, const struct attachment *list,
			    int n)
{
	struct pending p = { list, n, json_array() };
	const char *name, *instance;
	json_t *object, *part;
	char path[128];
	size_t i;

	json_array_foreach (
		json_object_get(json_object_get(json_object_get(tree, "hosts"), host), "underlay"),
		i, part) {
		snprintf(path, sizeof(path), "host %s", host);
		want(&p, path, part);
	}
	json_object_foreach (json_object_get(tree, "service_functions"), name, object)
		json_object_foreach (json_object_get(object, "instances"), instance, part) {
			snprintf(path, sizeof(path), "sf %s/%s", name, instance);
			want_object(&p, path, part, host);
		}
	json_object_foreach (json_object_get(tree, "tenants"), name, object)
		want_tenant_ports(&p, name, object, host);
	return p.out;
}

static json_t *bypassed_json(const json_t *tree)
{
	json_t *out = json_array(), *tenant, *chain;
	const char *name, *chain_name;
	char path[128];

	json_object_foreach (json_object_get(tree, "tenants"), name, tenant)
		json_object_foreach (json_object_get(tenant, "chains"), chain_name, chain)
			if (json_is_true(json_object_get(chain, "bypass"))) {
				snprintf(path, sizeof(path), "%s/%s", name, chain_name);
				json_array_append_new(out, json_string(path));
			}
	return out;
}

static json_t *programs_json(const struct root *root)
{
	json_t *out = json_object();
	struct dirent *entry;
	char path[512];
	DIR *dir;

	snprintf(path, sizeof(path), "%s/prog", root->path);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		struct bpf_prog_info info = { 0 };
		__u32 len = sizeof(info);
		int fd;

		if (entry->d_name[0] == '.')
			continue;
		fd = root_prog(root, entry->d_name, NULL);
		if (fd >= 0 && !bpf_prog_get_info_by_fd(fd, &info, &len))
			json_object_set_new(out, entry->d_name,
					    json_pack("{s:i, s:b}", "id", (int)info.id, "jited",
						      info.jited_prog_len > 0));
		if (fd >= 0)
			close(fd);
	}
	if (dir)
		closedir(dir);
	return out;
}

static json_t *tunnel_json(void)
{
	struct device_info info;

	if (device_info(TUNNEL_DEVICE, &info, NULL))
		return json_pack("{s:s, s:s}", "device", TUNNEL_DEVICE, "state", "absent");
	return json_pack("{s:s, s:s, s:i}", "device", TUNNEL_DEVICE, "state",
			 info.up ? "up" : "down", "ifindex", (int)info.ifindex);
}

/* `degraded` is taken over. */
static json_t *status_json(const struct root *root, const struct state *state,
			   const struct attachment *list, int n, json_t *degraded)
{
	char host[WEFT_NAME_LEN + 1] = "", vtep[INET_ADDRSTRLEN] = "";
	json_t *devices = json_array();
	static const __u8 none[4];

	memcpy(host, state->host.name, WEFT_NAME_LEN);
	if (memcmp(state->host.vtep4, none, 4))
		inet_ntop(AF_INET, state->host.vtep4, vtep, sizeof(vtep));
	for (int i = 0; i < n; i++)
		json_array_append_new(devices, device_json(&list[i]));
	return json_pack(
		"{s:s, s:i, s:s, s:o, s:o, s:I, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o}",
		"version", WEFT_VERSION, "abi", WEFT_ABI, "root", root->path, "loaded",
		status_loaded(root), "applied", status_applied(root, state), "by_hand",
		(json_int_t)status_by_hand(root), "host", host, "vtep", vtep, "interrupted",
		state->interrupted, "tunnel", tunnel_json(), "devices", devices, "pending",
		pending_json(state->tree, host, list, n), "bypassed", bypassed_json(state->tree),
		"degraded", degraded, "programs", programs_json(root));
}

/* What is pending or bypassed was asked for; what was cut off or is degraded was not. */
static int exit_code(const json_t *status)
{
	return json_is_true(json_object_get(status, "interrupted")) ||
			       json_array_size(json_object_get(status, "degraded"))
		       ? EXIT_PARTLY
		       : EXIT_DONE;
}

static int show(const struct command_line *cl, const struct root *root, const struct state *state,
		struct error *e)
{
	json_t *degraded = status_degraded(root, state, e), *status, *unconfirmed;
	struct attachment *list = NULL;
	int n, result;

	if (!degraded)
		return -1;
	n = attachments(root, &list, e);
	if (n < 0) {
		json_decref(degraded);
		return -1;
	}
	status = status_json(root, state, list, n, degraded);
	free(list);
	unconfirmed = confirm_status(root);
	if (unconfirmed)
		json_object_set_new(status, "unconfirmed", unconfirmed);
	result = exit_code(status);
	if (cl->json)
		return cli_json(cl, status, e) ? -1 : result;
	status_print(status, cl->details);
	json_decref(status);
	return result;
}

int cmd_status(struct command_line *cl, struct error *e)
{
	struct state state = { 0 };
	struct root root;
	int result = -1;

	if (root_open(&root, cl->root, false, e))
		return -1;
	if (!state_read(&root, &state, e)) {
		result = show(cl, &root, &state, e);
		state_free(&state);
	}
	root_close(&root);
	return result;
}

int cmd_version(struct command_line *cl, struct error *e)
{
	if (cl->json)
		return cli_json(cl,
				json_pack("{s:s, s:s, s:i}", "version", WEFT_VERSION, "build",
					  programs_own_build(), "abi", WEFT_ABI),
				e);
	printf("weft %s, maps %d, build %s\n", WEFT_VERSION, WEFT_ABI, programs_own_build());
	return EXIT_DONE;
}
