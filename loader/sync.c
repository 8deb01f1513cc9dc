// SPDX-License-Identifier: BSD-2-Clause
/* What differs: between what is desired and what the maps hold. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "loader/alloc.h"
#include "loader/inner.h"
#include "loader/sync.h"
#include "loader/wire.h"

uint32_t next_epoch(uint32_t epoch)
{
	return epoch + 1 ? epoch + 1 : 1;
}

/* Nobody shall guess where flows are put, or he would fill their places. */
static int make_seed(__u64 *seed, struct error *e)
{
	do {
		if (getrandom(seed, sizeof(*seed), 0) != sizeof(*seed))
			return error_set(e, EXIT_REFUSED, "no random numbers: %s", strerror(errno));
	} while (!*seed);
	return 0;
}

static void mark(struct sync *s, uint32_t tenant)
{
	if (tenant < WEFT_TENANTS_MAX)
		s->changed[tenant] = true;
}

void sync_mark_all(struct sync *s)
{
	for (size_t i = 0; i < WEFT_TENANTS_MAX; i++)
		s->changed[i] = s->wanted[i].id != 0;
}

/* The tenant of a VNI, before and after. */
static void mark_vni(struct sync *s, const struct desired *d, uint32_t vni)
{
	const struct network *old = entries_find(&s->actual[MAP_NETWORKS], &vni);
	const struct network *new = entries_find(&d->map[MAP_NETWORKS], &vni);

	if (old)
		mark(s, old->tenant);
	if (new)
		mark(s, new->tenant);
}

static void mark_value(struct sync *s, enum sync_map map, const void *value)
{
	if (!value)
		return;
	if (map == MAP_NETWORKS)
		mark(s, ((const struct network *)value)->tenant);
	else if (map == MAP_CHAINS)
		mark(s, ((const struct chain *)value)->tenant);
	else if (((const struct port *)value)->id)
		mark(s, ((const struct port *)value)->tenant);
}

/* Whose flows may have an index or a verdict in them that this entry decided. */
static void mark_owner(struct sync *s, const struct desired *d, enum sync_map map, const void *key,
		       const void *old, const void *new)
{
	switch (map) {
	case MAP_HOSTS:
		if (((const struct host *)old)->id)
			sync_mark_all(s);
		break;
	case MAP_FDB:
		mark_vni(s, d, ((const struct fdb_key *)key)->vni);
		break;
	case MAP_NETWORKS:
	case MAP_CHAINS:
	case MAP_PORT_SLOTS:
		mark_value(s, map, old);
		mark_value(s, map, new);
		break;
	default: /* read anew for every packet */
		break;
	}
}

static void own(struct sync *s, enum owned_map map, uint32_t slot)
{
	entries_add(&s->owned[map], &slot, NULL);
}

uint64_t sync_owner(enum sync_map map, const void *value)
{
	switch (map) {
	case MAP_HOSTS:
		return ((const struct host *)value)->id;
	case MAP_FUNCTIONS:
		return ((const struct function *)value)->id;
	case MAP_CHAINS:
		return ((const struct chain *)value)->id;
	case MAP_NETWORKS:
		return ((const struct network *)value)->id;
	default:
		return ((const struct port *)value)->id;
	}
}

static void note_owner(struct sync *s, enum sync_map map, uint32_t slot, const void *old,
		       const void *new)
{
	if (map == MAP_HOSTS && memcmp(old, new, sizeof(struct host)))
		own(s, OWNED_NEXT_HOPS, slot);
	if (sync_owner(map, old) == sync_owner(map, new) || !sync_owner(map, new))
		return;
	if (map == MAP_PORT_SLOTS)
		own(s, OWNED_PORT_STATS, slot);
}

/* A new chain begins from nothing. */
static void note_steps(struct sync *s, uint32_t slot, const struct chain *old,
		       const struct chain *new)
{
	for (uint32_t i = 0; i < CHAIN_STEPS && new->id && old->id != new->id; i++)
		own(s, OWNED_CHAIN_STATS, CHAIN_STEP_INDEX(slot, i));
}

/*
 * Likewise a new instance; of one that stays, the watch over it if its devices or its host are others. Of one that goes
 * nothing is left to say when its drain ends.
 */
static void note_instances(struct sync *s, uint32_t slot, const struct function *old,
			   const struct function *new)
{
	for (uint32_t i = 0; i < FUNCTION_INSTANCES; i++) {
		const struct sf_instance *had = &old->instance[i], *has = &new->instance[i];
		bool is_new = old->id != new->id || had->id != has->id;

		if (had->id && is_new)
			own(s, OWNED_SF_DRAINS, INSTANCE_INDEX(slot, i));
		if (!has->id)
			continue;
		if (is_new)
			own(s, OWNED_SF_STATS, INSTANCE_INDEX(slot, i));
		if (is_new || had->leaving_ifindex != has->leaving_ifindex ||
		    had->towards_ifindex != has->towards_ifindex ||
		    (had->flags ^ has->flags) & INSTANCE_REMOTE)
			own(s, OWNED_SF_STATE, INSTANCE_INDEX(slot, i));
	}
}

