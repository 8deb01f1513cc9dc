/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports whose workloads would notice an unload. */
#ifndef WEFT_LIVE_H
#define WEFT_LIVE_H

#include "loader/devices.h"

/* Refuses, with their number, if any port that is bound and attached has carried traffic. */
int live_check(const struct root *root, const struct device_item *list, int n, struct error *e);

#endif
