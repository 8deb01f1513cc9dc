// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/home.h"

/*
 * Every command opens the root's directory, the writers to lock it, and closes it when it has done what it does. Only
 * then is there anything new to see.
 */
static int ready(struct source *s, struct error *e)
{
	struct home *h = s->data;
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool touched = false;
	ssize_t n;

	(void)e;
	while ((n = read(s->fd, buf, sizeof(buf))) > 0) {
		for (char *p = buf; p < buf + n;) {
			const struct inotify_event *event = (const void *)p;

			/* With a name it is about what is in the directory. */
			touched |= !event->len;
			p += sizeof(*event) + event->len;
		}
	}
	if (touched)
		h->touched(h);
	return 0;
}

static void forget(struct home *h)
{
	if (h->root.lock >= 0)
		close(h->root.lock);
	h->root.lock = -1;
	/* The watch goes with its inode; a new root gets a new one. */
	loop_drop(h->loop, &h->watch);
}

static int find(struct home *h, struct error *e)
{
	h->root.lock = open(h->root.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (h->root.lock < 0) {
		int err = errno;

		error_set(e, EXIT_REFUSED, "root %s: %s", h->root.path, strerror(err));
		errno = err;
		return -1;
	}
	h->watch.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (h->watch.fd < 0 || inotify_add_watch(h->watch.fd, h->root.path, IN_CLOSE_NOWRITE) < 0) {
		error_set(e, EXIT_REFUSED, "agent: watch over root %s: %s", h->root.path,
			  strerror(errno));
		forget(h);
		errno = EIO;
		return -1;
	}
	return loop_add(h->loop, &h->watch, e);
}

static bool is_same(const struct home *h)
{
	struct stat held, now;

	return !stat(h->root.path, &now) && !fstat(h->root.lock, &held) &&
	       now.st_ino == held.st_ino && now.st_dev == held.st_dev;
}

void home_open(struct home *h, struct loop *loop)
{
	h->root.lock = -1;
	h->loop = loop;
	h->watch = (struct source){ .fd = -1, .ready = ready, .data = h };
}

void home_close(struct home *h)
{
	forget(h);
}

enum home_state home_enter(struct home *h, struct error *e)
{
	if (h->root.lock >= 0 && !is_same(h))
		forget(h);
	if (h->root.lock < 0 && find(h, e))
		return errno == ENOENT ? HOME_ABSENT : HOME_REFUSED;
	if (flock(h->root.lock, LOCK_EX | LOCK_NB)) {
		if (errno == EWOULDBLOCK)
			return HOME_BUSY;
		error_set(e, EXIT_REFUSED, "root %s: cannot lock: %s", h->root.path,
			  strerror(errno));
		return HOME_REFUSED;
	}
	/* `unload` has it locked until it is gone. */
	if (!is_same(h)) {
		forget(h);
		return HOME_ABSENT;
	}
	if (!root_check(&h->root, e))
		return HOME_ENTERED;
	home_leave(h);
	return HOME_REFUSED;
}

void home_leave(struct home *h)
{
	flock(h->root.lock, LOCK_UN);
}
