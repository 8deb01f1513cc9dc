// SPDX-License-Identifier: BSD-2-Clause
/* Chains, and what is believed when it comes back from a function's device. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/alloc.h"
#include "loader/away.h"
#include "loader/compile.h"

int compile_add_vni(const struct model_chain *c, uint32_t vnis[CHAIN_NETWORKS], uint32_t vni,
		    struct error *e)
{
	for (int i = 0; i < CHAIN_NETWORKS; i++) {
		if (vnis[i] == vni)
			return 0;
		if (!vnis[i]) {
			vnis[i] = vni;
			return 0;
		}
	}
	return error_set(e, EXIT_REFUSED,
			 "chain %s/%s: protects ports of more than %d networks, and that is the "
			 "most: use a chain of its own, with its own tag, for some of them",
			 c->tenant, c->name, CHAIN_NETWORKS);
}

static void add_return(struct chain_work *w, uint32_t ifindex, enum chain_pcp pcp,
		       const uint8_t mac[6], const struct sf_return *back)
{
	struct sf_key key = { .ifindex = ifindex, .tci = (uint16_t)(pcp << 13 | w->c->tag) };

	memcpy(key.mac, mac, 6);
	entries_add(&w->d->map[MAP_SF], &key, back);
}

/*
 * A frame comes back from the arm that it did not enter; with one arm both are the same. What the function makes itself
 * comes by either. Each device is believed what the instance there was sent as this step, so that no function can
 * speak for another.
 */
void compile_returns(struct chain_work *w, const struct model_port *p, uint8_t n,
		     const struct model_instance *one, uint32_t whose)
{
	static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const struct fact *in = facts_find(w->facts, one->leaving);
	const struct fact *out = facts_find(w->facts, one->towards);
	struct sf_return back = {
		.port = whose,
		.chain = (uint16_t)w->c->slot,
		.step = n,
		.instance = one->place,
	};
	uint32_t leaving, towards;

	if (!one->here || !in || !in->present || !out || !out->present)
		return;
	leaving = in->info.ifindex;
	towards = out->info.ifindex;
	add_return(w, towards, PCP_LEAVING, p->mac, &back);
	add_return(w, leaving, PCP_TOWARDS, p->mac, &back);
	add_return(w, leaving, PCP_MADE, p->mac, &back);
	add_return(w, towards, PCP_MADE, p->mac, &back);
	/* What a rule chooses a chain for goes to one. */
	if (p->chain != w->c)
		return;
	/* Of everybody's nothing tells whose it is. */
	back.port = w->serves ? SF_AWAY(0, 0) : 0;
	add_return(w, leaving, PCP_TOWARDS, everybody, &back);
}

/* Are the instance's devices there, and do they take what XDP redirects? The first one is the step's for older programs. */
static bool put_devices(const struct model_instance *one, const struct facts *facts,
			struct chain_step *step, bool *takes_xdp)
{
	const struct fact *leaving, *towards;

	if (!one->here)
		return false;
	leaving = facts_find(facts, one->leaving);
	towards = facts_find(facts, one->towards);
	if (!leaving || !leaving->present || !towards || !towards->present)
		return false;
	if (!step->leaving_ifindex && !(one->flags & INSTANCE_DOWN)) {
		step->leaving_ifindex = leaving->info.ifindex;
		step->towards_ifindex = towards->info.ifindex;
	}
	*takes_xdp = *takes_xdp && leaving->takes_xdp && towards->takes_xdp;
	return true;
}

/*
 * Without devices a step is dead. A frame that XDP has sent to one must be able to go on to the next; and copies are TC's, as
 * is what goes to other hosts, so that XDP had better leave a chain alone that has a step with no instance here.
 */
static void put_steps(struct chain_work *w)
{
	bool any = false, takes_xdp = true;

	for (uint8_t i = 0; i < w->c->steps; i++) {
		const struct model_function *f = w->c->step[i].sf;
		struct chain_step *step = &w->chain.step[i];
		bool here;

		step->flags = w->c->step[i].open ? STEP_OPEN : 0;
		step->function = f ? (uint16_t)f->slot : 0;
		if (w->c->step[i].tap) {
			step->flags = STEP_TAP | STEP_OPEN;
			takes_xdp = false;
		}
		if (!f || w->c->step[i].tap)
			continue;
		here = false;
		for (size_t k = 0; k < f->n_instances; k++)
			here |= put_devices(&f->instances[k], w->facts, step, &takes_xdp);
		any |= here;
		takes_xdp &= here || !w->sends;
	}
	for (uint8_t i = 0; i < w->c->steps && any && takes_xdp; i++)
		w->chain.step[i].flags |= STEP_XDP_DELIVER;
}

