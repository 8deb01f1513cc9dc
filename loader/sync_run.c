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
	[OWNED_CHAIN_STATE] = { "chain_state", sizeof(struct chain_state), false },
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

int sync_restrict_tenants(struct sync *s, struct error *e)
{
	const struct entries *actual = &s->actual[MAP_TENANTS];
	struct entries list;
	int failed;

	entries_init(&list, sizeof(uint32_t), sizeof(struct tenant));
	for (uint32_t slot = 0; slot < actual->n; slot++) {
		const struct tenant *old = entries_value(actual, slot);
		struct tenant now = s->wanted[slot];

		if (!memcmp(old, &now, sizeof(now)) || !now.id)
			continue;
		/* Every flag allows something. */
		now.flags &= old->id == now.id ? old->flags : 0;
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
