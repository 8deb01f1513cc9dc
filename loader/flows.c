// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

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

int flows_read_table(int fd, enum inner table, struct entries *list, struct error *e)
{
	struct flow_table t;

	if (flow_is_half_open(table))
		return map_read(fd, inner_kinds[table].name, list, e);
	if (flow_table_open(&t, fd, flow_family(table), 0, false, inner_kinds[table].name, e))
		return -1;
	flow_table_read(&t, list);
	flow_table_close(&t);
	return 0;
}

int flows_read(const struct root *root, const char *tenant, enum inner table, int *fd,
	       struct entries *list, struct error *e)
{
	entries_init(list, flow_key_size(table), sizeof(struct flow));
	*fd = inner_open(root, tenant, table);
	if (*fd < 0)
		return errno == ENOENT
			       ? 0
			       : error_set(e, EXIT_REFUSED, "tenant %s: %s cannot be opened: %s",
					   tenant, inner_kinds[table].name, strerror(errno));
	return flows_read_table(*fd, table, list, e);
}

int flows_remove(int fd, enum inner table, uint64_t seed, const struct entries *list,
		 struct error *e)
{
	struct flow_table t;

	if (flow_is_half_open(table))
		return map_delete(fd, inner_kinds[table].name, list, e);
	if (flow_table_open(&t, fd, flow_family(table), seed, true, inner_kinds[table].name, e))
		return -1;
	for (size_t i = 0; i < list->n; i++)
		flow_table_remove(&t, entries_key(list, i));
	flow_table_close(&t);
	return 0;
}

static bool replied(const struct flow *flow)
{
	return flow_packets(&flow->dir[0]) && flow_packets(&flow->dir[1]);
}

enum ct_timeout flow_timeout_of(const struct flow *flow, uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return tcp_timeout(FLOW_TCP_HALF(flow->path[0].tcp), FLOW_TCP_HALF(flow->path[1].tcp));
	case IPPROTO_UDP:
		return replied(flow) ? CT_UDP_REPLIED : CT_UDP;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return CT_ICMP;
	default:
		return CT_OTHER;
	}
}

/* A packet may have come since it was asked what time it is. */
#define JUST_NOW 0x10000

static uint32_t since(uint32_t last_seen, uint64_t now)
{
	uint32_t idle = (uint32_t)now - last_seen;

	return -idle < JUST_NOW ? 0 : idle;
}

uint32_t flow_idle(const struct flow *flow, uint64_t now)
{
	uint32_t a = since(flow->dir[0].last_seen, now), b = since(flow->dir[1].last_seen, now);

	return a < b ? a : b;
}

const char *flow_state_name(const struct flow *flow, uint8_t protocol)
{
	static const char *const tcp[] = {
		[CT_TCP_SYN] = "syn",
		[CT_TCP_ESTABLISHED] = "established",
		[CT_TCP_FIN] = "fin",
		[CT_TCP_CLOSED] = "closed",
		[CT_TCP_TIME_WAIT] = "time_wait",
	};

	if (protocol == IPPROTO_TCP)
		return tcp[flow_timeout_of(flow, protocol)];
	return replied(flow) ? "replied" : "unreplied";
}
