/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Probes through functions, by a thread of its own: a look at the root may take longer than a function may be dead
 * unnoticed. Ahead of other processes, since a probe that leaves late says nothing.
 */
#ifndef WEFT_AGENT_PROBES_H
#define WEFT_AGENT_PROBES_H

#include <pthread.h>

#include "agent/links.h"
#include "agent/probe_round.h"

struct probes {
	const struct command_line *cl;
	pthread_t thread;
	bool runs;
	struct source ended; /* it has, in the main loop */
	int wake; /* eventfd, the thread's */
	pthread_mutex_t lock;
	/* Under the lock. */
	struct probe_set *next; /* to be taken */
	bool given, stop;
	struct error why; /* it has ended */
	/* The thread's. */
	struct loop loop;
	struct source woken, timer;
	struct links links;
	struct probe_round round;
};

int probes_open(struct probes *p, const struct command_line *cl, struct loop *loop,
		struct error *e);
void probes_close(struct probes *p, struct loop *loop);
/* From now on these; takes `set` over, may be NULL. */
void probes_give(struct probes *p, struct probe_set *set);

#endif
