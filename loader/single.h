/* SPDX-License-Identifier: BSD-2-Clause */
/* One process of a kind ("agent", "monitor") a root: a lock that the kernel gives back when its holder dies, however it dies. */
#ifndef WEFT_SINGLE_H
#define WEFT_SINGLE_H

#include "loader/root.h"

/* The descriptor that holds the lock, until it is closed; or -1, with the process that has it in the message. */
int single_take(const struct root *root, const char *what, struct error *e);

#endif
