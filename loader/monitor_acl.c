// SPDX-License-Identifier: BSD-2-Clause
/* `weft monitor acl [TENANT]`: what rules with `log` decide, as it happens. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "include/flow.h"
#include "loader/alloc.h"
#include "loader/commands.h"
#include "loader/config/schema.h"
#include "loader/config/schema_types.h"
#include "loader/monitor.h"
#include "loader/single.h"

#define POLL_MS         200
#define LOSS_EVERY_MS   1000
#define EVENT_NAME_SIZE 64

/* How many events of a tenant were not told. */
struct losses {
	uint64_t suppressed, lost;
};

struct monitor {
	struct command_line *cl;
	struct show s;
	struct names names;
	const char *tenant; /* NULL: all */
	uint64_t since; /* events before it are old; TAI, ns */
	int64_t tai_ahead; /* of UTC, ns */
	long long left; /* events to come; -1: any number */
	int stats; /* fd of tenant_stats */
	struct losses *told; /* by slot */
	int failed;
	struct error *e;
};

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static const char *time_text(const struct monitor *m, uint64_t tai, char *buf, size_t size)
{
	int64_t ns = (int64_t)tai - m->tai_ahead;
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm tm;
	size_t len;

	gmtime_r(&seconds, &tm);
	len = strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + len, size - len, ".%06dZ", (int)(ns % 1000000000 / 1000));
	return buf;
}

/* ---- one event ---- */

static json_t *describe(const struct monitor *m, const struct event *ev)
{
	static const char *const actions[] = {
		[ACL_DENY] = "deny", [ACL_ALLOW] = "allow", [ACL_REJECT] = "reject"
	};
	char tenant[EVENT_NAME_SIZE], port[EVENT_NAME_SIZE], rule[EVENT_NAME_SIZE], when[40];
	char source[64], destination[64], protocol[16];
	json_t *one = json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s}", "event", "acl_log",
				"time", time_text(m, ev->time, when, sizeof(when)), "tenant",
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

