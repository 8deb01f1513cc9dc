/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole configurations: read, joined, taken apart into objects by path, compared.
 *
 * Trees are shared, never copied: treat every tree and object given or returned as read-only. Paths
 *are hosts/h1  service_functions/ips  tenants/red (its options)
 *	tenants/red/{networks,ports,groups,acl,chains,insert}/NAME
 * A tree always has "version": 1, and never an empty container, but for a tenant that has nothing.
 */
#ifndef WEFT_CONFIG_TREE_H
#define WEFT_CONFIG_TREE_H

#include <jansson.h>
#include <stdio.h>

#include "loader/config/marks.h"
#include "loader/error.h"

/*
 * Reads, types and joins files ("-" is standard input). The parts of one tenant may lie in several
 * files; the same object in two is an error. `marks`, if not NULL, receives where all was written;
 * free it with marks_free().
 */
json_t *config_read(const char *const *files, size_t n, struct marks **marks, struct error *err);

/* The same from memory; `name` stands for it in messages. */
json_t *config_parse(const char *name, const char *text, size_t len, struct marks **marks,
		     struct error *err);

/*
 * What `apply` leaves: `desired` owns, whole, each host, tenant and function that it names; others
 * stay as they are stored, unless `prune`.
 */
json_t *config_own(const json_t *stored, const json_t *desired, int prune);

/* Path to object, hosts first, in an order in which each object comes after those it refers to. */
json_t *config_flatten(const json_t *tree);
json_t *config_unflatten(const json_t *flat);

/*
 * [{op: "delete"|"add"|"change", path, old, new}]; `old` is absent in an add, `new` in a delete.
 * Deletions come first, each before what it refers to, then additions and changes, each after what
 * it refers to. What a change lets go of may stand among the deletions before it: whoever acts in
 * this order acts on changes first, or on all at once.
 */
json_t *config_diff(const json_t *old, const json_t *wanted);

/* The tree after the differences in a list of config_diff()s, one after the other: a new reference. */
json_t *config_patch(const json_t *tree, const json_t *diffs);

/* "- path", "~ path key: old -> new" (a line a key), "+ path". Returns the number of entries. */
size_t config_diff_print(FILE *out, const json_t *diff);

#endif
