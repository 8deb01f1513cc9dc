/* SPDX-License-Identifier: BSD-2-Clause */
/* Flows as the command sees them: the time, their state, what is left of them. */
#ifndef WEFT_FLOWS_H
#define WEFT_FLOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "include/flow.h"
#include "loader/inner.h"
#include "loader/root.h"

/* Jiffies as the datapath counts them, asked from the kernel by running the program `clock`. */
int flows_now(const struct root *root, uint64_t *jiffies, struct error *e);

/* The same choice as the datapath makes. */
enum ct_timeout flow_timeout_of(const struct flow *flow, uint8_t protocol);
/* Jiffies since the last packet of either direction. */
uint32_t flow_idle(const struct flow *flow, uint64_t now);
/* "established", "syn", "unreplied", … */
const char *flow_state_name(const struct flow *flow, uint8_t protocol);

#endif
