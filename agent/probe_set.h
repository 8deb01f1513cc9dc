/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whom the agent probes, and how: all instances on this host that a chain here may use. Made by the look at the root,
 * used by the thread that probes (agent/probes.h).
 */
#ifndef WEFT_AGENT_PROBE_SET_H
#define WEFT_AGENT_PROBE_SET_H

#include "agent/health.h"
#include "loader/facts.h"
#include "loader/probe_chain.h"
#include "loader/root.h"

struct probe_target {
	char function[WEFT_NAME_LEN + 1], instance[WEFT_NAME_LEN + 1];
	uint32_t index; /* in sf_state */
	uint32_t id; /* of the instance */
	struct chain_probe probe[PASSES]; /* its nonce is the target's */
	struct health_rules rules;
	int64_t interval; /* ns */

	/* The thread's. */
	struct health health;
	uint8_t frame[PASSES][PROBE_FRAME_SIZE];
	uint32_t number; /* of the last probe */
	int64_t due; /* the next look */
	bool sent; /* anything yet */
	bool link;
	bool lost; /* its record is another's by now */
};

struct probe_set {
	struct probe_target *target;
	size_t n;
	struct sf_state *states; /* the map sf_state, as memory */
	int socket; /* -1: none is needed, or none can be had */
	struct error why; /* it cannot */
	uint32_t hz;
	uint64_t jiffies; /* at that time: */
	int64_t at; /* ns, monotonic clock */
};

/* NULL: there is nobody to look after, or the maps cannot be read: then with an error. */
struct probe_set *probe_set_make(const struct root *root, const struct model *m,
				 const struct facts *facts, struct error *e);
void probe_set_free(struct probe_set *s);

#endif
