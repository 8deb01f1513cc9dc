/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the instances of functions are, as packets see them: by the agent's word while there is one that looks after them,
 * else by what their traffic says.
 *
 *	instance_health_open(&look, root, hz, e);
 *	instance_health(&look, slot, place, &health);
 *	instance_health_close(&look);
 */
#ifndef WEFT_INSTANCE_HEALTH_H
#define WEFT_INSTANCE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "include/function.h"
#include "loader/root.h"

struct instance_look {
	int functions, states; /* the maps */
	uint32_t hz, now; /* jiffies */
};

struct instance_health {
	const char *state; /* "up", "degraded", "down" */
	/* down: "probes", "link", "silence"; degraded: "loss", "slow", "deaf"; up: "" */
	const char *reason;
	time_t since; /* 0: nobody knows */
	bool watched; /* the agent lives, and looks after it */
	bool others; /* another instance here takes flows */
};

int instance_health_open(struct instance_look *look, const struct root *root, uint32_t hz,
			 struct error *e);
void instance_health_close(struct instance_look *look);

/* Of the instance at that place of the function in that slot; false: there is none. */
bool instance_health(const struct instance_look *look, uint32_t slot, uint8_t place,
		     struct instance_health *health);

/* The same by what has been read already: the function's states, and as bits the places that may be sent anything. */
void instance_health_of(const struct sf_state states[FUNCTION_INSTANCES], uint32_t usable,
			uint32_t now, uint32_t hz, uint8_t place, struct instance_health *health);

/* "is down: its probes have not come back": a reason, between the instance's name and how long. "" where all is well. */
const char *instance_health_words(const struct instance_health *health);

#endif
