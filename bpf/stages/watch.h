/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * watch: does an instance of a function answer? Seen by its traffic: frames went there, and for a while nothing came
 * back; and told by the agent, which probes it (agent/probes.c). An agent that is dead tells nothing. What follows from
 * that is in include/function.h.
 * reads:  pkt.steer
 * writes: sf_state
 * maps:   sf_state sf_stats
 * drops:  none
 */
#ifndef WEFT_STAGE_WATCH_H
#define WEFT_STAGE_WATCH_H

#include "lib/weft.h"

static __always_inline struct sf_state *state_of(__u32 function, __u32 place)
{
	__u32 index = INSTANCE_INDEX(function, place);

	return bpf_map_lookup_elem(&sf_state, &index);
}

static __always_inline struct sf_traffic *traffic_of(__u32 function, __u32 place)
{
	__u32 index = INSTANCE_INDEX(function, place);

	return bpf_map_lookup_elem(&sf_stats, &index);
}

static __always_inline void watch_sent(struct sf_state *state, __u64 steer, __u32 now)
{
	__u32 flow = steer | 1;

	if (!instance_outstanding(state)) {
		state->noticed[0] = state->returned[0];
		state->noticed[1] = state->returned[1];
		state->waiting_since = now;
		state->flow = flow;
		state->outstanding = 1;
		return;
	}
	if (state->flow != flow && state->flow)
		state->flow = 0;
	state->outstanding++;
}

/* Something came back, of this pass. */
static __always_inline void function_lives(__u32 function, __u32 place, __u32 pcp)
{
	struct sf_state *state = state_of(function, place);

	if (!state)
		return;
	if (pcp == PCP_LEAVING && state->returned[0] == state->noticed[0])
		state->returned[0]++;
	else if (pcp != PCP_LEAVING && state->returned[1] == state->noticed[1])
		state->returned[1]++;
}

#endif
