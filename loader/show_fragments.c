// SPDX-License-Identifier: BSD-2-Clause
/* What tenants' fragment tables hold at the moment. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "include/fragment.h"
#include "loader/entries.h"
#include "loader/flows.h"
#include "loader/show_fragments.h"

struct use {
	size_t datagrams, waiting, early, room;
};

/* The same choice as the datapath makes, which leaves what is over where it is until its place is needed. */
static bool is_over(const struct fragment_entry *entry, uint32_t age, const struct tenant *t)
{
	return age > t->timeout[entry->family == FAMILY_IPV4 ? CT_FRAGMENT : CT_FRAGMENT_IPV6];
}

static void count(const struct entries *sets, uint32_t now, const struct tenant *t, struct use *use)
{
	for (size_t i = 0; i < sets->n * FRAGMENT_WAYS; i++) {
		const struct fragment_set *set = entries_value(sets, i / FRAGMENT_WAYS);
		const struct fragment_entry *entry = &set->way[i % FRAGMENT_WAYS];

		use->room++;
		if (entry->state == FRAGMENT_FREE || entry->state == FRAGMENT_COMPLETE ||
		    is_over(entry, now - entry->since, t))
			continue;
		use->datagrams++;
		use->waiting += entry->state == FRAGMENT_WAITING ||
				entry->state == FRAGMENT_COMING;
	}
}

/* Keys alone: what workloads say is not looked at. Who may not read the map learns of none. */
static void read_early(const struct show *s, struct entries *keys)
{
	int fd = root_map(&s->root, "early", NULL);
	struct early_key key, next;

	entries_init(keys, sizeof(key), 0);
	if (fd < 0)
		return;
	for (int end = bpf_map_get_next_key(fd, NULL, &next); !end;
	     end = bpf_map_get_next_key(fd, &key, &next)) {
		key = next;
		entries_add(keys, &key, NULL);
		/* A frame that goes meanwhile sends the walk back to the beginning. */
		if (keys->n == EARLY_TENANTS * EARLY_FRAMES)
			break;
	}
	close(fd);
}

static size_t early_of(const struct entries *keys, uint32_t tenant)
{
	size_t n = 0;

	for (size_t i = 0; i < keys->n; i++)
		n += ((const struct early_key *)entries_key(keys, i))->tenant == tenant;
	return n;
}

static int one_tenant(const struct show *s, const struct model_tenant *tenant, int slots,
		      uint32_t now, const struct entries *early, json_t *all, struct error *e)
{
	int fd = inner_open(&s->root, tenant->name, INNER_FRAGMENTS), failed;
	struct use use = { 0 };
	struct tenant record;
	struct entries sets;

	if (fd < 0)
		return errno == ENOENT ? 0
				       : error_set(e, EXIT_REFUSED,
						   "tenant %s: fragments cannot be opened: %s",
						   tenant->name, strerror(errno));
	entries_init(&sets, sizeof(uint32_t), sizeof(struct fragment_set));
	failed = map_read(fd, "fragments", &sets, e);
	if (!failed && bpf_map_lookup_elem(slots, &tenant->slot, &record))
		failed = error_set(e, EXIT_REFUSED, "tenant %s: its slot cannot be read: %s",
				   tenant->name, strerror(errno));
	close(fd);
	if (!failed) {
		count(&sets, now, &record, &use);
		use.early = early_of(early, tenant->slot);
		json_object_set_new(all, tenant->name,
				    json_pack("{s:I, s:I, s:I, s:I}", "datagrams",
					      (json_int_t)use.datagrams, "waiting",
					      (json_int_t)use.waiting, "early",
					      (json_int_t)use.early, "room", (json_int_t)use.room));
	}
	entries_free(&sets);
	return failed;
}

int fragments_in_use(const struct show *s, json_t **all, struct error *e)
{
	int slots = root_map(&s->root, "tenant_slots", e), failed;
	struct entries early;
	uint64_t now;

	*all = json_object();
	read_early(s, &early);
	failed = slots < 0 || flows_now(&s->root, &now, e);
	for (size_t i = 0; i < s->model.n_tenants && !failed; i++)
		failed = one_tenant(s, &s->model.tenants[i], slots, (uint32_t)now, &early, *all,
				    e);
	entries_free(&early);
	if (slots >= 0)
		close(slots);
	return failed ? -1 : 0;
}

void fragments_print(const json_t *all, bool details)
{
	static const char *const fields[] = { "datagrams", "waiting", "early", "room" };
	bool any = false;
	const char *name;
	json_t *one;

	json_object_foreach ((json_t *)all, name, one) {
		if (!details && !json_integer_value(json_object_get(one, "datagrams")))
			continue;
		if (!any)
			printf("%-28s %14s %14s %14s %14s\n", "fragments", fields[0], fields[1],
			       fields[2], fields[3]);
		any = true;
		printf("  %-26s", name);
		for (size_t f = 0; f < sizeof(fields) / sizeof(fields[0]); f++)
			printf(" %14lld",
			       (long long)json_integer_value(json_object_get(one, fields[f])));
		putchar('\n');
	}
}
