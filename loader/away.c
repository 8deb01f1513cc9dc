// SPDX-License-Identifier: BSD-2-Clause
#include "loader/away.h"

bool away_has_local(const struct model_function *f, const struct model_host *host)
{
	for (size_t i = 0; i < f->n_instances; i++)
		if (f->instances[i].host == host)
			return true;
	return false;
}

/* For each host in another order, so that not all use the same ones. */
static uint32_t rank(const struct model_instance *one, uint32_t judge)
{
	return (one->id ^ judge) * 0x9e3779b1u;
}

/* A host knows as many instances of a function as have places: its own, and of the others those that come first. */
bool away_uses(const struct model_function *f, const struct model_instance *one,
	       const struct model_host *judge)
{
	uint32_t id = instance_id(judge->name), own = rank(one, id);
	size_t before = 0;

	if (one->host == judge || f->near)
		return false;
	if (f->n_instances <= FUNCTION_INSTANCES)
		return true;
	for (size_t i = 0; i < f->n_instances; i++) {
		const struct model_instance *other = &f->instances[i];

		before += other != one && (other->host == judge || rank(other, id) < own);
	}
	return before < FUNCTION_INSTANCES;
}

static bool stands_in(const struct model_function *f, const struct model_chain *c)
{
	for (uint8_t i = 0; i < c->steps; i++)
		if (c->step[i].sf == f)
			return true;
	return false;
}

/* Is the function in the way of frames of the port? */
static bool protects(const struct model_function *f, const struct model_port *p)
{
	for (size_t i = 0; i < p->n_chosen; i++)
		if (stands_in(f, p->chosen[i]))
			return true;
	return p->chain && stands_in(f, p->chain);
}

static bool has_ports_here(const struct model *m, const struct model_chain *c)
{
	for (size_t i = 0; i < m->n_ports; i++)
		if (m->ports[i].here && model_protects(c, &m->ports[i]))
			return true;
	return false;
}

static void mark_steps(const struct model *m, struct model_chain *c)
{
	bool here = has_ports_here(m, c);

	for (uint8_t n = 0; n < c->steps; n++) {
		struct model_function *f = c->step[n].sf;

		if (!f)
			continue;
		f->near |= !c->tag || c->step[n].tap;
		f->used |= here;
	}
}

void away_mark(struct model *m)
{
	for (size_t i = 0; i < m->n_chains; i++)
		mark_steps(m, &m->chains[i]);
	for (size_t i = 0; m->self && i < m->n_functions; i++) {
		struct model_function *f = &m->functions[i];

		for (size_t k = 0; f->used && k < f->n_instances; k++)
			f->instances[k].away = away_uses(f, &f->instances[k], m->self);
	}
}

bool away_any(const struct model_function *f)
{
	for (size_t i = 0; i < f->n_instances; i++)
		if (f->instances[i].away)
			return true;
	return false;
}

bool away_sends(const struct model *m, const struct model_chain *c)
{
	bool away = false;

	for (uint8_t n = 0; n < c->steps && !away; n++)
		away = c->step[n].sf && away_any(c->step[n].sf);
	return away && has_ports_here(m, c);
}

/* May frames of ports on that host go to an instance on another one? `here`: on this one. */
static bool leads_away(const struct model_chain *c, const struct model_host *judge, bool here)
{
	for (uint8_t n = 0; n < c->steps; n++) {
		const struct model_function *f = c->step[n].sf;

		for (size_t k = 0; f && k < f->n_instances; k++)
			if ((!here || f->instances[k].here) && away_uses(f, &f->instances[k], judge))
				return true;
	}
	return false;
}

bool away_serves_host(const struct model_chain *c, const struct model_host *judge)
{
	return leads_away(c, judge, true);
}

bool away_serves(const struct model *m, const struct model_chain *c)
{
	for (size_t i = 0; m->self && i < m->n_ports; i++)
		if (!m->ports[i].here && model_protects(c, &m->ports[i]) &&
		    away_serves_host(c, m->ports[i].host))
			return true;
	return false;
}

bool away_crosses(const struct model *m, const struct model_chain *c)
{
	for (size_t i = 0; i < m->n_ports; i++)
		if (model_protects(c, &m->ports[i]) && leads_away(c, m->ports[i].host, false))
			return true;
	return false;
}

const struct model_network *away_misfit(const struct facts *facts, const struct model *m,
					const struct model_function *f)
{
	const struct fact *underlay = facts_narrowest(facts);

	for (size_t i = 0; underlay && i < m->n_ports; i++) {
		const struct model_port *p = &m->ports[i];

		if (p->here && protects(f, p) &&
		    p->network->mtu + AWAY_BYTES > underlay->info.mtu)
			return p->network;
	}
	return NULL;
}
