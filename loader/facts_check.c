// SPDX-License-Identifier: BSD-2-Clause
/* Do packets of the configured size fit the devices that they will pass? */
#include "loader/facts.h"

#define TUNNEL_BYTES 50 /* outer IPv4, UDP and VXLAN headers, and the inner Ethernet header */

/* The underlay device here that carries least; NULL if none is there. */
static struct fact *narrowest(const struct facts *facts)
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
	struct fact *underlay = narrowest(facts);

	for (size_t i = 0; underlay && i < m->n_networks; i++) {
		while (underlay && m->networks[i].here &&
		       check_underlay(underlay, &m->networks[i], e)) {
			if (!facts_excuse(facts, underlay, e))
				return -1;
			underlay = narrowest(facts);
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

static int check_chain(struct facts *facts, const struct model_port *p, const struct model_chain *c,
		       struct error *e)
{
	for (uint8_t i = 0; i < c->steps; i++) {
		const struct model_function *f = c->step[i].sf;

		for (size_t k = 0; f && k < f->n_instances; k++)
			if (f->instances[k].here && check_instance(facts, p, &f->instances[k], e))
				return -1;
	}
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

		if (p->here && check_chains(facts, p, e))
			return -1;
	}
	return 0;
}
