// SPDX-License-Identifier: BSD-2-Clause
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cpus.h"

struct side {
	pthread_t thread;
	int cpu, which;
	void (*run)(int which);
};

static atomic_uint arrivals;
static _Thread_local uint32_t meetings;

void cpus_meet(void)
{
	atomic_fetch_add(&arrivals, 1);
	meetings++;
	/* Not blocking: who is woken comes microseconds later. */
	while (atomic_load(&arrivals) < 2 * meetings)
		;
}

static void *run_pinned(void *arg)
{
	struct side *s = arg;
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(s->cpu, &here);
	sched_setaffinity(0, sizeof(here), &here);
	s->run(s->which);
	return NULL;
}

bool cpus_run(void (*side)(int which))
{
	struct side sides[2];
	cpu_set_t ours;
	int n = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(ours), &ours), 0);
	for (int cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++)
		if (CPU_ISSET(cpu, &ours)) {
			sides[n] = (struct side){ .cpu = cpu, .which = n, .run = side };
			n++;
		}
	if (n < 2)
		return false;
	atomic_store(&arrivals, 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&sides[i].thread, NULL, run_pinned, &sides[i]), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(sides[i].thread, NULL);
	return true;
}
