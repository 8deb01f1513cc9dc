// SPDX-License-Identifier: BSD-2-Clause
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/alloc.h"
#include "loader/away.h"
#include "loader/config/address.h"
#include "loader/config/schema.h"
#include "loader/model.h"

struct model_name {
	char path[CONFIG_PATH_LEN];
	void *object;
	UT_hash_handle hh;
};

static void *find(const struct model *m, const char *path)
{
	struct model_name *name;

	HASH_FIND_STR(m->names, path, name);
	return name ? name->object : NULL;
}

static void name_object(struct model *m, const char *path, void *object)
{
	struct model_name *name = alloc_zero(1, sizeof(*name));

	snprintf(name->path, sizeof(name->path), "%s", path);
	name->object = object;
	HASH_ADD_STR(m->names, path, name);
}

static void *find_of_tenant(const struct model *m, const char *tenant, const char *part,
			    const char *name)
{
	char path[CONFIG_PATH_LEN];

	snprintf(path, sizeof(path), "tenants/%s/%s/%s", tenant, part, name);
	return find(m, path);
}

struct model_host *model_host(const struct model *m, const char *name)
{
	char path[CONFIG_PATH_LEN];

	snprintf(path, sizeof(path), "hosts/%s", name);
	return find(m, path);
}

struct model_function *model_function(const struct model *m, const char *name)
{
	char path[CONFIG_PATH_LEN];

	snprintf(path, sizeof(path), "service_functions/%s", name);
	return find(m, path);
}

struct model_tenant *model_tenant(const struct model *m, const char *name)
{
	char path[CONFIG_PATH_LEN];

	snprintf(path, sizeof(path), "tenants/%s", name);
	return find(m, path);
}

struct model_network *model_network(const struct model *m, const char *tenant, const char *name)
{
	return find_of_tenant(m, tenant, "networks", name);
}

struct model_port *model_port(const struct model *m, const char *tenant, const char *name)
{
	return find_of_tenant(m, tenant, "ports", name);
}

struct model_chain *model_chain(const struct model *m, const char *tenant, const char *name)
{
	return name ? find_of_tenant(m, tenant, "chains", name) : NULL;
}

int model_prefix(const char *text, struct model_address *prefix)
{
	struct address a;

	memset(prefix, 0, sizeof(*prefix));
	if (!text || prefix_parse(text, &a))
		return -1;
	prefix->family = a.family == AF_INET ? FAMILY_IPV4 : FAMILY_IPV6;
	prefix->bits = (uint8_t)a.bits;
	memcpy(prefix->addr.bytes, a.bytes, a.family == AF_INET ? 4 : 16);
	return 0;
}

int model_mac(const char *text, uint8_t mac[6])
{
	unsigned int b[6];

	if (!text ||
	    sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) != 6)
		return -1;
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
	return 0;
}

static enum device_mode mode_of(const char *text, enum device_mode otherwise)
{
	if (!text)
		return otherwise;
	return !strcmp(text, "xdp") ? MODE_XDP : !strcmp(text, "tc") ? MODE_TC : MODE_AUTO;
}

