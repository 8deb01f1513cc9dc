/* SPDX-License-Identifier: BSD-2-Clause */
/* Which programs are loaded, in a word. */
#ifndef WEFT_BUILD_ID_H
#define WEFT_BUILD_ID_H

#include "loader/root.h"

#define BUILD_ID_LEN 64

/*
 * "0.1+3f2a9c01d7e4": the version that loaded the programs pinned in the root, and a hash over what the kernel knows
 * each of them by (its tag). The same programs have the same name wherever they were built. Returns 0 or -1.
 */
int build_id(const struct root *root, char build[BUILD_ID_LEN], struct error *e);

#endif
