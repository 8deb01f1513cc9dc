// SPDX-License-Identifier: BSD-2-Clause
#define _GNU_SOURCE 1 /* secure_getenv */
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader/passage.h"
#include "loader/share.h"

/* Who may read, as load finds it; 0: nobody else. */
static gid_t readers(void)
{
	const char *name = secure_getenv("WEFT_GROUP");
	const struct group *group = getgrnam(name ? name : SHARE_GROUP);
	unsigned int number;
	char rest;

	if (group)
		return group->gr_gid;
	return name && sscanf(name, "%u%c", &number, &rest) == 1 ? number : 0;
}

static int share(const char *path, gid_t gid, mode_t mode)
{
	struct stat st;

	if (!gid)
		return 0;
	if (stat(path, &st))
		return -1;
	if (st.st_gid || (st.st_mode & mode) == mode)
		return 0;
	return chown(path, (uid_t)-1, gid) || chmod(path, (st.st_mode & 07777) | mode) ? -1 : 0;
}

int share_pin(const struct root *root, const char *path)
{
	struct stat st;

	/* Whom load, or an administrator since then, has let into the root. */
	return stat(root->path, &st) ? -1 : share(path, st.st_gid, S_IRGRP);
}

static int refuse(const char *path, struct error *e)
{
	return error_set(e, EXIT_REFUSED, "%s: cannot be given to the group that may read: %s%s",
			 path, strerror(errno),
			 errno == EPERM ? ": cap_chown and cap_fowner are missing" : "");
}

/* What workloads say to each other is nobody's to read. */
#define WITH_FRAMES "early"

/* All pins in the root itself are maps. */
static int share_maps(const struct root *root, gid_t gid, struct error *e)
{
	DIR *directory = opendir(root->path);
	struct dirent *entry;
	char path[512];
	int err = directory ? 0 : refuse(root->path, e);

	while (!err && (entry = readdir(directory))) {
		snprintf(path, sizeof(path), "%s/%s", root->path, entry->d_name);
		if (entry->d_type == DT_REG && strcmp(entry->d_name, WITH_FRAMES) &&
		    share(path, gid, S_IRGRP))
			err = refuse(path, e);
	}
	if (directory)
		closedir(directory);
	return err;
}

/*
 * Who has a program can run it, on packets of his own making; so the others are not to be opened. `clock` only tells
 * the time, in the kernel's ticks.
 */
int share_root(const struct root *root, struct error *e)
{
	char programs[512], path[576];
	gid_t gid = readers();

	if (share_maps(root, gid, e))
		return -1;
	snprintf(programs, sizeof(programs), "%s/prog", root->path);
	snprintf(path, sizeof(path), "%s/clock", programs);
	if (share(path, gid, S_IRGRP))
		return refuse(path, e);
	if (share(programs, gid, S_IXGRP))
		return refuse(programs, e);
	/*
	 * To pass, not to list: a directory that can be opened can be locked, and writers would wait. Last: until now
	 * nobody could look at what was half done.
	 */
	if (share(root->path, gid, S_IXGRP))
		return refuse(root->path, e);
	if (gid)
		passage_open(root->path, gid);
	return 0;
}
