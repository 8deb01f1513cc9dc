// SPDX-License-Identifier: BSD-2-Clause
#include <stdlib.h>
#include <string.h>

#include "loader/alloc.h"
#include "loader/compile.h"

const struct sync_map_type sync_maps[SYNC_MAPS] = {
	[MAP_HOSTS] = { "hosts", 4, sizeof(struct host), true },
	[MAP_VTEPS] = { "vteps", sizeof(struct vtep_key), sizeof(struct vtep), false },
	[MAP_TENANTS] = { "tenant_slots", 4, sizeof(struct tenant), true },
	[MAP_NETWORKS] = { "networks", 4, sizeof(struct network), false },
	[MAP_FUNCTIONS] = { "functions", 4, sizeof(struct function), true },
	[MAP_CHAINS] = { "chains", 4, sizeof(struct chain), true },
	[MAP_NSH_CHAINS] = { "nsh_chains", 4, sizeof(struct nsh_chain), true },
	[MAP_NSH_PATHS] = { "nsh_paths", sizeof(struct nsh_path_key), sizeof(struct nsh_path), false },
	[MAP_PORT_SLOTS] = { "port_slots", 4, sizeof(struct port), true },
	[MAP_FDB] = { "fdb", sizeof(struct fdb_key), sizeof(struct fdb_entry), false },
	[MAP_NEIGH] = { "neigh", sizeof(struct neigh_key), sizeof(struct neigh_entry), false },
	[MAP_FLOOD] = { "flood", sizeof(struct flood_key), sizeof(struct flood_target), false },
	[MAP_SF] = { "sf", sizeof(struct sf_key), sizeof(struct sf_return), false },
	[MAP_PORTS] = { "ports", sizeof(struct port_key), sizeof(struct port_binding), false },
};

void desired_init(struct desired *d)
{
	for (int i = 0; i < SYNC_MAPS; i++)
		entries_init(&d->map[i], sync_maps[i].key_size, sync_maps[i].value_size);
}

void desired_free(struct desired *d)
{
	for (int i = 0; i < SYNC_MAPS; i++)
		entries_free(&d->map[i]);
}

uint32_t outer_ip_sum(const uint8_t source[4], const uint8_t destination[4])
{
	/* Version and header length, DF, TTL and protocol; the other words are 0. */
	return 0x4500u + 0x4000u + (64u << 8 | 17u) + ((uint32_t)source[0] << 8 | source[1]) +
	       ((uint32_t)source[2] << 8 | source[3]) +
	       ((uint32_t)destination[0] << 8 | destination[1]) +
	       ((uint32_t)destination[2] << 8 | destination[3]);
}

uint32_t to_jiffies(uint64_t ms, uint32_t hz)
{
	uint64_t jiffies = ms * hz / 1000;

	return jiffies < 1 ? 1 : jiffies > INT32_MAX ? INT32_MAX : (uint32_t)jiffies;
}

static void compile_hosts(const struct model *m, struct desired *d)
{
	/* Without a place of our own there is no tunnel, and nobody to believe. */
	for (size_t i = 0; m->self && i < m->n_hosts; i++) {
		const struct model_host *h = &m->hosts[i];
		struct host host = { .id = h->id,
				     .ip_checksum = outer_ip_sum(m->self->vtep4, h->vtep4) };
		struct vtep vtep = { .host = h->slot };
		struct vtep_key key = { 0 };

		memcpy(host.vtep4, h->vtep4, 4);
		memcpy(key.address, h->vtep4, 4);
		entries_add(&d->map[MAP_HOSTS], &h->slot, &host);
		entries_add(&d->map[MAP_VTEPS], &key, &vtep);
	}
}

static void compile_tenants(const struct model *m, uint32_t hz, struct desired *d)
{
	for (size_t i = 0; i < m->n_tenants; i++) {
		const struct model_tenant *t = &m->tenants[i];
		struct tenant tenant = { .id = t->id, .flags = t->flags, .shortest = UINT32_MAX };

		for (int k = 0; k < CT_TIMEOUT_COUNT; k++) {
			tenant.timeout[k] = to_jiffies(t->timeout_ms[k], hz);
			if (tenant.timeout[k] < tenant.shortest)
				tenant.shortest = tenant.timeout[k];
		}
		entries_add(&d->map[MAP_TENANTS], &t->slot, &tenant);
	}
}

