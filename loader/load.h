/* SPDX-License-Identifier: BSD-2-Clause */
/* What stands between `load` and `unload`. */
#ifndef WEFT_LOAD_H
#define WEFT_LOAD_H

#include "loader/root.h"

#define WEFT_VERSION "0.1"

/*
 * Detaches from all devices, gives them back as they were, removes the tunnel device and then the root's pins. Works on
 * a root in whatever state. `force`: also when the root's network namespace cannot be reached.
 */
int root_remove(const struct root *root, bool force, struct error *e);

#endif
