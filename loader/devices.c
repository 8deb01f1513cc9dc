// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/alloc.h"
#include "loader/attach.h"
#include "loader/devices.h"
#include "loader/entries.h"
#include "loader/netlink.h"
#include "loader/system.h"
#include "loader/tunnel.h"

static struct device_key key_of(const char *device)
{
	struct device_key key = { 0 };

	memcpy(key.name, device, strnlen(device, sizeof(key.name)));
	return key;
}

int device_record_get(const struct root *root, const char *device, struct device *record,
		      struct error *e)
{
	struct device_key key = key_of(device);
	int fd = root_map(root, "devices", e), err;

	if (fd < 0)
		return -1;
	err = bpf_map_lookup_elem(fd, &key, record) ? errno : 0;
	close(fd);
	if (err && err != ENOENT)
		return error_set(e, EXIT_REFUSED, "map devices: %s: %s", device, strerror(err));
	return !err;
}

int device_record_put(const struct root *root, const char *device, const struct device *record,
		      struct error *e)
{
	struct device_key key = key_of(device);
	int fd = root_map(root, "devices", e), err;

	if (fd < 0)
		return -1;
	err = bpf_map_update_elem(fd, &key, record, BPF_ANY) ? errno : 0;
	close(fd);
	if (err == E2BIG)
		return error_set(
			e, EXIT_REFUSED,
			"device %s: weft is attached to %d devices already, and cannot to more",
			device, DEVICES_MAX);
	return err ? error_set(e, EXIT_REFUSED, "map devices: %s: %s", device, strerror(err)) : 0;
}

int device_record_delete(const struct root *root, const char *device, struct error *e)
{
	struct device_key key = key_of(device);
	int fd = root_map(root, "devices", e), err;

	if (fd < 0)
		return -1;
	err = bpf_map_delete_elem(fd, &key) ? errno : 0;
	close(fd);
	if (err && err != ENOENT)
		return error_set(e, EXIT_REFUSED, "map devices: %s: %s", device, strerror(err));
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct device_item *x = a, *y = b;

	if (x->record.role != y->record.role)
		return x->record.role < y->record.role ? -1 : 1;
	return strcmp(x->name, y->name);
}

int device_records(const struct root *root, struct device_item **list, struct error *e)
{
	int fd = root_map(root, "devices", e), failed;
	struct entries all;
	size_t n;

	*list = NULL;
	if (fd < 0)
		return -1;
	entries_init(&all, sizeof(struct device_key), sizeof(struct device));
	failed = map_read(fd, "devices", &all, e);
	close(fd);
	n = failed ? 0 : all.n;
	if (n)
		*list = alloc_zero(n, sizeof(**list));
	for (size_t i = 0; i < n; i++) {
		memcpy((*list)[i].name, entries_key(&all, i), sizeof(struct device_key));
		memcpy(&(*list)[i].record, entries_value(&all, i), sizeof(struct device));
	}
	if (n)
		qsort(*list, n, sizeof(**list), compare);
	entries_free(&all);
	return failed ? -1 : (int)n;
}

int devices_check_netns(const struct root *root, struct error *e)
{
	struct device tunnel;
	char name[256];
	int found = device_record_get(root, TUNNEL_DEVICE, &tunnel, e);

	if (found < 0)
		return -1;
	if (!found || tunnel.netns == netns_cookie())
		return 0;
	if (netns_find(tunnel.netns, name, sizeof(name)))
		return error_set(e, EXIT_REFUSED,
				 "root %s belongs to network namespace %s: use `weft -n %s -r %s`",
				 root->path, name, name, root->path);
	return error_set(
		e, EXIT_REFUSED,
		"root %s was loaded in another network namespace: use `weft -n` with that, or another root with -r",
		root->path);
}

void device_info_of(const struct nl_link *link, struct device_info *info)
{
	memset(info, 0, sizeof(*info));
	info->ifindex = link->ifindex;
	info->mtu = link->mtu;
	info->up = link->up;
	info->loopback = link->loopback;
	info->peer_elsewhere = !strcmp(link->kind, "veth") && link->peer_elsewhere;
	memcpy(info->kind, link->kind, sizeof(info->kind));
}

int device_info(const char *device, struct device_info *info, struct error *e)
{
	struct nl_link link;
	int err = nl_link_get(device, &link);

	memset(info, 0, sizeof(*info));
	if (err == -ENODEV)
		return error_set(e, 0, "device %s does not exist", device);
	if (err)
		return error_set(e, EXIT_REFUSED, "device %s: %s", device, strerror(-err));
	device_info_of(&link, info);
	return 0;
}
