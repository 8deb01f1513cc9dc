// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "agent/notify.h"

static void say(const struct notify *n, const char *text)
{
	/* Whether it is heard changes nothing for us. */
	if (n->fd >= 0 && send(n->fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		return;
}

static int connect_to(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	int fd;

	if ((path[0] != '/' && path[0] != '@') || len >= sizeof(to.sun_path))
		return -1;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to,
			       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Twice in the time after which systemd takes us for dead; what is meant for another process is not for us. */
static int64_t watchdog_period(void)
{
	const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	long long period = us ? atoll(us) : 0;

	if (period <= 0 || (pid && atoll(pid) != (long long)getpid()))
		return 0;
	return period / 2000 > 0 ? period / 2000 : 1;
}

static int alive(struct source *s, struct error *e)
{
	struct notify *n = s->data;

	(void)e;
	timer_drain(s);
	say(n, "WATCHDOG=1");
	timer_set(s, n->watchdog_ms);
	return 0;
}

int notify_open(struct notify *n, struct loop *loop, struct error *e)
{
	const char *path = getenv("NOTIFY_SOCKET");

	n->fd = -1;
	n->timer = (struct source){ .fd = -1, .ready = alive, .data = n };
	if (!path || !*path)
		return 0;
	n->fd = connect_to(path);
	if (n->fd < 0)
		return error_set(e, EXIT_REFUSED, "agent: NOTIFY_SOCKET %s: cannot be reached: %s",
				 path, strerror(errno));
	n->watchdog_ms = watchdog_period();
	if (!n->watchdog_ms)
		return 0;
	if (timer_open(&n->timer, e) || loop_add(loop, &n->timer, e))
		return -1;
	timer_set(&n->timer, 0);
	return 0;
}

void notify_close(struct notify *n, struct loop *loop)
{
	loop_drop(loop, &n->timer);
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}

void notify_ready(struct notify *n)
{
	say(n, "READY=1");
}

void notify_reloading(struct notify *n)
{
	struct timespec now;
	char text[64];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
		 (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	say(n, text);
}

void notify_stopping(struct notify *n)
{
	say(n, "STOPPING=1");
}

void notify_status(struct notify *n, const char *status)
{
	char text[sizeof(n->status) + sizeof("STATUS=")];

	if (!strcmp(n->status, status))
		return;
	snprintf(n->status, sizeof(n->status), "%s", status);
	snprintf(text, sizeof(text), "STATUS=%s", n->status);
	say(n, text);
}
