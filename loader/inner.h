/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tenant's own maps: made, pinned below <root>/tenants/<tenant>/, and, but for `rules`, put into
 * the outer map of their kind at the tenant's slot.
 */
#ifndef WEFT_INNER_H
#define WEFT_INNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loader/root.h"

struct btf;

enum inner {
	INNER_CT4,
	INNER_HALF4,
	INNER_CT6,
	INNER_HALF6,
	INNER_FRAGMENTS,
	INNER_PROXIED,
	INNER_ACL,
	INNER_RULE_HITS,
	INNER_RULES, /* in no outer map */
	INNER_TREE, /* with two places a tenant, see tables_acl.c */
	INNER_INDEX,
	INNERS
};

struct inner_kind {
	const char *name; /* of the pin, and of the outer map */
	int type; /* enum bpf_map_type */
	uint32_t key_size, value_size, flags;
	const char *key_type, *value_type; /* for bpftool */
};

extern const struct inner_kind inner_kinds[INNERS];

/* A name that no tenant has: of maps that hold nothing, and stand where many tenants' maps were (tables_remove.c). */
#define INNER_NOBODY ",empty"

/* The types that bpftool shows contents with, taken from a loaded program. */
struct inner_type {
	int fd; /* of the BTF; -1: none */
	uint32_t key, value;
};

struct inner_types {
	struct inner_type of[INNERS];
};

void inner_types_open(struct inner_types *types, const struct root *root);
void inner_types_close(struct inner_types *types);

/* A new map; returns its fd, or -1. */
int inner_create(const struct inner_types *types, enum inner kind, uint32_t entries,
		 struct error *e);

/* The same of kinds that another version of the maps has. */
void inner_types_find(struct inner_type *types, const struct inner_kind *const *kinds, size_t n,
		      const struct root *root);
void inner_type_close(struct inner_type *type);
int inner_create_as(const struct inner_kind *kind, const struct inner_type *type, uint32_t entries,
		    struct error *e);

/*
 * Pins the map beside whatever is pinned there, with the owner and mode of that; inner_place() then puts it in its
 * place. A map that is swapped in between the two so has a pin at every point.
 */
int inner_stage(const struct root *root, const char *tenant, enum inner kind, int fd,
		struct error *e);
int inner_place(const struct root *root, const char *tenant, enum inner kind, struct error *e);
/* Both at once. */
int inner_pin(const struct root *root, const char *tenant, enum inner kind, int fd,
	      struct error *e);
void inner_unpin(const struct root *root, const char *tenant, enum inner kind);
int inner_pin_as(const struct root *root, const char *tenant, const char *name, int fd,
		 struct error *e);
void inner_unpin_as(const struct root *root, const char *tenant, const char *name);
/* The pinned map's fd, or -1 with errno and without an error. */
int inner_open(const struct root *root, const char *tenant, enum inner kind);
/* The fd of the tenant's map with this id, pinned in its place or staged, or -1. */
int inner_find(const struct root *root, const char *tenant, enum inner kind, uint32_t id);
bool inner_exists(const struct root *root, const char *tenant, enum inner kind);
/* May others than the root's owner write to the pinned map? */
bool inner_is_delegated(const struct root *root, const char *tenant, enum inner kind);
/* Unpins what a killed command was about to put in place. */
void inner_sweep_tenant(const struct root *root, const char *tenant);
/* Removes the tenant's directory and all that is pinned in it. */
void inner_remove_tenant(const struct root *root, const char *tenant);

/* Id and size of the map behind an fd; returns 0, or -1. */
int inner_info(int fd, uint32_t *id, uint32_t *entries);

#endif
