// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "loader/error.h"

int error_set(struct error *e, int exit_code, const char *fmt, ...)
{
	va_list args;

	if (!e)
		return -1;

	/* Formatted aside, because a caller that adds to a message passes e->text as an argument.
	 */
	char text[sizeof(e->text)];

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);

	e->exit_code = exit_code;
	memcpy(e->text, text, sizeof(text));
	return -1;
}

const char *error_quote(char *buf, size_t size, const char *text)
{
	static const char tail[] = "...\"";
	size_t at = 0;

	if (size < sizeof(tail) + 1)
		return "";
	buf[at++] = '"';
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		/* 4 is the widest thing written here; UTF-8 is left alone, but never cut in two. */
		if (at + 4 + sizeof(tail) > size && (*p & 0xc0) != 0x80) {
			memcpy(buf + at, tail, sizeof(tail));
			return buf;
		}
		if (*p < 0x20 || *p == 0x7f) {
			at += (size_t)snprintf(buf + at, size - at, "\\x%02x", *p);
		} else if (at + sizeof(tail) < size) {
			buf[at++] = (char)*p;
		} else {
			memcpy(buf + at, tail, sizeof(tail));
			return buf;
		}
	}
	buf[at++] = '"';
	buf[at] = '\0';
	return buf;
}
