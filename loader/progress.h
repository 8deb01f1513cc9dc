/* SPDX-License-Identifier: BSD-2-Clause */
/* How far a long command has come: a line on standard error, for whoever waits at a terminal. */
#ifndef WEFT_PROGRESS_H
#define WEFT_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Until this is called nothing is ever shown. A terminal gets one line, rewritten, once the command
 * has lasted a second; `asked` for, it is shown at once and anywhere, as lines where there is no
 * terminal.
 */
void progress_show(bool asked);

/* `done` of `total` of a phase, "attaching devices". Cheap: it may be called for each. */
void progress(const char *phase, size_t done, size_t total);

/* Takes the line away, before other output. */
void progress_end(void);

#endif
