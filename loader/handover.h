/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From maps of one version to those of another under traffic, and back. Both builds' programs are loaded, each on maps
 * of its own where the versions differ. On all devices a third program (bpf/handover.bpf.c) takes their places, which
 * calls the old ones; then one word is written, and it calls the new ones, on all devices at the same moment.
 */
#ifndef WEFT_HANDOVER_H
#define WEFT_HANDOVER_H

#include "loader/root.h"

/* Is there a way? */
bool handover_known(unsigned int from, unsigned int to);
/* Is it a map that differs between the versions? Those are in next/maps. All others are the same in both. */
bool handover_converts(const char *map);
/* Is it one of those that hold tenants' tables? They begin empty; all others are filled before the turn (map_fit.h). */
bool handover_carries(const char *map);
/* Their values differ as well. */
#define HANDOVER_TENANTS "tenant_slots"
/* A value that was filled from the old map's: what the two versions say in different ways is set right in it. */
int handover_complete(const struct root *root, const char *map, const void *old, size_t old_size,
		      void *value, size_t size, struct error *e);
/* Calls `fn` with the name of each map that a version has and the other has not, until it returns other than 0. */
int handover_each_gone(unsigned int from, unsigned int to, int (*fn)(const char *name, void *arg),
		       void *arg);

/*
 * Before a way to version `to` is begun, if that knows less of rules: puts them in use in a form that both versions know,
 * or refuses and touches nothing.
 */
int handover_rules(const struct root *root, unsigned int to, struct error *e);
/* Makes the new tables, empty, and puts the third program in all places, where it calls the old ones. */
int handover_begin(const struct root *root, unsigned int from, unsigned int to, struct error *e);
/* Was one begun that has not ended? */
bool handover_begun(const struct root *root);
/* The word, for every load: from here on it goes forward, also if it was killed. */
int handover_turn(const struct root *root, struct error *e);
bool handover_turned(const struct root *root);

/* After the turn: carries over the flows that no packet has. Before the new maps are put in place, or again after. */
int handover_carry(const struct root *root, struct error *e);
/* At last, with the old tables in next/previous/maps: gives their memory back. */
int handover_release(const struct root *root, struct error *e);

struct abi;

/* Refuses where programs of this label would leave functions of a chain out. */
int handover_chains(const struct root *root, const struct abi *to, struct error *e);

#endif
