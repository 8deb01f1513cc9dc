/* SPDX-License-Identifier: BSD-2-Clause */
/* The process that waits for a confirmation's deadline, and takes the change back. */
#ifndef WEFT_CONFIRM_TIMER_H
#define WEFT_CONFIRM_TIMER_H

#include "loader/root.h"

/*
 * Starts it, in a session of its own and outside the caller's control groups, unless there is one. Returns when it
 * waits; -1: it could not be started.
 */
int confirm_timer_start(const struct root *root, struct error *e);
void confirm_timer_stop(const struct root *root);

#endif
