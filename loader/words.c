// SPDX-License-Identifier: BSD-2-Clause
#include <ctype.h>

#include "loader/words.h"

int words_split(char *line, char **words, int most, struct error *e)
{
	char *to = line, *p = line;
	int n = 0;

	for (;;) {
		char quote = 0;

		while (isspace((unsigned char)*p))
			p++;
		if (!*p || *p == '#')
			return n;
		if (n == most)
			return error_set(e, EXIT_USAGE, "more than %d words", most);
		words[n++] = to;
		for (; *p && (quote || !isspace((unsigned char)*p)); p++) {
			if (quote && *p == quote)
				quote = 0;
			else if (!quote && (*p == '"' || *p == '\''))
				quote = *p;
			else
				*to++ = *p;
		}
		if (quote)
			return error_set(e, EXIT_USAGE, "a quote is not closed");
		p += *p != '\0';
		*to++ = '\0';
	}
}
