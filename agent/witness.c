// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "agent/witness.h"

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static void *run(void *arg)
{
	struct sched_param none = { 0 };
	struct witness *w = arg;
	uint64_t calls;

	pthread_setschedparam(pthread_self(), SCHED_IDLE, &none);
	while (read(w->call, &calls, sizeof(calls)) == sizeof(calls) && !w->stop)
		w->came = now_ns();
	return NULL;
}

static void call(const struct witness *w)
{
	uint64_t one = 1;
	ssize_t n = write(w->call, &one, sizeof(one));

	(void)n;
}

int witness_open(struct witness *w, struct error *e)
{
	int err;

	w->asked = 0;
	w->stop = false;
	w->call = eventfd(0, EFD_CLOEXEC);
	if (w->call < 0)
		return error_set(e, EXIT_REFUSED, "agent: eventfd: %s", strerror(errno));
	err = pthread_create(&w->thread, NULL, run, w);
	if (err)
		return error_set(e, EXIT_REFUSED, "agent: thread: %s", strerror(err));
	w->runs = true;
	return 0;
}

void witness_close(struct witness *w)
{
	if (w->runs) {
		w->stop = true;
		call(w);
		pthread_join(w->thread, NULL);
		w->runs = false;
	}
	if (w->call >= 0)
		close(w->call);
	w->call = -1;
}

void witness_ask(struct witness *w, int64_t now)
{
	w->asked = now;
	call(w);
}

bool witness_came(const struct witness *w, int64_t within)
{
	int64_t came = w->came;

	return !w->asked || (came >= w->asked && came - w->asked <= within);
}
