/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which id and which slot an object has. An id is for ever and never given twice; a slot is a place
 * in the array of the object's class on this host, given again once it is free.
 */
#ifndef WEFT_IDENTITY_H
#define WEFT_IDENTITY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "include/config.h"
#include "loader/error.h"

struct identity {
	char path[CONFIG_PATH_LEN];
	uint64_t id;
	uint32_t slot; /* meaningful for hosts, tenants, networks, ports, chains and functions */
	UT_hash_handle hh;
};

struct identities {
	struct identity *by_path;
	uint64_t next_id;
	bool crowded; /* a slot was given that had another owner until now */
};

void identities_free(struct identities *ids);
const struct identity *identity_find(const struct identities *ids, const char *path);
void identity_set(struct identities *ids, const char *path, uint64_t id, uint32_t slot);

/* Does the object at the path have a slot? May it have this one? */
bool identity_has_slot(const char *path);
bool identity_slot_fits(const char *path, uint32_t slot);

/*
 * Who has which slot of a class, "hosts", "tenants", "networks", "ports", "chains" or "functions": paths,
 * NULL for free slots. `*n` is their number. The list is to be freed, the paths are the identities'.
 */
const char **identities_by_slot(const struct identities *ids, const char *class_name, size_t *n);

/*
 * The identities of all objects in `flat` (config_flatten()): those that `old` has keep theirs, the
 * others get the next ids and the lowest slots that were free. Refuses when a class has no free
 * slot.
 */
int identities_assign(const struct identities *old, const json_t *flat, struct identities *ids,
		      struct error *e);

#endif
