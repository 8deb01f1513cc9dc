/* SPDX-License-Identifier: BSD-2-Clause */
/* Names for what an event calls by number. */
#ifndef WEFT_MONITOR_H
#define WEFT_MONITOR_H

#include <stdint.h>

#include "include/acl.h"
#include "loader/show.h"

struct rule_name {
	uint32_t id;
	const char *path;
};

/* What is configured, read again when something turns up that it does not know. */
struct names {
	struct show *s;
	const char **tenants, **ports; /* paths by slot */
	size_t n_tenants, n_ports;
	struct rule_name *rules; /* by id */
	size_t n_rules;
	int64_t read_ms;
};

void names_open(struct names *n, struct show *s);
void names_close(struct names *n);
/* Does it know all of the event? If not, reads what is configured now, unless it did so a moment ago. */
int names_refresh(struct names *n, const struct event *event, struct error *e);

/* "red", "db1", "no-ssh"; "slot 7" or "id 123" for what is gone. Each returns buf. */
const char *names_tenant(const struct names *n, uint32_t slot, char *buf, size_t size);
const char *names_port(const struct names *n, uint32_t slot, char *buf, size_t size);
const char *names_rule(const struct names *n, uint32_t id, char *buf, size_t size);

int64_t monitor_now_ms(void);

#endif
