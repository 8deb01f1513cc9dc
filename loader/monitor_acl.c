// SPDX-License-Identifier: BSD-2-Clause
/* `weft monitor acl [TENANT]`: what rules with `log` decide, as it happens. */
#include <stdio.h>
#include <string.h>

#include "include/acl.h"
#include "include/flow.h"
#include "loader/commands.h"
#include "loader/config/schema.h"
#include "loader/monitor.h"

static json_t *describe(const struct monitor *m, const struct event *ev)
{
	static const char *const actions[] = {
		[ACL_DENY] = "deny", [ACL_ALLOW] = "allow", [ACL_REJECT] = "reject"
	};
	char tenant[NAMES_SIZE], port[NAMES_SIZE], rule[NAMES_SIZE], when[MONITOR_TIME_SIZE];
	char source[64], destination[64], protocol[16];
	json_t *one = json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s}", "event", "acl_log",
				"time", monitor_time(m, ev->time, when, sizeof(when)), "tenant",
				names_tenant(&m->names, ev->tenant, tenant, sizeof(tenant)), "rule",
				names_rule(&m->names, ev->rule, rule, sizeof(rule)), "rule_id",
				(json_int_t)ev->rule, "port",
				names_port(&m->names, ev->port, port, sizeof(port)), "direction",
				ev->direction == FROM_WORKLOAD ? "out" : "in", "action",
				ev->action <= ACL_REJECT ? actions[ev->action] : "?");

	if (ev->family == FAMILY_NONE)
		return one;
	json_object_update_new(
		one,
		json_pack("{s:s, s:s, s:s}", "protocol",
			  schema_protocol_name(ev->protocol, protocol, sizeof(protocol)), "source",
			  show_address(ev->family, &ev->source, source, sizeof(source)),
			  "destination",
			  show_address(ev->family, &ev->destination, destination,
				       sizeof(destination))));
	if (ev->source_port || ev->destination_port)
		json_object_update_new(one, json_pack("{s:i, s:i}", "source_port", ev->source_port,
						      "destination_port", ev->destination_port));
	return one;
}

static const char *text(const json_t *one, const char *key)
{
	return json_string_value(json_object_get(one, key));
}

static void print_end(const json_t *one, const char *address, const char *port)
{
	const json_t *number = json_object_get(one, port);
	const char *where = text(one, address);

	if (number)
		printf(strchr(where, ':') ? " [%s]:%d" : " %s:%d", where,
		       (int)json_integer_value(number));
	else
		printf(" %s", where);
}

static void print_event(const struct monitor *m, const json_t *one)
{
	if (m->cl->timestamps)
		printf("%s ", text(one, "time"));
	printf("%s %s %s port:%s %s", text(one, "tenant"), text(one, "rule"),
	       text(one, "direction"), text(one, "port"), text(one, "action"));
	if (text(one, "protocol")) {
		printf(" %s", text(one, "protocol"));
		print_end(one, "source", "source_port");
		fputs(" >", stdout);
		print_end(one, "destination", "destination_port");
	}
	putchar('\n');
}

static int take_event(struct monitor *m, const void *data, size_t size)
{
	const struct event *ev = data;
	char name[NAMES_SIZE];
	struct named named;
	json_t *one;

	if (size < sizeof(*ev) || ev->kind != EVENT_ACL_LOG || ev->time < m->since)
		return 0;
	named = (struct named){ ev->tenant, ev->port, NAMED_NONE, ev->rule };
	if (names_refresh(&m->names, &named, m->e) < 0)
		return -1;
	if (m->tenant && strcmp(names_tenant(&m->names, ev->tenant, name, sizeof(name)), m->tenant))
		return 0;
	one = describe(m, ev);
	if (m->cl->json) {
		monitor_tell_json(one);
	} else {
		print_event(m, one);
		json_decref(one);
	}
	return 1;
}

static const struct monitor_loss losses[] = {
	{ offsetof(struct tenant_traffic, logs_suppressed), "acl_log_suppressed",
	  "more than a tenant's rate allows" },
	{ offsetof(struct tenant_traffic, logs_lost), "acl_log_lost", "no room in the map events" },
};

static const struct monitor_kind acl_kind = {
	.map = "events",
	.lock = "monitor",
	.losses = losses,
	.n_losses = sizeof(losses) / sizeof(losses[0]),
	.take = take_event,
};

int cmd_monitor_acl(struct command_line *cl, struct error *e)
{
	struct monitor m;
	int failed = monitor_open(&m, &acl_kind, cl, cl->argc ? cl->argv[0] : NULL, e) ||
		     monitor_run(&m, e);

	monitor_close(&m);
	return failed ? -1 : EXIT_DONE;
}
