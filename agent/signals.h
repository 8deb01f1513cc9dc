/* SPDX-License-Identifier: BSD-2-Clause */
/* SIGTERM and SIGINT end the loop, SIGHUP asks for a look at everything: as events, never in the midst of a change. */
#ifndef WEFT_AGENT_SIGNALS_H
#define WEFT_AGENT_SIGNALS_H

#include "agent/loop.h"

struct signals {
	struct source source;
	struct loop *loop;
	void (*reload)(struct signals *s);
	void *data;
};

int signals_open(struct signals *s, struct loop *loop, struct error *e);
void signals_close(struct signals *s);

#endif
