/* SPDX-License-Identifier: BSD-2-Clause */
/* What outlives bpffs and a reboot: one directory a root, below /var/lib/weft or $WEFT_STATE_DIR. */
#ifndef WEFT_STATEDIR_H
#define WEFT_STATEDIR_H

#include <stddef.h>

#include "loader/root.h"

#define STATEDIR_DEFAULT "/var/lib/weft"

/*
 * The path of `name` in the root's state directory, which is made if it is missing (mode 0700); an empty name gives the
 * directory itself. A root's directory is called as its path, with `,` for `/`: ",sys,fs,bpf,weft". Returns 0 or -1.
 */
int statedir_path(const struct root *root, const char *name, char *path, size_t size, struct error *e);

/* Puts a whole file in place of what is there, in one step and on disk before it returns; mode 0600. Returns 0 or -1. */
int statedir_write(const char *path, const void *data, size_t size, struct error *e);

#endif
