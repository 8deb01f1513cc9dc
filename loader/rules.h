/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACL rules in their three shapes: the canonical object (what YAML says), struct rule (what lies in
 * the map `rules`, where its owner may write with bpftool), and the compiled entries that packets
 * meet.
 */
#ifndef WEFT_RULES_H
#define WEFT_RULES_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "include/acl.h"
#include "loader/acl/classifier.h"
#include "loader/error.h"
#include "loader/model.h"

/* By enum acl_action, as YAML has them: that a rule has a chain is said beside it. */
#define ACTION_NAMES                                                                               \
	[ACL_DENY] = "deny", [ACL_ALLOW] = "allow", [ACL_REJECT] = "reject", [ACL_INSPECT] = "allow"

#define CHAIN_REF "chain:" /* before the name, in the last place of rule.apply_to */

/* Refuses, with the limit, what a struct rule has no room for. */
int rule_encode(const char *tenant, const char *name, const json_t *object, uint64_t id,
		struct rule *rule, struct error *e);

/*
 * Believes nothing: whatever the bytes say becomes a canonical object that the schema accepts, or
 * is refused by the rule's name. Returns a new reference, or NULL.
 */
json_t *rule_decode(const char *tenant, const char *name, const struct rule *rule, struct error *e);

/* Do the objects exist that a rule names? `flat` is config_flatten() of what is there. */
int rule_check_names(const char *tenant, const char *name, const json_t *object, const json_t *flat,
		     struct error *e);

/*
 * The name in a key, checked; returns 0, or -1 with an error that shows the name in a harmless way.
 */
int rule_key_name(const char *tenant, const struct rule_key *key, char name[WEFT_NAME_LEN + 1],
		  struct error *e);

/* A rule in the form that it has when read back; a new reference, or NULL. */
json_t *rule_normalize(const char *tenant, const char *name, const json_t *object, struct error *e);

/*
 * Brings the rules of a whole tree into the form that they will have when read back from the maps,
 * so that a difference is one of meaning. Returns 0, or -1 for a rule that does not fit.
 */
int rules_normalize(json_t *tree, struct error *e);

/* A tenant's rules with their names followed, in the order of precedence: what the classifier is made from. */
struct acl_rules {
	struct acl_source source;
	struct acl_term *term;
	struct acl_rule *rule;
	uint32_t *name_of; /* source.name */
	const char **name; /* of each rule; the tree's, or names_kept */
	char (*names_kept)[WEFT_NAME_LEN + 1];
	uint64_t *digest; /* of each rule, terms by their names */
	uint32_t *order; /* of each: (65535 - priority) << 2 | deny 0, reject 1, allow 2 */
	struct acl_prefix *mover; /* source.mover, source.moving_slot */
	uint32_t *moving_slot;
	struct acl_named *named; /* terms whose members may change, by key */
	size_t rules, terms, names, name_room, term_room, n_named, named_room;
	struct term_slot *known;
	size_t known_mask;
	uint64_t key[2];
	char who[WEFT_NAME_LEN + 16];
};

/*
 * Of equal priority deny comes before reject before allow, and then the name decides. Rules that can match at no port
 * of this host are left out. `key` is of the keyed hashes.
 */
int acl_rules_gather(const struct model *m, const struct model_tenant *t, const uint64_t key[2],
		     struct acl_rules *r, struct error *e);
struct entries;

/* The same of rules as they lie in the map `rules`, each of which has been checked. */
int acl_rules_gather_map(const struct model *m, const struct model_tenant *t, const uint64_t key[2],
			 const struct entries *list, struct acl_rules *r, struct error *e);
void acl_rules_free(struct acl_rules *r);

/* Entries in order of rank, tried one after the other. */
struct acl_list {
	struct acl_entry *entries;
	uint16_t *chains; /* slots, of each; 0: none */
	size_t n, room, chain_room;
};

void acl_list_free(struct acl_list *list);

/*
 * Appends what the i-th rule is as entries: one for each port x source x destination x range of ports. False when the
 * list would have more than `most`.
 */
bool acl_list_add(struct acl_list *list, const struct acl_rules *r, size_t i, uint32_t rank, size_t most);

#define ACL_LINEAR_MAX 16 /* entries of a set that gets no tree */
#define ACL_DELTA_MAX  32 /* entries beside a tree: changes since it was built */

