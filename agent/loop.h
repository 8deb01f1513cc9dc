/* SPDX-License-Identifier: BSD-2-Clause */
/* The event loop: who waits for a descriptor says so, and is called when it can be read. */
#ifndef WEFT_AGENT_LOOP_H
#define WEFT_AGENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "loader/error.h"

struct source {
	int fd; /* -1: not open */
	int (*ready)(struct source *s, struct error *e); /* -1 ends the loop */
	void *data;
};

struct loop {
	int epoll;
	bool stop; /* set by whoever wants loop_run() to return 0 */
};

int loop_open(struct loop *l, struct error *e);
/* The source stays where it is until loop_drop(), which also closes its descriptor. */
int loop_add(struct loop *l, struct source *s, struct error *e);
void loop_drop(struct loop *l, struct source *s);
int loop_run(struct loop *l, struct error *e);
void loop_close(struct loop *l);

/* A timer that fires once; set it again for more. */
int timer_open(struct source *s, struct error *e);
void timer_set(const struct source *s, int64_t ms); /* from now; 0: at once; negative: not at all */
void timer_drain(const struct source *s);

/* Milliseconds of the clock that neither jumps nor stands still. */
int64_t clock_ms(void);

#endif
