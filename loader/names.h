/* SPDX-License-Identifier: BSD-2-Clause */
/* Names for what flows and events call by number. */
#ifndef WEFT_NAMES_H
#define WEFT_NAMES_H

#include <stdint.h>

#include "loader/show.h"

struct rule_name {
	uint32_t id;
	const char *path;
};

/* What is configured, read again when something turns up that it does not know. */
struct names {
	struct show *s;
	const char **tenants, **ports, **networks, **chains; /* paths by slot */
	size_t n_tenants, n_ports, n_networks, n_chains;
	struct rule_name *rules; /* by id */
	size_t n_rules;
	int64_t read_ms;
};

#define NAMES_SIZE 64 /* of the longest */

void names_open(struct names *n, struct show *s);
void names_close(struct names *n);
/* Slots and ids that an event has. Rule 0 is none. */
struct named {
	uint32_t tenant, port, network, rule;
};

#define NAMED_NONE (~0u) /* no port, no network */

/*
 * Does it know all of them? If not, reads what is configured now, unless it did so a moment ago. 1: it did; 0: it did
 * not; or -1.
 */
int names_refresh(struct names *n, const struct named *named, struct error *e);

/* "red", "db1", "web", "no-ssh"; "slot 7" or "id 123" for what is gone. Each returns buf. */
const char *names_tenant(const struct names *n, uint32_t slot, char *buf, size_t size);
const char *names_port(const struct names *n, uint32_t slot, char *buf, size_t size);
const char *names_network(const struct names *n, uint32_t slot, char *buf, size_t size);
const char *names_chain(const struct names *n, uint32_t slot, char *buf, size_t size);
const char *names_rule(const struct names *n, uint32_t id, char *buf, size_t size);

/* Of the monotonic clock. */
int64_t names_now_ms(void);

#endif
