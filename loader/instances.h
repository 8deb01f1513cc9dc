/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which place in its function's record an instance has. One that the map has keeps its place, with its counters, its
 * flows and what is known of its health; others get the first that are free. This is state of the host, as slots are.
 */
#ifndef WEFT_INSTANCES_H
#define WEFT_INSTANCES_H

#include "loader/model.h"
#include "loader/root.h"

/* Of all instances on this host, and of those on others that it uses. Refuses a function with more than FUNCTION_INSTANCES here. */
int instances_place(struct model *m, const struct root *root, struct error *e);

/* The same of one function, whose record is `had`. */
int instances_place_in(struct model_function *f, const struct function *had, struct error *e);

#endif
