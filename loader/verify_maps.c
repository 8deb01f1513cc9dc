// SPDX-License-Identifier: BSD-2-Clause
/* The maps hold what the configuration compiles to, but for entries put in by hand; likewise the tenants' tables. */
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/alloc.h"
#include "loader/show.h"
#include "loader/tables.h"
#include "loader/verify.h"

#define AGAIN "apply again: it writes what differs"

/* The object of a class that has the slot, or its number. */
static void slot_text(const struct verify *v, const char *class_name, uint32_t slot, char *buf,
		      size_t size)
{
	const char **by_slot;
	char name[SHOW_NAME_SIZE];
	size_t n;

	by_slot = identities_by_slot(&v->state->ids, class_name, &n);
	if (slot < n && by_slot[slot])
		snprintf(buf, size, "%s", show_name(by_slot[slot], name, sizeof(name)));
	else
		snprintf(buf, size, "slot %u", slot);
	free(by_slot);
}

/* Whose entry it is, so that there is something to look for. */
static void key_text(const struct verify *v, enum sync_map map, const void *key, char *buf,
		     size_t size)
{
	const struct fdb_key *fdb = key;
	const struct neigh_key *neigh = key;
	char text[SHOW_NAME_SIZE];

	switch (map) {
	case MAP_HOSTS:
		slot_text(v, "hosts", *(const uint32_t *)key, buf, size);
		break;
	case MAP_TENANTS:
		slot_text(v, "tenants", *(const uint32_t *)key, buf, size);
		break;
	case MAP_FUNCTIONS:
		slot_text(v, "functions", *(const uint32_t *)key, buf, size);
		break;
	case MAP_CHAINS:
	case MAP_NSH_CHAINS:
		slot_text(v, "chains", *(const uint32_t *)key, buf, size);
		break;
	case MAP_PORT_SLOTS:
		slot_text(v, "ports", *(const uint32_t *)key, buf, size);
		break;
	case MAP_FDB:
		snprintf(buf, size, "VNI %u, %s", fdb->vni, show_mac(fdb->mac, text, sizeof(text)));
		break;
	case MAP_NEIGH:
		snprintf(buf, size, "VNI %u, %s", neigh->vni,
			 show_address(neigh->family, neigh->address, text, sizeof(text)));
		break;
	case MAP_VTEPS:
		snprintf(buf, size, "%s", show_address(FAMILY_IPV4, key, text, sizeof(text)));
		break;
	case MAP_PORTS:
		snprintf(buf, size, "ifindex %u, VLAN %u", ((const struct port_key *)key)->ifindex,
			 ((const struct port_key *)key)->vid);
		break;
	case MAP_SF:
		snprintf(buf, size, "ifindex %u, tag %u", ((const struct sf_key *)key)->ifindex,
			 ((const struct sf_key *)key)->tci & 4095);
		break;
	case MAP_NSH_PATHS:
		snprintf(buf, size, "path 0x%06x", ((const struct nsh_path_key *)key)->path);
		break;
	default: /* keyed by the VNI, and what else follows it */
		snprintf(buf, size, "VNI %u", *(const uint32_t *)key);
		break;
	}
}

static void check_entries(struct verify *v, const struct sync *s, enum sync_map map)
{
	size_t odd = s->gone[map].n, other = s->fresh[map].n;
	const void *first = other ? entries_key(&s->fresh[map], 0) : entries_key(&s->gone[map], 0);
	char object[FINDING_OBJECT_SIZE], which[160];

	v->entries += s->actual[map].n;
	if (!odd && !other)
		return;
	key_text(v, map, first, which, sizeof(which));
	snprintf(object, sizeof(object), "map %s", sync_maps[map].name);
	finding_add(
		v->findings, object, AGAIN,
		"%zu entries are missing or not as configured, and %zu are of nothing that is configured (%s)",
		other, odd, which);
}

