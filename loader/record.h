/* SPDX-License-Identifier: BSD-2-Clause */
/* What is kept of a change besides the change: its state in the history, the way back, lines in the log. */
#ifndef WEFT_RECORD_H
#define WEFT_RECORD_H

#include "loader/commit.h"
#include "loader/history.h"

struct record {
	struct history history;
	bool armed;
};

/* When all is checked and before anything is changed; may refuse. */
int record_begin(struct record *r, struct commit *c, struct error *e);
/* `result`: what the change returned; returns it. Only after a record_begin() that returned 0. */
int record_end(struct record *r, struct commit *c, int result, const struct error *e);

#endif
