/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who else may look: the members of one group, `weft` unless WEFT_GROUP names another (or its number), if there is one.
 * What an administrator has given to somebody else stays as it is.
 */
#ifndef WEFT_SHARE_H
#define WEFT_SHARE_H

#include "loader/error.h"
#include "loader/root.h"

#define SHARE_GROUP "weft"

/* Lets the group that the root is of read a new pin in it. Returns 0, or -1 with errno. */
int share_pin(const struct root *root, const char *path);

/* After a load: the root's directory and maps, and the one program that reading commands run. */
int share_root(const struct root *root, struct error *e);

#endif
