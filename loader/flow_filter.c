// SPDX-License-Identifier: BSD-2-Clause
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "include/port.h"
#include "loader/alloc.h"
#include "loader/config/schema.h"
#include "loader/flow_filter.h"

#define KIND "ct"

/* ---- reading ---- */

static const char *name_in(const struct flow_filter *f, const char *key)
{
	return json_string_value(json_object_get(f->object, key));
}

static bool is_meant(const struct flow_filter *f, const struct model_tenant *tenant)
{
	return !f->tenant || !strcmp(f->tenant, tenant->name);
}

/* How many there are of them. */
static size_t mark_ports(struct flow_filter *f, const struct model *m)
{
	const char *name = name_in(f, "port");
	size_t n = 0;

	free(f->ports);
	f->ports = name ? alloc_zero(WEFT_PORTS_MAX, sizeof(*f->ports)) : NULL;
	for (size_t i = 0; name && i < m->n_ports; i++) {
		const struct model_port *p = &m->ports[i];

		if (strcmp(p->name, name) || !is_meant(f, p->tenant))
			continue;
		n++;
		/* One of another host has no slot here: its flows are known by their addresses. */
		if (p->here)
			f->ports[p->slot] = true;
	}
	return n;
}

static size_t mark_networks(struct flow_filter *f, const struct model *m)
{
	const char *name = name_in(f, "network");
	size_t n = 0;

	free(f->networks);
	f->networks = name ? alloc_zero(WEFT_NETWORKS_MAX, sizeof(*f->networks)) : NULL;
	for (size_t i = 0; name && i < m->n_networks; i++) {
		const struct model_network *network = &m->networks[i];

		if (strcmp(network->name, name) || !is_meant(f, network->tenant))
			continue;
		f->networks[network->slot] = true;
		n++;
	}
	return n;
}

void flow_filter_refresh(struct flow_filter *f, const struct model *m)
{
	mark_ports(f, m);
	mark_networks(f, m);
}

static int none_has(const struct flow_filter *f, const char *kind, struct error *e)
{
	if (!f->tenant)
		return error_set(e, EXIT_REFUSED, "no tenant has a %s %s: see `weft %s show`", kind,
				 name_in(f, kind), kind);
	return error_set(e, EXIT_REFUSED, "tenant %s has no %s %s: see `weft %s show`", f->tenant,
			 kind, name_in(f, kind), kind);
}

/* A port elsewhere has no flows of its own here; only those with ports that are here. */
static int check_here(const struct flow_filter *f, const struct model *m, struct error *e)
{
	const char *name = name_in(f, "port");

	for (size_t i = 0; i < m->n_ports; i++)
		if (m->ports[i].here && !strcmp(m->ports[i].name, name) &&
		    is_meant(f, m->ports[i].tenant))
			return 0;
	return error_set(e, EXIT_REFUSED,
			 "port %s is on another host: ask there, or give its address", name);
}

static int find_names(struct flow_filter *f, const struct model *m, struct error *e)
{
	if (name_in(f, "port") && !mark_ports(f, m))
		return none_has(f, "port", e);
	if (name_in(f, "port") && check_here(f, m, e))
		return -1;
	if (name_in(f, "network") && !mark_networks(f, m))
		return none_has(f, "network", e);
	return 0;
}

/* Pairs are even in number: what is over, and first, is the tenant. */
static int find_tenant(struct flow_filter *f, const struct model *m, int argc, char **argv,
		       struct error *e)
{
	char quoted[ERROR_QUOTE_SIZE];
	bool is_key = argc && schema_key(schema_kind(KIND), argv[0]);

	if (argc % 2 == 0 && argc && !is_key && model_tenant(m, argv[0]))
		return error_set(e, EXIT_USAGE, "ct: key %s has no value: write KEY VALUE",
				 error_quote(quoted, sizeof(quoted), argv[argc - 1]));
	if (argc % 2 == 0)
		return 0;
	error_quote(quoted, sizeof(quoted), argv[0]);
	if (!model_tenant(m, argv[0]) && is_key)
		return error_set(e, EXIT_USAGE, "ct: key %s has no value: write KEY VALUE", quoted);
	if (strchr(argv[0], '/'))
		return error_set(e, EXIT_USAGE, "ct %s: write a TENANT", quoted);
	if (!model_tenant(m, argv[0]))
		return error_set(e, EXIT_REFUSED,
				 "%s: there is no such tenant: see `weft tenant show`", quoted);
	f->tenant = argv[0];
	return 0;
}

static const char *const address_keys[FLOW_ENDS] = { "source", "destination", "address" };
static const char *const port_keys[FLOW_ENDS] = { "source_port", "destination_port",
						  "either_port" };

static void read_prefixes(struct prefixes *prefixes, const json_t *list)
{
	const json_t *one;
	size_t i;

	prefixes->list = alloc_zero(json_array_size(list) + 1, sizeof(*prefixes->list));
	json_array_foreach ((json_t *)list, i, one)
		model_prefix(json_string_value(one), &prefixes->list[prefixes->n++]);
}

