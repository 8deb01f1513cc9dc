/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Is what packets meet what the configuration says? Nothing is taken from what a command has said it did: devices are
 * asked what runs on them, maps are read and compared with what the configuration compiles to, and frames are sent.
 */
#ifndef WEFT_VERIFY_H
#define WEFT_VERIFY_H

#include <jansson.h>

#include "loader/attach_hooks.h"
#include "loader/cli.h"
#include "loader/facts.h"
#include "loader/findings.h"
#include "loader/state.h"

struct verify {
	const struct root *root;
	const struct state *state;
	struct model model;
	struct facts facts;
	const json_t *answers_for; /* tenants, as keys: verify_rules_list() */
	json_t *findings; /* wrong: exit code 4 */
	json_t *notes; /* as it was asked for, and yet worth a line: pending, bypassed, absent */
	json_t *chains; /* [{"chain", "way", "us"}]: probes that came back */
	size_t devices, entries, tables, forbidden; /* how much was looked at */
};

int verify_open(struct verify *v, const struct root *root, const struct state *state,
		struct error *e);
void verify_close(struct verify *v);

/* The parts, each of which adds to findings and notes. An error is one that kept it from looking. */
void verify_rules(struct verify *v);
/*
 * Where what is found of a tenant's rules belongs. Who may write them could else make every change of every other tenant
 * look failed: after a change that does not answer for the tenant it is a note.
 */
json_t *verify_rules_list(const struct verify *v, const char *tenant);
int verify_devices(struct verify *v, struct error *e);
void verify_underlay(struct verify *v);
int verify_maps(struct verify *v, struct error *e);
int verify_chains(struct verify *v, struct error *e);
int verify_forbidden(struct verify *v, struct error *e);
/* Instances that are dead or degraded, to one of the lists: whether frames come through is asked by verify_chains(). */
int verify_health(const struct verify *v, json_t *list, struct error *e);

/* Is a port of this host behind the chain? */
bool verify_protects(const struct verify *v, const struct model_chain *c);

/*
 * All of them, with the root locked, for a change of the tenants in `answers_for`, or (NULL) whoever asks about all.
 * EXIT_DONE or EXIT_PARTLY, and the report, {"verified", "findings", "notes",
 * "chains", "checked"}; or -1.
 */
int verify_run(const struct root *root, const struct state *state, const json_t *answers_for,
	       json_t **report, struct error *e);

/* After a change: as verify_run(), with the state as it is now; an error has EXIT_PARTLY, for done it is. */
int verify_after(const struct root *root, const json_t *answers_for, json_t **report,
		 struct error *e);

#endif
