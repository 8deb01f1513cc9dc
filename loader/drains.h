/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Until when instances that drain may have flows: state, in the map sf_drains (include/function.h). Packets hold to it, so
 * that a drain ends whatever becomes of the command that has begun it.
 */
#ifndef WEFT_DRAINS_H
#define WEFT_DRAINS_H

#include "loader/entries.h"
#include "loader/model.h"
#include "loader/root.h"

/*
 * Who begins to drain gets its function's drain_timeout; who drains already keeps what it has; of who does not, nothing is
 * left. `functions` has the records by slot as they are until now: to be called before those of `m` are written. `hz`:
 * jiffies a second.
 */
int drains_settle(const struct root *root, const struct model *m, const struct entries *functions,
		  uint32_t hz, struct error *e);

/* Of one that drains: it ends `ms` from now on. */
int drain_ends_in(const struct root *root, const struct model_function *f,
		  const struct model_instance *one, uint64_t ms, uint32_t hz, struct error *e);

/* "9m50s"; returns buf. */
#define DRAIN_TEXT_SIZE 32
const char *drain_text(uint64_t seconds, char buf[DRAIN_TEXT_SIZE]);

#endif
