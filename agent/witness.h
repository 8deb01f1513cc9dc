/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Is there a CPU to spare? A thread that gets one only when nobody else wants it, and says when it did. Functions that are
 * processes, or whose frames wait for a kernel thread, may be silent for no other reason than that there is none.
 */
#ifndef WEFT_AGENT_WITNESS_H
#define WEFT_AGENT_WITNESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "loader/error.h"

struct witness {
	pthread_t thread;
	bool runs;
	int call; /* eventfd */
	int64_t asked; /* ns, monotonic; 0: nobody has asked */
	_Atomic int64_t came; /* likewise: when it ran last */
	_Atomic bool stop;
};

int witness_open(struct witness *w, struct error *e);
void witness_close(struct witness *w);

void witness_ask(struct witness *w, int64_t now);
/* Since witness_ask(), has there been one within that many ns? True if nobody has asked. */
bool witness_came(const struct witness *w, int64_t within);

#endif
