// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "loader/ct.h"
#include "loader/flows.h"

int ct_open(struct ct *ct, struct command_line *cl, struct error *e)
{
	*ct = (struct ct){ .cl = cl, .slots = -1 };
	if (show_open(&ct->s, cl, e)) {
		ct->cl = NULL;
		return -1;
	}
	names_open(&ct->names, &ct->s);
	ct->slots = root_map(&ct->s.root, "tenant_slots", e);
	if (ct->slots < 0 || flows_now(&ct->s.root, &ct->now, e))
		return -1;
	return flow_filter_read(&ct->filter, &ct->s.model, cl->argc, cl->argv, e);
}

void ct_close(struct ct *ct)
{
	if (!ct->cl)
		return;
	flow_filter_free(&ct->filter);
	names_close(&ct->names);
	if (ct->slots >= 0)
		close(ct->slots);
	show_close(&ct->s);
}

uint32_t ct_hz(const struct ct *ct)
{
	return ct->s.state.host.hz;
}

void ct_view(const struct ct *ct, struct flow_view *v, const void *key, const struct flow *flow)
{
	flow_view_of(v, ct->tenant->name, key, flow_family(ct->table), flow);
	flow_view_time(v, &ct->record, ct->now);
	v->half_open = flow_is_half_open(ct->table);
}

static int each_of_tenant(struct ct *ct, int (*fn)(struct ct *ct, void *arg, struct error *e),
			  void *arg, struct error *e)
{
	if (bpf_map_lookup_elem(ct->slots, &ct->tenant->slot, &ct->record))
		return error_set(e, EXIT_REFUSED, "tenant %s: its slot cannot be read: %s",
				 ct->tenant->name, strerror(errno));
	for (size_t i = 0; i < FLOW_TABLES; i++) {
		ct->table = flow_tables[i];
		if (flow_filter_wants(&ct->filter, flow_family(ct->table),
				      flow_is_half_open(ct->table)) &&
		    fn(ct, arg, e))
			return -1;
	}
	return 0;
}

int ct_each_table(struct ct *ct, int (*fn)(struct ct *ct, void *arg, struct error *e), void *arg,
		  struct error *e)
{
	for (size_t i = 0; i < ct->s.model.n_tenants; i++) {
		ct->tenant = &ct->s.model.tenants[i];
		if (ct->tenant->here &&
		    (!ct->filter.tenant || !strcmp(ct->filter.tenant, ct->tenant->name)) &&
		    each_of_tenant(ct, fn, arg, e))
			return -1;
	}
	return 0;
}
