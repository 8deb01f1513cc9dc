// SPDX-License-Identifier: BSD-2-Clause
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "include/steer.h"
#include "loader/alloc.h"
#include "loader/flows.h"
#include "loader/instance_flows.h"

/* Both clocks are read to within a second. */
#define SLACK_S 2

/* Of sf_flows; in this order. */
struct pin {
	uint64_t flow;
	uint32_t tenant, function;
	uint32_t instance, seen;
};

struct search {
	const struct root *root;
	const struct instance_wanted *wanted;
	struct pin *pins;
	size_t n, room;
	uint64_t now; /* jiffies */
	uint32_t hz;
	instance_flow_fn *fn;
	void *arg;
	/* where one is */
	const struct model_tenant *tenant;
	struct tenant record;
	enum inner table;
};

static int take_pins(const struct entries *some, void *arg)
{
	struct search *s = arg;

	for (size_t i = 0; i < some->n; i++) {
		const struct sf_flow_key *key = entries_key(some, i);
		const struct sf_flow *known = entries_value(some, i);

		if ((s->wanted->function && key->function != s->wanted->function) ||
		    (s->wanted->instance && known->instance != s->wanted->instance))
			continue;
		s->pins = alloc_grow(s->pins, &s->room, s->n + 1, sizeof(*s->pins));
		s->pins[s->n++] = (struct pin){ .flow = key->flow,
						.tenant = key->tenant,
						.function = key->function,
						.instance = known->instance,
						.seen = known->seen };
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct pin *x = a, *y = b;

	if (x->tenant != y->tenant)
		return x->tenant < y->tenant ? -1 : 1;
	if (x->flow != y->flow)
		return x->flow < y->flow ? -1 : 1;
	return x->function < y->function ? -1 : x->function > y->function;
}

static int read_pins(struct search *s, struct error *e)
{
	int fd = root_map(s->root, "sf_flows", e), failed;

	if (fd < 0)
		return -1;
	failed = map_each(fd, "sf_flows", sizeof(struct sf_flow_key), sizeof(struct sf_flow),
			  take_pins, s, e);
	close(fd);
	if (!failed && s->n)
		qsort(s->pins, s->n, sizeof(*s->pins), compare);
	return failed;
}

/* The first that is not less. */
static size_t find(const struct search *s, const struct pin *wanted)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&s->pins[middle], wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint64_t end_of(const struct flow_view *v, int end, bool fragments)
{
	uint16_t port = fragments ? 0 : htons(v->port[end]);
	uint64_t halves[2];
	uint32_t address;

	if (v->family == FAMILY_IPV4) {
		memcpy(&address, v->address[end], sizeof(address));
		return steer_end4(address, port);
	}
	memcpy(halves, v->address[end], sizeof(halves));
	return steer_end6(halves[0], halves[1], port);
}

static uint64_t hash_of(const struct search *s, const struct flow_view *v, bool fragments)
{
	return steer_flow(end_of(v, 0, fragments), end_of(v, 1, fragments), v->zone,
			  fragments ? 0 : v->protocol, s->record.seed);
}

/* Of its connection nothing is left but the memory. */
static bool is_closed(const struct flow_view *v)
{
	switch (flow_timeout_of(v->flow, v->protocol)) {
	case CT_TCP_TIME_WAIT:
	case CT_TCP_CLOSED:
	case CT_SCTP_CLOSED:
		return true;
	default:
		return false;
	}
}

/* Was the pin used when the flow last was? */
static bool is_used(const struct search *s, const struct pin *pin, const struct flow_view *v)
{
	return (uint32_t)s->now - pin->seen <= v->idle + SLACK_S * s->hz;
}

/* The pins of one hash, as [first, end). */
struct range {
	const struct pin *first, *end;
};

static struct range pins_of(const struct search *s, const struct flow_view *v, bool fragments)
{
	struct pin wanted = { .flow = hash_of(s, v, fragments), .tenant = s->tenant->slot };
	size_t first = find(s, &wanted), end = first;

	while (end < s->n && s->pins[end].flow == wanted.flow && s->pins[end].tenant == wanted.tenant)
		end++;
	return (struct range){ s->pins + first, s->pins + end };
}

static bool has(const struct search *s, const struct range *range, const struct pin *pin,
		const struct flow_view *v)
{
	for (const struct pin *p = range->first; p < range->end; p++)
		if (p->function == pin->function && p->instance == pin->instance && is_used(s, p, v))
			return true;
	return false;
}

static int take_flow(const void *key, const struct flow *flow, void *arg)
{
	struct search *s = arg;
	struct range whole, fragments;
	struct flow_view v;
	int stop = 0;

	flow_view_of(&v, s->tenant->name, key, flow_family(s->table), flow);
	flow_view_time(&v, &s->record, s->now);
	v.half_open = flow_is_half_open(s->table);
	if (flow_view_expired(&v) || is_closed(&v))
		return 0;
	whole = pins_of(s, &v, false);
	fragments = pins_of(s, &v, true);
	for (const struct pin *p = whole.first; p < whole.end && !stop; p++)
		if (is_used(s, p, &v))
			stop = s->fn(&v, p->function, p->instance, s->arg);
	for (const struct pin *p = fragments.first; p < fragments.end && !stop; p++)
		if (is_used(s, p, &v) && !has(s, &whole, p, &v))
			stop = s->fn(&v, p->function, p->instance, s->arg);
	return stop;
}

static int look_through_tenant(struct search *s, struct error *e)
{
	int result = 0;

	for (size_t i = 0; i < FLOW_TABLES && !result; i++) {
		s->table = flow_tables[i];
		result = flows_each(s->root, s->tenant->name, s->table, take_flow, s, e);
	}
	return result;
}

static int look_through(struct search *s, const struct model *m, struct error *e)
{
	int slots = root_map(s->root, "tenant_slots", e), result = 0;

	if (slots < 0)
		return -1;
	for (size_t i = 0; i < m->n_tenants && !result; i++) {
		struct pin first = { .tenant = m->tenants[i].slot };
		size_t at = find(s, &first);

		s->tenant = &m->tenants[i];
		/* Most have none, and large tables. */
		if (!s->tenant->here || at == s->n || s->pins[at].tenant != s->tenant->slot)
			continue;
		if (!bpf_map_lookup_elem(slots, &s->tenant->slot, &s->record) &&
		    s->record.id == s->tenant->id)
			result = look_through_tenant(s, e);
	}
	close(slots);
	return result;
}

int instance_flows(const struct root *root, const struct model *m, uint32_t hz,
		   const struct instance_wanted *wanted, instance_flow_fn *fn, void *arg,
		   struct error *e)
{
	struct search s = { .root = root,
			    .wanted = wanted,
			    .hz = hz ? hz : 250,
			    .fn = fn,
			    .arg = arg };
	int result = flows_now(root, &s.now, e) || read_pins(&s, e) ? -1 : 0;

	if (!result && s.n)
		result = look_through(&s, m, e);
	free(s.pins);
	return result;
}
