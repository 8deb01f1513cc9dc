// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/log.h"
#include "agent/sweep.h"
#include "loader/alloc.h"
#include "loader/entries.h"
#include "loader/flows.h"

#define PLACES_AT_ONCE 32768 /* 4 MB of them, or 5: some milliseconds */
#define TABLE_COSTS    1024 /* in places: to open one, and to map it */
#define PIECE_GAP_MS   2
#define PASS_EVERY_MS  10000 /* the shortest of the time-outs, by default */
#define SHARE          100 /* at most one part in so many of the time goes into passes */

/* ---- one table ---- */

static bool has_expired(uint8_t protocol, const struct flow *flow, void *arg)
{
	const struct sweep *s = arg;

	return flow_idle(flow, s->now) > flow_may_idle(flow, protocol, &s->record);
}

static void tell_gone(struct sweep *s, const void *key, const struct flow *flow)
{
	flow_tell_gone(&s->tell, s->tenants.list[s->tenant].slot, key,
		       flow_family(flow_tables[s->table]), flow, FLOW_EXPIRED);
}

static void gone(const void *key, const struct flow *flow, void *arg)
{
	tell_gone(arg, key, flow);
}

struct ending {
	struct sweep *s;
	int fd;
	size_t asked;
};

/* Handshakes: the kernel's own table, which makes room by itself; but lists and events shall not have to wait for that. */
static int end_some(const struct entries *some, void *arg)
{
	struct ending *ending = arg;
	struct sweep *s = ending->s;
	enum inner table = flow_tables[s->table];
	struct error unused = { 0 };
	struct entries list;

	entries_init(&list, some->key_size, 0);
	for (size_t i = 0; i < some->n; i++) {
		const void *key = entries_key(some, i);

		if (!has_expired(flow_protocol_of(key, table), entries_value(some, i), s))
			continue;
		entries_add(&list, key, NULL);
		tell_gone(s, key, entries_value(some, i));
	}
	map_delete(ending->fd, inner_kinds[table].name, &list, &unused);
	entries_free(&list);
	ending->asked += some->n;
	return 0;
}

/* Returns what it cost, in places. What is not there, or is of another version just now, is left for the next pass. */
static size_t open_table(struct sweep *s)
{
	const char *tenant = s->tenants.list[s->tenant].name;
	enum inner table = flow_tables[s->table];
	struct error unused = { 0 };
	struct ending ending = { s, -1, 0 };

	if (flows_open(s->root, tenant, table, &ending.fd, &unused) || ending.fd < 0)
		return 1;
	s->place = 0;
	if (flow_is_half_open(table))
		map_each(ending.fd, inner_kinds[table].name, flow_key_size(table),
			 sizeof(struct flow), end_some, &ending, &unused);
	else
		flow_table_open(&s->open, ending.fd, flow_family(table), 0, inner_kinds[table].name,
				&unused);
	close(ending.fd);
	return TABLE_COSTS + ending.asked;
}

/* ---- a piece of a pass ---- */

static bool read_tenant(struct sweep *s)
{
	const struct sweep_tenant *t = &s->tenants.list[s->tenant];

	return !bpf_map_lookup_elem(s->slots, &t->slot, &s->record) && s->record.id == t->id;
}

/* The table that is open, for so many places; false: it is done. */
static bool go_on(struct sweep *s, size_t *budget)
{
	struct flow_sweep sweep = { has_expired, gone, s };
	size_t before = s->place;

	/* Another tenant's slot by now, whose time-outs say nothing of these flows. */
	if (!read_tenant(s))
		return false;
	flow_table_sweep(&s->open, &s->place, *budget, &sweep);
	*budget -= s->place - before < *budget ? s->place - before : *budget;
	return s->place < (size_t)s->open.buckets * FLOW_PLACES;
}

static void look_for_full(struct sweep *s)
{
	struct sweep_tenant *t = &s->tenants.list[s->tenant];
	int cpus = libbpf_num_possible_cpus();
	struct tenant_traffic values[cpus > 0 ? cpus : 1];
	uint64_t full = 0;

	if (cpus <= 0 || !read_tenant(s) || bpf_map_lookup_elem(s->stats, &t->slot, values))
		return;
	for (int i = 0; i < cpus; i++)
		full += values[i].full;
	if (t->seen && full > t->full)
		log_event(
			s->cl, LOG_WARNING, "full",
			json_pack("{s:s, s:I}", "tenant", t->name, "packets",
				  (json_int_t)(full - t->full)),
			"tenant %s: its flow table is full: %llu packets of new flows were dropped",
			t->name, (unsigned long long)(full - t->full));
	t->full = full;
	t->seen = true;
}

