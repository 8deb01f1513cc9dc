// SPDX-License-Identifier: BSD-2-Clause
#define _GNU_SOURCE 1
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "loader/passage.h"
#include "loader/programs.h"
#include "loader/rights.h"
#include "loader/root.h"
#include "loader/system.h"

#define BPFFS "/sys/fs/bpf"

/* A second writer waits this long for the first, then gives up. */
#define LOCK_TRIES    100
#define LOCK_PAUSE_US 50000

/*
 * `ip netns exec` gives its command a mount namespace of its own, where a bpffs mounted by us would vanish with
 * the command, and all programs with it. That of an ancestor is another one then.
 */
static bool own_mount_namespace(void)
{
	bool other_one = false, raised;
	struct stat self, other;
	char path[64];

	if (stat("/proc/self/ns/mnt", &self))
		return false;
	raised = rights_raise(CAP_SYS_PTRACE);
	for (pid_t pid = getppid(); pid > 0 && !other_one; pid = process_parent(pid)) {
		snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
		if (stat(path, &other))
			break;
		other_one = other.st_ino != self.st_ino;
	}
	if (raised)
		rights_lower(CAP_SYS_PTRACE);
	return other_one;
}

static int mount_bpffs(const char *parent, struct error *e)
{
	bool raised;
	int err;

	if (strcmp(parent, BPFFS))
		return error_set(
			e, EXIT_REFUSED,
			"root: %s is not in a bpffs: `mount -t bpf bpf %s` first, or choose a root below " BPFFS,
			parent, parent);
	if (own_mount_namespace())
		return error_set(
			e, EXIT_REFUSED,
			"root: there is no bpffs at " BPFFS
			" in this mount namespace (as under `ip netns exec`): run `weft -n NAME` from outside instead, or mount one and keep the namespace");
	raised = rights_raise(CAP_SYS_ADMIN);
	err = mount("bpf", BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0711");
	if (raised)
		rights_lower(CAP_SYS_ADMIN);
	if (err)
		return error_set(
			e, EXIT_REFUSED,
			"root: cannot mount bpffs at " BPFFS
			": %s: the kernel needs CONFIG_BPF_SYSCALL, and this user CAP_SYS_ADMIN",
			strerror(errno));
	return 0;
}

/* Of files; the kernel says EPERM of what it wants a capability for. */
static const char *access_hint(int err, const char *path, const char *root,
			       char buf[PASSAGE_HINT_SIZE])
{
	return err == EACCES ? passage_hint(path, root, buf, PASSAGE_HINT_SIZE) : "";
}

/* Absolute, without links, and short enough; the last part need not exist. */
int root_locate(struct root *root, const char *path, struct error *e)
{
	char copy[PATH_MAX], copy2[PATH_MAX], parent[PATH_MAX], hint[PASSAGE_HINT_SIZE];
	const char *last;

	root->lock = -1;
	root->programs = NULL;
	root->reads = false;
	if (strlen(path) >= sizeof(copy))
		return error_set(e, EXIT_USAGE, "root: the path is too long");
	strcpy(copy, path);
	strcpy(copy2, path);
	last = basename(copy2);
	if (!realpath(dirname(copy), parent)) {
		int err = errno;

		strcpy(copy, path);
		last = dirname(copy);
		return error_set(e, EXIT_REFUSED, "root %s: %s: %s%s", path, last, strerror(err),
				 access_hint(err, last, NULL, hint));
	}
	if (strchr(last, '.') || !strcmp(last, "/"))
		return error_set(e, EXIT_USAGE, "root %s: bpffs takes no name with a dot", path);
	if (snprintf(root->path, sizeof(root->path), "%s/%s", parent, last) >=
	    (int)sizeof(root->path))
		return error_set(e, EXIT_USAGE, "root %s: the path is too long", path);
	return 0;
}

/* 1: locked; 0: the directory was removed meanwhile, look again; -1: error. */
static int lock_directory(struct root *root, int fd, struct error *e)
{
	struct stat held, now;

	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB); i++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return error_set(e, EXIT_REFUSED, "root %s: cannot lock: %s", root->path,
					 strerror(errno));
		if (i == LOCK_TRIES)
			return error_set(
				e, EXIT_REFUSED,
				"root %s: another weft is changing it: wait until it is done",
				root->path);
		usleep(LOCK_PAUSE_US);
	}
	if (stat(root->path, &now) || fstat(fd, &held) || now.st_ino != held.st_ino)
		return 0;
	root->lock = fd;
	return 1;
}

static int open_directory(struct root *root, bool lock, struct error *e)
{
	char hint[PASSAGE_HINT_SIZE];

	for (;;) {
		/* Who may only look cannot open it so that it can be locked: see share_root(). */
		int fd = open(root->path, (lock ? O_RDONLY : O_PATH) | O_DIRECTORY | O_CLOEXEC),
		    ret;

		if (fd < 0 && errno == ENOENT)
			return error_set(e, EXIT_REFUSED,
					 "root %s does not exist: run `weft load` first",
					 root->path);
		if (fd < 0) {
			int err = errno;

			return error_set(e, EXIT_REFUSED, "root %s: %s%s", root->path,
					 strerror(err),
					 access_hint(err, root->path, root->path, hint));
		}
		if (!in_bpffs(root->path)) {
			close(fd);
			return error_set(e, EXIT_REFUSED, "root %s is not in a bpffs", root->path);
		}
		ret = lock ? lock_directory(root, fd, e) : 1;
		if (ret <= 0 || !lock)
			close(fd);
		if (ret)
			return ret < 0 ? -1 : 0;
	}
}

