/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes the maps hold what is desired, writing only what differs from what they do hold: whatever
 * state an interrupted command or a hand has left is put right. Planning writes nothing.
 */
#ifndef WEFT_SYNC_H
#define WEFT_SYNC_H

#include <stdbool.h>

#include "loader/compile.h"
#include "loader/root.h"

/* What is state of a slot's owner, to be zeroed when the slot gets another. */
enum owned_map {
	OWNED_PORT_STATS,
	OWNED_NETWORK_STATS,
	OWNED_CHAIN_STATS,
	OWNED_TENANT_STATS,
	OWNED_CHAIN_STATE,
	OWNED_NEXT_HOPS,
	OWNED_MAPS
};

struct sync {
	int fd[SYNC_MAPS];
	struct entries actual[SYNC_MAPS]; /* hashes sorted by key, arrays by slot */
	struct entries gone[SYNC_MAPS];
	struct entries fresh[SYNC_MAPS]; /* new or different */
	struct entries owned[OWNED_MAPS]; /* slots whose owner is new */
	struct tenant wanted[WEFT_TENANTS_MAX]; /* as they shall be, with the epoch of now */
	bool changed[WEFT_TENANTS_MAX]; /* tenants whose flows are to be judged again */
	size_t kept; /* entries put in by hand that stay */
	size_t writes; /* how many entries differ */
};

/* Takes `d` as read-only. The result is large: keep it off the stack. */
int sync_plan(struct sync *s, const struct root *root, const struct desired *d, struct error *e);
void sync_free(struct sync *s);

void sync_mark_all(struct sync *s);

int sync_delete(struct sync *s, enum sync_map map, struct error *e);
int sync_write(struct sync *s, enum sync_map map, struct error *e);
/* Zeroes what the former owners of slots left behind. */
int sync_clear_owned(struct sync *s, const struct root *root, struct error *e);

/*
 * Tenants in two steps, so that traffic never gets more than the old or the new options allow:
 * first what both allow, then, when all else is in place, what the new ones allow, together with a
 * new epoch for each that changed.
 */
int sync_restrict_tenants(struct sync *s, struct error *e);
int sync_finish_tenants(struct sync *s, struct error *e);

/* The epoch after this one: never 0, which is always stale. */
uint32_t next_epoch(uint32_t epoch);

#endif
