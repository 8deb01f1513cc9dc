/* SPDX-License-Identifier: BSD-2-Clause */
/* `KEY VALUE`… of `weft ct` (kind "ct" of the schema): which flows are meant. */
#ifndef WEFT_FLOW_FILTER_H
#define WEFT_FLOW_FILTER_H

#include "loader/flow_view.h"
#include "loader/model.h"

/* Which of a flow's two ends something is asked of. */
enum flow_ends { ENDS_SOURCE, ENDS_DESTINATION, ENDS_EITHER, FLOW_ENDS };

struct flow_filter {
	json_t *object; /* as it was written; empty: all flows */
	const char *tenant; /* NULL: all */
	/* The same, to be asked a million times; NULL, or n 0: whatever it is. */
	bool *ports, *networks; /* by slot: those that are meant */
	int protocol; /* -1: any */
	const json_t *half_open, *proxied, *states, *verdicts, *l4_ports[FLOW_ENDS];
	const char *direction;
	struct prefixes {
		struct model_address *list;
		size_t n;
	} prefixes[FLOW_ENDS];
};

/*
 * Operands "[TENANT] [KEY VALUE]…". What it names must be there, in the tenant or in any. flow_filter_free() also if it
 * fails.
 */
int flow_filter_read(struct flow_filter *f, const struct model *m, int argc, char **argv,
		     struct error *e);
/* Names are looked up anew: what was configured meanwhile may have got other slots. */
void flow_filter_refresh(struct flow_filter *f, const struct model *m);
void flow_filter_free(struct flow_filter *f);

bool flow_filter_fits(const struct flow_filter *f, const struct flow_view *v);
/* May flows of such a table fit? A filter for handshakes need not read a million others. */
bool flow_filter_wants(const struct flow_filter *f, int family, bool half_open);

#endif