static const char *text_at(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* The id and slot of an object; every object of the tree has been given them. */
static void identify(const struct model *m, const char *path, uint64_t *id, uint32_t *slot)
{
	const struct identity *identity = identity_find(m->ids, path);

	*id = identity ? identity->id : 0;
	*slot = identity ? identity->slot : 0;
}

static void make_hosts(struct model *m, const char *self)
{
	json_t *hosts = json_object_get(m->tree, "hosts"), *object;
	char path[CONFIG_PATH_LEN];
	const char *name;

	m->hosts = alloc_zero(json_object_size(hosts), sizeof(*m->hosts));
	json_object_foreach (hosts, name, object) {
		struct model_host *h = &m->hosts[m->n_hosts++];
		const char *vtep =
			json_string_value(json_array_get(json_object_get(object, "vtep"), 0));

		h->name = name;
		h->underlay = json_object_get(object, "underlay");
		h->mode = mode_of(text_at(object, "mode"), MODE_AUTO);
		if (vtep)
			inet_pton(AF_INET, vtep, h->vtep4);
		snprintf(path, sizeof(path), "hosts/%s", name);
		identify(m, path, &h->id, &h->slot);
		name_object(m, path, h);
		if (!strcmp(name, self))
			m->self = h;
	}
}

static void make_instance(struct model *m, const char *function, const char *name,
			  const json_t *object)
{
	struct model_instance *i = &m->instances[m->n_instances++];
	const json_t *two = json_object_get(object, "devices");
	const char *admin = schema_text("instance", object, "admin");
	char full[2 * WEFT_NAME_LEN + 2];

	i->function = function;
	i->name = name;
	i->host = model_host(m, text_at(object, "host"));
	i->here = m->self && i->host == m->self;
	i->leaving = i->towards = text_at(object, "device");
	if (two) {
		i->leaving = json_string_value(json_array_get(two, 0));
		i->towards = json_string_value(json_array_get(two, 1));
	}
	i->finish = strcmp(schema_text("instance", object, "offloads"), "keep");
	i->weight = (uint16_t)schema_number("instance", object, "weight");
	i->flags = !strcmp(admin, "drain") ? INSTANCE_DRAIN :
		   !strcmp(admin, "down")  ? INSTANCE_DOWN :
					     0;
	snprintf(full, sizeof(full), "%s/%s", function, name);
	i->id = instance_id(full);
}

static struct model_health health_of(const json_t *function)
{
	return (struct model_health){
		.probes = strcmp(schema_text("sf", function, "health.probe"), "none"),
		.interval_ms = (uint32_t)schema_number("sf", function, "health.interval"),
		.down_after = (uint32_t)schema_number("sf", function, "health.down_after"),
		.up_after = (uint32_t)schema_number("sf", function, "health.up_after"),
	};
}

static void make_functions(struct model *m)
{
	json_t *functions = json_object_get(m->tree, "service_functions"), *function, *object;
	const char *function_name, *name;
	char path[CONFIG_PATH_LEN];
	size_t room = 0;

	json_object_foreach (functions, function_name, function)
		room += json_object_size(json_object_get(function, "instances"));
	m->instances = alloc_zero(room, sizeof(*m->instances));
	m->functions = alloc_zero(json_object_size(functions), sizeof(*m->functions));
	json_object_foreach (functions, function_name, function) {
		struct model_function *f = &m->functions[m->n_functions++];
		size_t first = m->n_instances;

		json_object_foreach (json_object_get(function, "instances"), name, object)
			make_instance(m, function_name, name, object);
		f->name = function_name;
		f->flags = schema_flag("sf", function, "rebalance") ? FUNCTION_REBALANCE : 0;
		f->rewrites = schema_flag("sf", function, "rewrites");
		f->drain_ms = (uint64_t)schema_number("sf", function, "drain_timeout");
		f->health = health_of(function);
		f->instances = &m->instances[first];
		f->n_instances = m->n_instances - first;
		snprintf(path, sizeof(path), "service_functions/%s", function_name);
		identify(m, path, &f->id, &f->slot);
		name_object(m, path, f);
	}
}

bool model_step_is_here(const struct model_step *step)
{
	for (size_t i = 0; step->sf && i < step->sf->n_instances; i++)
		if (step->sf->instances[i].here)
			return true;
	return false;
}

static void make_tenant(struct model *m, struct model_tenant *t, const char *name,
			const json_t *body)
{
	const json_t *options = json_object_get(body, "options");
	char path[CONFIG_PATH_LEN], key[64];

	t->name = name;
	t->body = body;
	snprintf(path, sizeof(path), "tenants/%s", name);
	identify(m, path, &t->id, &t->slot);
	name_object(m, path, t);
	if (!strcmp(schema_text("tenant", options, "enforcement"), "monitor"))
		t->flags |= TENANT_MONITOR;
	if (!strcmp(schema_text("tenant", options, "default.in"), "allow"))
		t->flags |= TENANT_ALLOW_IN;
	if (!strcmp(schema_text("tenant", options, "default.out"), "allow"))
		t->flags |= TENANT_ALLOW_OUT;
	if (schema_flag("tenant", options, "conntrack.loose"))
		t->flags |= TENANT_LOOSE;
	if (schema_flag("tenant", options, "conntrack.liberal"))
		t->flags |= TENANT_LIBERAL;
	if (!strcmp(schema_text("tenant", options, "conntrack.syn_proxy"), "auto"))
		t->flags |= TENANT_SYN_AUTO;
	if (!strcmp(schema_text("tenant", options, "conntrack.syn_proxy"), "always"))
		t->flags |= TENANT_SYN_ALWAYS;
	t->max_flows = (uint32_t)schema_number("tenant", options, "conntrack.max_flows");
	t->max_half_open = (uint32_t)schema_number("tenant", options, "conntrack.max_half_open");
	/* Refused if both were asked for: then it is the default that is too small. */
	if (t->max_flows < t->max_half_open)
		t->max_flows = t->max_half_open;
	t->max_fragments = (uint32_t)schema_number("tenant", options, "conntrack.max_fragments");
#define X(id, text, seconds)                                                                       \
	snprintf(key, sizeof(key), "conntrack.timeouts.%s", text);                                 \
	t->timeout_ms[CT_##id] = (uint64_t)schema_number("tenant", options, key);                  \
	if (!t->timeout_ms[CT_##id])                                                               \
		t->timeout_ms[CT_##id] = (seconds)*1000ull;
	CT_TIMEOUTS(X)
#undef X
}

static void make_networks(struct model *m, const struct model_tenant *t)
{
	char path[CONFIG_PATH_LEN];
	const char *name;
	json_t *object;

	json_object_foreach (json_object_get(t->body, "networks"), name, object) {
		struct model_network *n = &m->networks[m->n_networks++];

		n->tenant = t;
		n->name = name;
		n->vni = (uint32_t)schema_number("network", object, "vni");
		n->mtu = (uint32_t)schema_number("network", object, "mtu");
		n->subnets = json_object_get(object, "subnets");
		snprintf(path, sizeof(path), "tenants/%s/networks/%s", t->name, name);
		identify(m, path, &n->id, &n->slot);
		name_object(m, path, n);
	}
}

static uint8_t chain_flags(const json_t *object)
{
	const char *existing = schema_text("chain", object, "existing");
	uint8_t flags = schema_flag("chain", object, "bypass") ? CHAIN_BYPASS : 0;

	if (!strcmp(existing, "keep"))
		flags |= CHAIN_KEEP;
	if (!strcmp(existing, "reset"))
		flags |= CHAIN_RESET;
	if (schema_flag("chain", object, "mirror_order"))
		flags |= CHAIN_MIRROR;
	return flags;
}

static void make_steps(const struct model *m, struct model_chain *c, const json_t *steps)
{
	const json_t *object;
	size_t i;

	json_array_foreach ((json_t *)steps, i, object) {
		struct model_step *step = &c->step[c->steps];
		const char *on_failure = text_at(object, "on_failure"), *mode = text_at(object, "mode");

		if (c->steps == CHAIN_STEPS)
			return;
		step->function = text_at(object, "function");
		step->sf = step->function ? model_function(m, step->function) : NULL;
		step->open = on_failure && !strcmp(on_failure, "open");
		step->tap = mode && !strcmp(mode, "tap");
		if (step->sf && step->sf->rewrites && !step->tap)
			c->flags |= CHAIN_REWRITES;
		c->steps++;
	}
}

static void make_chains(struct model *m, const struct model_tenant *t)
{
	char path[CONFIG_PATH_LEN];
	const char *name;
	json_t *object;

	json_object_foreach (json_object_get(t->body, "chains"), name, object) {
		struct model_chain *c = &m->chains[m->n_chains++];

		c->tenant = t->name;
		c->name = name;
		c->tag = (uint16_t)schema_number("chain", object, "tag");
		c->flags = chain_flags(object);
		make_steps(m, c, json_object_get(object, "steps"));
		snprintf(path, sizeof(path), "%s/%s", t->name, name);
		c->path = nsh_path_of(path);
		snprintf(path, sizeof(path), "tenants/%s/chains/%s", t->name, name);
		identify(m, path, &c->id, &c->slot);
		name_object(m, path, c);
	}
}

static void make_addresses(struct model_port *p, const json_t *addresses)
{
	const json_t *item;
	size_t i;

	p->addresses = alloc_zero(json_array_size(addresses), sizeof(*p->addresses));
	json_array_foreach ((json_t *)addresses, i, item)
		if (!model_prefix(json_string_value(item), &p->addresses[p->n_addresses]))
			p->n_addresses++;
}

static bool has_ipv6(const struct model_port *p)
{
	for (size_t i = 0; i < p->n_addresses; i++)
		if (p->addresses[i].family == FAMILY_IPV6)
			return true;
	return false;
}

static void make_ports(struct model *m, struct model_tenant *t)
{
	char path[CONFIG_PATH_LEN];
	const char *name;
	json_t *object;

	json_object_foreach (json_object_get(t->body, "ports"), name, object) {
		struct model_network *network =
			model_network(m, t->name, text_at(object, "network"));
		struct model_host *host = model_host(m, text_at(object, "host"));
		struct model_port *p = &m->ports[m->n_ports];

		/* A command was killed while it stored the configuration: who only reads has to do with what is there. */
		if (!network || !host)
			continue;
		m->n_ports++;
		p->tenant = t;
		p->name = name;
		p->device = text_at(object, "device");
		p->network = network;
		p->host = host;
		p->mode = mode_of(text_at(object, "mode"), host->mode);
		p->vid = (uint16_t)schema_number("port", object, "vlan");
		p->here = m->self && p->host == m->self;
		model_mac(text_at(object, "mac"), p->mac);
		make_addresses(p, json_object_get(object, "addresses"));
		snprintf(path, sizeof(path), "tenants/%s/ports/%s", t->name, name);
		identify(m, path, &p->id, &p->slot);
		name_object(m, path, p);
		p->network->n_ports++;
		p->network->here |= p->here;
		t->here |= p->here;
		t->here6 |= p->here && has_ipv6(p);
	}
}

static void insert_at(struct model *m, const struct model_tenant *t, const char *port,
		      const struct model_chain *chain)
{
	struct model_port *p = port ? model_port(m, t->name, port) : NULL;

	if (p)
		p->chain = chain;
}

/* At a port, or at each of a group. */
static void insert_by(struct model *m, const struct model_tenant *t, const char *ref,
		      const struct model_chain *chain)
{
	const json_t *group, *item;
	size_t i;

	if (!strncmp(ref, "port:", 5))
		insert_at(m, t, ref + 5, chain);
	if (strncmp(ref, "group:", 6))
		return;
	group = json_object_get(json_object_get(t->body, "groups"), ref + 6);
	json_array_foreach (json_object_get(group, "ports"), i, item)
		insert_at(m, t, json_string_value(item), chain);
}

static void make_inserts(struct model *m, const struct model_tenant *t)
{
	const char *name;
	json_t *object, *ref;
	size_t i;

	json_object_foreach (json_object_get(t->body, "insert"), name, object) {
		const struct model_chain *chain = model_chain(m, t->name, text_at(object, "chain"));

		json_array_foreach (json_object_get(object, "apply_to"), i, ref)
			insert_by(m, t, json_string_value(ref), chain);
	}
}

bool model_protects(const struct model_chain *c, const struct model_port *p)
{
	for (size_t i = 0; i < p->n_chosen; i++)
		if (p->chosen[i] == c)
			return true;
	return p->chain == c;
}

static void add_chosen(struct model_port *p, const struct model_chain *c)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n_chosen; i++)
		if (p->chosen[i] == c)
			return;
	p->chosen = alloc_grow(p->chosen, &p->chosen_room, p->n_chosen + 1, sizeof(*p->chosen));
	p->chosen[p->n_chosen++] = c;
}

/* All ports of a tenant, or of one of its networks. */
static void choose_for_all(struct model *m, const struct model_tenant *t, const struct model_network *n,
			   const struct model_chain *c)
{
	for (size_t i = 0; i < m->n_ports; i++)
		if (m->ports[i].tenant == t && (!n || m->ports[i].network == n))
			add_chosen(&m->ports[i], c);
}

static void choose_for(struct model *m, const struct model_tenant *t, const char *ref,
		       const struct model_chain *c)
{
	const json_t *group, *item;
	size_t i;

	if (!strncmp(ref, "port:", 5))
		add_chosen(model_port(m, t->name, ref + 5), c);
	if (!strncmp(ref, "network:", 8) && model_network(m, t->name, ref + 8))
		choose_for_all(m, t, model_network(m, t->name, ref + 8), c);
	if (strncmp(ref, "group:", 6))
		return;
	group = json_object_get(json_object_get(t->body, "groups"), ref + 6);
	json_array_foreach (json_object_get(group, "ports"), i, item)
		add_chosen(model_port(m, t->name, json_string_value(item)), c);
}

/* Many rules have one chain and apply to the same: each such pair is followed once. */
static void make_chosen(struct model *m, const struct model_tenant *t)
{
	json_t *known = json_object(), *rule, *ref;
	const char *name;
	char key[160];
	size_t i;

	json_object_foreach (json_object_get(t->body, "acl"), name, rule) {
		const struct model_chain *c = model_chain(m, t->name, text_at(rule, "chain"));
		json_t *refs = json_object_get(rule, "apply_to");

		if (!c)
			continue;
		json_array_foreach (refs, i, ref) {
			snprintf(key, sizeof(key), "%s %s", c->name, json_string_value(ref));
			if (json_object_get(known, key))
				continue;
			json_object_set_new(known, key, json_true());
			choose_for(m, t, json_string_value(ref), c);
		}
		if (refs || json_object_get(known, c->name))
			continue;
		json_object_set_new(known, c->name, json_true());
		choose_for_all(m, t, NULL, c);
	}
	json_decref(known);
}

bool model_rule_chains(const struct model *m, const char **tenant, const char **rule)
{
	for (size_t i = 0; i < m->n_tenants; i++) {
		json_t *object;

		json_object_foreach (json_object_get(m->tenants[i].body, "acl"), *rule, object) {
			*tenant = m->tenants[i].name;
			if (m->tenants[i].here && json_object_get(object, "chain"))
				return true;
		}
	}
	return false;
}

/* Each network's ports, now that their number is known. */
static void list_ports(struct model *m)
{
	for (size_t i = 0; i < m->n_networks; i++) {
		m->networks[i].ports =
			alloc_zero(m->networks[i].n_ports, sizeof(struct model_port *));
		m->networks[i].n_ports = 0;
	}
	for (size_t i = 0; i < m->n_ports; i++) {
		struct model_network *n = m->ports[i].network;

		n->ports[n->n_ports++] = &m->ports[i];
	}
}

void model_make(struct model *m, const json_t *tree, const struct identities *ids, const char *self)
{
	json_t *tenants = json_object_get(tree, "tenants"), *body;
	size_t networks = 0, ports = 0, chains = 0;
	const char *name;

	*m = (struct model){ .tree = tree, .ids = ids };
	make_hosts(m, self);
	make_functions(m);
	json_object_foreach (tenants, name, body) {
		networks += json_object_size(json_object_get(body, "networks"));
		ports += json_object_size(json_object_get(body, "ports"));
		chains += json_object_size(json_object_get(body, "chains"));
	}
	m->tenants = alloc_zero(json_object_size(tenants), sizeof(*m->tenants));
	m->networks = alloc_zero(networks, sizeof(*m->networks));
	m->ports = alloc_zero(ports, sizeof(*m->ports));
	m->chains = alloc_zero(chains, sizeof(*m->chains));
	json_object_foreach (tenants, name, body) {
		struct model_tenant *t = &m->tenants[m->n_tenants++];

		make_tenant(m, t, name, body);
		make_networks(m, t);
		make_chains(m, t);
		make_ports(m, t);
		make_inserts(m, t);
	}
	list_ports(m);
	for (size_t i = 0; i < m->n_tenants; i++)
		make_chosen(m, &m->tenants[i]);
	away_mark(m);
}

void model_free(struct model *m)
{
	struct model_name *name, *next;

	HASH_ITER (hh, m->names, name, next) {
		HASH_DEL(m->names, name);
		free(name);
	}
	for (size_t i = 0; i < m->n_ports; i++) {
		free(m->ports[i].addresses);
		free(m->ports[i].chosen);
	}
	for (size_t i = 0; i < m->n_networks; i++)
		free(m->networks[i].ports);
	free(m->hosts);
	free(m->instances);
	free(m->functions);
	free(m->tenants);
	free(m->networks);
	free(m->ports);
	free(m->chains);
	*m = (struct model){ 0 };
}
