/* SPDX-License-Identifier: BSD-2-Clause */
/* Flows as the command sees them: the time, their state, what is left of them. */
#ifndef WEFT_FLOWS_H
#define WEFT_FLOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/flow.h"
#include "loader/entries.h"
#include "loader/flow_scan.h"
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

/* The tenant's table; *fd -1: it has none, and no flows there. The caller closes it. */
int flows_open(const struct root *root, const char *tenant, enum inner table, int *fd,
	       struct error *e);
/* Each flow of it, without more memory for a large one than for a small one. Returns as flow_scan() does. */
int flows_each(const struct root *root, const char *tenant, enum inner table, flow_visit_fn *visit,
	       void *arg, struct error *e);
int flows_each_of(int fd, enum inner table, flow_visit_fn *visit, void *arg, struct error *e);
/* Appends all of them. */
int flows_read_table(int fd, enum inner table, struct entries *list, struct error *e);

/* Is the handshake not done yet? Such flows are in half4 and half6. */
bool flow_shakes_hands(const struct flow *flow, uint8_t protocol);

/* The same choice as the datapath makes. */
/* Jiffies after which it is gone. */
uint32_t flow_may_idle(const struct flow *flow, uint8_t protocol, const struct tenant *t);
enum ct_timeout flow_timeout_of(const struct flow *flow, uint8_t protocol);
/* Jiffies since the last packet of either direction. */
uint32_t flow_idle(const struct flow *flow, uint64_t now);
/* "established", "syn_sent", "replied", … */
const char *flow_state_name(const struct flow *flow, uint8_t protocol);

#endif
