/* SPDX-License-Identifier: BSD-2-Clause */
/* What is known of an instance's health. */
#ifndef WEFT_INSTANCE_HEALTH_H
#define WEFT_INSTANCE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "include/function.h"

/* "up" or "silent", as packets judge it. `others`: its function has another one that may be sent frames. */
const char *instance_health(const struct sf_state *state, bool others, uint32_t now, uint32_t hz);

#endif