/* Is there more? */
static bool piece(struct sweep *s)
{
	size_t budget = PLACES_AT_ONCE, cost;

	while (budget && s->tenant < s->tenants.n) {
		if (s->open.places) {
			if (go_on(s, &budget))
				return true;
			flow_table_close(&s->open);
			s->table++;
		} else if (s->table == FLOW_TABLES) {
			look_for_full(s);
			s->table = 0;
			s->tenant++;
		} else {
			cost = read_tenant(s) ? open_table(s) : 1;
			s->table += !s->open.places;
			budget -= cost < budget ? cost : budget;
		}
	}
	return s->tenant < s->tenants.n;
}

static void close_maps(struct sweep *s)
{
	if (s->slots >= 0)
		close(s->slots);
	if (s->stats >= 0)
		close(s->stats);
	s->slots = s->stats = -1;
}

static void end_pass(struct sweep *s)
{
	flow_table_close(&s->open);
	s->begun = false;
}

/* While a load changes the version, or there is no root, there is nothing to do. */
static bool enter(struct sweep *s)
{
	struct error unused = { 0 };

	if (root_check(s->root, &unused) || flows_now(s->root, &s->now, &unused))
		return false;
	s->slots = root_map(s->root, "tenant_slots", &unused);
	s->stats = root_map(s->root, "tenant_stats", &unused);
	if (s->slots >= 0 && s->stats >= 0) {
		flow_tell_open(&s->tell, s->root, s->now);
		return true;
	}
	close_maps(s);
	return false;
}

/* What was seen of a tenant that is still there. Both lists are in the order of slots. */
static void keep_seen(struct sweep_tenants *to, const struct sweep_tenants *from)
{
	size_t k = 0;

	for (size_t i = 0; i < to->n; i++) {
		while (k < from->n && from->list[k].slot < to->list[i].slot)
			k++;
		if (k < from->n && from->list[k].id == to->list[i].id)
			to->list[i] = from->list[k];
	}
}

static void begin_pass(struct sweep *s)
{
	if (s->learned.list) {
		keep_seen(&s->learned, &s->tenants);
		free(s->tenants.list);
		s->tenants = s->learned;
		s->learned = (struct sweep_tenants){ 0 };
	}
	s->begun = true;
	s->tenant = s->table = 0;
	s->cost_us = 0;
}

static int64_t cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t rest_ms(const struct sweep *s)
{
	int64_t ms = s->cost_us * SHARE / 1000;

	return ms < PASS_EVERY_MS ? PASS_EVERY_MS : ms;
}

static int on_timer(struct source *source, struct error *e)
{
	struct sweep *s = source->data;
	int64_t began = cpu_us();
	bool more = false;

	(void)e;
	timer_drain(source);
	if (!s->begun)
		begin_pass(s);
	if (enter(s)) {
		more = piece(s);
		flow_tell_close(&s->tell);
		close_maps(s);
	}
	s->cost_us += cpu_us() - began;
	if (!more)
		end_pass(s);
	timer_set(source, more ? PIECE_GAP_MS : rest_ms(s));
	return 0;
}

/* ---- its life ---- */

int sweep_open(struct sweep *s, const struct command_line *cl, const struct root *root,
	       struct loop *loop, struct error *e)
{
	s->cl = cl;
	s->root = root;
	s->slots = s->stats = -1;
	s->timer.ready = on_timer;
	s->timer.data = s;
	if (timer_open(&s->timer, e) || loop_add(loop, &s->timer, e))
		return -1;
	timer_set(&s->timer, PASS_EVERY_MS);
	return 0;
}

void sweep_close(struct sweep *s, struct loop *loop)
{
	end_pass(s);
	loop_drop(loop, &s->timer);
	free(s->tenants.list);
	free(s->learned.list);
	s->tenants = s->learned = (struct sweep_tenants){ 0 };
}

/* The pass under way keeps its own. */
void sweep_learn(struct sweep *s, const struct identities *ids)
{
	size_t slots, n = 0;
	const char **paths = identities_by_slot(ids, "tenants", &slots);
	struct sweep_tenant *list = alloc_zero(slots + 1, sizeof(*list));

	for (size_t slot = 0; slot < slots; slot++) {
		const struct identity *id = paths[slot] ? identity_find(ids, paths[slot]) : NULL;
		struct sweep_tenant *t = &list[n];

		if (!id)
			continue;
		snprintf(t->name, sizeof(t->name), "%s", strrchr(paths[slot], '/') + 1);
		t->id = id->id;
		t->slot = (uint32_t)slot;
		n++;
	}
	free(paths);
	free(s->learned.list);
	s->learned = (struct sweep_tenants){ list, n };
}
