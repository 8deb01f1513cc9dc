/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one way in which a configuration becomes another: `apply`, the verbs of objects, `acl commit`
 * and a batch all come here with the whole tree that they want. Everything is checked before
 * anything is written; what is written is ordered so that traffic gets at most what the old or the
 * new policy allows, also if the command is killed.
 */
#ifndef WEFT_COMMIT_H
#define WEFT_COMMIT_H

#include <jansson.h>
#include <stdbool.h>

#include "loader/config/marks.h"
#include "loader/root.h"
#include "loader/state.h"

struct facts;
struct model;

struct commit {
	const struct root *root;
	struct state *state; /* as read from the maps */
	json_t *wanted; /* the whole tree as it shall be */
	const struct marks *marks; /* where it was written; may be NULL */
	json_t *named; /* tenants, as keys, that are compiled anew even if nothing changes */
	/* `wanted` has all rules of the named tenants: what else lies in `rules` goes */
	bool own_rules;
	json_t *judged; /* tenants, as keys, that get a new epoch in any case; may be NULL */
	bool force; /* let a tenant lose most of its ports */
	bool strand; /* let chains lose the last instance that is up */
	/* devices over which the host itself is reached, and TC programs of others on them, are no reason to refuse */
	bool any_device;
	const json_t *accepted; /* for facts_accept(); may be NULL */
	bool dry_run;
	/*
	 * The agent's: devices that cannot be taken stay pending and keep no other from being
	 * attached, and nothing is written where nothing is due.
	 */
	bool lenient;
	bool each_alone; /* a named tenant whose rules cannot be compiled is no reason to refuse the others */
	bool count_flows; /* fill `moves` */
	bool changed_only; /* note what is pending only of objects that change */
	void (*announce)(const struct commit
				 *c); /* when all is checked, and before it is done; may be NULL */
	/* at the end, with what has become of the devices; may be NULL */
	void (*learn)(const struct commit *c, const struct model *model, const struct facts *facts);
	void *data; /* the caller's */
	json_t *origin; /* who asks, and how: origin_make() */
	long long confirm_ms; /* take it back by itself unless confirmed; 0: no */
	bool ends_confirmation; /* may be done although another change awaits confirmation */
	unsigned long reverts; /* the state that it takes back unconfirmed; 0: none */

	/* Results; commit_free() drops them. */
	json_t *diff; /* of config_diff() */
	json_t *moves; /* of flow_moves(): flows that enter and leave functions */
	json_t *notes; /* strings: what is pending, and what was found odd */
	size_t refused; /* lenient: devices that stay pending though they are there */
	size_t left_out; /* tenants whose live ACL stays, since their rules cannot be compiled */
	size_t writes; /* entries and maps that differed */
	int attached, detached; /* devices */
	unsigned long number; /* of the new state in the history; 0: there is none */
};

/*
 * Returns an exit code, or -1: then nothing was changed, unless the error's exit code is
 * EXIT_PARTLY.
 */
int commit_run(struct commit *c, struct error *e);
void commit_free(struct commit *c);

/* Is there nothing that differed? */
bool commit_was_idle(const struct commit *c);

/* Names of the tenants that a difference is about, as keys: a new reference. */
json_t *commit_tenants(const json_t *diff);

/* Is an IPv4 address, as text, one of this machine's? */
bool host_is_local(const char *address);

/* Which host of the tree is this one? `name` may come out empty where the tree has no hosts. */
int commit_pick_host(const struct state *state, const json_t *tree, char name[WEFT_NAME_LEN + 1],
		     struct error *e);

#endif
