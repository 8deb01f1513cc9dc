// SPDX-License-Identifier: BSD-2-Clause
/* Writing what differs. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include <unistd.h>

#include "loader/sync.h"

static const struct owned_type {
	const char *name;
	size_t value_size;
	bool per_cpu;
} owned_types[OWNED_MAPS] = {
	[OWNED_PORT_STATS] = { "port_stats", sizeof(struct traffic), true },
	[OWNED_NETWORK_STATS] = { "network_stats", sizeof(struct traffic), true },
	[OWNED_CHAIN_STATS] = { "chain_stats", sizeof(struct chain_traffic), true },
	[OWNED_TENANT_STATS] = { "tenant_stats", sizeof(struct tenant_traffic), true },
	[OWNED_SF_STATE] = { "sf_state", sizeof(struct sf_state), false },
	[OWNED_SF_STATS] = { "sf_stats", sizeof(struct sf_traffic), true },
	[OWNED_SF_DRAINS] = { "sf_drains", sizeof(struct sf_drain), false },
	[OWNED_NEXT_HOPS] = { "next_hops", sizeof(struct next_hop), false },
};

int sync_delete(struct sync *s, enum sync_map map, struct error *e)
{
	return map_delete(s->fd[map], sync_maps[map].name, &s->gone[map], e);
}

int sync_write(struct sync *s, enum sync_map map, struct error *e)
{
	return map_write(s->fd[map], sync_maps[map].name, &s->fresh[map], e);
}

static int write_half(struct sync *s, enum sync_map map, bool owned, struct error *e)
{
	const struct entries *all = &s->fresh[map];
	struct entries half;
	int failed;

	entries_init(&half, all->key_size, all->value_size);
	for (size_t i = 0; i < all->n; i++)
		if (owned == (sync_owner(map, entries_value(all, i)) != 0))
			entries_add(&half, entries_key(all, i), entries_value(all, i));
	failed = map_write(s->fd[map], sync_maps[map].name, &half, e);
	entries_free(&half);
	return failed;
}

int sync_write_owned(struct sync *s, enum sync_map map, struct error *e)
{
	return write_half(s, map, true, e);
}

int sync_write_free(struct sync *s, enum sync_map map, struct error *e)
{
	return write_half(s, map, false, e);
}

static int clear(const struct root *root, const struct owned_type *type,
		 const struct entries *slots, struct error *e)
{
	size_t copies = type->per_cpu ? (size_t)libbpf_num_possible_cpus() : 1;
	struct entries zeroes;
	int fd, failed;

	if (!slots->n)
		return 0;
	fd = root_map(root, type->name, e);
	if (fd < 0)
		return -1;
	entries_init(&zeroes, sizeof(uint32_t), type->value_size * copies);
	for (size_t i = 0; i < slots->n; i++)
		entries_add(&zeroes, entries_key(slots, i), NULL);
	failed = map_write(fd, type->name, &zeroes, e);
	entries_free(&zeroes);
	close(fd);
	return failed;
}

int sync_clear_owned(struct sync *s, const struct root *root, struct error *e)
{
	for (int i = 0; i < OWNED_MAPS; i++)
		if (clear(root, &owned_types[i], &s->owned[i], e))
			return -1;
	return 0;
}

static int write_tenants(struct sync *s, const struct entries *list, struct error *e)
{
	return map_write(s->fd[MAP_TENANTS], sync_maps[MAP_TENANTS].name, list, e);
}

int sync_restrict_ports(struct sync *s, struct error *e)
{
	return map_write(s->fd[MAP_PORT_SLOTS], sync_maps[MAP_PORT_SLOTS].name, &s->strict, e);
}

int sync_restrict_chains(struct sync *s, struct error *e)
{
	return map_write(s->fd[MAP_CHAINS], sync_maps[MAP_CHAINS].name, &s->emptied, e);
}

/* Records that come to places that nobody has. */
static void pick_new(const struct sync *s, enum sync_map map, struct entries *records)
{
	const struct entries *fresh = &s->fresh[map];

	entries_init(records, fresh->key_size, fresh->value_size);
	for (size_t i = 0; i < fresh->n; i++) {
		uint32_t slot = *(const uint32_t *)entries_key(fresh, i);

		if (sync_owner(map, entries_value(fresh, i)) &&
		    !sync_owner(map, entries_value(&s->actual[map], slot)))
			entries_add(records, &slot, entries_value(fresh, i));
	}
}

/* What is believed where nothing was. */
static void pick_new_returns(const struct sync *s, struct entries *returns)
{
	const struct entries *sf = &s->fresh[MAP_SF];

	entries_init(returns, sf->key_size, sf->value_size);
	for (size_t i = 0; i < sf->n; i++)
		if (!entries_find(&s->actual[MAP_SF], entries_key(sf, i)))
			entries_add(returns, entries_key(sf, i), entries_value(sf, i));
}