/*
 * The networks, which tell a broadcast's, and between hosts each frame's, are counted over all hosts, so that a refusal does not
 * depend on where it is asked.
 */
static int check_networks(const struct model *m, const struct model_chain *c, struct error *e)
{
	uint32_t vnis[CHAIN_NETWORKS] = { 0 };
	bool crosses = away_crosses(m, c);

	for (size_t i = 0; i < m->n_ports; i++) {
		const struct model_port *p = &m->ports[i];

		if ((p->chain == c || (crosses && model_protects(c, p))) &&
		    compile_add_vni(c, vnis, p->network->vni, e))
			return -1;
	}
	return 0;
}

static int check_macs(const struct model *m, const struct model_chain *c, struct error *e)
{
	json_t *seen = json_object();
	const char *other = NULL;
	size_t i;

	for (i = 0; i < m->n_ports && !other; i++) {
		const struct model_port *p = &m->ports[i];
		char key[2 * WEFT_NAME_LEN];

		if (!model_protects(c, p))
			continue;
		snprintf(key, sizeof(key), "%s %02x%02x%02x%02x%02x%02x", p->host->name, p->mac[0], p->mac[1], p->mac[2],
			 p->mac[3], p->mac[4], p->mac[5]);
		other = json_string_value(json_object_get(seen, key));
		if (!other)
			json_object_set_new(seen, key, json_string(p->name));
	}
	if (other)
		error_set(e, EXIT_REFUSED,
			  "chain %s/%s: its ports %s and %s have one MAC, "
			  "and a function could not tell them apart: give one of them "
			  "another chain",
			  c->tenant, c->name, other, m->ports[i - 1].name);
	json_decref(seen);
	return other ? -1 : 0;
}

/* What a tap sends is believed by nobody. */
static void add_step_returns(struct chain_work *w, const struct model_port *p, uint8_t n)
{
	const struct model_function *f = w->c->step[n].sf;

	for (size_t k = 0; f && !w->c->step[n].tap && k < f->n_instances; k++)
		compile_returns(w, p, n, &f->instances[k], p->slot);
}

static void compile_ports(struct chain_work *w)
{
	struct error unused = { 0 };

	for (size_t i = 0; i < w->m->n_ports; i++) {
		const struct model_port *p = &w->m->ports[i];

		if (!p->here || !model_protects(w->c, p))
			continue;
		if (p->chain == w->c || w->sends)
			compile_add_vni(w->c, w->chain.vnis, p->network->vni, &unused);
		for (uint8_t n = 0; n < w->c->steps; n++)
			add_step_returns(w, p, n);
	}
}

static void compile_chain(struct chain_work *w, const struct model_tenant *t)
{
	const struct model_chain *c = w->c;

	w->sends = away_sends(w->m, c);
	w->serves = away_serves(w->m, c);
	if (!t->here && !w->serves)
		return;
	w->chain = (struct chain){
		.id = c->id,
		.tenant = t->slot,
		.tag = c->tag,
		.steps = c->steps,
		.flags = (uint8_t)(c->flags | (w->sends ? CHAIN_AWAY : 0)),
	};
	put_steps(w);
	compile_ports(w);
	compile_away(w);
	entries_add(&w->d->map[MAP_CHAINS], &c->slot, &w->chain);
}

int compile_chains(const struct model *m, const struct facts *facts, struct desired *d,
		   struct error *e)
{
	for (size_t i = 0; i < m->n_chains; i++) {
		const struct model_chain *c = &m->chains[i];
		struct chain_work w = { .m = m, .c = c, .facts = facts, .d = d };

		if (check_networks(m, c, e) || check_macs(m, c, e) || untagged_check(m, c, e))
			return -1;
		compile_chain(&w, model_tenant(m, c->tenant));
	}
	return 0;
}
