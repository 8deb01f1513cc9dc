// SPDX-License-Identifier: BSD-2-Clause
/*
 * `weft agent run`. It is in no packet's way: what it has attached stays attached when it dies, and whatever it was in
 * the midst of, the next command finishes.
 */
#include <unistd.h>

#include "agent/agent.h"
#include "agent/log.h"
#include "loader/single.h"
#include "loader/bpf_log.h"
#include "loader/commands.h"
#include "loader/devices.h"
#include "loader/system.h"

static void ask(struct agent *a, enum ask why)
{
	int64_t now = clock_ms();

	pace_ask(&a->pace, why, now);
	timer_set(&a->timer, pace_wait(&a->pace, now));
}

static void on_link(struct links *l, const char *name)
{
	struct agent *a = l->data;

	if (!name || wanted_has(&a->wanted, name))
		ask(a, ASK_DEVICE);
}

static void on_touched(struct home *h)
{
	ask(h->data, ASK_ROOT);
}

static void on_reload(struct signals *s)
{
	struct agent *a = s->data;

	log_event(a->cl, LOG_INFO, "reload", NULL, "asked to look at everything");
	notify_reloading(&a->notify);
	ask(a, ASK_NOW);
}

static int on_timer(struct source *s, struct error *e)
{
	struct agent *a = s->data;

	(void)e;
	timer_drain(s);
	agent_look(a);
	timer_set(s, pace_wait(&a->pace, clock_ms()));
	/* Also what ends a reload. */
	notify_ready(&a->notify);
	return 0;
}

static int open_all(struct agent *a, struct error *e)
{
	if (loop_open(&a->loop, e) || signals_open(&a->signals, &a->loop, e) ||
	    notify_open(&a->notify, &a->loop, e) || timer_open(&a->timer, e) ||
	    loop_add(&a->loop, &a->timer, e))
		return -1;
	home_open(&a->home, &a->loop);
	if (sweep_open(&a->sweep, a->cl, &a->home.root, &a->loop, e) ||
	    probes_open(&a->probes, a->cl, &a->loop, e))
		return -1;
	/* Heard before the first look, so that none is missed between that and the next. */
	return links_open(&a->links, &a->loop, e);
}

static void close_all(struct agent *a)
{
	probes_close(&a->probes, &a->loop);
	sweep_close(&a->sweep, &a->loop);
	links_close(&a->links);
	home_close(&a->home);
	loop_drop(&a->loop, &a->timer);
	notify_close(&a->notify, &a->loop);
	signals_close(&a->signals);
	loop_close(&a->loop);
	wanted_free(&a->wanted);
}

/* A root of another network namespace has devices that nobody sees from here. */
static int check_place(const struct root *found, struct error *e)
{
	struct error unused = { 0 };
	struct root root;
	int err;

	if (root_open(&root, found->path, false, &unused))
		return 0; /* not there yet */
	err = devices_check_netns(&root, e);
	root_close(&root);
	return err;
}

static int run(struct agent *a, struct error *e)
{
	int err;

	if (open_all(a, e))
		return -1;
	log_event(a->cl, LOG_INFO, "started",
		  json_pack("{s:s, s:i}", "root", a->home.root.path, "pid", (int)getpid()),
		  "started for root %s", a->home.root.path);
	ask(a, ASK_NOW);
	err = loop_run(&a->loop, e);
	notify_stopping(&a->notify);
	if (!err)
		log_event(a->cl, LOG_INFO, "stopped", NULL,
			  "stopped: traffic goes on; devices that come wait for `weft apply`");
	return err;
}

int cmd_agent_run(struct command_line *cl, struct error *e)
{
	struct agent a = { .cl = cl };
	int lock, err;

	a.signals.source.fd = a.notify.timer.fd = a.notify.fd = a.timer.fd = a.sweep.timer.fd = -1;
	a.loop.epoll = a.probes.ended.fd = a.probes.wake = -1;
	a.home.watch.fd = a.home.root.lock = -1;
	a.timer.ready = on_timer;
	a.signals.reload = on_reload;
	a.links.changed = on_link;
	a.home.touched = on_touched;
	a.timer.data = a.signals.data = a.links.data = a.home.data = &a;
	a.signals.loop = &a.loop;
	if (root_locate(&a.home.root, cl->root, e) || check_place(&a.home.root, e))
		return -1;
	lock = single_take(&a.home.root, "agent", e);
	if (lock < 0)
		return -1;
	raise_memlock();
	bpf_log_capture();
	err = run(&a, e);
	close_all(&a);
	close(lock);
	return err ? -1 : EXIT_DONE;
}
