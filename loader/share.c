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

#include "loader/share.h"

#define NOBODY ((gid_t)-1)

/* Asked once: whoever answers may be across a network. */
static gid_t readers(void)
{
	static gid_t gid = NOBODY;
	static bool asked;
	const char *name = secure_getenv("WEFT_GROUP");
	const struct group *group;

	if (asked)
		return gid;
	asked = true;
	group = getgrnam(name ? name : SHARE_GROUP);
	if (group && group->gr_gid)
		gid = group->gr_gid;
	return gid;
}

/* Of a directory, the group may also list it and pass. */
static int share(const char *path, mode_t mode)
{
	struct stat st;

	if (readers() == NOBODY)
		return 0;
	if (stat(path, &st))
		return -1;
	if (st.st_gid || (st.st_mode & mode) == mode)
		return 0;
	return chown(path, (uid_t)-1, readers()) || chmod(path, (st.st_mode & 07777) | mode) ? -1 : 0;
}

int share_pin(const char *path)
{
	return share(path, S_IRGRP);
}

static int refuse(const char *path, struct error *e)
{
	return error_set(e, EXIT_REFUSED, "%s: cannot be given to the group that may read: %s%s", path,
			 strerror(errno), errno == EPERM ? ": cap_chown and cap_fowner are missing" : "");
}

/* All pins in the root itself are maps. */
static int share_maps(const struct root *root, struct error *e)
{
	DIR *directory = opendir(root->path);
	struct dirent *entry;
	char path[512];
	int err = directory ? 0 : refuse(root->path, e);

	while (!err && (entry = readdir(directory))) {
		snprintf(path, sizeof(path), "%s/%s", root->path, entry->d_name);
		if (entry->d_type == DT_REG && share_pin(path))
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

	if (share_maps(root, e))
		return -1;
	snprintf(programs, sizeof(programs), "%s/prog", root->path);
	snprintf(path, sizeof(path), "%s/clock", programs);
	if (share_pin(path))
		return refuse(path, e);
	if (share(programs, S_IXGRP))
		return refuse(programs, e);
	/* Last: until now nobody could look at what was half done. */
	return share(root->path, S_IRGRP | S_IXGRP) ? refuse(root->path, e) : 0;
}
