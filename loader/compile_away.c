// SPDX-License-Identifier: BSD-2-Clause
/*
 * Chains between hosts: paths, as both ends know them, and what is believed of functions here that frames of other hosts'
 * ports went to. A host has entries for paths that its own ports send away, and for those whose frames its functions get.
 */
#include "loader/away.h"
#include "loader/compile.h"

static uint32_t place_of_vni(const uint32_t vnis[CHAIN_NETWORKS], uint32_t vni)
{
	uint32_t i = 0;

	while (i < CHAIN_NETWORKS - 1 && vnis[i] != vni)
		i++;
	return i;
}

/* A port of another host: what functions here have got of it goes back there. */
static void add_served(struct chain_work *w, const struct model_port *p)
{
	struct error unused = { 0 };
	uint32_t away;

	compile_add_vni(w->c, w->chain.vnis, p->network->vni, &unused);
	away = SF_AWAY(p->host->slot, place_of_vni(w->chain.vnis, p->network->vni));
	for (uint8_t n = 0; n < w->c->steps; n++) {
		const struct model_function *f = w->c->step[n].sf;

		for (size_t k = 0; f && k < f->n_instances; k++)
			if (f->instances[k].here && away_uses(f, &f->instances[k], p->host))
				compile_returns(w, p, n, &f->instances[k], away);
	}
}

static void add_path(struct chain_work *w, const struct model_host *judge)
{
	struct nsh_path_key key = { .path = w->c->path, .host = judge->slot };
	struct nsh_path path = { .chain = w->c->slot };
	struct error unused = { 0 };

	for (size_t i = 0; i < w->m->n_ports; i++)
		if (model_protects(w->c, &w->m->ports[i]) && w->m->ports[i].host == judge)
			compile_add_vni(w->c, path.vnis, w->m->ports[i].network->vni, &unused);
	if (path.vnis[0])
		entries_add(&w->d->map[MAP_NSH_PATHS], &key, &path);
}

void compile_away(struct chain_work *w)
{
	struct nsh_chain path = { .id = w->c->id, .path = w->c->path };
	const struct model *m = w->m;

	if (!w->sends && !w->serves)
		return;
	entries_add(&w->d->map[MAP_NSH_CHAINS], &w->c->slot, &path);
	if (w->sends)
		add_path(w, m->self);
	for (size_t i = 0; w->serves && i < m->n_hosts; i++)
		if (&m->hosts[i] != m->self && away_serves_host(w->c, &m->hosts[i]))
			add_path(w, &m->hosts[i]);
	for (size_t i = 0; w->serves && i < m->n_ports; i++)
		if (model_protects(w->c, &m->ports[i]) && !m->ports[i].here &&
		    away_serves_host(w->c, m->ports[i].host))
			add_served(w, &m->ports[i]);
}
