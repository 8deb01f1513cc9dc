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
	v->original = flow->path[1].flags & FLOW_ORIGINAL && !(flow->path[0].flags & FLOW_ORIGINAL);
	v->proxied = flow->path[0].flags & FLOW_PROXIED;
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
	v->timeout = flow_may_idle(v->flow, v->protocol, record);
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

/* ---- text, a million times: built by hand, since printf() takes most of the time else ---- */

#define LINE_SIZE 1024 /* more than all that is put into one */

struct line {
	char text[LINE_SIZE];
	size_t n;
};

static void put_char(struct line *l, char c)
{
	if (l->n < LINE_SIZE)
		l->text[l->n++] = c;
}

static void put(struct line *l, const char *text)
{
	while (*text)
		put_char(l, *text++);
}

/* Whatever it is, it does not end a string of JSON, nor speak to a terminal. */
static void put_name(struct line *l, const char *name)
{
	for (; *name; name++)
		put_char(l, *name >= ' ' && *name < 0x7f && *name != '"' && *name != '\\' ? *name
											  : '?');
}

static void put_number(struct line *l, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	while (at < sizeof(digits))
		put_char(l, digits[at++]);
}

/* Seconds, with a digit behind the point. */
static void put_seconds(struct line *l, uint32_t jiffies, uint32_t hz)
{
	uint64_t tenths = ((uint64_t)jiffies * 10 + hz / 2) / hz;

	put_number(l, tenths / 10);
	put_char(l, '.');
	put_number(l, tenths % 10);
}

static void put_address(struct line *l, const struct flow_view *v, int end)
{
	const uint8_t *bytes = v->address[end];
	char text[64];

	if (v->family != FAMILY_IPV4) {
		put(l, show_address(v->family, bytes, text, sizeof(text)));
		return;
	}
	for (int i = 0; i < 4; i++) {
		if (i)
			put_char(l, '.');
		put_number(l, bytes[i]);
	}
}

static void put_network(struct line *l, const struct flow_view *v, const struct names *names)
{
	char network[NAMES_SIZE];

	put_name(l, v->tenant);
	put_char(l, '/');
	put_name(l, names_network(names, v->zone, network, sizeof(network)));
}

static uint32_t left(const struct flow_view *v)
{
	return v->idle > v->timeout ? 0 : v->timeout - v->idle;
}

/* A view has a time only where the host's record was read, which says what a second is. */
static uint32_t per_second(uint32_t hz)
{
	return hz ? hz : 250;
}

/* The chain that the rule of this end chose, as packets from there are led; 0: none, or the flow is denied. */
static uint32_t chosen_at(const struct flow_view *v, int end)
{
	const struct flow_path *there = &v->flow->path[direction(v, 0)];
	uint32_t place = end ? there->target : there->source;

	return there->flags & FLOW_DENIED ? 0 : place;
}

/* ---- for people ---- */

static void put_end(struct line *l, const struct flow_view *v, int end)
{
	bool six = v->family == FAMILY_IPV6;

	put(l, six ? "[" : "");
	put_address(l, v, end);
	put(l, six ? "]:" : ":");
	put_number(l, v->port[end]);
}

static void put_pair(struct line *l, const char *what, uint64_t us, uint64_t them)
{
	put(l, what);
	put_number(l, us);
	put_char(l, '/');
	put_number(l, them);
}

static void put_chains(struct line *l, const struct flow_view *v, const struct names *names)
{
	const char *before = " chains ";
	char name[NAMES_SIZE];

	for (int end = 0; end < 2; end++) {
		uint32_t place = chosen_at(v, end);

		if (!FLOW_TARGET_CHAIN(place))
			continue;
		put(l, before);
		put_name(l, names_chain(names, FLOW_TARGET_CHAIN(place), name, sizeof(name)));
		put(l, place & FLOW_TARGET_OLDER ? "(older)" : "");
		before = ",";
	}
}

static void put_times(struct line *l, const struct flow_view *v, uint32_t hz)
{
	put(l, " idle ");
	put_seconds(l, v->idle, hz);
	put(l, "s left ");
	put_number(l, (left(v) + hz / 2) / hz);
	put(l, flow_view_expired(v) ? "s expired" : "s");
}

