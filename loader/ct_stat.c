// SPDX-License-Identifier: BSD-2-Clause
/* `weft ct stat [TENANT]`: how full the flow tables are, of what, and what came of it. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "include/drop_reasons.h"
#include "loader/commands.h"
#include "loader/ct.h"
#include "loader/flows.h"

/* What tenant_stats knows of conntrack. */
static const struct {
	const char *name;
	size_t offset;
} counters[] = {
	{ "new", offsetof(struct tenant_traffic, flows) },
	{ "reclaimed", offsetof(struct tenant_traffic, reclaimed) },
	{ "displaced", offsetof(struct tenant_traffic, displaced) },
	{ "full", offsetof(struct tenant_traffic, full) },
	{ "tcp_outside", offsetof(struct tenant_traffic, tcp_outside) },
	{ "events_lost", offsetof(struct tenant_traffic, events_lost) },
};

/* Drops are counted for the whole host. */
static const struct {
	const char *name;
	enum drop_reason reason;
} drop_names[] = {
#define X(id, name, text) { name, DROP_##id },
	WEFT_DROP_REASONS(X)
#undef X
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

struct counting {
	struct ct *ct;
	json_t *all, *tenant; /* by name; the one that is being counted */
	json_t *states;
	json_int_t flows, expired;
};

static void add(json_t *object, const char *key, json_int_t n)
{
	json_object_set_new(object, key,
			    json_integer(json_integer_value(json_object_get(object, key)) + n));
}

static int count_flow(const void *key, const struct flow *flow, void *arg)
{
	struct counting *c = arg;
	struct flow_view v;

	ct_view(c->ct, &v, key, flow);
	if (flow_view_expired(&v)) {
		c->expired++;
		return 0;
	}
	c->flows++;
	add(c->states, flow_view_state(&v), 1);
	return 0;
}

static json_t *tenant_of(struct counting *c)
{
	json_t *one = json_object_get(c->all, c->ct->tenant->name);

	if (one)
		return one;
	one = json_pack("{s:i, s:i, s:i, s:{}, s:{}}", "flows", 0, "half_open", 0, "expired", 0,
			"tables", "counters");
	json_object_set_new(c->all, c->ct->tenant->name, one);
	return one;
}

static int count_table(struct ct *ct, void *arg, struct error *e)
{
	const struct model_tenant *t = ct->tenant;
	bool half_open = flow_is_half_open(ct->table);
	struct counting *c = arg;
	int fd, failed;

	c->tenant = tenant_of(c);
	if (flows_open(&ct->s.root, t->name, ct->table, &fd, e))
		return -1;
	if (fd < 0)
		return 0;
	c->states = json_object();
	c->flows = c->expired = 0;
	failed = flows_each_of(fd, ct->table, count_flow, c, e);
	close(fd);
	json_object_set_new(json_object_get(c->tenant, "tables"), inner_kinds[ct->table].name,
			    json_pack("{s:I, s:I, s:I, s:o}", "flows", c->flows, "capacity",
				      (json_int_t)(half_open ? t->max_half_open : t->max_flows),
				      "expired", c->expired, "states", c->states));
	add(c->tenant, half_open ? "half_open" : "flows", c->flows);
	add(c->tenant, "expired", c->expired);
	return failed;
}

/* ---- counters ---- */

static int read_counters(const struct ct *ct, json_t *all, struct error *e)
{
	int cpus = libbpf_num_possible_cpus(), fd = root_map(&ct->s.root, "tenant_stats", e);
	struct tenant_traffic values[cpus > 0 ? cpus : 1];

	if (fd < 0)
		return -1;
	for (size_t i = 0; i < ct->s.model.n_tenants; i++) {
		const struct model_tenant *t = &ct->s.model.tenants[i];
		json_t *to = json_object_get(json_object_get(all, t->name), "counters");

		if (!to || bpf_map_lookup_elem(fd, &t->slot, values))
			continue;
		for (size_t k = 0; k < COUNT(counters); k++) {
			add(to, counters[k].name, 0);
			for (int cpu = 0; cpu < cpus; cpu++)
				add(to, counters[k].name,
				    (json_int_t) * (const uint64_t *)((const char *)&values[cpu] +
								      counters[k].offset));
		}
	}
	close(fd);
	return 0;
}

static bool is_of_conntrack(const char *reason)
{
	return !strncmp(reason, "ct_", 3) || !strcmp(reason, "icmp_unrelated");
}

static int read_drops(const struct ct *ct, json_t *drops, struct error *e)
{
	int cpus = libbpf_num_possible_cpus(), fd = root_map(&ct->s.root, "drops", e);
	uint64_t values[cpus > 0 ? cpus : 1];

	if (fd < 0)
		return -1;
	for (size_t i = 0; i < COUNT(drop_names); i++) {
		uint32_t key = drop_names[i].reason;

		if (!is_of_conntrack(drop_names[i].name) || bpf_map_lookup_elem(fd, &key, values))
			continue;
		for (int cpu = 0; cpu < cpus; cpu++)
			add(drops, drop_names[i].name, (json_int_t)values[cpu]);
	}
	close(fd);
	return 0;
}

static json_t *sum_of(json_t *all)
{
	json_t *sum = json_pack("{s:i, s:i, s:i, s:{}}", "flows", 0, "half_open", 0, "expired", 0,
				"counters");
	const char *name, *key;
	json_t *one, *n;

	json_object_foreach (all, name, one) {
		json_object_foreach (one, key, n)
			if (json_is_integer(n))
				add(sum, key, json_integer_value(n));
		json_object_foreach (json_object_get(one, "counters"), key, n)
			add(json_object_get(sum, "counters"), key, json_integer_value(n));
	}
	return sum;
}

/* ---- printing ---- */

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_numbers(const char *title, json_t *numbers, bool zeroes)
{
	const char *key;
	json_t *n;

	printf("  %-8s", title);
	json_object_foreach (numbers, key, n)
		if (json_integer_value(n) || zeroes)
			printf(" %s %lld", key, (long long)json_integer_value(n));
	putchar('\n');
}

static void print_tenant(const char *name, json_t *one)
{
	const char *table;
	json_t *t;

	printf("%s: flows %lld, half-open %lld, expired and not removed yet %lld\n", name,
	       number(one, "flows"), number(one, "half_open"), number(one, "expired"));
	json_object_foreach (json_object_get(one, "tables"), table, t) {
		json_t *states = json_object_get(t, "states");
		char title[64];

		snprintf(title, sizeof(title), "%s %lld of %lld", table, number(t, "flows"),
			 number(t, "capacity"));
		if (json_object_size(states))
			print_numbers(title, states, true);
		else
			printf("  %s\n", title);
	}
	print_numbers("counted", json_object_get(one, "counters"), true);
}

static void print_all(json_t *report)
{
	const char *name;
	json_t *one;

	json_object_foreach (json_object_get(report, "tenants"), name, one)
		print_tenant(name, one);
	if (!json_object_get(report, "total"))
		return;
	print_tenant("total", json_object_get(report, "total"));
	puts("this host:");
	print_numbers("dropped", json_object_get(report, "drops"), true);
}

static int count_all(struct ct *ct, json_t *report, struct error *e)
{
	json_t *all = json_object_get(report, "tenants"), *drops = json_object();
	struct counting c = { .ct = ct, .all = all };
	int failed = ct_each_table(ct, count_table, &c, e) || read_counters(ct, all, e) ||
		     read_drops(ct, drops, e);

	/* One tenant has no drops of its own. */
	if (!failed && !ct->filter.tenant) {
		json_object_set_new(report, "total", sum_of(all));
		json_object_set(report, "drops", drops);
	}
	json_decref(drops);
	return failed ? -1 : 0;
}

int cmd_ct_stat(struct command_line *cl, struct error *e)
{
	json_t *report = json_pack("{s:{}}", "tenants");
	struct ct ct;
	int failed = ct_open(&ct, cl, e) || count_all(&ct, report, e);

	if (!failed && cl->json)
		failed = cli_json(cl, json_incref(report), e);
	else if (!failed)
		print_all(report);
	json_decref(report);
	ct_close(&ct);
	return failed ? -1 : EXIT_DONE;
}
