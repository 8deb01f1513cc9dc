/* SPDX-License-Identifier: BSD-2-Clause */
/* What systemd wants to hear of a service: datagrams to $NOTIFY_SOCKET (sd_notify(3)). Without it, nothing is said. */
#ifndef WEFT_AGENT_NOTIFY_H
#define WEFT_AGENT_NOTIFY_H

#include "agent/loop.h"

struct notify {
	int fd; /* -1: nobody listens */
	int64_t watchdog_ms; /* how often a sign of life is due; 0: never */
	struct source timer;
	char status[160]; /* as said last */
};

int notify_open(struct notify *n, struct loop *loop, struct error *e);
void notify_close(struct notify *n, struct loop *loop);

void notify_ready(struct notify *n);
void notify_reloading(struct notify *n); /* until the next notify_ready() */
void notify_stopping(struct notify *n);
/* One line, for `systemctl status`. */
void notify_status(struct notify *n, const char *status);

#endif
