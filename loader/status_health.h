/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of `weft status` that tell how things came about, and what is not well. */
#ifndef WEFT_STATUS_HEALTH_H
#define WEFT_STATUS_HEALTH_H

#include <jansson.h>

#include "loader/state.h"

/* {"version", "abi", "build", "time"}: by whom the programs were loaded, which ones, and when. */
json_t *status_loaded(const struct root *root);

/* As applied_read(), without the tree but with "changes": what verbs and hands did to the configuration since. */
json_t *status_applied(const struct root *root, const struct state *state);

/* How many entries of `fdb` and `neigh` were put in by hand. */
size_t status_by_hand(const struct root *root);

/*
 * Findings (loader/findings.h): devices, silent functions, the tunnel device, rules that are none. JSON's null if this
 * user may not look; NULL with an error.
 */
json_t *status_degraded(const struct root *root, const struct state *state, struct error *e);

/* status_print.c: the whole tree as text; `details`: what changed and which programs too. */
void status_print(const json_t *status, bool details);

#endif
