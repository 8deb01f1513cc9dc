/* SPDX-License-Identifier: BSD-2-Clause */
/* The BPF objects inside the command: opening, loading with shared pinned maps, pinning programs. */
#ifndef WEFT_OBJECTS_H
#define WEFT_OBJECTS_H

#include "loader/root.h"

/*
 * Loads every object: missing maps are made and pinned under the root, others are shared. Then pins all programs
 * as prog/<name>; each replaces an older one at once. Fails before any program is replaced.
 */
int objects_load(const struct root *root, struct error *e);

struct btf;

/* The types in an object, for the kernel to take; to be freed. NULL if there is no such object. */
struct btf *objects_types(const char *name);

#endif
