// SPDX-License-Identifier: BSD-2-Clause
#include <arpa/inet.h>
#include <string.h>

#include "loader/config/schema.h"
#include "loader/flow_view.h"
#include "loader/flows.h"
#include "loader/show.h"

void flow_view_of(struct flow_view *v, const char *tenant, const void *key, int family,
		  const struct flow *flow)
{
	const struct ct4_key *k4 = key;
	const struct ct6_key *k6 = key;
	bool four = family == FAMILY_IPV4;
	int low;

	*v = (struct flow_view){ .tenant = tenant, .flow = flow, .family = family };
	v->original = flow->path[1].flags & FLOW_ORIGINAL &&
		      !(flow->path[0].flags & FLOW_ORIGINAL);
	low = v->original; /* dir[0] is from the low end */
	v->address[low] = four ? (const void *)&k4->low_address : k6->low_address;
	v->address[!low] = four ? (const void *)&k4->high_address : k6->high_address;
	v->port[low] = ntohs(four ? k4->low_port : k6->low_port);
	v->port[!low] = ntohs(four ? k4->high_port : k6->high_port);
	v->protocol = four ? k4->protocol : k6->protocol;
	v->zone = four ? k4->zone : k6->zone;
}

void flow_view_time(struct flow_view *v, const struct tenant *record, uint64_t now)
{
	v->record = record;
	v->timeout = record->timeout[flow_timeout_of(v->flow, v->protocol)];
	v->idle = flow_idle(v->flow, now);
}

bool flow_view_expired(const struct flow_view *v)
{
	return v->record && v->idle > v->timeout;
}

static int direction(const struct flow_view *v, int end)
{
	return v->original ^ end;
}

const char *flow_view_verdict(const struct flow_view *v, int end)
{
	const struct flow_path *path = &v->flow->path[direction(v, end)];

	if (v->record && path->epoch != v->record->epoch)
		return "stale";
	return path->flags & FLOW_REJECT ? "reject" : path->flags & FLOW_DENIED ? "deny" : "allow";
}

const char *flow_view_state(const struct flow_view *v)
{
	return flow_state_name(v->flow, v->protocol);
}

uint32_t flow_view_place(const struct flow_view *v, int end)
{
	return v->flow->path[direction(v, end)].source;
}

static const struct flow_dir *dir_of(const struct flow_view *v, int end)
{
	return &v->flow->dir[direction(v, end)];
}

static double seconds(uint32_t jiffies, uint32_t hz)
{
	return (double)jiffies / (hz ? hz : 250);
}

static double left(const struct flow_view *v, uint32_t hz)
{
	return v->idle > v->timeout ? 0.0 : seconds(v->timeout - v->idle, hz);
}

static void print_end(FILE *out, const struct flow_view *v, int end)
{
	char text[64];

	show_address(v->family, v->address[end], text, sizeof(text));
	fprintf(out, v->family == FAMILY_IPV6 ? "[%s]:%u" : "%s:%u", text, v->port[end]);
}

void flow_view_print(FILE *out, const struct flow_view *v, const struct names *names, uint32_t hz)
{
	const struct flow_dir *us = dir_of(v, 0), *them = dir_of(v, 1);
	char network[NAMES_SIZE], protocol[16];

	fprintf(out, "%s/%s %s ", v->tenant,
		names_network(names, v->zone, network, sizeof(network)),
		schema_protocol_name(v->protocol, protocol, sizeof(protocol)));
	print_end(out, v, 0);
	fputs(" > ", out);
	print_end(out, v, 1);
	fprintf(out, " %s%s %s packets %llu/%llu bytes %llu/%llu", flow_view_state(v),
		v->half_open ? " half-open" : "", flow_view_verdict(v, 0),
		(unsigned long long)flow_packets(us), (unsigned long long)flow_packets(them),
		(unsigned long long)flow_bytes(us), (unsigned long long)flow_bytes(them));
	if (v->record)
		fprintf(out, " idle %.1fs left %.0fs%s", seconds(v->idle, hz), left(v, hz),
			flow_view_expired(v) ? " expired" : "");
}

static void add_times(json_t *one, const struct flow_view *v, uint32_t hz)
{
	json_object_set_new(one, "idle_s", json_real(seconds(v->idle, hz)));
	json_object_set_new(one, "left_s", json_real(left(v, hz)));
	json_object_set_new(one, "expired", json_boolean(flow_view_expired(v)));
}

/* A number where it has no name. */
static json_t *protocol_json(uint8_t protocol)
{
	char name[16];

	schema_protocol_name(protocol, name, sizeof(name));
	return name[0] >= '0' && name[0] <= '9' ? json_integer(protocol) : json_string(name);
}

json_t *flow_view_json(const struct flow_view *v, const struct names *names, uint32_t hz)
{
	const struct flow_dir *us = dir_of(v, 0), *them = dir_of(v, 1);
	char source[64], destination[64], network[NAMES_SIZE], rule[NAMES_SIZE];
	json_t *one = json_object();

	show_address(v->family, v->address[0], source, sizeof(source));
	show_address(v->family, v->address[1], destination, sizeof(destination));
	names_network(names, v->zone, network, sizeof(network));
	json_object_set_new(one, "tenant", json_string(v->tenant));
	json_object_set_new(one, "network", json_sprintf("%s/%s", v->tenant, network));
	json_object_set_new(one, "protocol", protocol_json(v->protocol));
	json_object_set_new(one, "source", json_string(source));
	json_object_set_new(one, "source_port", json_integer(v->port[0]));
	json_object_set_new(one, "destination", json_string(destination));
	json_object_set_new(one, "destination_port", json_integer(v->port[1]));
	json_object_set_new(one, "state", json_string(flow_view_state(v)));
	json_object_set_new(one, "half_open", json_boolean(v->half_open));
	json_object_set_new(one, "verdict", json_string(flow_view_verdict(v, 0)));
	json_object_set_new(one, "reply_verdict", json_string(flow_view_verdict(v, 1)));
	json_object_set_new(one, "rule",
			    v->flow->rule ? json_string(names_rule(names, v->flow->rule, rule,
								   sizeof(rule)))
					  : json_null());
	json_object_set_new(one, "rule_id", json_integer(v->flow->rule));
	json_object_set_new(one, "packets", json_integer((json_int_t)flow_packets(us)));
	json_object_set_new(one, "bytes", json_integer((json_int_t)flow_bytes(us)));
	json_object_set_new(one, "reply_packets", json_integer((json_int_t)flow_packets(them)));
	json_object_set_new(one, "reply_bytes", json_integer((json_int_t)flow_bytes(them)));
	if (v->record)
		add_times(one, v, hz);
	return one;
}
