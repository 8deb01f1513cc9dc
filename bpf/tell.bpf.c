/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Not a hook: tells what becomes of flows by other hands than packets' (`weft ct flush`, the agent), among what those
 * tell. Run by the command with BPF_PROG_TEST_RUN, whose memory it reads.
 */
#include "lib/weft.h"
#include "lib/count.h"

static long tell_one(__u32 i, const struct flow_told *told)
{
	struct flow_event e;
	struct tenant_traffic *stats;

	if (bpf_copy_from_user(&e, sizeof(e), (void *)(told->events + i * sizeof(e))))
		return 1;
	e.time = bpf_ktime_get_tai_ns();
	if (!bpf_ringbuf_output(&flow_events, &e, sizeof(e), 0))
		return 0;
	stats = tenant_counters(e.tenant);
	if (stats)
		stats->events_lost++;
	return 0;
}

SEC("syscall") int tell(struct flow_told *ctx)
{
	struct flow_told told = { .events = ctx->events, .n = ctx->n };

	bpf_loop(told.n, tell_one, &told, 0);
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
