/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of a batch, as words. */
#ifndef WEFT_WORDS_H
#define WEFT_WORDS_H

#include "loader/error.h"

/*
 * Cuts a line into words in place. Quotes keep spaces, `#` at the start of a word begins a comment.
 * Returns how many words, or -1.
 */
int words_split(char *line, char **words, int most, struct error *e);

#endif
