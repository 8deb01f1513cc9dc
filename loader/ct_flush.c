// SPDX-License-Identifier: BSD-2-Clause
/* `weft ct flush [TENANT] [KEY VALUE...]` */
#include <stdio.h>
#include <unistd.h>

#include "loader/audit.h"
#include "loader/commands.h"
#include "loader/ct.h"
#include "loader/entries.h"
#include "loader/flow_table.h"
#include "loader/flow_tell.h"
#include "loader/flows.h"

struct flushing {
	struct ct *ct;
	struct flow_tell tell;
	int fd;
	struct error *e;
	size_t n;
};

static bool is_meant(const struct flushing *f, const void *key, const struct flow *flow)
{
	struct flow_view v;

	ct_view(f->ct, &v, key, flow);
	return flow_filter_fits(&f->ct->filter, &v);
}

static void gone(struct flushing *f, const void *key, const struct flow *flow)
{
	f->n++;
	flow_tell_gone(&f->tell, f->ct->tenant->slot, key, flow_family(f->ct->table), flow,
		       FLOW_FLUSHED);
}

static int flush_established(struct flushing *f, struct error *e)
{
	__u64 key[CT6_KEY_WORDS];
	struct flow_table t;
	struct flow flow;
	size_t place = 0;

	if (flow_table_open(&t, f->fd, flow_family(f->ct->table), f->ct->record.seed,
			    inner_kinds[f->ct->table].name, e))
		return -1;
	while (flow_table_next(&t, &place, key, &flow))
		if (is_meant(f, key, &flow) && flow_table_remove(&t, key))
			gone(f, key, &flow);
	flow_table_close(&t);
	return 0;
}

static int flush_some(const struct entries *some, void *arg)
{
	struct flushing *f = arg;
	struct entries list;
	int failed;

	entries_init(&list, some->key_size, 0);
	for (size_t i = 0; i < some->n; i++) {
		if (!is_meant(f, entries_key(some, i), entries_value(some, i)))
			continue;
		entries_add(&list, entries_key(some, i), NULL);
		gone(f, entries_key(some, i), entries_value(some, i));
	}
	failed = map_delete(f->fd, inner_kinds[f->ct->table].name, &list, f->e);
	entries_free(&list);
	return failed;
}

static int flush_table(struct ct *ct, void *arg, struct error *e)
{
	struct flushing *f = arg;
	int failed;

	if (flows_open(&ct->s.root, ct->tenant->name, ct->table, &f->fd, e))
		return -1;
	if (f->fd < 0)
		return 0;
	failed = flow_is_half_open(ct->table)
			 ? map_each(f->fd, inner_kinds[ct->table].name, flow_key_size(ct->table),
				    sizeof(struct flow), flush_some, f, e)
			 : flush_established(f, e);
	close(f->fd);
	return failed;
}

static void note(const struct ct *ct, size_t n)
{
	json_t *done = json_pack("{s:I}", "flows", (json_int_t)n);

	if (json_object_size(ct->filter.object))
		json_object_set(done, "filter", ct->filter.object);
	audit_command(ct->cl, &ct->s.root, "flush", ct->filter.tenant ? ct->filter.tenant : "ct",
		      done, NULL);
}

int cmd_ct_flush(struct command_line *cl, struct error *e)
{
	struct flushing f = { .e = e };
	struct ct ct;
	int failed;

	f.ct = &ct;
	failed = ct_open(&ct, cl, e);
	if (!failed) {
		flow_tell_open(&f.tell, &ct.s.root, ct.now);
		failed = ct_each_table(&ct, flush_table, &f, e);
		flow_tell_close(&f.tell);
		if (!failed || f.n)
			note(&ct, f.n);
	}
	if (!failed && cl->json)
		failed = cli_json(cl, json_pack("{s:I}", "flushed", (json_int_t)f.n), e);
	else if (!failed)
		printf("%zu flows forgotten\n", f.n);
	ct_close(&ct);
	return failed ? -1 : EXIT_DONE;
}
