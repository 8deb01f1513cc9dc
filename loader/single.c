// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loader/single.h"
#include "loader/statedir.h"

static int refuse(const struct root *root, const char *what, int fd, struct flock *lock,
		  struct error *e)
{
	/* A record lock, unlike flock(), tells whose it is. */
	if (fcntl(fd, F_GETLK, lock) || lock->l_type == F_UNLCK)
		return error_set(e, EXIT_REFUSED,
				 "%s: another one for root %s has just ended: start again", what,
				 root->path);
	return error_set(e, EXIT_REFUSED,
			 "%s: one runs for root %s already, as process %d: stop that first", what,
			 root->path, (int)lock->l_pid);
}

int single_take(const struct root *root, const char *what, struct error *e)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[PATH_MAX], name[64];
	int fd;

	snprintf(name, sizeof(name), "%s.lock", what);
	if (statedir_path(root, name, path, sizeof(path), e))
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set(e, EXIT_REFUSED, "%s: lock %s: %s%s", what, path, strerror(errno),
				 errno == EACCES ? ": run as root" : "");
	if (!fcntl(fd, F_SETLK, &lock))
		return fd;
	if (errno != EAGAIN && errno != EACCES)
		error_set(e, EXIT_REFUSED, "%s: lock %s: %s", what, path, strerror(errno));
	else
		refuse(root, what, fd, &lock, e);
	close(fd);
	return -1;
}
