// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader/statedir.h"

static int make(const char *path, struct error *e)
{
	if (mkdir(path, 0700) && errno != EEXIST)
		return error_set(e, EXIT_REFUSED, "state directory %s: %s%s", path, strerror(errno),
				 errno == ENOENT ? ": make the directory above it, or set WEFT_STATE_DIR" : "");
	return 0;
}

int statedir_path(const struct root *root, const char *name, char *path, size_t size, struct error *e)
{
	const char *base = getenv("WEFT_STATE_DIR");
	int n;

	if (!base || !*base)
		base = STATEDIR_DEFAULT;
	n = snprintf(path, size, "%s/%s", base, root->path);
	if (n < 0 || (size_t)n + strlen(name) + 2 > size)
		return error_set(e, EXIT_REFUSED, "state directory %s: the path is too long", base);
	for (char *c = path + strlen(base) + 1; *c; c++)
		if (*c == '/')
			*c = ',';
	if (make(base, e) || make(path, e))
		return -1;
	if (*name)
		sprintf(path + n, "/%s", name);
	return 0;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		size -= (size_t)n;
	}
	return fsync(fd);
}

int statedir_write(const char *path, const void *data, size_t size, struct error *e)
{
	char fresh[PATH_MAX];
	int fd, err = 0;

	if (snprintf(fresh, sizeof(fresh), "%s.XXXXXX", path) >= (int)sizeof(fresh))
		return error_set(e, EXIT_REFUSED, "file %s: the path is too long", path);
	fd = mkostemp(fresh, O_CLOEXEC);
	if (fd < 0)
		return error_set(e, EXIT_REFUSED, "file %s: cannot be made: %s", path, strerror(errno));
	if (write_all(fd, data, size) || rename(fresh, path))
		err = errno;
	close(fd);
	if (err)
		unlink(fresh);
	return err ? error_set(e, EXIT_REFUSED, "file %s: cannot be written: %s", path, strerror(err)) : 0;
}
