/* SPDX-License-Identifier: BSD-2-Clause */
/* Flows as the command sees them: the time, their state, what is left of them. */
#ifndef WEFT_FLOWS_H
#define WEFT_FLOWS_H

#include <stdbool.h>
#include <stddef.h>
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
bool flow_is_half_open(enum inner table);
size_t flow_key_size(enum inner table);
uint8_t flow_protocol_of(const void *key, enum inner table);

/*
 * All of one table; a tenant that has none has no flows there. `fd` (-1: no table) is the caller's
 * to close, and `list` to free, also if it fails.
 */
int flows_read(const struct root *root, const char *tenant, enum inner table, int *fd,
	       struct entries *list, struct error *e);
/* The same of a table that is open already; the list is initialized. */
int flows_read_table(int fd, enum inner table, struct entries *list, struct error *e);
/* Removes a list of them; `seed` is the tenant's. Those that are gone already are no error. */
int flows_remove(int fd, enum inner table, uint64_t seed, const struct entries *list,
		 struct error *e);

/* The same choice as the datapath makes. */
/* Jiffies after which it is gone. */
uint32_t flow_may_idle(const struct flow *flow, uint8_t protocol, const struct tenant *t);
enum ct_timeout flow_timeout_of(const struct flow *flow, uint8_t protocol);
/* Jiffies since the last packet of either direction. */
uint32_t flow_idle(const struct flow *flow, uint64_t now);
/* "established", "syn_sent", "replied", … */
const char *flow_state_name(const struct flow *flow, uint8_t protocol);

#endif
