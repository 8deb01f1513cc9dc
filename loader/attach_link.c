// SPDX-License-Identifier: BSD-2-Clause
/* Links of TCX and XDP, pinned as <root>/link/<device>:<hook>. */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loader/attach_hooks.h"
#include "loader/rights.h"

const char *hook_name(enum hook hook)
{
	static const char *const names[HOOKS] = { "tc", "guard", "xdp" };

	return names[hook];
}

const char *hook_program(enum role role, enum hook hook)
{
	static const char *const names[][2] = {
		[ROLE_PORT] = { "port_tc", "port_xdp" },
		[ROLE_UNDERLAY] = { "underlay_tc", "underlay_xdp" },
		[ROLE_SF] = { "sf_tc", "sf_xdp" },
	};

	return hook == HOOK_GUARD ? "guard_tc" : names[role][hook == HOOK_XDP];
}

static void pin_path(char *path, size_t size, const struct root *root, const char *device,
		     enum hook hook)
{
	char safe[IFNAMSIZ];

	snprintf(path, size, "%s/link/%s:%s", root->path, root_name(safe, sizeof(safe), device),
		 hook_name(hook));
}

static enum bpf_attach_type attach_type(enum hook hook)
{
	return hook == HOOK_TC ? BPF_TCX_INGRESS : hook == HOOK_GUARD ? BPF_TCX_EGRESS : BPF_XDP;
}

/* The link's device, 0 if it lost it. */
static __u32 link_device(int fd, enum hook hook, __u32 *id)
{
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);

	if (bpf_link_get_info_by_fd(fd, &info, &len))
		return 0;
	*id = info.id;
	return hook == HOOK_XDP ? info.xdp.ifindex : info.tcx.ifindex;
}

__u32 link_live(const struct root *root, const char *device, unsigned int ifindex, enum hook hook)
{
	char path[512];
	__u32 id = 0;
	int fd;

	pin_path(path, sizeof(path), root, device, hook);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return 0;
	if (link_device(fd, hook, &id) != ifindex)
		id = 0;
	close(fd);
	return id;
}

bool links_hidden(const struct root *root, const char *device)
{
	char path[512];

	pin_path(path, sizeof(path), root, device, HOOK_TC);
	return faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) && errno == EACCES;
}

static int link_make(const char *path, unsigned int ifindex, enum hook hook, int program)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts);
	int fd, err = 0;

	/* TCX: at the head, where nothing can pass by it or take what it has not judged. */
	opts.flags = hook == HOOK_XDP ? XDP_FLAGS_DRV_MODE : BPF_F_BEFORE;
	fd = bpf_link_create(program, (int)ifindex, attach_type(hook), &opts);
	if (fd < 0)
		return -errno;
	/* Killed before the pin: the link goes with the process. */
	if (bpf_obj_pin(fd, path))
		err = -errno;
	close(fd);
	return err;
}

int link_set(const struct root *root, const char *device, unsigned int ifindex, enum hook hook,
	     int program)
{
	char path[512];
	__u32 id;
	int fd, err;

	pin_path(path, sizeof(path), root, device, hook);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return link_make(path, ifindex, hook, program);
	if (link_device(fd, hook, &id) == ifindex) {
		err = bpf_link_update(fd, program, NULL) ? -errno : 0;
		close(fd);
		return err;
	}
	close(fd);
	link_drop(root, device, hook);
	return link_make(path, ifindex, hook, program);
}

void link_drop(const struct root *root, const char *device, enum hook hook)
{
	char path[512];
	int fd;

	pin_path(path, sizeof(path), root, device, hook);
	fd = bpf_obj_get(path);
	if (fd >= 0) {
		/* Unpinning alone would detach some time later. */
		bpf_link_detach(fd);
		close(fd);
	}
	unlink(path);
}

const char *program_text(__u32 id, char *buf, size_t size)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);
	bool raised = rights_raise(CAP_SYS_ADMIN);
	int fd = bpf_prog_get_fd_by_id(id);

	if (raised)
		rights_lower(CAP_SYS_ADMIN);
	if (fd >= 0) {
		if (bpf_prog_get_info_by_fd(fd, &info, &len))
			info.name[0] = '\0';
		close(fd);
	}
	snprintf(buf, size, "\"%s\" (id %u)", info.name, id);
	return buf;
}
