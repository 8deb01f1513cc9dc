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
	struct acl_program *program; /* likewise: what the rules of the touched ones shall be */
	struct error **refused; /* likewise: why its rules cannot be compiled; then it is not touched */
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

/* All of a map acl, acl_tree or acl_index: to be freed; NULL: it cannot be read. */
union acl_cell *acl_cells_read(int fd, const char *name, size_t *n);
int acl_cells_write(int fd, const char *name, const void *cells, size_t n, struct error *e);

/* The map acl that packets of the tenant use; -1: none, or a former owner's of the slot. */
int acl_in_use_open(const struct tables *t, const struct root *root, const struct model_tenant *tenant);

/* The part of it that is about rules (tables_acl.c). `fd` is of the tenant's map acl that is in use. */
void acl_in_use_read(const struct tables *t, const struct root *root, const struct model_tenant *tenant,
		     int fd, struct acl_in_use *u);
/* Makes the new tree and index, if there are such, and fills a new map acl. */
int acl_fill(const struct tables *t, const struct root *root, size_t i, int fd, struct error *e);
/* After the swap: puts pins in their places, and lets go what is not in use any more. */
int acl_settle(const struct tables *t, const struct root *root, size_t i, struct error *e);
/* Lets go whatever trees and indices the slot has. */
int acl_clear(const struct tables *t, uint32_t slot, struct error *e);

/* Marks the tenants whose rules will change. */
void tables_mark_policy(struct tables *t, const struct root *root, struct sync *s);
/* Does the tenant need a map of this kind on this host? */
bool tables_wants(const struct model_tenant *tenant, enum inner kind);
/* One that is not wanted any more, but connections go on by it. It goes when rules or options are next written without such. */
bool tables_keeps(const struct tables *t, const struct root *root, const struct sync *s, size_t i,
		  enum inner kind);

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
