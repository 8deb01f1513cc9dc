// SPDX-License-Identifier: BSD-2-Clause
/* `weft counters`: what was dropped and why, and what went where. */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "include/chain.h"
#include "include/drop_reasons.h"
#include "include/flow.h"
#include "include/function.h"
#include "include/port.h"
#include "loader/commands.h"
#include "loader/entries.h"
#include "loader/instances.h"
#include "loader/show.h"
#include "loader/show_fragments.h"

#define FIELDS_MAX 17
#define COLUMNS    5 /* of a table; more fields make a second one */

/* A map of counters: structs of 64-bit numbers, one a CPU. */
struct counted {
	const char *map, *title, *class_name;
	int fields;
	const char *field[FIELDS_MAX];
};

#define TRAFFIC                                                                                    \
	5,                                                                                         \
	{                                                                                          \
		"from_packets", "from_bytes", "to_packets", "to_bytes", "drops"                    \
	}

static const struct counted counted[] = {
	{ "port_stats", "ports", "ports", TRAFFIC },
	{ "network_stats", "networks", "networks", TRAFFIC },
	{ "tenant_stats",
	  "tenants",
	  "tenants",
	  17,
	  { "flows", "would_drop_in", "would_drop_out", "reclaimed", "displaced",
	    "fragments_evicted", "default_in", "default_out", "logs_suppressed", "logs_lost",
	    "hits_lost", "tcp_outside", "full", "events_lost", "syn_cookies_sent",
	    "syn_cookies_valid", "syn_cookies_invalid" } },
	{ "chain_stats",
	  "chains",
	  "chains",
	  5,
	  { "sent", "returned", "bypassed", "kept", "skipped" } },
};

/* Of each step of a chain; the same entries. */
static const struct counted counted_steps = {
	"chain_stats", "steps", "chains", 5, { "sent", "returned", NULL, NULL, "skipped" }
};

/* Of each instance that is on this host. */
static const struct counted counted_instances = {
	"sf_stats", "instances", "functions", 4, { "flows", "moved", "sent", "returned" }
};

_Static_assert(sizeof(struct sf_traffic) == 4 * 8, "fields of struct sf_traffic");
_Static_assert(sizeof(struct traffic) == 5 * 8, "fields of struct traffic");
_Static_assert(sizeof(struct tenant_traffic) == 17 * 8, "fields of struct tenant_traffic");
_Static_assert(sizeof(struct chain_traffic) == 5 * 8, "fields of struct chain_traffic");

static const char *const reason_names[DROP_REASONS] = {
#define X(id, name, text) [DROP_##id] = name,
	WEFT_DROP_REASONS(X)
#undef X
};

static const char *const reason_texts[DROP_REASONS] = {
#define X(id, name, text) [DROP_##id] = text,
	WEFT_DROP_REASONS(X)
#undef X
};

static int read_counters(const struct show *s, const char *map, int fields, struct entries *list,
			 struct error *e)
{
	int fd = root_map(&s->root, map, e), failed;

	if (fd < 0)
		return -1;
	entries_init(list, sizeof(uint32_t),
		     (size_t)fields * 8 * (size_t)libbpf_num_possible_cpus());
	failed = map_read(fd, map, list, e);
	close(fd);
	return failed;
}

/* The sum over all CPUs of one field of a slot. */
static uint64_t sum(const struct entries *list, size_t slot, int fields, int field)
{
	const uint64_t *values = entries_value(list, slot);
	size_t n = list->value_size / 8;
	uint64_t total = 0;

	for (size_t i = (size_t)field; i < n; i += (size_t)fields)
		total += values[i];
	return total;
}

static bool is_of_chains(const struct counted *c)
{
	return !strcmp(c->map, "chain_stats");
}

/* Likewise, and of a chain over all its steps. */
static uint64_t sum_steps(const struct entries *list, size_t slot, const struct counted *c,
			  int field)
{
	uint64_t total = sum(list, slot, c->fields, field);

	for (unsigned int n = 1; n < CHAIN_STEPS && is_of_chains(c); n++)
		if (CHAIN_STEP_INDEX(slot, n) < list->n)
			total += sum(list, CHAIN_STEP_INDEX(slot, n), c->fields, field);
	return total;
}

static json_t *drops(const struct entries *list)
{
	json_t *all = json_object();

	for (size_t i = DROP_NONE + 1; i < DROP_REASONS && i < list->n; i++)
		json_object_set_new(all, reason_names[i],
				    json_integer((json_int_t)sum(list, i, 1, 0)));
	return all;
}

/* Is the object counted on this host? Ports and their networks elsewhere have nothing here. */
static bool counts_here(const struct show *s, const struct counted *c, const char *name)
{
	const char *slash = strchr(name, '/');
	char tenant[WEFT_NAME_LEN + 1];
	struct model_network *n;
	struct model_port *p;

	if (!slash)
		return true;
	snprintf(tenant, sizeof(tenant), "%.*s", (int)(slash - name), name);
	if (!strcmp(c->title, "ports")) {
		p = model_port(&s->model, tenant, slash + 1);
		return p && p->here;
	}
	n = strcmp(c->title, "networks") ? NULL : model_network(&s->model, tenant, slash + 1);
	return !n || n->here;
}

static json_t *by_name(const struct show *s, const struct counted *c, const struct entries *list)
{
	json_t *all = json_object();
	size_t slots;
	const char **paths = identities_by_slot(&s->state.ids, c->class_name, &slots);

	for (size_t i = 0; i < slots && i < list->n; i++) {
		char name[SHOW_NAME_SIZE];
		json_t *one;

		if (!paths[i] || !counts_here(s, c, show_name(paths[i], name, sizeof(name))))
			continue;
		one = json_object();
		for (int f = 0; f < c->fields; f++)
			json_object_set_new(one, c->field[f],
					    json_integer((json_int_t)sum_steps(list, i, c, f)));
		json_object_set_new(all, name, one);
	}
	free(paths);
	return all;
}

