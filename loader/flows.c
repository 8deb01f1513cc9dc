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