/* The planner counts tenants apart, since their epochs are state. */
static void check_tenants(struct verify *v, const struct sync *s)
{
	const struct entries *actual = &s->actual[MAP_TENANTS];
	char object[FINDING_OBJECT_SIZE], name[160];

	v->entries += actual->n;
	for (uint32_t slot = 0; slot < actual->n && slot < WEFT_TENANTS_MAX; slot++) {
		const struct tenant *is = entries_value(actual, slot), *wanted = &s->wanted[slot];

		if (!memcmp(is, wanted, sizeof(*is)))
			continue;
		slot_text(v, "tenants", slot, name, sizeof(name));
		snprintf(object, sizeof(object), "tenant %.100s", name);
		finding_add(v->findings, object, AGAIN,
			    "its options in map tenant_slots are not as configured");
	}
}

/* host[0] says which of the hosts this is; all else hangs on it. */
static void check_host(struct verify *v)
{
	const struct host_config *host = &v->state->host;
	const struct model_host *self = v->model.self;
	uint32_t underlays[WEFT_UNDERLAYS_MAX];
	static const uint8_t none[4];

	facts_xdp_underlays(&v->facts, underlays);
	if (memcmp(host->vtep4, self ? self->vtep4 : none, 4) ||
	    host->slot != (self ? self->slot : 0) ||
	    memcmp(host->xdp_underlay, underlays, sizeof(underlays)) || !host->mark)
		finding_add(v->findings, "map host", AGAIN,
			    "this host's record is not as configured");
}

static void check_table(struct verify *v, struct tables *t, const struct sync *s, size_t i,
			enum inner kind)
{
	static const char *const texts[] = {
		[TABLE_MISSING] = "the tenant has none in use",
		[TABLE_SIZE] = "is not of the configured size",
		[TABLE_CONTENT] = "is not what the rules compile to",
		[TABLE_PIN] = "the one in use is not the one that is pinned",
	};
	char object[FINDING_OBJECT_SIZE];
	enum table_fault fault = tables_check(t, v->root, s, i, kind);
	json_t *list;

	v->tables++;
	if (fault == TABLE_RIGHT)
		return;
	snprintf(object, sizeof(object), "tenant %s, map %s", v->model.tenants[i].name,
		 inner_kinds[kind].name);
	/* Rules that were edited and not yet committed look the same. */
	list = kind == INNER_ACL && (fault == TABLE_SIZE || fault == TABLE_CONTENT) ?
		       verify_rules_list(v, v->model.tenants[i].name) :
		       v->findings;
	finding_add(list, object, "apply a file that names the tenant, or `weft acl commit`", "%s",
		    texts[fault]);
}

static int check_tables(struct verify *v, const struct sync *s, struct error *e)
{
	bool *touched = alloc_zero(v->model.n_tenants, sizeof(*touched));
	struct tables t = { 0 };
	int failed;

	for (size_t i = 0; i < v->model.n_tenants; i++)
		touched[i] = !state_rejected(v->state, v->model.tenants[i].name);
	failed = tables_open(&t, v->root, &v->model, touched, e);
	for (size_t i = 0; i < v->model.n_tenants && !failed; i++) {
		char object[FINDING_OBJECT_SIZE];

		if (t.refused[i]) {
			const char *name = v->model.tenants[i].name;

			snprintf(object, sizeof(object), "tenant %s", name);
			finding_add(verify_rules_list(v, name), object, "then `weft acl commit`",
				    "%s", t.refused[i]->text);
			continue;
		}
		for (int kind = 0; kind < INNER_RULES && touched[i]; kind++)
			if (tables_wants(&v->model.tenants[i], kind))
				check_table(v, &t, s, i, kind);
	}
	if (!failed)
		tables_close(&t);
	free(touched);
	return failed;
}

/* ---- what XDP may send to ---- */

static bool listed(const uint32_t list[WEFT_UNDERLAYS_MAX], uint32_t ifindex)
{
	for (int i = 0; i < WEFT_UNDERLAYS_MAX; i++)
		if (list[i] == ifindex)
			return true;
	return false;
}

