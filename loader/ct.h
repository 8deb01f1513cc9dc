/* SPDX-License-Identifier: BSD-2-Clause */
/* What `weft ct show`, `flush` and `stat` have in common: which flows are meant, and the way through all tables. */
#ifndef WEFT_CT_H
#define WEFT_CT_H

#include "loader/flow_filter.h"
#include "loader/inner.h"
#include "loader/show.h"

struct ct {
	struct command_line *cl;
	struct show s;
	struct names names;
	struct flow_filter filter;
	uint64_t now; /* jiffies */
	int slots; /* fd of tenant_slots */
	/* where one is */
	const struct model_tenant *tenant;
	struct tenant record;
	enum inner table;
};

/* Reads what is configured, and the operands. ct_close() also if it fails. */
int ct_open(struct ct *ct, struct command_line *cl, struct error *e);
void ct_close(struct ct *ct);

uint32_t ct_hz(const struct ct *ct);
/* A flow of ct->table. */
void ct_view(const struct ct *ct, struct flow_view *v, const void *key, const struct flow *flow);

/* Calls `fn` for each table of the tenants that are meant which may have what is asked for. It returns 0 or -1. */
int ct_each_table(struct ct *ct, int (*fn)(struct ct *ct, void *arg, struct error *e), void *arg,
		  struct error *e);

#endif
