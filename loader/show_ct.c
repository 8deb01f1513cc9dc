// SPDX-License-Identifier: BSD-2-Clause
/* `weft ct show [TENANT]` and `weft ct flush [TENANT]` */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/audit.h"
#include "loader/commands.h"
#include "loader/config/schema.h"
#include "loader/entries.h"
#include "loader/flows.h"
#include "loader/show.h"

/* A key of either family, taken apart. */
struct ends {
	int family;
	const void *address[2];
	uint16_t port[2];
	uint8_t protocol;
	uint16_t zone;
};

struct listing {
	const struct show *s;
	const struct model_tenant *tenant;
	struct tenant record;
	const char **zones; /* path of a network by its slot */
	size_t n_zones;
	uint64_t now;
	json_t *flows;
	bool half_open;
};

static struct ends ends_of(const void *key, int family)
{
	const struct ct4_key *k4 = key;
	const struct ct6_key *k6 = key;

	if (family == FAMILY_IPV4)
		return (struct ends){ family,
				      { &k4->low_address, &k4->high_address },
				      { ntohs(k4->low_port), ntohs(k4->high_port) },
				      k4->protocol,
				      k4->zone };
	return (struct ends){ family,
			      { k6->low_address, k6->high_address },
			      { ntohs(k6->low_port), ntohs(k6->high_port) },
			      k6->protocol,
			      k6->zone };
}

static double seconds(const struct listing *l, uint32_t jiffies)
{
	uint32_t hz = l->s->state.host.hz;

	return (double)jiffies / (hz ? hz : 250);
}

/* Which of the two began the flow. */
static int original(const struct flow *flow)
{
	return flow->path[1].flags & FLOW_ORIGINAL && !(flow->path[0].flags & FLOW_ORIGINAL);
}

static const char *verdict_of(const struct listing *l, const struct flow *flow, int dir)
{
	if (flow->path[dir].epoch != l->record.epoch)
		return "stale";
	return flow->path[dir].flags & FLOW_REJECT   ? "reject"
	       : flow->path[dir].flags & FLOW_DENIED ? "deny"
						: "allow";
}

static json_t *protocol_of(uint8_t protocol)
{
	static const struct {
		uint8_t number;
		const char *name;
	} known[] = {
		{ 1, "icmp" }, { 6, "tcp" }, { 17, "udp" }, { 58, "icmpv6" }, { 132, "sctp" }
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].number == protocol)
			return json_string(known[i].name);
	return json_integer(protocol);
}

static json_t *describe(const struct listing *l, const struct ends *ends, const struct flow *flow,
			uint32_t idle, uint32_t timeout)
{
	int o = original(flow), r = !o;
	char source[64], destination[64], network[SHOW_NAME_SIZE] = "?";
	const char *path = ends->zone < l->n_zones ? l->zones[ends->zone] : NULL;

	if (path)
		show_name(path, network, sizeof(network));
	show_address(ends->family, ends->address[o], source, sizeof(source));
	show_address(ends->family, ends->address[r], destination, sizeof(destination));
	return json_pack(
		"{s:s, s:s, s:o, s:s, s:i, s:s, s:i, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:f, s:f, s:b, s:b}",
		"tenant", l->tenant->name, "network", network, "protocol",
		protocol_of(ends->protocol), "source", source, "source_port", ends->port[o],
		"destination", destination, "destination_port", ends->port[r], "state",
		flow_state_name(flow, ends->protocol), "verdict", verdict_of(l, flow, o),
		"reply_verdict", verdict_of(l, flow, r), "packets",
		(json_int_t)flow_packets(&flow->dir[o]), "bytes",
		(json_int_t)flow_bytes(&flow->dir[o]), "reply_packets",
		(json_int_t)flow_packets(&flow->dir[r]), "reply_bytes",
		(json_int_t)flow_bytes(&flow->dir[r]), "idle_s", seconds(l, idle), "left_s",
		idle > timeout ? 0.0 : seconds(l, timeout - idle), "half_open", l->half_open,
		"expired", idle > timeout);
}

static void print_flow(const json_t *f)
{
	const json_t *protocol = json_object_get(f, "protocol");
	char number[16];

	snprintf(number, sizeof(number), "%d", (int)json_integer_value(protocol));
	printf("%s %s %s:%d > %s:%d %s%s %s", json_string_value(json_object_get(f, "network")),
	       json_is_string(protocol) ? json_string_value(protocol) : number,
	       json_string_value(json_object_get(f, "source")),
	       (int)json_integer_value(json_object_get(f, "source_port")),
	       json_string_value(json_object_get(f, "destination")),
	       (int)json_integer_value(json_object_get(f, "destination_port")),
	       json_string_value(json_object_get(f, "state")),
	       json_is_true(json_object_get(f, "half_open")) ? " half-open" : "",
	       json_string_value(json_object_get(f, "verdict")));
	printf(" packets %lld/%lld bytes %lld/%lld idle %.1fs left %.0fs%s\n",
	       (long long)json_integer_value(json_object_get(f, "packets")),
	       (long long)json_integer_value(json_object_get(f, "reply_packets")),
	       (long long)json_integer_value(json_object_get(f, "bytes")),
	       (long long)json_integer_value(json_object_get(f, "reply_bytes")),
	       json_real_value(json_object_get(f, "idle_s")),
	       json_real_value(json_object_get(f, "left_s")),
	       json_is_true(json_object_get(f, "expired")) ? " expired" : "");
}

