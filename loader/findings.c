// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>

#include "loader/findings.h"

void finding_add(json_t *list, const char *object, const char *remedy, const char *fmt, ...)
{
	json_t *problem;
	va_list args;

	va_start(args, fmt);
	problem = json_vsprintf(fmt, args);
	va_end(args);
	json_array_append_new(list, json_pack("{s:s, s:o, s:s}", "object", object, "problem",
					      problem, "remedy", remedy));
}

void findings_print(FILE *out, const char *word, const json_t *list)
{
	const json_t *one;
	size_t i;

	json_array_foreach ((json_t *)list, i, one)
		fprintf(out, "%s %s: %s: %s\n", word,
			json_string_value(json_object_get(one, "object")),
			json_string_value(json_object_get(one, "problem")),
			json_string_value(json_object_get(one, "remedy")));
}
