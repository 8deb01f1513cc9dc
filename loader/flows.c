// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "include/flow_state.h"
#include "loader/flow_table.h"
#include "loader/flows.h"

int flows_now(const struct root *root, uint64_t *jiffies, struct error *e)
{
	struct {
		uint64_t jiffies, boottime_ns;
	} reading = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &reading, .ctx_size_in = sizeof(reading));
	int fd = root_prog(root, "clock", e), failed;

	if (fd < 0)
		return -1;
	failed = bpf_prog_test_run_opts(fd, &run);
	if (failed)
		error_set(e, EXIT_REFUSED, "program clock: cannot be run: %s", strerror(errno));
	close(fd);
	*jiffies = reading.jiffies;
	return failed ? -1 : 0;
}

const enum inner flow_tables[FLOW_TABLES] = { INNER_CT4, INNER_HALF4, INNER_CT6, INNER_HALF6 };

int flow_family(enum inner table)
{
	return table == INNER_CT4 || table == INNER_HALF4 ? FAMILY_IPV4 : FAMILY_IPV6;
}

bool flow_is_half_open(enum inner table)
{
	return table == INNER_HALF4 || table == INNER_HALF6;
}

size_t flow_key_size(enum inner table)
{
	return flow_family(table) == FAMILY_IPV4 ? sizeof(struct ct4_key) : sizeof(struct ct6_key);
}

uint8_t flow_protocol_of(const void *key, enum inner table)
{
	return flow_family(table) == FAMILY_IPV4 ? ((const struct ct4_key *)key)->protocol
						 : ((const struct ct6_key *)key)->protocol;
}

struct visiting {
	flow_visit_fn *visit;
	void *arg;
};

static int visit_some(const struct entries *some, void *arg)
{
	const struct visiting *v = arg;
	int stop = 0;

	for (size_t i = 0; i < some->n && !stop; i++)
		stop = v->visit(entries_key(some, i), entries_value(some, i), v->arg);
	return stop;
}

int flows_each_of(int fd, enum inner table, flow_visit_fn *visit, void *arg, struct error *e)
{
	struct visiting v = { visit, arg };
	const char *name = inner_kinds[table].name;

	if (!flow_is_half_open(table))
		return flow_scan(fd, flow_family(table), name, visit, arg, e);
	return map_each(fd, name, flow_key_size(table), sizeof(struct flow), visit_some, &v, e);
}

int flows_open(const struct root *root, const char *tenant, enum inner table, int *fd,
	       struct error *e)
{
	*fd = inner_open(root, tenant, table);
	if (*fd >= 0 || errno == ENOENT)
		return 0;
	return error_set(e, EXIT_REFUSED, "tenant %s: %s cannot be opened: %s", tenant,
			 inner_kinds[table].name, strerror(errno));
}

int flows_each(const struct root *root, const char *tenant, enum inner table, flow_visit_fn *visit,
	       void *arg, struct error *e)
{
	int fd, result;

	if (flows_open(root, tenant, table, &fd, e))
		return -1;
	if (fd < 0)
		return 0;
	result = flows_each_of(fd, table, visit, arg, e);
	close(fd);
	return result;
}

static int append(const void *key, const struct flow *flow, void *arg)
{
	entries_add(arg, key, flow);
	return 0;
}

int flows_read_table(int fd, enum inner table, struct entries *list, struct error *e)
{
	return flows_each_of(fd, table, append, list, e);
}

enum ct_timeout flow_timeout_of(const struct flow *flow, uint8_t protocol)
{
	return flow_timeout_kind(flow, protocol);
}

uint32_t flow_may_idle(const struct flow *flow, uint8_t protocol, const struct tenant *t)
{
	return flow_idle_limit(flow, protocol, t->timeout);
}

uint32_t flow_idle(const struct flow *flow, uint64_t now)
{
	uint32_t a = flow_idle_since(flow->dir[0].last_seen, (uint32_t)now);
	uint32_t b = flow_idle_since(flow->dir[1].last_seen, (uint32_t)now);

	return a < b ? a : b;
}

/* Of a connection, by the idle time that it has there. */
static const char *const connection_states[CT_TIMEOUT_COUNT] = {
	[CT_TCP_SYN] = "syn_sent",
	[CT_TCP_SYN_RECV] = "syn_recv",
	[CT_TCP_ESTABLISHED] = "established",
	[CT_TCP_FIN] = "fin_wait",
	[CT_TCP_CLOSE_WAIT] = "close_wait",
	[CT_TCP_LAST_ACK] = "last_ack",
	[CT_TCP_TIME_WAIT] = "time_wait",
	[CT_TCP_CLOSED] = "closed",
	[CT_SCTP_INIT] = "init_sent",
	[CT_SCTP_COOKIE_WAIT] = "cookie_wait",
	[CT_SCTP_COOKIE_ECHOED] = "cookie_echoed",
	[CT_SCTP_ESTABLISHED] = "established",
	[CT_SCTP_SHUTDOWN_SENT] = "shutdown_sent",
	[CT_SCTP_SHUTDOWN_RECEIVED] = "shutdown_received",
	[CT_SCTP_SHUTDOWN_ACK_SENT] = "shutdown_ack_sent",
	[CT_SCTP_HEARTBEAT_SENT] = "heartbeat_sent",
	[CT_SCTP_CLOSED] = "closed",
};

bool flow_shakes_hands(const struct flow *flow, uint8_t protocol)
{
	switch (flow_timeout_of(flow, protocol)) {
	case CT_TCP_SYN:
	case CT_TCP_SYN_RECV:
	case CT_SCTP_INIT:
	case CT_SCTP_COOKIE_WAIT:
	case CT_SCTP_COOKIE_ECHOED:
	case CT_SCTP_HEARTBEAT_SENT:
		return true;
	default:
		return false;
	}
}

const char *flow_state_name(const struct flow *flow, uint8_t protocol)
{
	const char *name = connection_states[flow_timeout_of(flow, protocol)];

	if (name)
		return name;
	if (flow_is_assured(flow, protocol))
		return "assured";
	return flow_replied(flow) ? "replied" : "new";
}
