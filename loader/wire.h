/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The wire of a port: which chain is on it, and which flows that chain counts as older than itself
 * (`existing`). That is the one part of a port's record that is state, and not configuration.
 */
#ifndef WEFT_WIRE_H
#define WEFT_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "include/chain.h"
#include "include/port.h"

struct wire {
	uint64_t chain; /* its id; 0: none */
	uint32_t flags; /* of enum chain_flags, those that say which flows go through it */
	uint32_t since; /* port.chain_since */
};

/* Those of a chain's flags. */
uint32_t wire_flags(uint8_t chain_flags);
/* `chain` is the one that the record names, or NULL. */
struct wire wire_of(const struct port *port, const struct chain *chain);

/*
 * What `since` becomes when `old` turns into `new`, whose own does not count; `epoch` is the one
 * that the change brings. A chain that stays on the wire has come when it came. Whatever chain was
 * there before, what it inspected stays inspected: only what it kept out may be kept out.
 */
uint32_t wire_since(const struct wire *old, const struct wire *new, uint32_t epoch);

enum wire_pass {
	WIRE_FREE, /* no function, or the operator leads the flow round it */
	WIRE_INSPECTED, /* through the function */
	WIRE_KEPT, /* older than the chain: without it */
	WIRE_RESET, /* older than the chain: ended */
};

/* What a flow that began in epoch `born` meets there. */
enum wire_pass wire_pass(const struct wire *w, uint32_t born);

#endif
