/* SPDX-License-Identifier: BSD-2-Clause */
/* One line an event to stderr, which is the journal's under systemd; with -j a JSON object a line. */
#ifndef WEFT_AGENT_LOG_H
#define WEFT_AGENT_LOG_H

#include <jansson.h>
#include <syslog.h>

#include "loader/cli.h"

/*
 * `event` is a word for programs, the text is for people; `details` (taken over, may be NULL) are keys and values that
 * only the JSON has apart. Priorities are those of syslog.
 */
void log_event(const struct command_line *cl, int priority, const char *event, json_t *details,
	       const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#endif
