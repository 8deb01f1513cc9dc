/* SPDX-License-Identifier: BSD-2-Clause */
/* The way from one port to another, through the chains on both wires, as a list of hops. */
#ifndef WEFT_CHAIN_PATH_H
#define WEFT_CHAIN_PATH_H

#include <jansson.h>

#include "loader/model.h"
#include "loader/steering.h"

/* One flow, or (flow 0) any. */
struct path_flow {
	uint64_t flow, fragments; /* steer_flow() of its packets, and of its fragments */
};

struct path_question {
	const struct model *m;
	const struct steering *steering;
	struct path_flow flow;
	/* NULL: somewhere; then there is no flow */
	const struct model_port *from, *to;
};

/*
 * [{hop: port, host, port, device}, {hop: function, host, chain, step, function, instance, choice, in, out, tag, pcp,
 * on_failure, health, fragments}, {hop: bypass, host, chain}, {hop: tunnel, from, to, vni}, {hop: drop, reason}], in the
 * order of passing. `choice` says of an instance that the flow has it, gets it as a new one, or moves there; that another
 * host chooses; or that there is none. Of any flow `instances` has who may be chosen, and their weights. NULL with an error.
 */
json_t *chain_path(const struct path_question *q, struct error *e);

void chain_path_print(const json_t *hops);

#endif