/* Desired values by slot; NULL where there is none. */
static const void **by_slot(const struct entries *desired, size_t slots)
{
	const void **values = alloc_zero(slots, sizeof(*values));

	for (size_t i = 0; i < desired->n; i++) {
		uint32_t slot = *(const uint32_t *)entries_key(desired, i);

		if (slot < slots)
			values[slot] = entries_value(desired, i);
	}
	return values;
}

/* The record as it shall be, with what is state in it: when the chain came. A new port has no older flows. */
static void settle_wire(const struct sync *s, const struct desired *d, const struct port *old,
			const struct port *new, struct port *settled)
{
	const struct entries *chains = &s->actual[MAP_CHAINS];
	uint32_t slot = new->chain;
	struct wire before, after;

	*settled = *new;
	if (!new->id || old->id != new->id || new->tenant >= WEFT_TENANTS_MAX)
		return;
	before = wire_of(old, old->chain < chains->n ? entries_value(chains, old->chain) : NULL);
	after = wire_of(new, entries_find(&d->map[MAP_CHAINS], &slot));
	settled->chain_since =
		wire_since(&before, &after, next_epoch(s->wanted[new->tenant].epoch));
}

static void plan_array(struct sync *s, const struct desired *d, enum sync_map map)
{
	static const unsigned char nothing[512];
	const struct entries *actual = &s->actual[map];
	const void **values = by_slot(&d->map[map], actual->n);
	struct port settled;

	for (uint32_t slot = 0; slot < actual->n; slot++) {
		const void *old = entries_value(actual, slot);
		const void *new = values[slot] ? values[slot] : nothing;

		if (map == MAP_PORT_SLOTS) {
			settle_wire(s, d, old, new, &settled);
			new = &settled;
		}
		if (!memcmp(old, new, actual->value_size))
			continue;
		entries_add(&s->fresh[map], &slot, new);
		mark_owner(s, d, map, &slot, old, new);
		note_owner(s, map, slot, old, new);
		if (map == MAP_CHAINS)
			note_steps(s, slot, old, new);
		if (map == MAP_FUNCTIONS)
			note_instances(s, slot, old, new);
	}
	free(values);
}

/* What is state of a tenant, not configuration. */
static int keep_tenant(struct sync *s, uint32_t slot, const struct tenant *old,
		       const struct tenant *new, struct error *e)
{
	struct tenant *wanted = &s->wanted[slot];

	/* The next owner of a slot begins where the last one ended, so that no flow of his looks fresh. */
	wanted->epoch = old->epoch;
	if (!new)
		return 0;
	wanted->seed = old->seed;
	if (new->id != old->id) {
		wanted->seed = 0;
		wanted->epoch = next_epoch(old->epoch);
		own(s, OWNED_TENANT_STATS, slot);
	}
	return wanted->seed ? 0 : make_seed(&wanted->seed, e);
}

static int plan_tenants(struct sync *s, const struct desired *d, struct error *e)
{
	const struct entries *actual = &s->actual[MAP_TENANTS];
	const void **values = by_slot(&d->map[MAP_TENANTS], actual->n);
	int failed = 0;

	for (uint32_t slot = 0; slot < actual->n && slot < WEFT_TENANTS_MAX && !failed; slot++) {
		const struct tenant *old = entries_value(actual, slot), *new = values[slot];
		struct tenant *wanted = &s->wanted[slot];

		if (new)
			*wanted = *new;
		failed = keep_tenant(s, slot, old, new, e);
		if (!memcmp(old, wanted, sizeof(*wanted)))
			continue;
		s->writes++;
		if (new)
			s->changed[slot] = true;
	}
	free(values);
	return failed;
}

/* An entry put in by hand lives as long as its network and what it points at. */
static bool keep_manual(const struct sync *s, const struct desired *d, enum sync_map map,
			const void *key, const void *value)
{
	const struct fdb_entry *entry = value;
	uint32_t vni = *(const uint32_t *)key; /* both kinds of key begin with it */
	const struct network *old = entries_find(&s->actual[MAP_NETWORKS], &vni);
	const struct network *new = entries_find(&d->map[MAP_NETWORKS], &vni);
	enum sync_map target = MAP_HOSTS;
	const void *had, *has;

	if (old && (!new || new->id != old->id))
		return false;
	if (map == MAP_NEIGH || (entry->kind != TARGET_PORT && entry->kind != TARGET_HOST))
		return true;
	if (entry->kind == TARGET_PORT)
		target = MAP_PORT_SLOTS;
	if (entry->index >= s->actual[target].n)
		return true;
	had = entries_value(&s->actual[target], entry->index);
	if (!sync_owner(target, had))
		return true; /* it never pointed at anything */
	has = entries_find(&d->map[target], &entry->index);
	return has && sync_owner(target, has) == sync_owner(target, had);
}

static bool is_manual(enum sync_map map, const void *value)
{
	if (map == MAP_FDB)
		return ((const struct fdb_entry *)value)->origin == ORIGIN_MANUAL;
	return map == MAP_NEIGH && ((const struct neigh_entry *)value)->origin == ORIGIN_MANUAL;
}