/* One object a line, whatever -p says. Takes it over. */
static void tell_json(json_t *one)
{
	json_dumpf(one, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(one);
}

static int take_event(void *arg, void *data, size_t size)
{
	struct monitor *m = arg;
	const struct event *ev = data;
	char name[EVENT_NAME_SIZE];
	json_t *one;

	if (size < sizeof(*ev) || ev->kind != EVENT_ACL_LOG || ev->time < m->since || !m->left)
		return 0;
	if (names_refresh(&m->names, ev, m->e)) {
		m->failed = -1;
		return -1;
	}
	if (m->tenant && strcmp(names_tenant(&m->names, ev->tenant, name, sizeof(name)), m->tenant))
		return 0;
	one = describe(m, ev);
	if (m->cl->json) {
		tell_json(one);
	} else {
		print_event(m, one);
		json_decref(one);
	}
	if (m->left > 0)
		m->left--;
	return 0;
}

/* ---- what was not told ---- */

static struct losses losses_at(const struct monitor *m, uint32_t slot)
{
	int cpus = libbpf_num_possible_cpus();
	struct tenant_traffic values[cpus > 0 ? cpus : 1];
	struct losses sum = { 0 };

	if (cpus <= 0 || bpf_map_lookup_elem(m->stats, &slot, values))
		return sum;
	for (int i = 0; i < cpus; i++) {
		sum.suppressed += values[i].logs_suppressed;
		sum.lost += values[i].logs_lost;
	}
	return sum;
}

static void tell_loss(const struct monitor *m, const char *tenant, const char *what,
		      const char *why, uint64_t n)
{
	if (m->cl->json)
		tell_json(json_pack("{s:s, s:s, s:I}", "event", what, "tenant", tenant, "count",
				    (json_int_t)n));
	else
		printf("%s: %llu events not told: %s\n", tenant, (unsigned long long)n, why);
}

/* `first`: only learns what was not told before. */
static void look_for_losses(struct monitor *m, bool first)
{
	for (size_t i = 0; i < m->s.model.n_tenants; i++) {
		const struct model_tenant *t = &m->s.model.tenants[i];
		struct losses now, *told = &m->told[t->slot];

		if (!t->here || (m->tenant && strcmp(t->name, m->tenant)))
			continue;
		now = losses_at(m, t->slot);
		/* Another tenant's slot by now: it begins at 0. */
		if (!first && now.suppressed > told->suppressed)
			tell_loss(m, t->name, "acl_log_suppressed",
				  "more than a tenant's rate allows",
				  now.suppressed - told->suppressed);
		if (!first && now.lost > told->lost)
			tell_loss(m, t->name, "acl_log_lost", "no room in the map events",
				  now.lost - told->lost);
		*told = now;
	}
}

/* ---- the command ---- */

static int option_ms(const struct command_line *cl, const char *name, long long *ms,
		     struct error *e)
{
	const struct schema_key key = { .min = 1, .max = 30LL * 86400 * 1000 };
	const char *value = cli_option(cl, name);
	char why[256], quoted[ERROR_QUOTE_SIZE];
	json_t *number;

	*ms = -1;
	if (!value)
		return 0;
	number = schema_type_duration.parse(&key, value, why, sizeof(why));
	*ms = json_integer_value(number);
	json_decref(number);
	return number ? 0
		      : error_set(e, EXIT_USAGE, "--%s: %s %s", name,
				  error_quote(quoted, sizeof(quoted), value), why);
}

static int option_count(const struct command_line *cl, long long *n, struct error *e)
{
	const char *value = cli_option(cl, "count");
	char quoted[ERROR_QUOTE_SIZE];

	*n = -1;
	if (!value || (!schema_parse_number(value, n) && *n > 0))
		return 0;
	return error_set(e, EXIT_USAGE, "--count: %s is not a number above 0",
			 error_quote(quoted, sizeof(quoted), value));
}

static int follow(struct monitor *m, struct ring_buffer *ring, long long for_ms)
{
	int64_t start = monitor_now_ms(), looked = start;

	look_for_losses(m, true);
	while (m->left && (for_ms < 0 || monitor_now_ms() - start < for_ms)) {
		int n = ring_buffer__poll(ring, POLL_MS);

		if (m->failed)
			return -1;
		if (n < 0 && n != -EINTR)
			return error_set(m->e, EXIT_REFUSED, "map events: %s", strerror(-n));
		fflush(stdout);
		if (ferror(stdout))
			return error_set(m->e, EXIT_REFUSED, "nobody takes the output: %s",
					 strerror(errno));
		if (monitor_now_ms() - looked >= LOSS_EVERY_MS) {
			look_for_losses(m, false);
			looked = monitor_now_ms();
		}
	}
	look_for_losses(m, false);
	return 0;
}

/* Who reads takes events out, which is writing. */
static int open_ring(struct monitor *m, struct ring_buffer **ring, struct error *e)
{
	struct root writes = m->s.root;
	int fd;

	writes.reads = false;
	fd = root_map(&writes, "events", e);
	if (fd < 0)
		return -1;
	*ring = ring_buffer__new(fd, take_event, m, NULL);
	close(fd);
	return *ring ? 0
		     : error_set(e, EXIT_REFUSED, "map events: cannot be read: %s",
				 strerror(errno));
}

static int run(struct monitor *m, long long for_ms, struct error *e)
{
	struct ring_buffer *ring = NULL;
	int lock = single_take(&m->s.root, "monitor", e), failed = -1;

	if (lock < 0)
		return -1;
	m->stats = root_map(&m->s.root, "tenant_stats", e);
	if (m->stats >= 0 && !open_ring(m, &ring, e))
		failed = follow(m, ring, for_ms);
	ring_buffer__free(ring);
	if (m->stats >= 0)
		close(m->stats);
	close(lock);
	return failed;
}

int cmd_monitor_acl(struct command_line *cl, struct error *e)
{
	struct monitor m = { .cl = cl, .e = e, .stats = -1 };
	struct scope scope;
	long long for_ms;
	int failed;

	if (option_count(cl, &m.left, e) || option_ms(cl, "for", &for_ms, e) ||
	    show_open(&m.s, cl, e))
		return -1;
	m.tenant = cl->argc ? cl->argv[0] : NULL;
	m.tai_ahead = clock_ns(CLOCK_TAI) - clock_ns(CLOCK_REALTIME);
	m.since = cli_option(cl, "buffered") ? 0 : (uint64_t)clock_ns(CLOCK_TAI);
	m.told = alloc_zero(WEFT_TENANTS_MAX, sizeof(*m.told));
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	names_open(&m.names, &m.s);
	failed = (m.tenant && show_scope(&m.s, m.tenant, false, &scope, e)) || run(&m, for_ms, e);
	names_close(&m.names);
	free(m.told);
	show_close(&m.s);
	return failed ? -1 : EXIT_DONE;
}
