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
#include "loader/state.h"
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

struct pending {
	const struct attachment *list;
	int n;
	json_t *out;
};

static void want(const struct pending *p, const char *path, const json_t *device)
{
	const char *name = json_string_value(device);

	if (name && !find(p->list, p->n, name))
		json_array_append_new(p->out,
				      json_pack("{s:s, s:s}", "object", path, "device", name));
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

static json_t *rejected_json(const struct state *state)
{
	json_t *out = json_object();

	for (const struct rejected *r = state->rejected; r; r = r->next)
		json_object_set_new(out, r->tenant, json_string(r->why.text));
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

static json_t *status_json(const struct root *root, const struct state *state,
			   const struct attachment *list, int n)
{
	char host[WEFT_NAME_LEN + 1] = "", vtep[INET_ADDRSTRLEN] = "";
	json_t *devices = json_array();
	static const __u8 none[4];

	memcpy(host, state->host.name, WEFT_NAME_LEN);
	if (memcmp(state->host.vtep4, none, 4))
		inet_ntop(AF_INET, state->host.vtep4, vtep, sizeof(vtep));
	for (int i = 0; i < n; i++)
		json_array_append_new(devices, device_json(&list[i]));
	return json_pack("{s:s, s:i, s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "version",
			 WEFT_VERSION, "abi", WEFT_ABI, "root", root->path, "host", host, "vtep",
			 vtep, "interrupted", state->interrupted, "tunnel", tunnel_json(),
			 "devices", devices, "pending", pending_json(state->tree, host, list, n),
			 "bypassed", bypassed_json(state->tree), "rejected", rejected_json(state),
			 "programs", programs_json(root));
}

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

static void print_devices(const json_t *devices)
{
	const json_t *d, *hook;
	size_t i, j;

	json_array_foreach (devices, i, d) {
		printf("device %-15s %-9s mode %-5s %s", text(d, "device"), text(d, "role"),
		       text(d, "mode"), text(d, "state"));
		json_array_foreach (json_object_get(d, "hooks"), j, hook)
			printf("%s%s", j ? "+" : " ", json_string_value(hook));
		printf("%s%s\n", *text(d, "note") ? "; " : "", text(d, "note"));
	}
}

static void print_status(const json_t *s, bool details)
{
	const char *red = isatty(STDOUT_FILENO) ? "\033[31m" : "", *plain = *red ? "\033[0m" : "";
	const json_t *tunnel = json_object_get(s, "tunnel"), *item;
	const char *name;
	json_t *program, *why;
	size_t i;

	printf("weft %s, maps %d, root %s\n", text(s, "version"), WEFT_ABI, text(s, "root"));
	printf("host %s%s%s\n",
	       *text(s, "host") ? text(s, "host") : "(not known yet: apply a configuration)",
	       *text(s, "vtep") ? ", vtep " : "", text(s, "vtep"));
	printf("tunnel %s %s\n", text(tunnel, "device"), text(tunnel, "state"));
	print_devices(json_object_get(s, "devices"));
	json_array_foreach (json_object_get(s, "pending"), i, item)
		printf("pending %s: device %s is not attached\n", text(item, "object"),
		       text(item, "device"));
	json_array_foreach (json_object_get(s, "bypassed"), i, item)
		printf("%sbypass chain %s: its functions are not asked%s\n", red,
		       json_string_value(item), plain);
	json_object_foreach (json_object_get(s, "rejected"), name, why)
		printf("%srules of tenant %s: %s; its live ACL stays%s\n", red, name,
		       json_string_value(why), plain);
	if (json_is_true(json_object_get(s, "interrupted")))
		printf("%sinterrupted: a change was cut off; apply again%s\n", red, plain);
	if (json_object_get(s, "unconfirmed")) {
		fputs(red, stdout);
		confirm_print(stdout, json_object_get(s, "unconfirmed"));
		fputs(plain, stdout);
	}
	if (!details)
		return;
	json_object_foreach (json_object_get(s, "programs"), name, program)
		printf("program %-12s id %d%s\n", name,
		       (int)json_integer_value(json_object_get(program, "id")),
		       json_is_true(json_object_get(program, "jited")) ? ""
								       : ", not compiled by a JIT");
}

int cmd_status(struct command_line *cl, struct error *e)
{
	struct attachment *list = NULL;
	struct state state = { 0 };
	struct root root;
	json_t *status, *unconfirmed;
	int n, err = 0;

	if (root_open(&root, cl->root, false, e))
		return -1;
	n = state_read(&root, &state, e) ? -1 : attachments(&root, &list, e);
	if (n >= 0) {
		status = status_json(&root, &state, list, n);
		if ((unconfirmed = confirm_status(&root)))
			json_object_set_new(status, "unconfirmed", unconfirmed);
		if (cl->json) {
			err = cli_json(cl, status, e);
		} else {
			print_status(status, cl->details);
			json_decref(status);
		}
		state_free(&state);
	}
	free(list);
	root_close(&root);
	return n < 0 ? -1 : err;
}

int cmd_version(struct command_line *cl, struct error *e)
{
	if (cl->json)
		return cli_json(
			cl, json_pack("{s:s, s:i}", "version", WEFT_VERSION, "abi", WEFT_ABI), e);
	printf("weft %s, maps %d\n", WEFT_VERSION, WEFT_ABI);
	return EXIT_DONE;
}
