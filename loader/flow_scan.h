/* SPDX-License-Identifier: BSD-2-Clause */
/* A table of established flows looked through by who may only read it, a piece at a time. */
#ifndef WEFT_FLOW_SCAN_H
#define WEFT_FLOW_SCAN_H

#include "include/flow.h"
#include "loader/error.h"

/* Other than 0 ends it, and is what the scan returns. */
typedef int flow_visit_fn(const void *key, const struct flow *flow, void *arg);

/*
 * Each flow once. One that comes or goes meanwhile may be left out; none is given under another's key, unless its own came
 * back to the same place within the reads of a piece. Its `spill` is 0. Returns 0, what `visit` returned, or -1 with an error.
 */
int flow_scan(int fd, int family, const char *name, flow_visit_fn *visit, void *arg,
	      struct error *e);

#endif
