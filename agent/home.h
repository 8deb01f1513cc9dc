/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The root as the agent knows it: there or not, taken away and made again. Its directory stays open, so that what the
 * agent does itself is not heard by its own watch over it.
 */
#ifndef WEFT_AGENT_HOME_H
#define WEFT_AGENT_HOME_H

#include "agent/loop.h"
#include "loader/root.h"

enum home_state {
	HOME_ENTERED, /* locked: home_leave() ends that */
	HOME_BUSY, /* another weft is changing it */
	HOME_ABSENT, /* not loaded */
	HOME_REFUSED, /* half made, or of another version: the error says it */
};

struct home {
	struct root root; /* .lock: the open directory, or -1 */
	struct source watch;
	struct loop *loop;
	void (*touched)(struct home *h); /* another command has just been at it */
	void *data;
};

/* h->root is found already. */
void home_open(struct home *h, struct loop *loop);
void home_close(struct home *h);

/* Never waits. */
enum home_state home_enter(struct home *h, struct error *e);
void home_leave(struct home *h);

#endif
