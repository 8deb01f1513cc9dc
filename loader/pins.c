// SPDX-License-Identifier: BSD-2-Clause
#define _GNU_SOURCE 1
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader/pins.h"

#define PATH_SIZE 768

static const char *in_root(char path[PATH_SIZE], const struct root *root, const char *relative)
{
	snprintf(path, PATH_SIZE, "%s/%s", root->path, relative);
	return path;
}

static int fail(const char *what, const char *path, struct error *e)
{
	return error_set(e, EXIT_REFUSED, "%s: cannot be %s: %s", path, what, strerror(errno));
}

bool pins_have(const struct root *root, const char *path)
{
	char full[PATH_SIZE];

	return !access(in_root(full, root, path), F_OK);
}

int pins_make(const struct root *root, const char *directory, struct error *e)
{
	char path[PATH_SIZE];

	if (mkdir(in_root(path, root, directory), 0700) && errno != EEXIST)
		return fail("made", path, e);
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)at;
	if (type == FTW_DP ? rmdir(path) : unlink(path))
		return errno == ENOENT ? 0 : errno;
	return 0;
}

int pins_remove(const struct root *root, const char *directory, struct error *e)
{
	char path[PATH_SIZE];
	int err;

	if (!pins_have(root, directory))
		return 0;
	err = nftw(in_root(path, root, directory), remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	if (!err)
		return 0;
	errno = err < 0 ? errno : err;
	return fail("removed", path, e);
}

int pins_drop(const struct root *root, const char *path, struct error *e)
{
	char full[PATH_SIZE];

	return unlink(in_root(full, root, path)) && errno != ENOENT ? fail("removed", full, e) : 0;
}

/* What takes a pin's place gets its owner and mode, too: others may have been given access. */
static int replace(const char *fresh, const char *place, struct error *e)
{
	struct stat had;

	if (!stat(place, &had) &&
	    (chown(fresh, had.st_uid, had.st_gid) || chmod(fresh, had.st_mode & 07777)))
		return fail("given the owner of the old one", fresh, e);
	return rename(fresh, place) ? fail("put in place", place, e) : 0;
}

int pins_put(const struct root *root, const char *path, int fd, struct error *e)
{
	char place[PATH_SIZE], fresh[PATH_SIZE + 8];

	in_root(place, root, path);
	snprintf(fresh, sizeof(fresh), "%s,new", place);
	unlink(fresh);
	if (bpf_obj_pin(fd, fresh))
		return fail("pinned", place, e);
	if (!replace(fresh, place, e))
		return 0;
	unlink(fresh);
	return -1;
}

int pins_each(const struct root *root, const char *directory,
	      int (*fn)(const char *name, void *arg), void *arg)
{
	char path[PATH_SIZE];
	DIR *dir = opendir(in_root(path, root, directory));
	struct dirent *entry;
	int ret = 0;

	while (dir && !ret && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && entry->d_type != DT_DIR)
			ret = fn(entry->d_name, arg);
	if (dir)
		closedir(dir);
	return ret;
}

struct transfer {
	const struct root *root;
	const char *from, *to;
	struct error *e;
};

static int copy_one(const char *name, void *arg)
{
	const struct transfer *t = arg;
	char from[PATH_SIZE], to[256];
	int fd, err;

	snprintf(from, sizeof(from), "%s/%s/%s", t->root->path, t->from, name);
	snprintf(to, sizeof(to), "%s/%s", t->to, name);
	fd = bpf_obj_get(from);
	if (fd < 0)
		return fail("opened", from, t->e);
	err = pins_put(t->root, to, fd, t->e);
	close(fd);
	return err;
}

int pins_copy(const struct root *root, const char *from, const char *to, struct error *e)
{
	struct transfer t = { root, from, to, e };

	return pins_each(root, from, copy_one, &t);
}

static int move_one(const char *name, void *arg)
{
	const struct transfer *t = arg;
	char from[PATH_SIZE], to[PATH_SIZE];

	snprintf(from, sizeof(from), "%s/%s/%s", t->root->path, t->from, name);
	snprintf(to, sizeof(to), "%s/%s/%s", t->root->path, t->to, name);
	return replace(from, to, t->e);
}

int pins_move(const struct root *root, const char *from, const char *to, struct error *e)
{
	struct transfer t = { root, from, to, e };

	return pins_each(root, from, move_one, &t);
}
