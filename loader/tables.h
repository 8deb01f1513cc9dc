/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tenants' own maps: conntrack tables as large as their quotas, and compiled ACLs, changed in
 * one swap.
 */
#ifndef WEFT_TABLES_H
#define WEFT_TABLES_H

#include <stdbool.h>

#include "loader/inner.h"
#include "loader/model.h"
#include "loader/rules.h"
#include "loader/sync.h"

struct tables {
	const struct model *m;
	bool *touched; /* by tenant, as in m->tenants: the others are left alone */
	struct acl_list *acl; /* likewise: what the touched ones shall have */
	struct error **refused; /* likewise: why its rules cannot be compiled; then it is not touched */
	enum acl_state { ACL_UNKNOWN, ACL_SAME, ACL_OTHER } *acl_state; /* and what is in use */
	bool everything; /* look into every slot: a command was interrupted */
	int outer[INNERS];
	struct inner_types types;
	size_t writes;
};

/*
 * Compiles the ACLs of the touched tenants and opens what is needed; writes nothing. Whether a tenant whose rules
 * cannot be compiled is left alone, or all is refused, is for the caller to say.
 */
int tables_open(struct tables *t, const struct root *root, const struct model *m,
		const bool *touched, struct error *e);
void tables_close(struct tables *t);

/* Marks the tenants whose rules will change. */
void tables_mark_policy(struct tables *t, const struct root *root, struct sync *s);
/* Does the tenant need a map of this kind on this host? */
bool tables_wants(const struct model_tenant *tenant, enum inner kind);

/* What is wrong with the map that packets of the i-th tenant use, which tables_open() knows as touched. */
enum table_fault { TABLE_RIGHT, TABLE_MISSING, TABLE_SIZE, TABLE_CONTENT, TABLE_PIN };

enum table_fault tables_check(struct tables *t, const struct root *root,
			      const struct sync *s, size_t i, enum inner kind);

/*
 * Makes, fills, swaps in and pins what the touched tenants need here. Marks whose flows are to be
 * judged again.
 */
int tables_make(struct tables *t, const struct root *root, struct sync *s, struct error *e);
/* How many maps tables_make() would make or pin. */
size_t tables_due(struct tables *t, const struct root *root, const struct sync *s);
/* Removes what no tenant needs here any more. `old` and `new` are trees. */
int tables_remove(struct tables *t, const struct root *root, const struct sync *s,
		  const json_t *old, const json_t *new, struct error *e);

#endif
