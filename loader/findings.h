/* SPDX-License-Identifier: BSD-2-Clause */
/* What is not as it should be: an array of {"object", "problem", "remedy"}, each in words. */
#ifndef WEFT_FINDINGS_H
#define WEFT_FINDINGS_H

#include <jansson.h>
#include <stdio.h>

void finding_add(json_t *list, const char *object, const char *remedy, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* A line each: "WORD OBJECT: PROBLEM: REMEDY". */
void findings_print(FILE *out, const char *word, const json_t *list);

/* "device p0" and the like, for finding_add(). */
#define FINDING_OBJECT_SIZE 128

#endif
