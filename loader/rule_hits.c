// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/alloc.h"
#include "loader/entries.h"
#include "loader/inner.h"
#include "loader/rule_hits.h"

#define ROOM_MIN       64
#define ROOM_TOO_LARGE 8 /* times what is wanted */

uint32_t rule_hits_room(size_t rules)
{
	uint32_t room = ROOM_MIN;

	while (room < 2 * rules && room < 1u << 30)
		room *= 2;
	return room;
}

bool rule_hits_fits(uint32_t entries, uint32_t wanted)
{
	return entries >= wanted && entries / ROOM_TOO_LARGE <= wanted;
}

/* Values of all CPUs, in the order of CPUs. */
static size_t cpus(void)
{
	int n = libbpf_num_possible_cpus();

	return n > 0 ? (size_t)n : 1;
}

static int read_map(int fd, struct entries *list, struct error *e)
{
	entries_init(list, sizeof(struct rule_hits_key), cpus() * sizeof(struct rule_hits));
	return map_read(fd, inner_kinds[INNER_RULE_HITS].name, list, e);
}

static int compare_sums(const void *a, const void *b)
{
	const struct rule_hits_sum *x = a, *y = b;

	return x->rule < y->rule ? -1 : x->rule > y->rule;
}

/* One sum a rule, whatever keys it has. */
static void add_up(const struct entries *map, struct rule_hits_list *list)
{
	size_t n = 0;

	list->sums = alloc_zero(map->n, sizeof(*list->sums));
	for (size_t i = 0; i < map->n; i++) {
		const struct rule_hits_key *key = entries_key(map, i);
		const struct rule_hits *values = entries_value(map, i);

		list->sums[i].rule = key->rule;
		for (size_t cpu = 0; cpu < cpus(); cpu++) {
			list->sums[i].packets += values[cpu].packets;
			list->sums[i].bytes += values[cpu].bytes;
		}
	}
	qsort(list->sums, map->n, sizeof(*list->sums), compare_sums);
	for (size_t i = 0; i < map->n; i++) {
		struct rule_hits_sum *last = n ? &list->sums[n - 1] : NULL;

		if (!last || last->rule != list->sums[i].rule) {
			list->sums[n++] = list->sums[i];
			continue;
		}
		last->packets += list->sums[i].packets;
		last->bytes += list->sums[i].bytes;
	}
	list->n = n;
}

static int read_sums(int fd, struct rule_hits_list *list, struct error *e)
{
	struct entries map;
	int failed = read_map(fd, &map, e);

	*list = (struct rule_hits_list){ 0 };
	if (!failed)
		add_up(&map, list);
	entries_free(&map);
	return failed;
}

int rule_hits_carry(int old, int new, struct error *e)
{
	size_t size = cpus() * sizeof(struct rule_hits);
	struct rule_hits *value = alloc_zero(1, size);
	struct rule_hits_list had;
	struct entries carried;
	int failed;

	if (read_sums(old, &had, e)) {
		free(value);
		return -1;
	}
	entries_init(&carried, sizeof(struct rule_hits_key), size);
	for (size_t i = 0; i < had.n; i++) {
		struct rule_hits_key key = { .rule = had.sums[i].rule, .carried = 1 };

		value[0] = (struct rule_hits){ had.sums[i].packets, had.sums[i].bytes };
		entries_add(&carried, &key, value);
	}
	failed = map_write(new, inner_kinds[INNER_RULE_HITS].name, &carried, e);
	entries_free(&carried);
	free(had.sums);
	free(value);
	return failed;
}

/* Ids of the tenant's rules, sorted. */
static struct entries ids_of(const struct model_tenant *tenant, const struct identities *ids)
{
	const json_t *acl = json_object_get(tenant->body, "acl");
	char path[CONFIG_PATH_LEN];
	struct entries list;
	const char *name;
	json_t *unused;

	entries_init(&list, sizeof(uint32_t), 1);
	json_object_foreach ((json_t *)acl, name, unused) {
		const struct identity *one;
		uint32_t id;

		snprintf(path, sizeof(path), "tenants/%s/acl/%s", tenant->name, name);
		one = identity_find(ids, path);
		id = one ? (uint32_t)one->id : 0;
		entries_add(&list, &id, NULL);
	}
	entries_sort(&list);
	return list;
}

int rule_hits_sweep(const struct root *root, const struct model_tenant *tenant,
		    const struct identities *ids, struct error *e)
{
	struct entries has = ids_of(tenant, ids);
	int failed = rule_hits_sweep_but(root, tenant->name, &has, e);

	entries_free(&has);
	return failed;
}

int rule_hits_sweep_but(const struct root *root, const char *tenant, const struct entries *ids, struct error *e)
{
	const char *name = inner_kinds[INNER_RULE_HITS].name;
	int fd = inner_open(root, tenant, INNER_RULE_HITS), failed;
	struct entries map, gone;

	if (fd < 0)
		return 0;
	failed = read_map(fd, &map, e);
	entries_init(&gone, sizeof(struct rule_hits_key), 0);
	if (!failed && map.n) {
		for (size_t i = 0; i < map.n; i++) {
			const struct rule_hits_key *key = entries_key(&map, i);

			if (!entries_find(ids, &key->rule))
				entries_add(&gone, key, NULL);
		}
		failed = map_delete(fd, name, &gone, e);
	}
	entries_free(&gone);
	entries_free(&map);
	close(fd);
	return failed;
}

int rule_hits_read(const struct root *root, const char *tenant, struct rule_hits_list *list,
		   struct error *e)
{
	int fd = inner_open(root, tenant, INNER_RULE_HITS), failed;

	*list = (struct rule_hits_list){ 0 };
	if (fd < 0)
		return 0;
	failed = read_sums(fd, list, e);
	close(fd);
	return failed;
}

const struct rule_hits_sum *rule_hits_find(const struct rule_hits_list *list, uint32_t rule)
{
	struct rule_hits_sum key = { .rule = rule };

	if (!list->n)
		return NULL;
	return bsearch(&key, list->sums, list->n, sizeof(key), compare_sums);
}