static int compare_targets(const void *a, const void *b)
{
	const struct flood_target *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/*
 * Who gets what is for all of the network: local ports that have a device, then the hosts of the
 * others.
 */
static int compile_flood(const struct model_network *n, const struct facts *facts,
			 struct desired *d, uint32_t *count, struct error *e)
{
	struct flood_target *targets = alloc_zero(n->n_ports, sizeof(*targets));
	struct flood_key key = { .vni = n->vni };
	size_t used = 0, kept = 0;

	for (size_t i = 0; i < n->n_ports; i++) {
		const struct model_port *p = n->ports[i];

		if (!p->here)
			targets[used++] = (struct flood_target){ TARGET_HOST, p->host->slot };
		else if (facts_ifindex(facts, p->device))
			targets[used++] = (struct flood_target){ TARGET_PORT, p->slot };
	}
	qsort(targets, used, sizeof(*targets), compare_targets);
	for (size_t i = 0; i < used; i++)
		if (!kept || compare_targets(&targets[kept - 1], &targets[i]))
			targets[kept++] = targets[i];
	for (size_t i = 0; i < kept && kept <= FLOOD_MAX; i++, key.n++)
		entries_add(&d->map[MAP_FLOOD], &key, &targets[i]);
	free(targets);
	*count = (uint32_t)kept;
	if (kept > FLOOD_MAX)
		return error_set(e, EXIT_REFUSED,
				 "network %s/%s: a broadcast would go to %zu ports and hosts, and "
				 "%d is the most: use two networks",
				 n->tenant->name, n->name, kept, FLOOD_MAX);
	return 0;
}

static void compile_whereabouts(const struct model_network *n, const struct model_port *p,
				struct desired *d)
{
	struct fdb_key at = { .vni = n->vni };
	struct fdb_entry target = { .kind = p->here ? TARGET_PORT : TARGET_HOST,
				    .origin = ORIGIN_WEFT };
	struct neigh_entry who = { .origin = ORIGIN_WEFT };

	memcpy(at.mac, p->mac, 6);
	memcpy(who.mac, p->mac, 6);
	target.index = p->here ? p->slot : p->host->slot;
	entries_add(&d->map[MAP_FDB], &at, &target);
	for (size_t i = 0; i < p->n_addresses; i++) {
		struct neigh_key key = { .vni = n->vni, .family = p->addresses[i].family };

		memcpy(key.address, p->addresses[i].addr.bytes, 16);
		entries_add(&d->map[MAP_NEIGH], &key, &who);
	}
}

static int compile_networks(const struct model *m, const struct facts *facts, struct desired *d,
			    struct error *e)
{
	for (size_t i = 0; i < m->n_networks; i++) {
		const struct model_network *n = &m->networks[i];
		struct network network = {
			.id = n->id,
			.tenant = n->tenant->slot,
			.slot = n->slot,
			.mtu = n->mtu,
		};

		if (!n->here)
			continue;
		if (compile_flood(n, facts, d, &network.flood, e))
			return -1;
		entries_add(&d->map[MAP_NETWORKS], &n->vni, &network);
		for (size_t k = 0; k < n->n_ports; k++)
			compile_whereabouts(n, n->ports[k], d);
	}
	return 0;
}

static int put_addresses(struct port *port, const struct model_port *p, struct error *e)
{
	for (size_t i = 0; i < p->n_addresses; i++) {
		const struct model_address *a = &p->addresses[i];
		bool four = a->family == FAMILY_IPV4;
		__u8 *n = four ? &port->addresses4 : &port->addresses6;

		if (*n == PORT_ADDRESSES)
			return error_set(e, EXIT_REFUSED,
					 "port %s/%s: has more than %d %s addresses, and that is "
					 "all there is room for: remove some",
					 p->tenant->name, p->name, PORT_ADDRESSES,
					 four ? "IPv4" : "IPv6");
		if (four)
			memcpy(port->address4[*n], a->addr.bytes, 4);
		else
			memcpy(port->address6[*n], a->addr.bytes, 16);
		(*n)++;
	}
	return 0;
}

static int compile_port(const struct model_port *p, const struct facts *facts, struct desired *d,
			struct error *e)
{
	const struct fact *fact = facts_find(facts, p->device);
	struct port port = {
		.id = p->id,
		/* Ids are never given twice, so this tells one owner of the slot from the next. */
		.generation = (uint32_t)p->id ? (uint32_t)p->id : 1,
		.tenant = p->tenant->slot,
		.network = p->network->slot,
		.vni = p->network->vni,
		.vid = p->vid,
		.chain = p->chain ? (uint16_t)p->chain->slot : 0,
	};

	memcpy(port.mac, p->mac, 6);
	if (put_addresses(&port, p, e))
		return -1;
	if (fact && fact->present) {
		struct port_key key = { .ifindex = fact->info.ifindex, .vid = p->vid };
		struct port_binding binding = { .port = p->slot, .generation = port.generation };

		port.ifindex = fact->info.ifindex;
		port.flags = (fact->info.peer_elsewhere ? PORT_PEER : 0) |
			     (fact->takes_xdp ? PORT_XDP_DELIVER : 0);
		entries_add(&d->map[MAP_PORTS], &key, &binding);
	}
	entries_add(&d->map[MAP_PORT_SLOTS], &p->slot, &port);
	return 0;
}

/* Two values for one key: checked before, except what only this host can see. */
static int check_twice(const struct desired *d, struct error *e)
{
	for (int i = 0; i < SYNC_MAPS; i++) {
		const struct entries *list = &d->map[i];

		for (size_t k = 1; k < list->n; k++)
			if (!memcmp(entries_key(list, k - 1), entries_key(list, k),
				    list->key_size) &&
			    memcmp(entries_value(list, k - 1), entries_value(list, k),
				   list->value_size))
				return error_set(
					e, EXIT_REFUSED,
					"map %s: two objects claim one entry: two "
					"ports share a device and a VLAN, or a MAC in one network or "
					"chain; give each its own",
					sync_maps[i].name);
	}
	return 0;
}

int compile(const struct model *m, const struct facts *facts, uint32_t hz, struct desired *d,
	    struct error *e)
{
	desired_init(d);
	compile_hosts(m, d);
	compile_tenants(m, hz, d);
	compile_functions(m, facts, d);
	if (compile_networks(m, facts, d, e) || compile_chains(m, facts, d, e))
		goto failed;
	for (size_t i = 0; i < m->n_ports; i++)
		if (m->ports[i].here && compile_port(&m->ports[i], facts, d, e))
			goto failed;
	for (int i = 0; i < SYNC_MAPS; i++)
		entries_sort(&d->map[i]);
	if (!check_twice(d, e)) {
		for (int i = 0; i < SYNC_MAPS; i++)
			entries_unique(&d->map[i]);
		return 0;
	}
failed:
	desired_free(d);
	return -1;
}