/*
 * Unbind before binding anew: what says whose a frame is is deleted even if its key gets another
 * value. A network that only changes its MTU or its receivers stays the same one.
 */
static bool changes_hands(enum sync_map map, const void *old, const void *new)
{
	const struct network *was = old, *is = new;

	if (map == MAP_PORTS)
		return memcmp(old, new, sizeof(struct port_binding));
	return map == MAP_NETWORKS &&
	       (was->id != is->id || was->tenant != is->tenant || was->slot != is->slot);
}

static void plan_gone(struct sync *s, const struct desired *d, enum sync_map map)
{
	const struct entries *actual = &s->actual[map];

	for (size_t i = 0; i < actual->n; i++) {
		const void *key = entries_key(actual, i), *value = entries_value(actual, i);
		const void *new = entries_find(&d->map[map], key);

		if (is_manual(map, value) && keep_manual(s, d, map, key, value)) {
			s->kept++;
			continue;
		}
		if (new && !changes_hands(map, value, new))
			continue;
		entries_add(&s->gone[map], key, NULL);
		mark_owner(s, d, map, key, value, NULL);
	}
}

static void plan_fresh(struct sync *s, const struct desired *d, enum sync_map map)
{
	const struct entries *desired = &d->map[map];

	for (size_t i = 0; i < desired->n; i++) {
		const void *key = entries_key(desired, i), *new = entries_value(desired, i);
		const void *old = entries_find(&s->actual[map], key);

		if (old && !memcmp(old, new, desired->value_size))
			continue;
		if (old && is_manual(map, old) && keep_manual(s, d, map, key, old))
			continue;
		entries_add(&s->fresh[map], key, new);
		mark_owner(s, d, map, key, old, new);
		if (map == MAP_NETWORKS && (!old || sync_owner(map, old) != sync_owner(map, new)))
			own(s, OWNED_NETWORK_STATS, ((const struct network *)new)->slot);
	}
}

static int check_room(const struct sync *s, enum sync_map map, struct error *e)
{
	size_t after = s->actual[map].n - s->gone[map].n;
	uint32_t id, room;

	for (size_t i = 0; i < s->fresh[map].n; i++) {
		const void *old = entries_find(&s->actual[map], entries_key(&s->fresh[map], i));

		after += !old || changes_hands(map, old, entries_value(&s->fresh[map], i));
	}
	if (inner_info(s->fd[map], &id, &room) || after <= room)
		return 0;
	return error_set(e, EXIT_REFUSED,
			 "map %s: would have %zu entries, and has room for %u: configure less on "
			 "this host",
			 sync_maps[map].name, after, room);
}

static int read_actual(struct sync *s, const struct root *root, struct error *e)
{
	for (int i = 0; i < SYNC_MAPS; i++) {
		const struct sync_map_type *type = &sync_maps[i];

		s->fd[i] = root_map(root, type->name, e);
		if (s->fd[i] < 0 || map_read(s->fd[i], type->name, &s->actual[i], e))
			return -1;
		if (!type->array)
			entries_sort(&s->actual[i]);
	}
	return 0;
}

int sync_plan(struct sync *s, const struct root *root, const struct desired *d, struct error *e)
{
	memset(s, 0, sizeof(*s));
	for (int i = 0; i < SYNC_MAPS; i++) {
		const struct sync_map_type *type = &sync_maps[i];

		s->fd[i] = -1;
		entries_init(&s->actual[i], type->key_size, type->value_size);
		entries_init(&s->fresh[i], type->key_size, type->value_size);
		entries_init(&s->gone[i], type->key_size, 0);
	}
	for (int i = 0; i < OWNED_MAPS; i++)
		entries_init(&s->owned[i], sizeof(uint32_t), 0);
	entries_init(&s->strict, sizeof(uint32_t), sizeof(struct port));
	entries_init(&s->emptied, sizeof(uint32_t), sizeof(struct chain));
	if (read_actual(s, root, e) || plan_tenants(s, d, e)) {
		sync_free(s);
		return -1;
	}
	for (int i = 0; i < SYNC_MAPS; i++) {
		if (i == MAP_TENANTS)
			continue;
		if (sync_maps[i].array) {
			plan_array(s, d, i);
		} else {
			plan_gone(s, d, i);
			plan_fresh(s, d, i);
			if (check_room(s, i, e)) {
				sync_free(s);
				return -1;
			}
		}
		s->writes += s->gone[i].n + s->fresh[i].n;
	}
	return 0;
}

void sync_free(struct sync *s)
{
	for (int i = 0; i < SYNC_MAPS; i++) {
		if (s->fd[i] >= 0)
			close(s->fd[i]);
		s->fd[i] = -1;
		entries_free(&s->actual[i]);
		entries_free(&s->fresh[i]);
		entries_free(&s->gone[i]);
	}
	for (int i = 0; i < OWNED_MAPS; i++)
		entries_free(&s->owned[i]);
	entries_free(&s->strict);
	entries_free(&s->emptied);
}
