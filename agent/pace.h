/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When to look: soon after a device has come, but once for a thousand that come together; less often the longer a look
 * takes, so that the agent never has the root for itself; and ever more seldom where only waiting helps.
 */
#ifndef WEFT_AGENT_PACE_H
#define WEFT_AGENT_PACE_H

#include <stdint.h>

enum ask {
	ASK_NOW, /* SIGHUP */
	ASK_DEVICE, /* a device that is wanted has come or gone */
	ASK_ROOT, /* another command was at the root */
	ASK_AGAIN, /* pace_again(), pace_retry() */
	ASKS
};

struct pace {
	int64_t first[ASKS], due[ASKS]; /* 0: not asked */
	int64_t ended, cost; /* of the last look */
	int64_t backoff, retry; /* how long it is now, and until when */
};

void pace_ask(struct pace *p, enum ask why, int64_t now);
void pace_again(struct pace *p, int64_t now, int64_t ms); /* in any case */
void pace_retry(struct pace *p, int64_t now); /* what failed; longer each time */
void pace_recovered(struct pace *p);

/* A look answers all who have asked before it. */
void pace_begin(struct pace *p);
void pace_end(struct pace *p, int64_t began, int64_t now);
/* When the next is due, from now; -1: nobody has asked. */
int64_t pace_wait(const struct pace *p, int64_t now);

#endif
