/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs of other builds than this command's own. */
#ifndef WEFT_PROGRAMS_H
#define WEFT_PROGRAMS_H

#include "loader/root.h"

/* Returns 0 if the programs of that build are loaded again, -1 with `e` set if they are not kept. */
int programs_restore(const struct root *root, const char *build, struct error *e);

#endif
