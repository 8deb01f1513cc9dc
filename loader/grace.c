// SPDX-License-Identifier: BSD-2-Clause
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "loader/grace.h"

#define SETTING "/sys/kernel/rcu_expedited"
/* Not empty while a weft has changed the setting; whoever does, holds its lock. */
#define MARKER "/run/weft.rcu_expedited"
#define MANY   16

static int marker = -1;
static int depth;

static char setting_get(void)
{
	int fd = open(SETTING, O_RDONLY | O_CLOEXEC);
	char value = '?';

	if (fd < 0)
		return value;
	if (read(fd, &value, 1) != 1)
		value = '?';
	close(fd);
	return value;
}

static int setting_put(char value)
{
	int fd = open(SETTING, O_WRONLY | O_CLOEXEC), failed;

	if (fd < 0)
		return -1;
	failed = write(fd, &value, 1) != 1;
	close(fd);
	return failed ? -1 : 0;
}

static void let_go(void)
{
	unlink(MARKER);
	close(marker);
	marker = -1;
}

void grace_hurry(int devices)
{
	char left;

	depth++;
	if (marker >= 0 || (devices < MANY && access(MARKER, F_OK)))
		return;
	marker = open(MARKER, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (marker < 0)
		return;
	if (flock(marker, LOCK_EX | LOCK_NB)) {
		close(marker);
		marker = -1;
		return;
	}
	/* A 1 that no weft left behind is somebody else's. The marker first: it tells of what may come. */
	if ((read(marker, &left, 1) != 1 && setting_get() != '0') ||
	    pwrite(marker, "1", 1, 0) != 1 || setting_put('1'))
		let_go();
}

void grace_relax(void)
{
	if (--depth || marker < 0)
		return;
	setting_put('0');
	let_go();
}
