// SPDX-License-Identifier: BSD-2-Clause
/* `weft ct show --follow [TENANT] [KEY VALUE...]`: what becomes of flows, as it happens. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "include/flow_event.h"
#include "loader/commands.h"
#include "loader/flow_filter.h"
#include "loader/flows.h"
#include "loader/monitor.h"

/* The kernel tells only as long as somebody says again and again that he listens: who is killed does not. */
#define LEASE_S        3
#define RENEW_EVERY_MS 500

struct following {
	struct flow_filter filter;
	int watch; /* fd of flow_watch */
	int64_t renewed_ms;
	bool leased;
};

static const char *const kinds[] = {
	[FLOW_EVENT_NEW] = "new",
	[FLOW_EVENT_REPLIED] = "replied",
	[FLOW_EVENT_ESTABLISHED] = "established",
	[FLOW_EVENT_CLOSED] = "closed",
	[FLOW_EVENT_DESTROYED] = "destroyed",
	[FLOW_EVENT_FULL] = "full",
};

static const char *const reasons[] = {
	[FLOW_MOVED] = NULL,          [FLOW_EXPIRED] = "expired",
	[FLOW_REPLACED] = "replaced", [FLOW_DISPLACED] = "displaced",
	[FLOW_FLUSHED] = "flushed",   [FLOW_CHAIN_RESET] = "chain_reset",
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const char *kind_of(const struct flow_event *ev)
{
	return ev->kind < COUNT(kinds) && kinds[ev->kind] ? kinds[ev->kind] : "?";
}

static const char *reason_of(const struct flow_event *ev)
{
	return ev->reason < COUNT(reasons) ? reasons[ev->reason] : "?";
}

static void print_text(const struct monitor *m, const struct flow_event *ev,
		       const struct flow_view *v)
{
	char when[MONITOR_TIME_SIZE];
	const char *reason = reason_of(ev);

	if (m->cl->timestamps)
		printf("%s ", monitor_time(m, ev->time, when, sizeof(when)));
	printf("%s%s%s%s ", kind_of(ev), reason ? " (" : "", reason ? reason : "",
	       reason ? ")" : "");
	flow_view_print(stdout, v, &m->names, 0);
}

static void print_json(const struct monitor *m, const struct flow_event *ev,
		       const struct flow_view *v)
{
	char when[MONITOR_TIME_SIZE], before[160];
	const char *reason = reason_of(ev);

	snprintf(before, sizeof(before), "\"event\":\"%s\",\"time\":\"%s\",%s%s%s", kind_of(ev),
		 monitor_time(m, ev->time, when, sizeof(when)), reason ? "\"reason\":\"" : "",
		 reason ? reason : "", reason ? "\"," : "");
	flow_view_print_json(stdout, before, v, &m->names, 0);
	putchar('\n');
}

static int look_names_up(struct monitor *m, const struct flow_event *ev, uint16_t zone)
{
	struct following *f = m->arg;
	struct named named = { ev->tenant, NAMED_NONE, zone, ev->flow.rule };
	int renewed = names_refresh(&m->names, &named, m->e);

	if (renewed > 0)
		flow_filter_refresh(&f->filter, &m->s.model);
	return renewed;
}

static int take_event(struct monitor *m, const void *data, size_t size)
{
	const struct following *f = m->arg;
	const struct flow_event *ev = data;
	char tenant[NAMES_SIZE] = "";
	struct flow_view v;

	if (size < sizeof(*ev) || ev->time < m->since ||
	    (ev->family != FAMILY_IPV4 && ev->family != FAMILY_IPV6))
		return 0;
	flow_view_of(&v, tenant, ev->key_words, ev->family, &ev->flow);
	v.half_open = flow_shakes_hands(v.flow, v.protocol);
	if (look_names_up(m, ev, v.zone) < 0)
		return -1;
	names_tenant(&m->names, ev->tenant, tenant, sizeof(tenant));
	if ((m->tenant && strcmp(tenant, m->tenant)) || !flow_filter_fits(&f->filter, &v))
		return 0;
	if (m->cl->json)
		print_json(m, ev, &v);
	else
		print_text(m, ev, &v);
	return 1;
}

/* ---- that somebody listens ---- */

static int lease(struct monitor *m, uint64_t until, struct error *e)
{
	const struct following *f = m->arg;
	const struct model_tenant *t = m->tenant ? model_tenant(&m->s.model, m->tenant) : NULL;
	struct flow_watch watch = { .until = until, .tenant = t ? t->slot + 1 : 0 };
	__u32 zero = 0;

	if (!bpf_map_update_elem(f->watch, &zero, &watch, BPF_ANY))
		return 0;
	return error_set(e, EXIT_REFUSED, "map flow_watch: cannot be written: %s", strerror(errno));
}

static int tick(struct monitor *m, struct error *e)
{
	struct following *f = m->arg;
	uint32_t hz = m->s.state.host.hz ? m->s.state.host.hz : 250;
	uint64_t now;

	if (f->leased && names_now_ms() - f->renewed_ms < RENEW_EVERY_MS)
		return 0;
	if (flows_now(&m->s.root, &now, e) || lease(m, now + (uint64_t)LEASE_S * hz, e))
		return -1;
	f->renewed_ms = names_now_ms();
	f->leased = true;
	return 0;
}

static int open_watch(struct monitor *m, struct error *e)
{
	struct following *f = m->arg;
	struct root writes = m->s.root;

	writes.reads = false;
	f->watch = root_map(&writes, "flow_watch", e);
	return f->watch < 0 ? -1 : 0;
}

static void close_watch(struct monitor *m)
{
	struct following *f = m->arg;
	struct error unused = { 0 };

	if (f->leased)
		lease(m, 0, &unused);
	if (f->watch >= 0)
		close(f->watch);
}

static const struct monitor_loss losses[] = {
	{ offsetof(struct tenant_traffic, events_lost), "events_lost",
	  "no room in the map flow_events" },
};

static const struct monitor_kind flow_kind = {
	.map = "flow_events",
	.lock = "follow",
	.losses = losses,
	.n_losses = sizeof(losses) / sizeof(losses[0]),
	.take = take_event,
	.tick = tick,
};

int cmd_ct_follow(struct command_line *cl, struct error *e)
{
	struct following f = { .watch = -1 };
	struct monitor m;
	int failed = monitor_open(&m, &flow_kind, cl, NULL, e);

	m.arg = &f;
	failed = failed || flow_filter_read(&f.filter, &m.s.model, cl->argc, cl->argv, e) ||
		 open_watch(&m, e);
	if (!failed) {
		m.tenant = f.filter.tenant;
		failed = monitor_run(&m, e);
	}
	close_watch(&m);
	flow_filter_free(&f.filter);
	monitor_close(&m);
	return failed ? -1 : EXIT_DONE;
}
