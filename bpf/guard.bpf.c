/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hook `guard`: what leaves the host towards a workload or a function. Frames that weft vetted carry this
 * load's random mark; all else, the host's own stack included, ends here.
 */
#include "lib/weft.h"
#include "lib/count.h"

HOOK(guard)
{
	const struct host_config *us = this_host();

	if (us && us->mark && ctx->mark == us->mark) {
		ctx->mark = 0;
		return TCX_NEXT;
	}
	count_drop(DROP_GUARD);
	return TC_ACT_SHOT;
}

char _license[] SEC("license") = "Dual BSD/GPL";
