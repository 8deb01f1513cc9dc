/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was applied last: `applied.json` in the state directory. It belongs to one load: after another one nothing has
 * been applied yet.
 *
 *	{"files": [{"name": "/etc/weft/lab.yaml", "sha256": of what was read}], "hash": that of the one file, or of what
 *	 `sha256sum FILE...` prints of several, "time": seconds since 1970, "user": "root", "load": …, "tree": the whole configuration as it was then}
 */
#ifndef WEFT_APPLIED_H
#define WEFT_APPLIED_H

#include <jansson.h>

#include "include/host.h"
#include "loader/cli.h"
#include "loader/config/marks.h"
#include "loader/root.h"

/* After an apply: `marks` has what was read, `tree` is what is stored now, `origin` tells who did it. */
int applied_write(const struct command_line *cl, const struct root *root,
		  const struct host_config *host, const struct marks *marks, const json_t *tree,
		  const json_t *origin, struct error *e);

/* A new reference; NULL if nothing was applied since the load, or none can read it. */
json_t *applied_read(const struct root *root, const struct host_config *host);

#endif
