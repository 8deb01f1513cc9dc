/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What one tenant may make this host do in a second. The generic cell rate algorithm: one time a limit, moved by each
 * grant, shared by all CPUs; what is refused only reads.
 */
#ifndef WEFT_BPF_LIMIT_H
#define WEFT_BPF_LIMIT_H

#include "lib/weft.h"

#define NS_PER_S 1000000000ULL
#define GRANT_TRIES 4		/* other CPUs may be faster; who loses as often as this is refused */

static __always_inline bool grant(__u64 *until, __u64 per_s, __u64 at_once)
{
	__u64 each = NS_PER_S / per_s, now = bpf_ktime_get_ns();

	for (int i = 0; i < GRANT_TRIES; i++) {
		__u64 seen = *(volatile __u64 *)until;
		__u64 from = seen > now ? seen : now;

		if (from + each - now > at_once * each)
			return false;
		if (__sync_val_compare_and_swap(until, seen, from + each) == seen)
			return true;
	}
	return false;
}

/* What was granted is not used up after all. */
static __always_inline void grant_back(__u64 *until, __u64 per_s)
{
	if (*(volatile __u64 *)until > bpf_ktime_get_ns())
		__sync_fetch_and_sub(until, NS_PER_S / per_s);
}

static __always_inline struct tenant_limits *limits_of(__u32 tenant)
{
	return bpf_map_lookup_elem(&tenant_limits, &tenant);
}

static __always_inline bool may_reject(__u32 tenant)
{
	struct tenant_limits *l = limits_of(tenant);

	return l && grant(&l->rejects_until, REJECTS_PER_S, REJECTS_AT_ONCE);
}

static __always_inline bool may_log(__u32 tenant)
{
	struct tenant_limits *l = limits_of(tenant);

	return l && grant(&l->logs_until, LOGS_PER_S, LOGS_AT_ONCE);
}

#endif
