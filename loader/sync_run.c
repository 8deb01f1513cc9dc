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
