// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "agent/loop.h"

#define EVENTS_AT_ONCE 8

int loop_open(struct loop *l, struct error *e)
{
	l->stop = false;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0)
		return error_set(e, EXIT_REFUSED, "agent: epoll: %s", strerror(errno));
	return 0;
}

int loop_add(struct loop *l, struct source *s, struct error *e)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = s };

	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, s->fd, &event))
		return error_set(e, EXIT_REFUSED, "agent: epoll: %s", strerror(errno));
	return 0;
}

void loop_drop(struct loop *l, struct source *s)
{
	if (s->fd < 0)
		return;
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, s->fd, NULL);
	close(s->fd);
	s->fd = -1;
}

int loop_run(struct loop *l, struct error *e)
{
	struct epoll_event events[EVENTS_AT_ONCE];

	while (!l->stop) {
		int n = epoll_wait(l->epoll, events, EVENTS_AT_ONCE, -1);

		if (n < 0 && errno != EINTR)
			return error_set(e, EXIT_REFUSED, "agent: epoll: %s", strerror(errno));
		for (int i = 0; i < n && !l->stop; i++) {
			struct source *s = events[i].data.ptr;

			/* One that ran before it may have dropped it. */
			if (s->fd >= 0 && s->ready(s, e))
				return -1;
		}
	}
	return 0;
}

void loop_close(struct loop *l)
{
	if (l->epoll >= 0)
		close(l->epoll);
	l->epoll = -1;
}

int timer_open(struct source *s, struct error *e)
{
	s->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->fd < 0)
		return error_set(e, EXIT_REFUSED, "agent: timerfd: %s", strerror(errno));
	return 0;
}

void timer_set(const struct source *s, int64_t ms)
{
	struct itimerspec when = { 0 };

	/* All zeroes would stop it. */
	if (ms >= 0) {
		when.it_value.tv_sec = ms / 1000;
		when.it_value.tv_nsec = ms % 1000 * 1000000 + 1;
	}
	timerfd_settime(s->fd, 0, &when, NULL);
}

void timer_drain(const struct source *s)
{
	uint64_t times;
	ssize_t n = read(s->fd, &times, sizeof(times));

	(void)n; /* set again meanwhile: it fires again */
}

int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
