// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

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

uint8_t flow_protocol_of(const void *key, enum inner table)
{
	return flow_family(table) == FAMILY_IPV4 ? ((const struct ct4_key *)key)->protocol
						 : ((const struct ct6_key *)key)->protocol;
}

int flows_read(const struct root *root, const char *tenant, enum inner table, int *fd,
	       struct entries *list, struct error *e)
{
	entries_init(list, inner_kinds[table].key_size, sizeof(struct flow));
	*fd = inner_open(root, tenant, table);
	if (*fd < 0)
		return errno == ENOENT
			       ? 0
			       : error_set(e, EXIT_REFUSED, "tenant %s: %s cannot be opened: %s",
					   tenant, inner_kinds[table].name, strerror(errno));
	return map_read(*fd, inner_kinds[table].name, list, e);
}

static bool replied(const struct flow *flow)
{
	return flow->dir[0].packets && flow->dir[1].packets;
}

enum ct_timeout flow_timeout_of(const struct flow *flow, uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return tcp_timeout(flow->dir[0].tcp_state, flow->dir[1].tcp_state);
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
