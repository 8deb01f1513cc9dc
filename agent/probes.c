// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "agent/probes.h"

/* ---- the thread ---- */

static void rearm(struct probes *p)
{
	int64_t next = probe_round_run(&p->round);
	struct itimerspec when = { .it_value = { next / 1000000000, next % 1000000000 } };

	timerfd_settime(p->timer.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static int on_timer(struct source *s, struct error *e)
{
	(void)e;
	timer_drain(s);
	rearm(s->data);
	return 0;
}

static int on_wake(struct source *s, struct error *e)
{
	struct probes *p = s->data;
	struct probe_set *set;
	bool given;

	(void)e;
	timer_drain(s);
	pthread_mutex_lock(&p->lock);
	p->loop.stop = p->stop;
	given = p->given;
	set = p->next;
	p->next = NULL;
	p->given = false;
	pthread_mutex_unlock(&p->lock);
	if (given)
		probe_round_take(&p->round, set);
	rearm(p);
	return 0;
}

static void on_link(struct links *l, unsigned int ifindex)
{
	struct probes *p = l->data;

	probe_round_link(&p->round, ifindex);
}

static int open_thread(struct probes *p, struct error *e)
{
	p->woken = (struct source){ .fd = p->wake, .ready = on_wake, .data = p };
	p->timer = (struct source){ .fd = -1, .ready = on_timer, .data = p };
	p->links = (struct links){ .touched = on_link, .data = p };
	if (loop_open(&p->loop, e) || loop_add(&p->loop, &p->woken, e) ||
	    timer_open(&p->timer, e) || loop_add(&p->loop, &p->timer, e) ||
	    links_open(&p->links, &p->loop, e))
		return -1;
	return probe_round_open(&p->round, p->cl, e);
}

static void close_thread(struct probes *p)
{
	probe_round_close(&p->round);
	links_close(&p->links);
	loop_drop(&p->loop, &p->timer);
	loop_close(&p->loop);
}

static void hurry(void)
{
	struct sched_param first = { .sched_priority = 1 };

	if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &first))
		setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), -20);
}

static void *run(void *arg)
{
	struct probes *p = arg;
	struct error e = { 0 };
	uint64_t one = 1;
	ssize_t n;
	int failed;

	hurry();
	failed = open_thread(p, &e) || loop_run(&p->loop, &e);
	close_thread(p);
	if (!failed)
		return NULL;
	p->why = e;
	n = write(p->ended.fd, &one, sizeof(one));
	(void)n;
	return NULL;
}

/* ---- the agent's side ---- */

static int on_ended(struct source *s, struct error *e)
{
	struct probes *p = s->data;

	pthread_join(p->thread, NULL);
	p->runs = false;
	*e = p->why;
	return -1;
}

static void wake(const struct probes *p)
{
	uint64_t one = 1;
	ssize_t n = write(p->wake, &one, sizeof(one));

	(void)n;
}

int probes_open(struct probes *p, const struct command_line *cl, struct loop *loop,
		struct error *e)
{
	int err;

	p->cl = cl;
	p->loop.epoll = p->timer.fd = p->round.control = -1;
	pthread_mutex_init(&p->lock, NULL);
	p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	p->ended = (struct source){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
				    .ready = on_ended,
				    .data = p };
	if (p->wake < 0 || p->ended.fd < 0)
		return error_set(e, EXIT_REFUSED, "agent: eventfd: %s", strerror(errno));
	if (loop_add(loop, &p->ended, e))
		return -1;
	err = pthread_create(&p->thread, NULL, run, p);
	if (err)
		return error_set(e, EXIT_REFUSED, "agent: thread: %s", strerror(err));
	p->runs = true;
	return 0;
}

void probes_close(struct probes *p, struct loop *loop)
{
	if (p->runs) {
		pthread_mutex_lock(&p->lock);
		p->stop = true;
		pthread_mutex_unlock(&p->lock);
		wake(p);
		pthread_join(p->thread, NULL);
		p->runs = false;
	}
	probe_set_free(p->next);
	p->next = NULL;
	loop_drop(loop, &p->ended);
	if (p->wake >= 0)
		close(p->wake);
	p->wake = -1;
}

void probes_give(struct probes *p, struct probe_set *set)
{
	pthread_mutex_lock(&p->lock);
	probe_set_free(p->next);
	p->next = set;
	p->given = true;
	pthread_mutex_unlock(&p->lock);
	wake(p);
}
