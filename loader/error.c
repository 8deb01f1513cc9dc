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

/* The length of the UTF-8 character at p, or 0 where there is none, or one that moves a cursor. */
static size_t shown(const unsigned char *p)
{
	static const struct {
		unsigned char first, last; /* of the first byte */
		unsigned char low,
			high; /* of the second: no longer form than needed, no surrogate, no C1 control */
		size_t length;
	} forms[] = {
		{ 0xc2, 0xc2, 0xa0, 0xbf, 2 }, { 0xc3, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	if (*p < 0x80)
		return *p >= 0x20 && *p != 0x7f;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (*p < forms[i].first || *p > forms[i].last)
			continue;
		if (p[1] < forms[i].low || p[1] > forms[i].high)
			return 0;
		for (size_t k = 2; k < forms[i].length; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

const char *error_quote(char *buf, size_t size, const char *text)
{
	static const char tail[] = "...\"";
	const unsigned char *p = (const unsigned char *)text;
	size_t at = 0;

	if (size < sizeof(tail) + 1)
		return "";
	buf[at++] = '"';
	while (*p) {
		size_t n = shown(p);

		/* 4 is the widest thing written here, so a character is never cut in two. */
		if (at + 4 + sizeof(tail) > size) {
			memcpy(buf + at, tail, sizeof(tail));
			return buf;
		}
		if (n)
			memcpy(buf + at, p, n);
		else
			snprintf(buf + at, 5, "\\x%02x", *p);
		at += n ? n : 4;
		p += n ? n : 1;
	}
	buf[at++] = '"';
	buf[at] = '\0';
	return buf;
}
