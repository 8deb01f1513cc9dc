// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/log.h"

/* In UTC, to the millisecond: 2026-11-26T15:02:05.123Z */
static void now_text(char *buf, size_t size)
{
	struct timespec now;
	struct tm parts;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	n = strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(buf + n, size - n, ".%03dZ", (int)(now.tv_nsec / 1000000));
}

static void print_json(const struct command_line *cl, int priority, const char *event,
		       const char *time, const char *text, json_t *details)
{
	json_t *line = json_pack("{s:s, s:i, s:s, s:s}", "time", time, "priority", priority,
				 "event", event, "text", text);
	char *out;

	if (details)
		json_object_update(line, details);
	out = json_dumps(line, cl->pretty ? JSON_INDENT(2) : JSON_COMPACT);
	fprintf(stderr, "%s\n", out ? out : "{}");
	free(out);
	json_decref(line);
}

void log_event(const struct command_line *cl, int priority, const char *event, json_t *details,
	       const char *fmt, ...)
{
	char text[1200], time[32];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	now_text(time, sizeof(time));
	/* The probes' thread says something, too. */
	flockfile(stderr);
	if (cl->json) {
		print_json(cl, priority, event, time, text, details);
	} else {
		/* The journal takes the number off (SyslogLevelPrefix=). */
		if (getenv("JOURNAL_STREAM"))
			fprintf(stderr, "<%d>", priority);
		fprintf(stderr, "%s%sweft agent: %s\n", cl->timestamps ? time : "",
			cl->timestamps ? " " : "", text);
	}
	funlockfile(stderr);
	json_decref(details);
}