int root_check(const struct root *root, struct error *e)
{
	struct abi abi = { 0 };
	__u32 zero = 0;
	int fd = root_map(root, "abi", e);

	if (fd < 0) {
		if (errno == EACCES || errno == EPERM)
			return -1;
		return error_set(
			e, EXIT_REFUSED,
			"root %s is half made (a `weft load` was interrupted): run `weft load` again, or `weft unload`",
			root->path);
	}
	if (bpf_map_lookup_elem(fd, &zero, &abi))
		abi.version = 0;
	close(fd);
	if (abi.version == 0)
		return error_set(
			e, EXIT_REFUSED,
			"root %s is half made (a `weft load` was interrupted): run `weft load` again, or `weft unload`",
			root->path);
	if (abi.version != WEFT_ABI)
		return error_set(
			e, EXIT_REFUSED,
			"root %s has maps of version %u, made by weft %.32s, and this weft uses version %d: use that weft, or bring the root to this version with `weft load`",
			root->path, abi.version, abi.build, WEFT_ABI);
	return 0;
}

/* Readers may look even then. */
static int check_switched(const struct root *root, struct error *e)
{
	if (!programs_half_switched(root))
		return 0;
	return error_set(
		e, EXIT_REFUSED,
		"root %s: a `weft load` was interrupted while it put new programs in place: run `weft load` again",
		root->path);
}

int root_open(struct root *root, const char *path, bool write, struct error *e)
{
	if (root_locate(root, path, e) || open_directory(root, write, e))
		return -1;
	root->reads = !write;
	if (root_check(root, e) || (write && check_switched(root, e))) {
		root_close(root);
		return -1;
	}
	return 0;
}

static bool has(const char *directory, const char *name)
{
	char path[640];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return !access(path, F_OK);
}

/* A root that was begun, or is half removed, has one of them: load makes `prog` first, unload removes `devices` last. */
static bool is_root(const char *directory)
{
	return has(directory, "devices") || has(directory, "prog") || has(directory, "link");
}

static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool empty = true;

	while (dir && empty && (entry = readdir(dir)))
		empty = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
	if (dir)
		closedir(dir);
	return empty;
}

/* What others have pinned is never taken for a root, which unload would remove whole. */
static int check_place(const char *path, const char *parent, struct error *e)
{
	if (is_root(parent))
		return error_set(e, EXIT_REFUSED,
				 "root %s: lies in another root: choose a directory of its own",
				 path);
	if (!is_root(path) && !is_empty(path))
		return error_set(
			e, EXIT_REFUSED,
			"root %s: is no root of weft's, and not empty: choose another directory",
			path);
	return 0;
}

int root_create(struct root *root, const char *path, struct error *e)
{
	char parent[sizeof(root->path)];

	if (root_locate(root, path, e))
		return -1;
	strcpy(parent, root->path);
	dirname(parent);
	if (!in_bpffs(parent) && mount_bpffs(parent, e))
		return -1;
	if (check_place(root->path, parent, e))
		return -1;
	for (;;) {
		if (mkdir(root->path, 0700) && errno != EEXIST)
			return error_set(e, EXIT_REFUSED, "root %s: cannot be made: %s", root->path,
					 strerror(errno));
		if (!open_directory(root, true, e))
			return 0;
		if (access(root->path, F_OK) == 0)
			return -1;
	}
}

void root_close(struct root *root)
{
	if (root->lock >= 0)
		close(root->lock);
	root->lock = -1;
}

int root_pin(const struct root *root, const char *path)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = root->reads ? BPF_F_RDONLY : 0);

	return bpf_obj_get_opts(path, &opts);
}

static int get_pin(const struct root *root, const char *directory, const char *name,
		   const char *what, struct error *e)
{
	char path[512], safe[256], hint[PASSAGE_HINT_SIZE];
	int fd;

	snprintf(path, sizeof(path), "%s/%s%s", root->path, directory,
		 root_name(safe, sizeof(safe), name));
	fd = root_pin(root, path);
	if (fd < 0) {
		int err = errno;

		error_set(e, EXIT_REFUSED, "%s %s: %s%s", what, path, strerror(err),
			  err == ENOENT  ? ": run `weft load`"
			  : err == EPERM ? rights_bpf_hint()
					 : access_hint(err, path, root->path, hint));
		errno = err;
	}
	return fd < 0 ? -1 : fd;
}

int root_map(const struct root *root, const char *name, struct error *e)
{
	return get_pin(root, "", name, "map", e);
}

int root_prog(const struct root *root, const char *name, struct error *e)
{
	return get_pin(root, root->programs ? root->programs : "prog/", name, "program", e);
}

const char *root_name(char *buf, size_t size, const char *name)
{
	size_t i;

	for (i = 0; name[i] && i + 1 < size; i++)
		buf[i] = name[i] == '.' ? ',' : name[i];
	buf[i] = '\0';
	return buf;
}
