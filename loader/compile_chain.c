// SPDX-License-Identifier: BSD-2-Clause
/* Chains, and what is believed when it comes back from a function's device. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/alloc.h"
#include "loader/compile.h"

static int add_vni(const struct model_chain *c, uint32_t vnis[CHAIN_NETWORKS], uint32_t vni,
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

static void add_return(struct desired *d, uint32_t ifindex, enum chain_pcp pcp, uint16_t tag,
		       const uint8_t mac[6], const struct sf_return *back)
{
	struct sf_key key = { .ifindex = ifindex, .tci = (uint16_t)(pcp << 13 | tag) };

	memcpy(key.mac, mac, 6);
	entries_add(&d->map[MAP_SF], &key, back);
}

/*
 * A frame comes back from the arm that it did not enter; with one arm both are the same. What the function makes itself
 * comes by either. Each device is believed what the instance there was sent as this step, so that no function can
 * speak for another.
 */
static void add_returns(const struct model_port *p, const struct model_chain *c, uint8_t n,
			const struct model_instance *one, const struct facts *facts,
			struct desired *d)
{
	static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const struct fact *in = facts_find(facts, one->leaving);
	const struct fact *out = facts_find(facts, one->towards);
	struct sf_return back = {
		.port = p->slot,
		.chain = (uint16_t)c->slot,
		.step = n,
		.instance = one->place,
	};
	uint32_t leaving, towards;

	if (!one->here || !in || !in->present || !out || !out->present)
		return;
	leaving = in->info.ifindex;
	towards = out->info.ifindex;
	add_return(d, towards, PCP_LEAVING, c->tag, p->mac, &back);
	add_return(d, leaving, PCP_TOWARDS, c->tag, p->mac, &back);
	add_return(d, leaving, PCP_MADE, c->tag, p->mac, &back);
	add_return(d, towards, PCP_MADE, c->tag, p->mac, &back);
	/* What a rule chooses a chain for goes to one. */
	if (p->chain != c)
		return;
	back.port = 0;
	add_return(d, leaving, PCP_TOWARDS, c->tag, everybody, &back);
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
 * Without devices a step is dead. A frame that XDP has sent to one must be able to go on to the next; and copies are TC's.
 */
static void put_steps(const struct model_chain *c, const struct facts *facts, struct chain *chain)
{
	bool any = false, takes_xdp = true;

	for (uint8_t i = 0; i < c->steps; i++) {
		const struct model_function *f = c->step[i].sf;

		chain->step[i].flags = c->step[i].open ? STEP_OPEN : 0;
		chain->step[i].function = f ? (uint16_t)f->slot : 0;
		if (c->step[i].tap) {
			chain->step[i].flags = STEP_TAP | STEP_OPEN;
			takes_xdp = false;
		}
		if (!f || c->step[i].tap)
			continue;
		for (size_t k = 0; k < f->n_instances; k++)
			any |= put_devices(&f->instances[k], facts, &chain->step[i], &takes_xdp);
	}
	for (uint8_t i = 0; i < c->steps && any && takes_xdp; i++)
		chain->step[i].flags |= STEP_XDP_DELIVER;
}

/*
 * The networks, which tell a broadcast's, are counted over all hosts, so that a refusal does not depend on where it is asked.
 */
static int check_networks(const struct model *m, const struct model_chain *c, struct error *e)
{
	uint32_t vnis[CHAIN_NETWORKS] = { 0 };

	for (size_t i = 0; i < m->n_ports; i++)
		if (m->ports[i].chain == c && add_vni(c, vnis, m->ports[i].network->vni, e))
			return -1;
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
static void add_step_returns(const struct model_port *p, const struct model_chain *c, uint8_t n,
			     const struct facts *facts, struct desired *d)
{
	const struct model_function *f = c->step[n].sf;

	for (size_t k = 0; f && !c->step[n].tap && k < f->n_instances; k++)
		add_returns(p, c, n, &f->instances[k], facts, d);
}

static void compile_ports(const struct model *m, const struct model_chain *c,
			  const struct facts *facts, struct chain *chain, struct desired *d)
{
	struct error unused = { 0 };

	for (size_t i = 0; i < m->n_ports; i++) {
		const struct model_port *p = &m->ports[i];

		if (!p->here || !model_protects(c, p))
			continue;
		if (p->chain == c)
			add_vni(c, chain->vnis, p->network->vni, &unused);
		for (uint8_t n = 0; n < c->steps; n++)
			add_step_returns(p, c, n, facts, d);
	}
}

int compile_chains(const struct model *m, const struct facts *facts, struct desired *d,
		   struct error *e)
{
	for (size_t i = 0; i < m->n_chains; i++) {
		const struct model_chain *c = &m->chains[i];
		const struct model_tenant *t = model_tenant(m, c->tenant);
		struct chain chain = {
			.id = c->id,
			.tenant = t->slot,
			.tag = c->tag,
			.steps = c->steps,
			.flags = c->flags,
		};

		if (check_networks(m, c, e) || check_macs(m, c, e) || untagged_check(m, c, e))
			return -1;
		if (!t->here)
			continue;
		put_steps(c, facts, &chain);
		compile_ports(m, c, facts, &chain, d);
		entries_add(&d->map[MAP_CHAINS], &c->slot, &chain);
	}
	return 0;
}
