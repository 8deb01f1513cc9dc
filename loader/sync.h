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
	OWNED_SF_STATE,
	OWNED_SF_STATS,
	OWNED_SF_DRAINS,
	OWNED_NEXT_HOPS,
	OWNED_MAPS
};

struct sync {
	int fd[SYNC_MAPS];
	struct entries actual[SYNC_MAPS]; /* hashes sorted by key, arrays by slot */
	struct entries gone[SYNC_MAPS];
	struct entries fresh[SYNC_MAPS]; /* new or different */
	struct entries owned[OWNED_MAPS]; /* slots whose owner is new */
	struct entries strict; /* port records, in the meantime: see sync_strict.c */
	struct entries emptied; /* likewise, of `chains` */
	struct tenant wanted[WEFT_TENANTS_MAX]; /* as they shall be, with the epoch of now, and their seed */
	bool changed[WEFT_TENANTS_MAX]; /* tenants whose flows are to be judged again */
	bool policy[WEFT_TENANTS_MAX]; /* tenants whose verdicts may change */
	bool early[WEFT_TENANTS_MAX]; /* tenants whose flows are judged again in the midst, too */
	size_t kept; /* entries put in by hand that stay */
	size_t writes; /* how many entries differ */
};

/* Takes `d` as read-only. The result is large: keep it off the stack. */
int sync_plan(struct sync *s, const struct root *root, const struct desired *d, struct error *e);
void sync_free(struct sync *s);
/*
 * After the plan, and after `policy` was marked: what must be strict while policy and ports are of
 * different times. `everybody`: slots may change hands, so all flows are judged again before that.
 */
void sync_plan_strict(struct sync *s, const struct desired *d, bool everybody);

void sync_mark_all(struct sync *s);
/* The id of whom an entry of `hosts`, `networks`, `functions`, `chains` or `port_slots` belongs to; 0: nobody. */
uint64_t sync_owner(enum sync_map map, const void *value);

int sync_delete(struct sync *s, enum sync_map map, struct error *e);
int sync_write(struct sync *s, enum sync_map map, struct error *e);
/* Of an array: what gets or keeps an owner, and what loses it. */
int sync_write_owned(struct sync *s, enum sync_map map, struct error *e);
int sync_write_free(struct sync *s, enum sync_map map, struct error *e);
/* Zeroes what the former owners of slots left behind. */
int sync_clear_owned(struct sync *s, const struct root *root, struct error *e);

/*
 * Tenants in two steps, so that traffic never gets more than the old or the new options allow:
 * first what both allow, then, when all else is in place, what the new ones allow, together with a
 * new epoch for each that changed.
 */
int sync_restrict_tenants(struct sync *s, struct error *e);
int sync_restrict_ports(struct sync *s, struct error *e);
int sync_restrict_chains(struct sync *s, struct error *e);
/* What rules that are about to come may lead to: chains in places that nobody has, and what is believed of their functions. */
int sync_write_new_chains(struct sync *s, const struct root *root, struct error *e);
int sync_judge_early(struct sync *s, struct error *e);
int sync_finish_tenants(struct sync *s, struct error *e);

/* The epoch after this one: never 0, which is always stale. */
uint32_t next_epoch(uint32_t epoch);

#endif
