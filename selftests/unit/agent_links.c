// SPDX-License-Identifier: BSD-2-Clause
/* Two threads of the agent hear of devices at a time, each with links of its own: each hears of all, and of nothing else. */
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/links.h"

#define PAIRS  150 /* of veth devices; their list takes several datagrams */
#define ROUNDS 100

/* What a thread has heard. */
struct listener {
	struct loop loop;
	struct links links;
	struct source timer;
	unsigned int heard[PAIRS][2];
	unsigned int strange; /* names that are no device's here */
	const char *failed;
};

static void on_change(struct links *l, const char *name)
{
	struct listener *me = l->data;
	unsigned int n;
	char end, rest;

	if (!name || !strcmp(name, "lo"))
		return;
	if (sscanf(name, "p%u%c%c", &n, &end, &rest) == 2 && n < PAIRS && (end == 'a' || end == 'b'))
		me->heard[n][end - 'a']++;
	else
		me->strange++;
	me->loop.stop = true;
	for (n = 0; n < PAIRS; n++)
		if (!me->heard[n][0] || !me->heard[n][1])
			me->loop.stop = false;
}

static int on_timeout(struct source *s, struct error *e)
{
	struct listener *me = s->data;

	(void)e;
	timer_drain(s);
	me->failed = "has not heard of all devices within 10 s";
	me->loop.stop = true;
	return 0;
}

static void listen_once(struct listener *me)
{
	struct error e = { 0 };

	memset(me->heard, 0, sizeof(me->heard));
	me->links = (struct links){ .changed = on_change, .data = me };
	me->timer = (struct source){ .fd = -1, .ready = on_timeout, .data = me };
	if (loop_open(&me->loop, &e) || timer_open(&me->timer, &e) || loop_add(&me->loop, &me->timer, &e) ||
	    links_open(&me->links, &me->loop, &e))
		me->failed = "cannot listen";
	timer_set(&me->timer, 10000);
	if (!me->failed && loop_run(&me->loop, &e))
		me->failed = "was told of an error";
	links_close(&me->links);
	loop_drop(&me->loop, &me->timer);
	loop_close(&me->loop);
	me->loop.stop = false;
}

static void *listen_often(void *arg)
{
	struct listener *me = arg;

	for (int i = 0; i < ROUNDS && !me->failed; i++)
		listen_once(me);
	return NULL;
}

static void make_devices(void)
{
	FILE *ip;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	ip = popen("ip -batch -", "w");
	assert_non_null(ip);
	for (int i = 0; i < PAIRS; i++)
		fprintf(ip, "link add p%da type veth peer name p%db\n", i, i);
	assert_int_equal(pclose(ip), 0);
}

static void two_threads(void **unused)
{
	static struct listener listener[2];
	pthread_t thread[2];

	(void)unused;
	make_devices();
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, listen_often, &listener[i]), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < 2; i++) {
		if (listener[i].failed)
			fail_msg("thread %d %s", i, listener[i].failed);
		assert_int_equal(listener[i].strange, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
