// SPDX-License-Identifier: BSD-2-Clause
/* Do packets of the configured size fit the devices that they will pass? */
#include <stdio.h>

#include "loader/away.h"
#include "loader/facts.h"

#define TUNNEL_BYTES 50 /* outer IPv4, UDP and VXLAN headers, and the inner Ethernet header */

struct fact *facts_narrowest(const struct facts *facts)
{
	struct fact *least = NULL;

	for (struct fact *f = facts->by_device; f; f = f->hh.next)
		if (f->role == ROLE_UNDERLAY && f->present && !f->refusal &&
		    (!least || f->info.mtu < least->info.mtu))
			least = f;
	return least;
}

static int check_underlay(const struct fact *underlay, const struct model_network *n,
			  struct error *e)
{
	bool elsewhere = false;

	for (size_t i = 0; i < n->n_ports; i++)
		elsewhere |= !n->ports[i]->here;
	if (!elsewhere || n->mtu + TUNNEL_BYTES <= underlay->info.mtu)
		return 0;
	return error_set(
		e, EXIT_REFUSED,
		"network %s/%s: mtu %u and %d bytes of tunnel do not fit the MTU %u of the "
		"underlay device %s: set mtu to %d or less, or the device's MTU to %u",
		n->tenant->name, n->name, n->mtu, TUNNEL_BYTES, underlay->info.mtu,
		underlay->device, (int)underlay->info.mtu - TUNNEL_BYTES, n->mtu + TUNNEL_BYTES);
}

static int check_underlays(struct facts *facts, const struct model *m, struct error *e)
{
	struct fact *underlay = facts_narrowest(facts);

	for (size_t i = 0; underlay && i < m->n_networks; i++) {
		while (underlay && m->networks[i].here &&
		       check_underlay(underlay, &m->networks[i], e)) {
			if (!facts_excuse(facts, underlay, e))
				return -1;
			underlay = facts_narrowest(facts);
		}
	}
	return 0;
}

/* A function's frames carry a tag besides, for which Linux devices have room beyond their MTU. */
static int check_function(struct facts *facts, const struct model_port *p, const char *device,
			  struct error *e)
{
	struct fact *fact = facts_find(facts, device);

	if (!fact || !fact->present || fact->refusal || p->network->mtu <= fact->info.mtu)
		return 0;
	error_set(e, EXIT_REFUSED,
		  "network %s/%s: mtu %u does not fit the MTU %u of %s, the device of %s, in "
		  "the wire of port %s: set mtu to %u or less, or the device's MTU to %u",
		  p->tenant->name, p->network->name, p->network->mtu, fact->info.mtu, device,
		  fact->user, p->name, fact->info.mtu, p->network->mtu);
	return facts_excuse(facts, fact, e) ? 0 : -1;
}

static int check_instance(struct facts *facts, const struct model_port *p,
			  const struct model_instance *one, struct error *e)
{
	return check_function(facts, p, one->leaving, e) ||
			       check_function(facts, p, one->towards, e) ?
		       -1 :
		       0;
}

/* `one`: on this host, or NULL if the port is. */
static int check_way(struct facts *facts, const struct model_port *p, const struct model_function *f,
		     const struct model_instance *one, struct error *e)
{
	struct fact *underlay = facts_narrowest(facts);
	const struct model_network *n = p->network;
	char way[160];

	if (!underlay || n->mtu + AWAY_BYTES <= underlay->info.mtu)
		return 0;
	if (one)
		snprintf(way, sizeof(way), "which function %s/%s on this host needs for port %s of host %s",
			 f->name, one->name, p->name, p->host->name);
	else
		snprintf(way, sizeof(way), "which port %s needs for function %s on other hosts", p->name,
			 f->name);
	error_set(
		e, EXIT_REFUSED,
		"network %s/%s: mtu %u and %d bytes of tunnel and NSH, %s, do not fit the MTU %u of the underlay device %s: set mtu to %d or less, or the device's MTU to %u",
		n->tenant->name, n->name, n->mtu, AWAY_BYTES, way, underlay->info.mtu,
		underlay->device, (int)underlay->info.mtu - AWAY_BYTES, n->mtu + AWAY_BYTES);
	return facts_excuse(facts, underlay, e) ? 0 : -1;
}

/*
 * Of a port here, and of one whose frames functions here get. Between hosts only where there is no other way: a function's
 * instances on other hosts are not used for ports that do not fit, as long as it has one on theirs (away_misfit()).
 */
static int check_step(struct facts *facts, const struct model_port *p, const struct model_function *f,
		      struct error *e)
{
	bool near = away_has_local(f, p->host);

	if (!p->here && near)
		return 0;
	if (!near && p->here && check_way(facts, p, f, NULL, e))
		return -1;
	for (size_t k = 0; k < f->n_instances; k++) {
		const struct model_instance *one = &f->instances[k];

		if (!one->here || (!p->here && !away_uses(f, one, p->host)))
			continue;
		if (check_instance(facts, p, one, e) ||
		    (!p->here && check_way(facts, p, f, one, e)))
			return -1;
	}
	return 0;
}

static int check_chain(struct facts *facts, const struct model_port *p, const struct model_chain *c,
		       struct error *e)
{
	for (uint8_t i = 0; i < c->steps; i++)
		if (c->step[i].sf && check_step(facts, p, c->step[i].sf, e))
			return -1;
	return 0;
}

static int check_chains(struct facts *facts, const struct model_port *p, struct error *e)
{
	if (p->chain && check_chain(facts, p, p->chain, e))
		return -1;
	for (size_t i = 0; i < p->n_chosen; i++)
		if (check_chain(facts, p, p->chosen[i], e))
			return -1;
	return 0;
}

int facts_check(struct facts *facts, const struct model *m, struct error *e)
{
	if (check_underlays(facts, m, e))
		return -1;
	for (size_t i = 0; i < m->n_ports; i++) {
		const struct model_port *p = &m->ports[i];

		if (check_chains(facts, p, e))
			return -1;
	}
	return 0;
}
