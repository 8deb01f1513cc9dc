/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that is always there: a command that cannot have some ends with a message and exit code 2.
 * That is no worse than being killed, after which the next apply repairs what was half done.
 */
#ifndef WEFT_ALLOC_H
#define WEFT_ALLOC_H

#include <stddef.h>

void *alloc_zero(size_t n, size_t size);
/*
 * Room for `n` items of `size` in `p`, which has room for *room; zeroes nothing. Returns the new p.
 */
void *alloc_grow(void *p, size_t *room, size_t n, size_t size);
char *alloc_text(const char *text);

#endif
