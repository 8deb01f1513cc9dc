/* SPDX-License-Identifier: BSD-2-Clause */
/* The types that maps carry for bpftool: those of our programs. */
#ifndef WEFT_TYPES_H
#define WEFT_TYPES_H

#include "loader/root.h"

struct btf;

/*
 * Of a program in the root, as the kernel has them; who may not ask for that (CAP_SYS_ADMIN) gives it a copy. *fd is
 * the kernel's, to be closed. NULL if there are none: maps then do without.
 */
struct btf *types_of(const struct root *root, const char *program, int *fd);

#endif
