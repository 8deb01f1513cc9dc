// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "agent/single.h"
#include "loader/statedir.h"

#define LOCK_NAME "agent.lock"

static int refuse(const struct root *root, int fd, struct flock *lock, struct error *e)
{
	/* A record lock, unlike flock(), tells whose it is. */
	if (fcntl(fd, F_GETLK, lock) || lock->l_type == F_UNLCK)
		return error_set(e, EXIT_REFUSED,
				 "agent: another one for root %s has just ended: start again",
				 root->path);
	return error_set(e, EXIT_REFUSED,
			 "agent: one runs for root %s already, as process %d: stop that first",
			 root->path, (int)lock->l_pid);
}

int single_take(const struct root *root, struct error *e)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[PATH_MAX];
	int fd;

	if (statedir_path(root, LOCK_NAME, path, sizeof(path), e))
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set(e, EXIT_REFUSED, "agent: lock %s: %s%s", path, strerror(errno),
				 errno == EACCES ? ": run as root" : "");
	if (!fcntl(fd, F_SETLK, &lock))
		return fd;
	if (errno != EAGAIN && errno != EACCES)
		error_set(e, EXIT_REFUSED, "agent: lock %s: %s", path, strerror(errno));
	else
		refuse(root, fd, &lock, e);
	close(fd);
	return -1;
}