static void do_without(struct verify *v, struct fact *f)
{
	char object[FINDING_OBJECT_SIZE];

	f->takes_xdp = false;
	snprintf(object, sizeof(object), "device %s", f->device);
	finding_add(v->notes, object, "apply again and XDP does",
		    "takes what XDP sends since the last apply; until then TC sends");
}

static bool instance_takes_xdp(struct verify *v, const struct model_instance *i,
			       void (*each)(struct verify *, struct fact *))
{
	bool all = true;

	for (int arm = 0; i->here && arm < 2; arm++) {
		struct fact *f = facts_find(&v->facts, arm ? i->towards : i->leaving);

		if (!f || !f->present)
			continue;
		all = all && f->takes_xdp;
		if (each && f->takes_xdp)
			each(v, f);
	}
	return all;
}

/* Calls `each`, if any, with the devices of the chain that are there; do all of them take what XDP sends? */
static bool functions_take_xdp(struct verify *v, const struct model_chain *c,
			       void (*each)(struct verify *, struct fact *))
{
	bool all = true;

	for (uint8_t n = 0; n < c->steps; n++) {
		const struct model_function *f = c->step[n].sf;

		for (size_t i = 0; f && i < f->n_instances; i++)
			all = instance_takes_xdp(v, &f->instances[i], each) && all;
	}
	return all;
}

/* The arms of a chain's functions, if XDP could use them by now and the chain's record says that it does not. */
static void forgive_functions(struct verify *v, const struct model_chain *c, int chains)
{
	struct chain chain;

	if (bpf_map_lookup_elem(chains, &c->slot, &chain) || chain.step[0].flags & STEP_XDP_DELIVER)
		return;
	if (functions_take_xdp(v, c, NULL))
		functions_take_xdp(v, c, do_without);
}

/*
 * A device whose other end has come to take what XDP sends is not used so before the next apply: that loses nothing
 * and is no fault. The opposite is one, for then frames are lost.
 */
static int forgive_xdp(struct verify *v, struct error *e)
{
	int ports = root_map(v->root, "port_slots", e), chains = root_map(v->root, "chains", e);
	struct port port;

	for (struct fact *f = v->facts.by_device; f; f = f->hh.next)
		if (f->role == ROLE_UNDERLAY && f->takes_xdp &&
		    !listed(v->state->host.xdp_underlay, f->info.ifindex))
			do_without(v, f);
	for (size_t i = 0; ports >= 0 && i < v->model.n_ports; i++) {
		const struct model_port *p = &v->model.ports[i];
		struct fact *f = p->here ? facts_find(&v->facts, p->device) : NULL;

		if (f && f->takes_xdp && !bpf_map_lookup_elem(ports, &p->slot, &port) &&
		    !(port.flags & PORT_XDP_DELIVER))
			do_without(v, f);
	}
	for (size_t i = 0; chains >= 0 && i < v->model.n_chains; i++)
		forgive_functions(v, &v->model.chains[i], chains);
	if (ports >= 0)
		close(ports);
	if (chains >= 0)
		close(chains);
	return ports < 0 || chains < 0 ? -1 : 0;
}

static int check_maps(struct verify *v, struct sync *s, struct error *e)
{
	struct desired desired;
	int failed;

	if (forgive_xdp(v, e) || compile(&v->model, &v->facts, v->state->host.hz, &desired, e))
		return -1;
	failed = sync_plan(s, v->root, &desired, e);
	if (!failed) {
		check_host(v);
		check_tenants(v, s);
		for (int map = 0; map < SYNC_MAPS; map++)
			if (map != MAP_TENANTS)
				check_entries(v, s, map);
		failed = check_tables(v, s, e);
		sync_free(s);
	}
	desired_free(&desired);
	return failed;
}

int verify_maps(struct verify *v, struct error *e)
{
	struct sync *s = alloc_zero(1, sizeof(*s));
	int failed = check_maps(v, s, e);

	free(s);
	return failed;
}