void flow_view_print(FILE *out, const struct flow_view *v, const struct names *names, uint32_t hz)
{
	const struct flow_dir *us = dir_of(v, 0), *them = dir_of(v, 1);
	struct line l = { .n = 0 };
	char protocol[16];

	put_network(&l, v, names);
	put_char(&l, ' ');
	put(&l, schema_protocol_name(v->protocol, protocol, sizeof(protocol)));
	put_char(&l, ' ');
	put_end(&l, v, 0);
	put(&l, " > ");
	put_end(&l, v, 1);
	put_char(&l, ' ');
	put(&l, flow_view_state(v));
	put(&l, v->half_open ? " half-open" : "");
	put(&l, v->proxied ? " proxied " : " ");
	put(&l, flow_view_verdict(v, 0));
	put_chains(&l, v, names);
	put_pair(&l, " packets ", flow_packets(us), flow_packets(them));
	put_pair(&l, " bytes ", flow_bytes(us), flow_bytes(them));
	if (v->record)
		put_times(&l, v, per_second(hz));
	put_char(&l, '\n');
	fwrite(l.text, 1, l.n, out);
}

/* ---- JSON ---- */

static void put_key(struct line *l, const char *key)
{
	put(l, ",\"");
	put(l, key);
	put(l, "\":");
}

static void put_text(struct line *l, const char *key, const char *text)
{
	put_key(l, key);
	put_char(l, '"');
	put_name(l, text);
	put_char(l, '"');
}

static void put_count(struct line *l, const char *key, uint64_t n)
{
	put_key(l, key);
	put_number(l, n);
}

static void put_boolean(struct line *l, const char *key, bool value)
{
	put_key(l, key);
	put(l, value ? "true" : "false");
}

static void put_ends(struct line *l, const struct flow_view *v)
{
	static const char *const addresses[] = { "source", "destination" };
	static const char *const ports[] = { "source_port", "destination_port" };

	for (int end = 0; end < 2; end++) {
		put_key(l, addresses[end]);
		put_char(l, '"');
		put_address(l, v, end);
		put_char(l, '"');
		put_count(l, ports[end], v->port[end]);
	}
}

/* A number where it has no name. */
static void put_protocol(struct line *l, uint8_t protocol)
{
	char name[16];

	schema_protocol_name(protocol, name, sizeof(name));
	if (name[0] >= '0' && name[0] <= '9')
		put_count(l, "protocol", protocol);
	else
		put_text(l, "protocol", name);
}

static void put_rule(struct line *l, uint32_t rule, const struct names *names)
{
	char name[NAMES_SIZE];

	if (rule) {
		put_text(l, "rule", names_rule(names, rule, name, sizeof(name)));
	} else {
		put_key(l, "rule");
		put(l, "null");
	}
	put_count(l, "rule_id", rule);
}

static void put_chosen(struct line *l, const struct flow_view *v, const struct names *names)
{
	static const char *const keys[] = { "source_chain", "destination_chain" };
	static const char *const older[] = { "source_older", "destination_older" };
	char name[NAMES_SIZE];

	for (int end = 0; end < 2; end++) {
		uint32_t place = chosen_at(v, end);

		if (!FLOW_TARGET_CHAIN(place)) {
			put_key(l, keys[end]);
			put(l, "null");
			continue;
		}
		put_text(l, keys[end], names_chain(names, FLOW_TARGET_CHAIN(place), name, sizeof(name)));
		put_boolean(l, older[end], place & FLOW_TARGET_OLDER);
	}
}

void flow_view_print_json(FILE *out, const char *before, const struct flow_view *v,
			  const struct names *names, uint32_t hz)
{
	const struct flow_dir *us = dir_of(v, 0), *them = dir_of(v, 1);
	struct line l = { .n = 0 };

	put(&l, "{");
	put(&l, before);
	put(&l, "\"tenant\":\"");
	put_name(&l, v->tenant);
	put(&l, "\",\"network\":\"");
	put_network(&l, v, names);
	put_char(&l, '"');
	put_protocol(&l, v->protocol);
	put_ends(&l, v);
	put_text(&l, "state", flow_view_state(v));
	put_boolean(&l, "half_open", v->half_open);
	put_boolean(&l, "proxied", v->proxied);
	put_text(&l, "verdict", flow_view_verdict(v, 0));
	put_text(&l, "reply_verdict", flow_view_verdict(v, 1));
	put_rule(&l, v->flow->rule, names);
	put_chosen(&l, v, names);
	put_count(&l, "packets", flow_packets(us));
	put_count(&l, "bytes", flow_bytes(us));
	put_count(&l, "reply_packets", flow_packets(them));
	put_count(&l, "reply_bytes", flow_bytes(them));
	if (v->record) {
		put_key(&l, "idle_s");
		put_seconds(&l, v->idle, per_second(hz));
		put_key(&l, "left_s");
		put_seconds(&l, left(v), per_second(hz));
		put_boolean(&l, "expired", flow_view_expired(v));
	}
	put_char(&l, '}');
	fwrite(l.text, 1, l.n, out);
}