static void list_flow(struct listing *l, const void *key, int family, const struct flow *flow)
{
	struct ends ends = ends_of(key, family);
	uint32_t timeout = l->record.timeout[flow_timeout_of(flow, ends.protocol)];
	uint32_t idle = flow_idle(flow, l->now);
	json_t *one;

	/* For the datapath an expired flow is none. */
	if (idle > timeout && !l->s->cl->details)
		return;
	one = describe(l, &ends, flow, idle, timeout);
	if (l->s->cl->json) {
		json_array_append_new(l->flows, one);
		return;
	}
	print_flow(one);
	json_decref(one);
}

static int read_record(int slots, const struct model_tenant *tenant, struct tenant *record,
		       struct error *e)
{
	if (!bpf_map_lookup_elem(slots, &tenant->slot, record))
		return 0;
	return error_set(e, EXIT_REFUSED, "tenant %s: its slot cannot be read: %s", tenant->name,
			 strerror(errno));
}

static int list_tenant(struct listing *l, int slots, struct error *e)
{
	if (read_record(slots, l->tenant, &l->record, e))
		return -1;
	for (size_t i = 0; i < FLOW_TABLES; i++) {
		struct entries list;
		int fd, failed = flows_read(&l->s->root, l->tenant->name, flow_tables[i], &fd,
					    &list, e);

		l->half_open = flow_is_half_open(flow_tables[i]);
		for (size_t k = 0; k < list.n && !failed; k++)
			list_flow(l, entries_key(&list, k), flow_family(flow_tables[i]),
				  entries_value(&list, k));
		entries_free(&list);
		if (fd >= 0)
			close(fd);
		if (failed)
			return -1;
	}
	return 0;
}

static int list_all(const struct show *s, const struct model_tenant *only, struct error *e)
{
	struct listing l = { .s = s, .flows = json_array() };
	int slots, failed;

	slots = root_map(&s->root, "tenant_slots", e);
	failed = slots < 0 || flows_now(&s->root, &l.now, e);
	l.zones = identities_by_slot(&s->state.ids, "networks", &l.n_zones);
	for (size_t i = 0; i < s->model.n_tenants && !failed; i++) {
		l.tenant = &s->model.tenants[i];
		if (l.tenant->here && (!only || only == l.tenant))
			failed = list_tenant(&l, slots, e);
	}
	if (!failed && s->cl->json)
		failed = cli_json(s->cl, json_incref(l.flows), e);
	json_decref(l.flows);
	free(l.zones);
	if (slots >= 0)
		close(slots);
	return failed ? -1 : EXIT_DONE;
}

static int find_tenant(const struct show *s, const struct model_tenant **only, struct error *e)
{
	struct scope scope;

	*only = NULL;
	if (!s->cl->argc)
		return 0;
	if (strchr(s->cl->argv[0], '/'))
		return error_set(e, EXIT_USAGE, "ct %s: write a TENANT", s->cl->argv[0]);
	if (show_scope(s, s->cl->argv[0], false, &scope, e))
		return -1;
	*only = scope.tenant;
	return 0;
}

int cmd_ct_show(struct command_line *cl, struct error *e)
{
	const struct model_tenant *only;
	struct show s;
	int result;

	if (show_open(&s, cl, e))
		return -1;
	result = find_tenant(&s, &only, e) ? -1 : list_all(&s, only, e);
	show_close(&s);
	return result;
}

static int flush_tenant(const struct show *s, const struct model_tenant *tenant, int slots,
			size_t *n, struct error *e)
{
	struct tenant record;

	if (read_record(slots, tenant, &record, e))
		return -1;
	for (size_t i = 0; i < FLOW_TABLES; i++) {
		struct entries list;
		int fd, failed = flows_read(&s->root, tenant->name, flow_tables[i], &fd, &list, e);

		failed = failed ||
			 (fd >= 0 && flows_remove(fd, flow_tables[i], record.seed, &list, e));
		*n += list.n;
		entries_free(&list);
		if (fd >= 0)
			close(fd);
		if (failed)
			return -1;
	}
	return 0;
}

int cmd_ct_flush(struct command_line *cl, struct error *e)
{
	const struct model_tenant *only;
	struct show s;
	size_t n = 0;
	int failed, slots;

	if (show_open(&s, cl, e))
		return -1;
	slots = root_map(&s.root, "tenant_slots", e);
	failed = slots < 0 || find_tenant(&s, &only, e);
	for (size_t i = 0; i < s.model.n_tenants && !failed; i++)
		if (s.model.tenants[i].here && (!only || only == &s.model.tenants[i]))
			failed = flush_tenant(&s, &s.model.tenants[i], slots, &n, e);
	if (!failed)
		audit_command(cl, &s.root, "flush", cl->argc ? cl->argv[0] : "ct",
			      json_pack("{s:I}", "flows", (json_int_t)n), NULL);
	if (!failed && cl->json)
		failed = cli_json(cl, json_pack("{s:I}", "flushed", (json_int_t)n), e);
	else if (!failed)
		printf("%zu flows forgotten\n", n);
	if (slots >= 0)
		close(slots);
	show_close(&s);
	return failed ? -1 : EXIT_DONE;
}
