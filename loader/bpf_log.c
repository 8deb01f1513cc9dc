// SPDX-License-Identifier: BSD-2-Clause
#define _GNU_SOURCE 1
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/bpf_log.h"

/* The end of a verifier's log is what matters, and megabytes may precede it. */
#define KEEP (256 * 1024)

static char *text;
static size_t used;

static void keep(const char *part, size_t len)
{
	if (!text)
		text = malloc(KEEP);
	if (!text)
		return;
	if (len > KEEP / 2) {
		part += len - KEEP / 2;
		len = KEEP / 2;
	}
	if (used + len >= KEEP) {
		memmove(text, text + used - KEEP / 2, KEEP / 2);
		used = KEEP / 2;
	}
	if (used + len >= KEEP)
		used = 0;
	memcpy(text + used, part, len);
	used += len;
	text[used] = '\0';
}

static int on_print(enum libbpf_print_level level, const char *format, va_list args)
{
	char *line;
	int n;

	if (level > LIBBPF_WARN)
		return 0;
	n = vasprintf(&line, format, args);
	if (n < 0)
		return 0;
	keep(line, (size_t)n);
	free(line);
	return n;
}

void bpf_log_capture(void)
{
	libbpf_set_print(on_print);
}

void bpf_log_clear(void)
{
	used = 0;
	if (text)
		text[0] = '\0';
}

/* Is it a line that says why, and not one of the frame around it? */
static int says_why(const char *line, size_t len)
{
	static const char *const noise[] = { "-- END", "-- BEGIN", "processed ",
					     "verification time", "stack depth" };

	for (size_t i = 0; i < sizeof(noise) / sizeof(noise[0]); i++)
		if (memmem(line, len, noise[i], strlen(noise[i])))
			return 0;
	return len > 0;
}

const char *bpf_log_reason(char *buf, size_t size)
{
	const char *end, *start, *stop;

	buf[0] = '\0';
	if (!used)
		return buf;
	/* Before the end mark of a verifier's log stands its verdict. */
	end = strstr(text, "-- END PROG LOAD LOG --");
	if (!end)
		end = text + used;
	for (stop = end; stop > text; stop = start) {
		while (stop > text && stop[-1] == '\n')
			stop--;
		for (start = stop; start > text && start[-1] != '\n'; start--)
			;
		if (says_why(start, (size_t)(stop - start))) {
			if (!strncmp(start, "libbpf: ", 8))
				start += 8;
			snprintf(buf, size, "%.*s", (int)(stop - start), start);
			break;
		}
	}
	return buf;
}

void bpf_log_print(void)
{
	if (used)
		fputs(text, stderr);
}
