// SPDX-License-Identifier: BSD-2-Clause
/*
 * Chains without a tag. What comes back from a function is told by its device and the workload's MAC: by two arms each
 * pass has a device of its own, by one arm a frame leaves a workload if it has its source MAC, else goes to one. So there no
 * frame may be both: a frame to a workload of the chain must never come from one of the chain on the same host, nor from who
 * has such a one's MAC in another network.
 */
#include <string.h>

#include "loader/compile.h"

/* Of the port's host; a tap gives nothing back. */
static const struct model_instance *one_arm_of(const struct model_chain *c, const struct model_port *p)
{
	for (uint8_t n = 0; n < c->steps; n++) {
		const struct model_function *f = c->step[n].sf;

		for (size_t k = 0; f && !c->step[n].tap && k < f->n_instances; k++)
			if (f->instances[k].host == p->host &&
			    !strcmp(f->instances[k].leaving, f->instances[k].towards))
				return &f->instances[k];
	}
	return NULL;
}

/* Who sends to `to` with the MAC of `from`. */
static const struct model_port *sender_like(const struct model_port *to, const struct model_port *from)
{
	if (from->network == to->network)
		return from;
	for (size_t i = 0; i < to->network->n_ports; i++)
		if (!memcmp(to->network->ports[i]->mac, from->mac, 6))
			return to->network->ports[i];
	return NULL;
}

static int check_pair(const struct model_chain *c, const struct model_port *to,
		      const struct model_port *from, struct error *e)
{
	const struct model_port *sender = sender_like(to, from);
	const struct model_instance *one = one_arm_of(c, to);

	if (!sender || !one)
		return 0;
	if (sender == from)
		return error_set(
			e, EXIT_REFUSED,
			"chain %s/%s: has no tag (tag: 0), and by the one arm of function %s/%s on host %s a frame "
			"from port %s to port %s would come back the same whether it leaves the one or goes to the "
			"other: give the function two arms (devices: [D, E]), or the chain a tag",
			c->tenant, c->name, one->function, one->name, to->host->name, from->name, to->name);
	return error_set(
		e, EXIT_REFUSED,
		"chain %s/%s: has no tag (tag: 0), and by the one arm of function %s/%s on host %s a frame to port %s "
		"from port %s, which has the MAC of port %s in another network, would come back as one from that: give the "
		"function two arms (devices: [D, E]), the chain a tag, or one of the ports another MAC",
		c->tenant, c->name, one->function, one->name, to->host->name, to->name, sender->name, from->name);
}

/* Over all hosts, so that a refusal does not depend on where it is asked. */
int untagged_check(const struct model *m, const struct model_chain *c, struct error *e)
{
	for (size_t i = 0; i < m->n_ports && !c->tag; i++) {
		const struct model_port *to = &m->ports[i];

		for (size_t k = 0; model_protects(c, to) && k < m->n_ports; k++) {
			const struct model_port *from = &m->ports[k];

			if (k != i && model_protects(c, from) && from->host == to->host &&
			    check_pair(c, to, from, e))
				return -1;
		}
	}
	return 0;
}
