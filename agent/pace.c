// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "agent/pace.h"

#define BACKOFF_FIRST_MS 1000
#define BACKOFF_LAST_MS  60000

/* Milliseconds: of quiet that a look waits for, and how long it waits at most; then how many times its own cost it
 * stays away after the last. */
static const struct {
	int64_t quiet, limit, rest;
} patience[ASKS] = {
	[ASK_NOW] = { 0, 0, 0 },
	[ASK_DEVICE] = { 50, 500, 1 },
	[ASK_ROOT] = { 500, 2000, 4 },
};

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void pace_ask(struct pace *p, enum ask why, int64_t now)
{
	int64_t rested = p->ended + patience[why].rest * p->cost;

	if (!p->due[why])
		p->first[why] = now;
	p->due[why] = earlier(now + patience[why].quiet, p->first[why] + patience[why].limit);
	if (p->due[why] < rested)
		p->due[why] = rested;
}

void pace_again(struct pace *p, int64_t now, int64_t ms)
{
	p->due[ASK_AGAIN] = now + ms;
}

void pace_retry(struct pace *p, int64_t now)
{
	/* A look that had another reason came too early to tell. */
	if (!p->backoff || now >= p->retry) {
		p->backoff =
			p->backoff ? earlier(2 * p->backoff, BACKOFF_LAST_MS) : BACKOFF_FIRST_MS;
		p->retry = now + p->backoff;
	}
	p->due[ASK_AGAIN] = p->retry;
}

void pace_recovered(struct pace *p)
{
	p->backoff = p->retry = 0;
}

void pace_begin(struct pace *p)
{
	memset(p->due, 0, sizeof(p->due));
}

void pace_end(struct pace *p, int64_t began, int64_t now)
{
	p->cost = now - began;
	p->ended = now;
}

int64_t pace_wait(const struct pace *p, int64_t now)
{
	int64_t next = 0;

	for (int i = 0; i < ASKS; i++)
		if (p->due[i] && (!next || p->due[i] < next))
			next = p->due[i];
	if (!next)
		return -1;
	return next > now ? next - now : 0;
}
