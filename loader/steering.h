/* SPDX-License-Identifier: BSD-2-Clause */
/* What packets of this host know of a function, and which instance they choose by it: the same choice as stages/steer.h makes. */
#ifndef WEFT_STEERING_H
#define WEFT_STEERING_H

#include <stdbool.h>

#include "include/steer.h"
#include "loader/model.h"
#include "loader/root.h"

enum steering_map { STEER_FUNCTIONS, STEER_STATE, STEER_DRAINS, STEER_FLOWS, STEERING_MAPS };

struct steering {
	int map[STEERING_MAPS];
	uint64_t now; /* jiffies */
	uint32_t hz;
};

/* A function as it is at steering.now. */
struct function_now {
	struct function f;
	struct sf_state state[FUNCTION_INSTANCES];
	struct sf_drain drain[FUNCTION_INSTANCES];
	uint32_t usable; /* places: who may be sent anything */
};

#define NO_PLACE FUNCTION_INSTANCES

int steering_open(struct steering *s, const struct root *root, uint32_t hz, struct error *e);
void steering_close(struct steering *s);
/* Zeroes where this host has none of its instances. */
int steering_read(const struct steering *s, const struct model_function *f, struct function_now *now,
		  struct error *e);

/* Is the instance in that place silent, or known to be down? */
bool steering_is_dead(const struct steering *s, const struct function_now *now, uint8_t place);
/* Which of the places a flow ranks first; NO_PLACE: there are none. */
uint8_t steering_pick(const struct function_now *now, uint64_t flow, uint32_t places);
/* The place that the flow has and keeps; NO_PLACE: it will be given one as if it were new, or since it has lost its own. */
uint8_t steering_kept(const struct steering *s, const struct function_now *now,
		      const struct sf_flow_key *key, bool *is_new);
/* The place that it would be given; NO_PLACE: all are dead. */
uint8_t steering_given(const struct steering *s, const struct function_now *now, uint64_t flow,
		       bool is_new);

#endif
