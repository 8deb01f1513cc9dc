/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was applied last: `applied.json` in the state directory. Unlike the history it is there however many changes
 * came after, and after an apply that changed nothing. It belongs to one load: after another one nothing has been
 * applied yet.
 *
 *	{…, as of origin_make(), "hash": SHA-256 of the one file, or of what `sha256sum FILE...` prints of several,
 *	 "time": seconds since 1970, "load": …, "tree": the whole configuration as it was then}
 */
#ifndef WEFT_APPLIED_H
#define WEFT_APPLIED_H

#include <jansson.h>

#include "include/host.h"
#include "loader/root.h"

/* After an apply or a rollback: `tree` is what is stored now. */
int applied_write(const struct root *root, const struct host_config *host, const json_t *origin,
		  const json_t *tree, struct error *e);

/* A new reference; NULL if nothing was applied since the load, or none can read it. */
json_t *applied_read(const struct root *root, const struct host_config *host);

#endif
