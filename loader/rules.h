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
#include "loader/error.h"
#include "loader/model.h"

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

/*
 * All rules of a tenant as entries in the order in which they are asked: higher priority first; of
 * equal ones deny before reject before allow, then by name. Only what can match at a port of this
 * host. `list` is to be freed.
 */
struct acl_list {
	struct acl_entry *entries;
	size_t n, room;
	uint64_t steps; /* what it took so far: bounded */
};

int acl_compile(const struct model *m, const struct model_tenant *t, struct acl_list *list,
		struct error *e);

#endif
