/* SPDX-License-Identifier: BSD-2-Clause */
/* Flows as the command sees them: the time, their state, what is left of them. */
#ifndef WEFT_FLOWS_H
#define WEFT_FLOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "include/flow.h"
#include "loader/entries.h"
#include "loader/inner.h"
#include "loader/root.h"

/* Jiffies as the datapath counts them, asked from the kernel by running the program `clock`. */
int flows_now(const struct root *root, uint64_t *jiffies, struct error *e);

/* Where a tenant's flows are. */
#define FLOW_TABLES 4
extern const enum inner flow_tables[FLOW_TABLES];

int flow_family(enum inner table); /* enum weft_family */
uint8_t flow_protocol_of(const void *key, enum inner table);

/*
 * All of one table; a tenant that has none has no flows there. `fd` (-1: no table) is the caller's
 * to close, and `list` to free, also if it fails.
 */
int flows_read(const struct root *root, const char *tenant, enum inner table, int *fd,
	       struct entries *list, struct error *e);

/* The same choice as the datapath makes. */
enum ct_timeout flow_timeout_of(const struct flow *flow, uint8_t protocol);
/* Jiffies since the last packet of either direction. */
uint32_t flow_idle(const struct flow *flow, uint64_t now);
/* "established", "syn", "unreplied", … */
const char *flow_state_name(const struct flow *flow, uint8_t protocol);

#endif
