// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "include/base.h"
#include "loader/alloc.h"
#include "loader/identity.h"

struct slot_class {
	const char *part; /* of the path before the name */
	const char *what;
	bool of_tenant;
	uint32_t first, end;
};

static const struct slot_class classes[] = {
	{ "hosts/", "hosts", false, 0, WEFT_HOSTS_MAX },
	{ "tenants/", "tenants", false, 0, WEFT_TENANTS_MAX },
	{ "networks/", "networks", true, 0, WEFT_NETWORKS_MAX },
	{ "ports/", "ports", true, 0, WEFT_PORTS_MAX },
	{ "chains/", "chains", true, 1, WEFT_CHAINS_MAX }, /* chain 0 of a port means none */
	{ "service_functions/", "functions", false, 1, WEFT_FUNCTIONS_MAX }, /* likewise */
};

#define CLASSES (sizeof(classes) / sizeof(classes[0]))

/* The class of an object, or -1 when objects like it have no slot. */
static int class_of(const char *path)
{
	const char *part = path;
	bool of_tenant = !strncmp(path, "tenants/", 8) && strchr(path + 8, '/');

	if (of_tenant)
		part = strchr(path + 8, '/') + 1;
	for (size_t i = 0; i < CLASSES; i++)
		if (classes[i].of_tenant == of_tenant &&
		    !strncmp(part, classes[i].part, strlen(classes[i].part)))
			return (int)i;
	return -1;
}

bool identity_has_slot(const char *path)
{
	return class_of(path) >= 0;
}

bool identity_slot_fits(const char *path, uint32_t slot)
{
	int class = class_of(path);

	/* An older version gave functions no slot, and wrote 0. */
	return class < 0 || !slot || (slot >= classes[class].first && slot < classes[class].end);
}

void identities_free(struct identities *ids)
{
	struct identity *one, *next;

	HASH_ITER (hh, ids->by_path, one, next) {
		HASH_DEL(ids->by_path, one);
		free(one);
	}
	ids->by_path = NULL;
}

const struct identity *identity_find(const struct identities *ids, const char *path)
{
	struct identity *one;

	HASH_FIND_STR(ids->by_path, path, one);
	return one;
}

void identity_set(struct identities *ids, const char *path, uint64_t id, uint32_t slot)
{
	struct identity *one;

	HASH_FIND_STR(ids->by_path, path, one);
	if (!one) {
		one = alloc_zero(1, sizeof(*one));
		snprintf(one->path, sizeof(one->path), "%s", path);
		HASH_ADD_STR(ids->by_path, path, one);
	}
	one->id = id;
	one->slot = slot;
	if (id >= ids->next_id)
		ids->next_id = id + 1;
}

const char **identities_by_slot(const struct identities *ids, const char *class_name, size_t *n)
{
	const char **paths = NULL;

	for (size_t i = 0; i < CLASSES; i++) {
		if (strcmp(classes[i].what, class_name))
			continue;
		*n = classes[i].end;
		paths = alloc_zero(*n, sizeof(*paths));
		for (const struct identity *one = ids->by_path; one; one = one->hh.next)
			if (class_of(one->path) == (int)i && one->slot < *n)
				paths[one->slot] = one->path;
	}
	return paths;
}

/*
 * A slot that loses its owner with this change rests until the next one: flows, which remember
 * slots, are judged again at the end of the change, and none of them may meet another tenant's port
 * in the meantime. It is given at once only when there is no other; then the flows are judged again
 * before it changes hands, too.
 */
enum slot_state { SLOT_FREE, SLOT_RESTING, SLOT_USED };

struct slots {
	unsigned char *state; /* enum slot_state */
	uint32_t next, next_resting;
};

static bool slot_search(struct slots *slots, uint32_t *next, uint32_t end, enum slot_state wanted,
			uint32_t *slot)
{
	while (*next < end && slots->state[*next] != wanted)
		++*next;
	if (*next == end)
		return false;
	*slot = *next;
	slots->state[*slot] = SLOT_USED;
	return true;
}

static int slot_take(struct slots *slots, const struct slot_class *class, const char *path,
		     uint32_t *slot, bool *crowded, struct error *e)
{
	if (slot_search(slots, &slots->next, class->end, SLOT_FREE, slot))
		return 0;
	*crowded = true;
	if (slot_search(slots, &slots->next_resting, class->end, SLOT_RESTING, slot))
		return 0;
	return error_set(e, EXIT_REFUSED, "%s: there is no room for more than %u %s: remove some",
			 path, class->end - class->first, class->what);
}

static int assign_new(struct slots *slots, const json_t *flat, struct identities *ids,
		      struct error *e)
{
	const char *path;
	json_t *object;

	json_object_foreach ((json_t *)flat, path, object) {
		int class = class_of(path);
		uint32_t slot = 0;

		if (identity_find(ids, path))
			continue;
		if (class >= 0 && slot_take(&slots[class], &classes[class], path, &slot,
					    &ids->crowded, e))
			return -1;
		identity_set(ids, path, ids->next_id, slot);
	}
	return 0;
}

static bool slot_fits(int class, uint32_t slot)
{
	return class >= 0 && slot >= classes[class].first && slot < classes[class].end;
}

/*
 * Keeps what the old objects have. A slot that fits nowhere or is taken was edited by hand: it gets
 * another.
 */
static void keep_old(struct slots *slots, const struct identities *old, const json_t *flat,
		     struct identities *ids)
{
	const char *path;
	json_t *object;

	for (const struct identity *one = old->by_path; one; one = one->hh.next) {
		int class = class_of(one->path);

		if (slot_fits(class, one->slot))
			slots[class].state[one->slot] = SLOT_RESTING;
	}
	json_object_foreach ((json_t *)flat, path, object) {
		const struct identity *had = identity_find(old, path);
		int class = class_of(path);

		/* An id of 0 is a rule put in by hand. */
		if (!had || !had->id)
			continue;
		if (class >= 0 &&
		    (!slot_fits(class, had->slot) || slots[class].state[had->slot] == SLOT_USED))
			continue;
		if (class >= 0)
			slots[class].state[had->slot] = SLOT_USED;
		identity_set(ids, path, had->id, had->slot);
	}
}

int identities_assign(const struct identities *old, const json_t *flat, struct identities *ids,
		      struct error *e)
{
	struct slots slots[CLASSES];
	int failed;

	*ids = (struct identities){ .next_id = old->next_id ? old->next_id : 1 };
	for (size_t i = 0; i < CLASSES; i++) {
		slots[i].state = alloc_zero(classes[i].end, 1);
		slots[i].next = slots[i].next_resting = classes[i].first;
	}
	keep_old(slots, old, flat, ids);
	failed = assign_new(slots, flat, ids, e);
	for (size_t i = 0; i < CLASSES; i++)
		free(slots[i].state);
	if (failed)
		identities_free(ids);
	return failed;
}