/* What stands beside a tree. */
struct acl_beside {
	struct acl_list list;
	struct acl_known known[ACL_DELTA_MAX]; /* the rules that the entries are of, in order of rank */
	size_t n;
	uint32_t voids[ACL_VOID_MAX]; /* ranks, ascending, of the tree's rules that do not count */
	uint32_t n_voids;
};

/* A rule that is not in the tree, and the ranks of those next to it that are: those with equal ones share the room. */
struct acl_change {
	uint32_t rule; /* in acl_rules */
	uint32_t below, above;
};

/* In order of precedence. False: there is no room beside the tree, or between its ranks. */
bool acl_beside_add(struct acl_beside *b, const struct acl_rules *r, const struct acl_change *change, size_t n);

/* Of a tree's rules, as they stand behind its cells: which has the name, plus 1; 0: none. */
uint32_t acl_known_find(const union acl_cell *known, uint32_t n, const char *name);

/* What is in use of a tenant, as far as it is known. */
struct acl_in_use {
	union acl_slot *slot; /* of the map acl; NULL: none */
	size_t slots;
	union acl_cell *tree; /* without what packets look at: [0] and the rules behind; NULL: none */
	union acl_cell *index; /* [0], and terms and sums behind */
	bool sealed; /* nothing of tree and index has been changed by other hands */
};

void acl_in_use_free(struct acl_in_use *in_use);

/* What a tenant's maps shall be. */
struct acl_program {
	union acl_slot *slot; /* of the map acl */
	size_t slots;
	struct acl_compiled base; /* new ones, complete; the parts without cells are kept */
	bool same; /* as what is in use */
	unsigned int visits; /* of a new tree */
	uint32_t tree_in_use, index_in_use; /* places in the outer maps, plus 1; 0: none */
};

/* How many of them have a chain. */
uint32_t acl_rules_inspect(const struct acl_rules *r);

/* Fills p->slot. */
void acl_program_slots(struct acl_program *p, const struct acl_header *h, const struct acl_beside *b);

/* `in_use` may be NULL: all is made anew. */
int acl_program_make(const struct model *m, const struct model_tenant *t, const struct acl_in_use *in_use,
		     struct acl_program *p, struct error *e);
/* The same of rules that are gathered, with the key of the tree in use, if there is one; `all`: that the tenant has. */
int acl_program_of(const struct acl_rules *r, uint32_t all, const struct acl_in_use *in_use, struct acl_program *p,
		   struct error *e);
void acl_program_free(struct acl_program *p);

/* What is in use of a tenant, as far as one change needs it. */
struct acl_kept {
	const union acl_slot *slot; /* of the map acl */
	size_t slots;
	const union acl_cell *cell; /* of the tree's map */
	size_t cells;
};

/* Is there a tree, and do the numbers in it fit? Nothing below looks at what does not. */
bool acl_kept_fits(const struct acl_kept *k);
/* The i-th rule beside the tree; NULL: there are no more. */
const struct acl_known *acl_kept_beside(const struct acl_kept *k, uint32_t i);
/* What counts under this name, be it in the tree or beside it; NULL: nothing. */
const struct acl_known *acl_kept_find(const struct acl_kept *k, const char *name);
/*
 * `name` was changed, added or deleted; `r` has it, if it is there, and the others beside the tree; `all` is how many
 * rules the tenant has now. Fills p->slot; false: it takes more than that.
 */
bool acl_program_edit(const struct acl_kept *k, const struct acl_rules *r, const char *name, uint32_t all,
		      struct acl_program *p);

/* What a rule that decides says. */
struct acl_said {
	uint8_t action; /* enum acl_action */
	uint32_t chain; /* slot, with ACL_INSPECT */
};

/* The id (low 32 bits) of the rule that decides, 0: none. For a program that was all made anew. */
uint32_t acl_program_ask(const struct acl_program *p, const struct acl_query *q, struct acl_said *said);

/* Likewise, of what the three maps hold; `base` without cells: no tree. */
uint32_t acl_slots_ask(const union acl_slot *slot, const struct acl_compiled *base, const struct acl_query *q,
		       struct acl_said *said);

/* Hash of all cells, with a seal of 0 in the first one. */
uint64_t acl_seal(const union acl_cell *cell, size_t n);

#endif
