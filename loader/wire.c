// SPDX-License-Identifier: BSD-2-Clause
#include "loader/wire.h"
#include "include/flow.h"

#define ASKS_FOR_AGE (CHAIN_KEEP | CHAIN_RESET)
#define MOVES_FLOWS  (CHAIN_BYPASS | ASKS_FOR_AGE)

uint32_t wire_flags(uint8_t chain_flags)
{
	return chain_flags & MOVES_FLOWS;
}

struct wire wire_of(const struct port *port, const struct chain *chain)
{
	struct wire w = { 0 };

	if (port->chain && chain) {
		w.chain = chain->id;
		w.flags = wire_flags(chain->flags);
		w.since = port->chain_since;
	}
	return w;
}

uint32_t wire_since(const struct wire *old, const struct wire *new, uint32_t epoch)
{
	if (!new->chain || !(new->flags &ASKS_FOR_AGE))
		return 0;
	if (!old->chain)
		return epoch;
	if (new->flags & CHAIN_KEEP)
		return old->flags & CHAIN_KEEP ? old->since : 0;
	return old->chain == new->chain ? old->since : epoch;
}

enum wire_pass wire_pass(const struct wire *w, uint32_t born)
{
	if (!w->chain || w->flags & CHAIN_BYPASS)
		return WIRE_FREE;
	if (!(w->flags & ASKS_FOR_AGE) || !flow_is_older(born, w->since))
		return WIRE_INSPECTED;
	return w->flags & CHAIN_RESET ? WIRE_RESET : WIRE_KEPT;
}
