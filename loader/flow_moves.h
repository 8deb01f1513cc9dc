/* SPDX-License-Identifier: BSD-2-Clause */
/* How many live flows a change leads into functions and out of them. */
#ifndef WEFT_FLOW_MOVES_H
#define WEFT_FLOW_MOVES_H

#include <jansson.h>
#include <stdio.h>

#include "loader/model.h"
#include "loader/state.h"

/*
 * From `state` to `m`, whose difference is `diff`; counted in the flow tables of those tenants alone
 * whose chains differ. Appends to `moves`, for each chain that comes onto wires of this host, leaves
 * them or treats their flows otherwise, {chain, function, existing, enter, stay, reset, leave}.
 */
int flow_moves(const struct root *root, const struct state *state, const struct model *m,
	       const json_t *diff, json_t *moves, struct error *e);

/* The same before there is a model: of a tree that was checked. */
int flow_moves_wished(const struct root *root, const struct state *state, const json_t *wanted,
		      const json_t *diff, json_t *moves, struct error *e);

/* "chain red/inspect: 12 live flows enter function ips (existing: insert), 3 leave" */
void flow_moves_print(FILE *out, const json_t *moves);

#endif
