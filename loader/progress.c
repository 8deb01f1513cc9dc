// SPDX-License-Identifier: BSD-2-Clause
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "loader/progress.h"

#define PATIENCE_MS 1000 /* what is over by then needs no progress */
#define REDRAW_MS   100
#define LINES_MS    1000 /* between lines, where lines stay */

static struct {
	bool on, terminal, drawn;
	int64_t next; /* not before this */
} state;

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void progress_show(bool asked)
{
	state.terminal = isatty(STDERR_FILENO);
	state.on = asked || state.terminal;
	state.next = asked ? 0 : now_ms() + PATIENCE_MS;
}

void progress(const char *phase, size_t done, size_t total)
{
	int64_t now;

	if (!state.on || !total)
		return;
	now = now_ms();
	/* Lines that stay tell of the end of each phase. */
	if (now < state.next && (state.terminal || done < total))
		return;
	state.next = now + (state.terminal ? REDRAW_MS : LINES_MS);
	fprintf(stderr, state.terminal ? "\r\033[K%s: %zu of %zu" : "%s: %zu of %zu\n", phase, done,
		total);
	state.drawn = state.terminal;
}

void progress_end(void)
{
	if (state.drawn)
		fputs("\r\033[K", stderr);
	state.drawn = false;
}