static void compile(struct flow_filter *f)
{
	f->protocol = schema_protocol_number(json_object_get(f->object, "protocol"));
	f->half_open = json_object_get(f->object, "half_open");
	f->proxied = json_object_get(f->object, "proxied");
	f->states = json_object_get(f->object, "state");
	f->verdicts = json_object_get(f->object, "verdict");
	f->direction = name_in(f, "direction");
	for (int i = 0; i < FLOW_ENDS; i++) {
		f->l4_ports[i] = json_object_get(f->object, port_keys[i]);
		read_prefixes(&f->prefixes[i], json_object_get(f->object, address_keys[i]));
	}
}

/* Elsewhere a value that is empty takes the key away. Here it would widen what is asked for, up to a flush of everything. */
static int check_values(int argc, char **argv, struct error *e)
{
	char quoted[ERROR_QUOTE_SIZE];

	for (int i = 0; i + 1 < argc; i += 2)
		if (!*argv[i + 1])
			return error_set(e, EXIT_USAGE,
					 "ct: key %s has an empty value: write KEY VALUE",
					 error_quote(quoted, sizeof(quoted), argv[i]));
	return 0;
}

int flow_filter_read(struct flow_filter *f, const struct model *m, int argc, char **argv,
		     struct error *e)
{
	int pairs;

	*f = (struct flow_filter){ 0 };
	if (find_tenant(f, m, argc, argv, e))
		return -1;
	pairs = f->tenant != NULL;
	if (check_values(argc - pairs, argv + pairs, e))
		return -1;
	f->object = schema_object_from_pairs(KIND, argc - pairs, argv + pairs, e);
	if (!f->object)
		return -1;
	compile(f);
	return find_names(f, m, e);
}

void flow_filter_free(struct flow_filter *f)
{
	json_decref(f->object);
	for (int i = 0; i < FLOW_ENDS; i++)
		free(f->prefixes[i].list);
	free(f->ports);
	free(f->networks);
	*f = (struct flow_filter){ 0 };
}

/* ---- asking ---- */

static bool in_prefix(const struct model_address *a, const struct flow_view *v, int end)
{
	const uint8_t *bytes = v->address[end];
	int whole = a->bits / 8, rest = a->bits % 8;

	return a->family == v->family && !memcmp(bytes, a->addr.bytes, (size_t)whole) &&
	       (!rest || !((bytes[whole] ^ a->addr.bytes[whole]) >> (8 - rest)));
}

static bool asks(enum flow_ends ends, int end)
{
	return ends == ENDS_EITHER || (int)ends == end;
}

static bool addresses_fit(const struct flow_filter *f, const struct flow_view *v,
			  enum flow_ends ends)
{
	const struct prefixes *p = &f->prefixes[ends];

	for (size_t i = 0; i < p->n; i++)
		for (int end = 0; end < 2; end++)
			if (asks(ends, end) && in_prefix(&p->list[i], v, end))
				return true;
	return !p->n;
}

static bool in_range(const json_t *range, uint16_t port)
{
	return port >= json_integer_value(json_array_get(range, 0)) &&
	       port <= json_integer_value(json_array_get(range, 1));
}

static bool ports_fit(const struct flow_filter *f, const struct flow_view *v, enum flow_ends ends)
{
	const json_t *one;
	size_t i;

	json_array_foreach ((json_t *)f->l4_ports[ends], i, one)
		for (int end = 0; end < 2; end++)
			if (asks(ends, end) && in_range(one, v->port[end]))
				return true;
	return !f->l4_ports[ends];
}

static bool word_fits(const json_t *list, const char *word)
{
	const json_t *one;
	size_t i;

	json_array_foreach ((json_t *)list, i, one)
		if (!strcmp(json_string_value(one), word))
			return true;
	return !list;
}

static bool at_port(const struct flow_filter *f, const struct flow_view *v, int end)
{
	uint32_t place = flow_view_place(v, end);

	return FLOW_TARGET_KIND(place) == TARGET_PORT &&
	       (!f->ports ||
		(FLOW_TARGET_INDEX(place) < WEFT_PORTS_MAX && f->ports[FLOW_TARGET_INDEX(place)]));
}

/* Out: a port of this host, or the one that is named, began it; in: it was to one. */
static bool places_fit(const struct flow_filter *f, const struct flow_view *v)
{
	if (!f->direction)
		return !f->ports || at_port(f, v, 0) || at_port(f, v, 1);
	return at_port(f, v, strcmp(f->direction, "out") ? 1 : 0);
}

bool flow_filter_wants(const struct flow_filter *f, int family, bool half_open)
{
	if (f->half_open && json_is_true(f->half_open) != half_open)
		return false;
	return f->protocol != (family == FAMILY_IPV4 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

bool flow_filter_fits(const struct flow_filter *f, const struct flow_view *v)
{
	if (f->protocol >= 0 && f->protocol != v->protocol)
		return false;
	if (f->networks && !(v->zone < WEFT_NETWORKS_MAX && f->networks[v->zone]))
		return false;
	if (f->half_open && json_is_true(f->half_open) != v->half_open)
		return false;
	if (f->proxied && json_is_true(f->proxied) != v->proxied)
		return false;
	for (int ends = 0; ends < FLOW_ENDS; ends++)
		if (!ports_fit(f, v, ends) || !addresses_fit(f, v, ends))
			return false;
	return places_fit(f, v) && (!f->states || word_fits(f->states, flow_view_state(v))) &&
	       (!f->verdicts || word_fits(f->verdicts, flow_view_verdict(v, 0)));
}
