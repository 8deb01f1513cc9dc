/* SPDX-License-Identifier: BSD-2-Clause */
/* Directories of pins below a root, as wholes. Paths are relative to the root: "next/prog". */
#ifndef WEFT_PINS_H
#define WEFT_PINS_H

#include "loader/root.h"

/* Each returns 0, or -1 with an error. A directory that is missing counts as empty. */
int pins_make(const struct root *root, const char *directory, struct error *e); /* its parent must exist */
int pins_remove(const struct root *root, const char *directory, struct error *e); /* with all below it */
/* Pins what `from` has under the same names in `to` too; what `to` has already is replaced. */
int pins_copy(const struct root *root, const char *from, const char *to, struct error *e);
/* Moves each pin into `to`, in the place of one of that name: done twice, as after a kill, it is as if done once. */
int pins_move(const struct root *root, const char *from, const char *to, struct error *e);

bool pins_have(const struct root *root, const char *path);
/* One pin; if it is gone already that is fine. */
int pins_drop(const struct root *root, const char *path, struct error *e);
/* Pins in one step, in place of whatever has that path. */
int pins_put(const struct root *root, const char *path, int fd, struct error *e);
/* Calls `fn` with the name of each pin in the directory until it returns other than 0, which is returned. */
int pins_each(const struct root *root, const char *directory, int (*fn)(const char *name, void *arg), void *arg);

#endif
