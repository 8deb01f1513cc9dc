// SPDX-License-Identifier: BSD-2-Clause
/* weft unload: everything away, in an order in which a repetition can finish what was begun. */
#define _GNU_SOURCE 1
#include <bpf/bpf.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader/attach_hooks.h"
#include "loader/audit.h"
#include "loader/bpf_log.h"
#include "loader/commands.h"
#include "loader/confirm.h"
#include "loader/devices.h"
#include "loader/grace.h"
#include "loader/live.h"
#include "loader/load.h"
#include "loader/system.h"
#include "loader/tunnel.h"

/* `devices` tells what there is to undo: its pin goes last. */
#define LAST "devices"

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	if (at->level == 0 || (at->level == 1 && !strcmp(path + at->base, LAST)))
		return 0;
	if (type == FTW_DP ? rmdir(path) : unlink(path))
		return errno == ENOENT ? 0 : errno;
	return 0;
}

static int remove_pins(const struct root *root, struct error *e)
{
	char last[512];
	int err = nftw(root->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);

	if (err)
		return error_set(e, EXIT_PARTLY, "root %s: cannot be removed: %s", root->path,
				 strerror(err < 0 ? errno : err));
	snprintf(last, sizeof(last), "%s/" LAST, root->path);
	if ((unlink(last) && errno != ENOENT) || (rmdir(root->path) && errno != ENOENT))
		return error_set(e, EXIT_PARTLY, "root %s: cannot be removed: %s", root->path,
				 strerror(errno));
	return 0;
}

/* Records of another version cannot be read; then the links that are pinned are all that can be undone. */
static bool records_readable(const struct root *root)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	int fd = root_map(root, "devices", NULL);
	bool fits;

	if (fd < 0)
		return false;
	fits = !bpf_map_get_info_by_fd(fd, &info, &len) &&
	       info.key_size == sizeof(struct device_key) &&
	       info.value_size == sizeof(struct device);
	close(fd);
	return fits;
}

/*
 * In another network namespace than the root's, devices cannot be given back. If that namespace is gone, there is
 * nothing to give back.
 */
static int check_netns(const struct root *root, const struct device_item *list, int n,
		       struct error *e)
{
	uint64_t here = netns_cookie();
	char name[256];

	for (int i = 0; i < n; i++) {
		const struct device *r = &list[i].record;

		if (r->netns == here)
			continue;
		if (netns_find(r->netns, name, sizeof(name)))
			return error_set(
				e, EXIT_REFUSED,
				"root %s belongs to network namespace %s: run `weft -n %s -r %s unload`",
				root->path, name, name, root->path);
		if (link_live(root, list[i].name, r->ifindex, HOOK_TC) ||
		    link_live(root, list[i].name, r->ifindex, HOOK_XDP))
			return error_set(
				e, EXIT_REFUSED,
				"root %s belongs to another network namespace, where device %s still is: unload with -n PATH of that, or with --force leave its devices' settings as they are",
				root->path, list[i].name);
	}
	return 0;
}

static int detach_all(const struct root *root, bool force, struct error *e)
{
	struct device_item *list;
	int n = device_records(root, &list, e), err = n < 0 ? -1 : 0;

	if (!err && !force)
		err = check_netns(root, list, n, e) || live_check(root, list, n, e) ? -1 : 0;
	grace_hurry(n);
	for (int i = 0; i < n && !err; i++)
		if (list[i].record.role != DEVICE_TUNNEL)
			err = detach_device(root, list[i].name, e);
	grace_relax();
	free(list);
	return err;
}

int root_remove(const struct root *root, bool force, struct error *e)
{
	if (records_readable(root) && detach_all(root, force, e))
		return -1;
	if (tunnel_down(root, e))
		return -1;
	return remove_pins(root, e);
}

int cmd_unload(struct command_line *cl, struct error *e)
{
	struct root root = { .lock = -1 };
	int err;

	bpf_log_capture();
	if (access(cl->root, F_OK) && errno == ENOENT) {
		fprintf(stderr, "weft: nothing is loaded at %s\n", cl->root);
		snprintf(root.path, sizeof(root.path), "%s", cl->root);
		return tunnel_down(&root, e);
	}
	/* Not root_open(): that refuses what is half made or of another version. */
	if (root_create(&root, cl->root, e))
		return -1;
	err = root_remove(&root, cli_option(cl, "force"), e);
	if (!err) {
		confirm_end(&root);
		audit_command(cl, &root, "unload", "root", json_string(root.path), NULL);
	}
	root_close(&root);
	return err;
}
