/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Filter sets as ClassBench writes them, a filter a line, the first that matches decides:
 *
 *	@10.0.0.0/8  192.0.2.0/24  0 : 65535  80 : 80  0x06/0xFF  0x0000/0x0000
 *
 * IPv4 or IPv6 prefixes; both port ranges; protocol and mask (0xFF or 0x00). What follows is not read: the flags of that
 * format are not TCP's.
 */
#ifndef WEFT_CLASSBENCH_H
#define WEFT_CLASSBENCH_H

#include <jansson.h>
#include <stddef.h>

#include "loader/config/marks.h"
#include "loader/error.h"

/*
 * The rules as YAML would have them: a list of objects whose scalars are text, for the schema to judge, with the keys of
 * `with` in each. Names are "line-000012", priorities fall from the first to the last. A new reference, or NULL with the
 * file, line and column of the error.
 */
json_t *classbench_parse(const char *name, const char *text, size_t len, const json_t *with,
			 struct marks *marks, struct error *e);

#endif
