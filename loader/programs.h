/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Builds of the programs: which one runs, putting another in its place under traffic, and back again.
 *
 * Below the root, `next` is what a load is about to put in place (programs, maps that are not the root's own, label), and
 * `previous` is what the last load took out of place. Both look like the root itself: prog/NAME, maps/NAME, abi.
 */
#ifndef WEFT_PROGRAMS_H
#define WEFT_PROGRAMS_H

#include "config.h"
#include "loader/root.h"

#define NEXT	       "next"
#define NEXT_PROG      NEXT "/prog"
#define NEXT_MAPS      NEXT "/maps"
#define TURNED	       NEXT "/turned" /* 0: what is in `next` may go again; 1: it is to take its place */
#define NEXT_PREVIOUS  NEXT "/previous" /* becomes `previous` */
#define PREVIOUS       "previous"

#define BUILD_SIZE 64

/* The build of this command: version and a hash of its BPF objects, "0.1-3f2a9c04d1e7". */
const char *programs_own_build(void);
/* The build that is loaded. Returns 0, or -1. */
int programs_build(const struct root *root, char build[BUILD_SIZE], struct error *e);
/* The build that `previous` keeps and the version of its maps. Returns 0, or -1 if none is kept. */
int programs_kept(const struct root *root, char build[BUILD_SIZE], unsigned int *version, struct error *e);

/*
 * Makes the programs of that build run: 0 also if they do already. -1 if they are not kept, or if they stand on maps of
 * another version. The root is locked.
 */
int programs_restore(const struct root *root, const char *build, struct error *e);
/* The same for whatever is kept, of whichever version: `weft load --previous`. */
int programs_previous(const struct root *root, struct error *e);

/* ---- a load, step by step (load.c) ---- */

/* Clears away what a load that was killed has left, or ends what it had begun: first of all. */
int programs_recover(const struct root *root, struct error *e);
/* Makes `next` for programs of this label. */
int programs_begin(const struct root *root, const struct abi *abi, struct error *e);
/* Of what was begun nothing stays. */
void programs_abandon(const struct root *root);
/* Puts what is in `next` in place, on the devices too, and what was there into `previous`. */
int programs_switch(const struct root *root, struct error *e);

/* Did a load end after it had begun to put things in place? It alone may change the root then. */
bool programs_half_switched(const struct root *root);

/* The record `abi` of the root (directory "") or of one of the directories above. Reads zeroes where there is none. */
int programs_label(const struct root *root, const char *directory, struct abi *abi, struct error *e);

#endif