static json_t *fields_of(const struct counted *c, const struct entries *list, size_t index)
{
	json_t *one = json_object();

	for (int f = 0; f < c->fields && index < list->n; f++)
		if (c->field[f])
			json_object_set_new(
				one, c->field[f],
				json_integer((json_int_t)sum(list, index, c->fields, f)));
	return one;
}

/* By TENANT/CHAIN/FUNCTION. */
static json_t *by_step(const struct show *s, const struct entries *list)
{
	const struct counted *c = &counted_steps;
	json_t *all = json_object();

	for (size_t i = 0; i < s->model.n_chains; i++) {
		const struct model_chain *chain = &s->model.chains[i];

		for (uint8_t n = 0; n < chain->steps; n++) {
			size_t index = CHAIN_STEP_INDEX(chain->slot, (size_t)n);
			char name[SHOW_NAME_SIZE + WEFT_NAME_LEN + 1];

			snprintf(name, sizeof(name), "%s/%s/%s", chain->tenant, chain->name,
				 chain->step[n].function);
			json_object_set_new(all, name, fields_of(c, list, index));
		}
	}
	return all;
}

/* By FUNCTION/INSTANCE. */
static int by_instance(struct show *s, json_t *all, struct error *e)
{
	const struct counted *c = &counted_instances;
	json_t *instances = json_object();
	struct entries list;

	json_object_set_new(all, c->title, instances);
	if (!s->model.n_instances)
		return 0;
	if (instances_place(&s->model, &s->root, e) ||
	    read_counters(s, c->map, c->fields, &list, e))
		return -1;
	for (size_t i = 0; i < s->model.n_instances; i++) {
		const struct model_instance *one = &s->model.instances[i];
		const struct model_function *f = model_function(&s->model, one->function);
		char name[SHOW_NAME_SIZE];

		if (!model_instance_is_used(one))
			continue;
		snprintf(name, sizeof(name), "%s/%s", one->function, one->name);
		json_object_set_new(
			instances, name,
			fields_of(c, &list, INSTANCE_INDEX((size_t)f->slot, one->place)));
	}
	entries_free(&list);
	return 0;
}

static int collect(struct show *s, json_t *all, struct error *e)
{
	struct entries list;
	json_t *fragments;
	int failed;

	if (read_counters(s, "drops", 1, &list, e))
		return -1;
	json_object_set_new(all, "drops", drops(&list));
	entries_free(&list);
	for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++) {
		const struct counted *c = &counted[i];

		if (read_counters(s, c->map, c->fields, &list, e))
			return -1;
		json_object_set_new(all, c->title, by_name(s, c, &list));
		if (is_of_chains(c))
			json_object_set_new(all, counted_steps.title, by_step(s, &list));
		entries_free(&list);
	}
	if (by_instance(s, all, e))
		return -1;
	failed = fragments_in_use(s, &fragments, e);
	json_object_set_new(all, "fragments", fragments);
	return failed;
}

static void print_drops(const json_t *all, bool details)
{
	bool any = false;

	for (size_t i = DROP_NONE + 1; i < DROP_REASONS; i++) {
		long long n = json_integer_value(json_object_get(all, reason_names[i]));

		if (!n && !details)
			continue;
		if (!any)
			puts("drops");
		any = true;
		printf("  %-18s %14lld  %s\n", reason_names[i], n, reason_texts[i]);
	}
}

static long long field_of(const struct counted *c, const json_t *one, int field)
{
	return json_integer_value(json_object_get(one, c->field[field]));
}

static void print_columns(const struct counted *c, const json_t *all, bool details, int from,
			  int to)
{
	bool any = false;
	const char *name;
	json_t *one;

	json_object_foreach ((json_t *)all, name, one) {
		bool zero = true;

		for (int f = from; f < to; f++)
			zero = zero && !(c->field[f] && field_of(c, one, f));
		if (zero && !details)
			continue;
		if (!any) {
			printf("%-28s", c->title);
			for (int f = from; f < to; f++)
				if (c->field[f])
					printf(" %15s", c->field[f]);
			putchar('\n');
		}
		any = true;
		printf("  %-26s", name);
		for (int f = from; f < to; f++)
			if (c->field[f])
				printf(" %15lld", field_of(c, one, f));
		putchar('\n');
	}
}

static void print_table(const struct counted *c, const json_t *all, bool details)
{
	for (int from = 0; from < c->fields; from += COLUMNS)
		print_columns(c, all, details, from,
			      from + COLUMNS < c->fields ? from + COLUMNS : c->fields);
}

int cmd_counters(struct command_line *cl, struct error *e)
{
	json_t *all = json_object();
	struct show s;
	int result;

	if (show_open(&s, cl, e)) {
		json_decref(all);
		return -1;
	}
	result = collect(&s, all, e);
	if (!result && cl->json) {
		result = cli_json(cl, json_incref(all), e);
	} else if (!result) {
		print_drops(json_object_get(all, "drops"), cl->details);
		for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++)
			print_table(&counted[i], json_object_get(all, counted[i].title),
				    cl->details);
		print_table(&counted_steps, json_object_get(all, counted_steps.title), cl->details);
		print_table(&counted_instances, json_object_get(all, counted_instances.title),
			    cl->details);
		fragments_print(json_object_get(all, "fragments"), cl->details);
	}
	json_decref(all);
	show_close(&s);
	return result;
}
