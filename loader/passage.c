// SPDX-License-Identifier: BSD-2-Clause
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "loader/passage.h"

bool in_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

static bool lets_pass(const struct stat *st, gid_t gid)
{
	return st->st_mode & (st->st_gid == gid ? S_IXGRP : S_IXOTH);
}

static bool is_bpffs_mount(const char *directory, const struct stat *st)
{
	char up[PATH_MAX];
	struct stat above;

	return in_bpffs(directory) &&
	       snprintf(up, sizeof(up), "%s/..", directory) < (int)sizeof(up) &&
	       !stat(up, &above) && above.st_dev != st->st_dev;
}

/* Only of a mount as it comes: a group that somebody has set, or root's members, keep what they have. */
static bool give(const char *directory, const struct stat *st, gid_t gid)
{
	return !st->st_gid && !(st->st_mode & S_IRWXG) && is_bpffs_mount(directory, st) &&
	       !chown(directory, (uid_t)-1, gid) &&
	       !chmod(directory, (st->st_mode & 07777) | S_IXGRP);
}

void passage_open(const char *root, gid_t gid)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s", root);
	while (strcmp(dirname(path), "/")) {
		if (stat(path, &st) || lets_pass(&st, gid) || give(path, &st, gid))
			continue;
		fprintf(stderr,
			"weft: note: the group that may read root %s cannot pass %s (mode %04o): `chmod o+x %s`\n",
			root, path, st.st_mode & 07777, path);
	}
}

/* The first directory on the way to a path that this process may not enter, itself included. */
static bool find_barrier(const char *path, char *barrier, size_t size)
{
	struct stat st;

	for (const char *end = path; *end; end += strcspn(end, "/")) {
		end++;
		snprintf(barrier, size, "%.*s", (int)(end - path + (int)strcspn(end, "/")), path);
		if (faccessat(AT_FDCWD, barrier, X_OK, AT_EACCESS) && errno == EACCES)
			return !stat(barrier, &st) && S_ISDIR(st.st_mode);
	}
	return false;
}

static const char *group_name(gid_t gid, char *buf, size_t size)
{
	const struct group *group = getgrgid(gid);

	if (group)
		snprintf(buf, size, "%s", group->gr_name);
	else
		snprintf(buf, size, "%u", (unsigned int)gid);
	return buf;
}

const char *passage_hint(const char *path, const char *root, char *buf, size_t size)
{
	char barrier[PATH_MAX], group[64];
	struct stat st;

	if (!find_barrier(path, barrier, sizeof(barrier)) || stat(barrier, &st)) {
		snprintf(buf, size,
			 ": run as root, or as a member of the group weft (`man weft`, RIGHTS)");
		return buf;
	}
	if (st.st_gid && st.st_mode & S_IXGRP)
		snprintf(buf, size,
			 ": %s lets only root and the group %s pass: run as root, or as a member of the group (`man weft`, RIGHTS)",
			 barrier, group_name(st.st_gid, group, sizeof(group)));
	else if (root && !strncmp(barrier, root, strlen(root)))
		snprintf(buf, size,
			 ": %s lets only its owner in: run as root, or have root make a group weft and `weft load` again, and be a member of the group (`man weft`, RIGHTS)",
			 barrier);
	else
		snprintf(buf, size,
			 ": %s (mode %04o) lets you not pass: run as root, or have root do `chmod o+x %s` (`man weft`, RIGHTS)",
			 barrier, st.st_mode & 07777, barrier);
	return buf;
}
