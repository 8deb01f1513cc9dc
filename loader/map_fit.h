/* SPDX-License-Identifier: BSD-2-Clause */
/* Do a build's maps fit those of the root? Found out before anything is touched. */
#ifndef WEFT_MAP_FIT_H
#define WEFT_MAP_FIT_H

#include "loader/objects.h"

#define MAPS_MAX 64

/* Maps that the build cannot share with the root, and makes anew. */
struct misfits {
	int n;
	char name[MAPS_MAX][16];
};

/*
 * Refuses what cannot be helped. A map with more room for the same values can: it is made anew and filled from the old
 * one. `converts`: besides, those that a change of version converts (handover.h).
 */
int map_fit(const struct root *root, const struct objects *o, bool converts, struct misfits *misfits,
	    struct error *e);
/* A map that need not be filled. */
bool map_is_transient(const char *name);
/* For objects_load(); arg is the struct misfits. */
bool map_misfits(const char *name, void *arg);

/* A map that the loader makes itself. Fine if it is not there yet. */
int map_fit_own(const struct root *root, const char *name, unsigned int key_size, unsigned int value_size,
		unsigned int entries, struct error *e);

/*
 * What maps that are made anew carry over: those below next/maps but for tables of flows (handover.h). Begun before they
 * take their place; settled after the last program that counted in the old ones is gone.
 */
struct carry;
int carry_begin(const struct root *root, struct carry **carry, struct error *e);
void carry_settle(struct carry *carry);
void carry_end(struct carry *carry);

#endif
