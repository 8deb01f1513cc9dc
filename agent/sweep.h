/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flows that nobody asks for any more give their places back early. Packets need none of it: for them an expired flow is
 * none, and a new one takes its place. Tables are looked through in small pieces, so that no device waits for that, and
 * seldom enough that it costs no more than a hundredth of a core.
 */
#ifndef WEFT_AGENT_SWEEP_H
#define WEFT_AGENT_SWEEP_H

#include "agent/loop.h"
#include "loader/cli.h"
#include "loader/flow_table.h"
#include "loader/flow_tell.h"
#include "loader/state.h"

struct sweep_tenant {
	char name[WEFT_NAME_LEN + 1];
	uint64_t id;
	uint32_t slot;
	uint64_t full; /* packets that found no room, as last seen */
	bool seen;
};

struct sweep_tenants {
	struct sweep_tenant *list;
	size_t n;
};

struct sweep {
	const struct command_line *cl;
	const struct root *root;
	struct source timer;
	struct sweep_tenants tenants, learned; /* of the pass; of the next */
	bool begun; /* a pass is under way */
	size_t tenant, table, place; /* how far it is: the place in the table that is open */
	struct flow_table open; /* places NULL: none is */
	/* of the piece */
	struct tenant record;
	uint64_t now; /* jiffies */
	struct flow_tell tell;
	int slots, stats; /* fds of tenant_slots and tenant_stats */
	int64_t cost_us; /* of the pass, so far */
};

int sweep_open(struct sweep *s, const struct command_line *cl, const struct root *root,
	       struct loop *loop, struct error *e);
void sweep_close(struct sweep *s, struct loop *loop);

/* Whose tables there may be: at each look. */
void sweep_learn(struct sweep *s, const struct identities *ids);

#endif
