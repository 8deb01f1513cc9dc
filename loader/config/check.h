/* SPDX-License-Identifier: BSD-2-Clause */
/* What the schema cannot see: whether the objects of a whole configuration fit each other. */
#ifndef WEFT_CONFIG_CHECK_H
#define WEFT_CONFIG_CHECK_H

#include <jansson.h>

#include "loader/config/marks.h"
#include "loader/error.h"

/*
 * `tree` is a whole canonical tree: what is stored and what is wanted, joined by config_own().
 * `marks` tells where things were written and may be NULL. Returns 0, or -1 with the first misfit.
 */
int config_check(const json_t *tree, const struct marks *marks, struct error *err);

/*
 * Refuses (returns -1) when a tenant would lose more than half of its ports; `apply --force` does
 * not ask.
 */
int config_check_losses(const json_t *stored, const json_t *wanted, struct error *err);

/*
 * Refuses when the last instance that is up of a function would drain, go down or be removed, while workloads on its host
 * are behind a chain that needs it. Takes a tree that config_check() has passed.
 */
int config_check_instances(const json_t *stored, const json_t *wanted, struct error *err);

#endif
