// SPDX-License-Identifier: BSD-2-Clause
/* `weft ct show [TENANT] [KEY VALUE...]` */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "loader/commands.h"
#include "loader/ct.h"
#include "loader/flows.h"

struct showing {
	struct ct *ct;
	struct cli_list list; /* with -j */
	struct flow_view view; /* that is being printed */
};

static void print_json(FILE *out, const void *arg)
{
	const struct showing *s = arg;

	flow_view_print_json(out, "", &s->view, &s->ct->names, ct_hz(s->ct));
}

/* A million of them are not kept, but printed as they are read. */
static int show_flow(const void *key, const struct flow *flow, void *arg)
{
	struct showing *s = arg;
	struct ct *ct = s->ct;
	struct flow_view *v = &s->view;

	ct_view(ct, v, key, flow);
	if ((flow_view_expired(v) && !ct->cl->details) || !flow_filter_fits(&ct->filter, v))
		return 0;
	if (ct->cl->json)
		cli_list_add(&s->list, print_json, s);
	else
		flow_view_print(stdout, v, &ct->names, ct_hz(ct));
	/* Nobody takes it any more: main() says so. */
	return ferror(stdout);
}

static int show_table(struct ct *ct, void *arg, struct error *e)
{
	int result = flows_each(&ct->s.root, ct->tenant->name, ct->table, show_flow, arg, e);

	return result > 0
		       ? error_set(e, EXIT_REFUSED, "cannot write the output: %s", strerror(errno))
		       : result;
}

static const char *const follow_options[] = { "count", "for", "buffered", NULL };

static int check_options(const struct command_line *cl, struct error *e)
{
	for (int i = 0; follow_options[i]; i++)
		if (cli_option(cl, follow_options[i]))
			return error_set(e, EXIT_USAGE, "--%s is of --follow: add that",
					 follow_options[i]);
	return 0;
}

int cmd_ct_show(struct command_line *cl, struct error *e)
{
	struct showing s;
	struct ct ct;
	int failed;

	if (cli_option(cl, "follow"))
		return cmd_ct_follow(cl, e);
	if (check_options(cl, e))
		return -1;
	s.ct = &ct;
	failed = ct_open(&ct, cl, e);
	if (!failed) {
		setvbuf(stdout, NULL, _IOFBF, 1 << 16);
		cli_list_begin(&s.list, cl);
		failed = ct_each_table(&ct, show_table, &s, e);
		cli_list_end(&s.list);
	}
	ct_close(&ct);
	return failed ? -1 : EXIT_DONE;
}