static int write_new(struct sync *s, const struct entries *functions, const struct entries *chains,
		     const struct entries *returns, struct error *e)
{
	return map_write(s->fd[MAP_FUNCTIONS], sync_maps[MAP_FUNCTIONS].name, functions, e) ||
			       map_write(s->fd[MAP_CHAINS], sync_maps[MAP_CHAINS].name, chains, e) ||
			       map_write(s->fd[MAP_SF], sync_maps[MAP_SF].name, returns, e)
		       ? -1
		       : 0;
}

/* What is counted of each slot: `n` places from slot * `first` on, `step` from one to the next. */
static void places_of(const struct entries *records, uint32_t n, uint32_t first, uint32_t step,
		      struct entries *places)
{
	entries_init(places, sizeof(uint32_t), 0);
	for (size_t i = 0; i < records->n; i++)
		for (uint32_t k = 0; k < n; k++) {
			uint32_t place =
				*(const uint32_t *)entries_key(records, i) * first + k * step;

			entries_add(places, &place, NULL);
		}
}

int sync_write_new_chains(struct sync *s, const struct root *root, struct error *e)
{
	struct entries chains, functions, returns, steps, instances;
	int failed;

	pick_new(s, MAP_CHAINS, &chains);
	pick_new(s, MAP_FUNCTIONS, &functions);
	pick_new_returns(s, &returns);
	places_of(&chains, CHAIN_STEPS, 1, WEFT_CHAINS_MAX, &steps);
	places_of(&functions, FUNCTION_INSTANCES, FUNCTION_INSTANCES, 1, &instances);
	failed = clear(root, &owned_types[OWNED_CHAIN_STATS], &steps, e) ||
		 clear(root, &owned_types[OWNED_SF_STATE], &instances, e) ||
		 clear(root, &owned_types[OWNED_SF_STATS], &instances, e) ||
		 write_new(s, &functions, &chains, &returns, e);
	entries_free(&chains);
	entries_free(&functions);
	entries_free(&returns);
	entries_free(&steps);
	entries_free(&instances);
	return failed ? -1 : 0;
}

/* What both the old and the new options allow: every flag allows something. */
static struct tenant restricted(const struct sync *s, uint32_t slot)
{
	const struct tenant *old = entries_value(&s->actual[MAP_TENANTS], slot);
	struct tenant now = s->wanted[slot];

	now.flags &= old->id == now.id ? old->flags : 0;
	return now;
}

int sync_restrict_tenants(struct sync *s, struct error *e)
{
	const struct entries *actual = &s->actual[MAP_TENANTS];
	struct entries list;
	int failed;

	entries_init(&list, sizeof(uint32_t), sizeof(struct tenant));
	for (uint32_t slot = 0; slot < actual->n; slot++) {
		const struct tenant *old = entries_value(actual, slot);
		struct tenant now = restricted(s, slot);

		if (now.id && memcmp(old, &s->wanted[slot], sizeof(now)))
			entries_add(&list, &slot, &now);
	}
	failed = write_tenants(s, &list, e);
	entries_free(&list);
	return failed;
}

int sync_judge_early(struct sync *s, struct error *e)
{
	struct entries list;
	int failed;

	entries_init(&list, sizeof(uint32_t), sizeof(struct tenant));
	for (uint32_t slot = 0; slot < s->actual[MAP_TENANTS].n; slot++) {
		struct tenant now;

		if (!s->early[slot] || !s->wanted[slot].id)
			continue;
		s->wanted[slot].epoch = next_epoch(s->wanted[slot].epoch);
		s->changed[slot] = true;
		now = restricted(s, slot);
		entries_add(&list, &slot, &now);
	}
	failed = write_tenants(s, &list, e);
	entries_free(&list);
	return failed;
}

int sync_finish_tenants(struct sync *s, struct error *e)
{
	const struct entries *actual = &s->actual[MAP_TENANTS];
	struct entries list, bumped;
	int failed;

	entries_init(&list, sizeof(uint32_t), sizeof(struct tenant));
	entries_init(&bumped, sizeof(uint32_t), sizeof(struct tenant));
	for (uint32_t slot = 0; slot < actual->n; slot++) {
		const struct tenant *old = entries_value(actual, slot);
		struct tenant now = s->wanted[slot];

		if (memcmp(old, &now, sizeof(now)))
			entries_add(&list, &slot, &now);
		if (!s->changed[slot] || !now.id)
			continue;
		now.epoch = next_epoch(now.epoch);
		entries_add(&bumped, &slot, &now);
	}
	/* The epoch last: who reads the new one reads all that came before it. */
	failed = write_tenants(s, &list, e) || write_tenants(s, &bumped, e) ? -1 : 0;
	entries_free(&list);
	entries_free(&bumped);
	return failed;
}
