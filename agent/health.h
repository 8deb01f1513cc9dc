/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an instance's probes, link and traffic say of it: up, degraded or down, with hysteresis. No clock and no maps here:
 * each look is told what is to be seen, and is of one probe that had its time.
 *
 * Who is silent need not be dead: he may not have had the CPU. So what is seen while there is no CPU to spare counts little;
 * and who answers in the end all that he was asked was never dead, which is remembered for a while.
 */
#ifndef WEFT_AGENT_HEALTH_H
#define WEFT_AGENT_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "include/function.h"

struct health_rules {
	bool probes; /* else the link alone decides */
	uint32_t down_after, up_after;
};

/* What is to be seen. */
struct health_sight {
	bool link; /* its devices are there, and have a carrier */
	bool unsure; /* there was no CPU to spare */
	uint32_t sent; /* number of the last probe that had its time */
	uint32_t answered[PASSES]; /* as in struct sf_state */
	uint16_t answers[PASSES], returned[PASSES];
};

/* In looks, of which an unsure one counts little: see health.c. */
struct health_pass {
	uint32_t answered; /* as seen last */
	uint16_t answers, returned;
	uint32_t missed; /* in a row, without an answer */
	uint32_t silent; /* in a row, without any sign of life */
	uint32_t waited; /* as missed, but all looks alike */
	uint32_t against; /* looks at which traffic came back, though answers did not */
	bool known; /* answers have come: that none come means something */
};

struct health {
	uint32_t down, degraded; /* enum instance_down, instance_degraded */
	uint32_t good; /* looks in a row at which every pass that is known had an answer */
	uint32_t calm; /* looks in a row without any trouble */
	uint32_t bad; /* those with some, since it was calm for up_after of them */
	uint32_t pause; /* looks for which it was silent, and not dead */
	uint32_t pause_left; /* looks for which that is remembered */
	struct health_pass pass[PASSES];
};

/* An instance that another agent, or this one, has looked after before, or that is new: as its record says. */
void health_begin(struct health *h, const struct sf_state *state);
/* Has `down` or `degraded` changed? */
bool health_look(struct health *h, const struct health_rules *rules,
		 const struct health_sight *sight);
/* The same when the link comes or goes between two looks. */
bool health_link(struct health *h, const struct health_rules *rules, bool link);
/* Is an answer missing? */
bool health_waits(const struct health *h);
/* How many looks it may be silent for before it is called down. */
uint32_t health_patience(const struct health *h, const struct health_rules *rules);
/* The pass whose answers have been missing for longest. */
int health_worst(const struct health *h);

#endif
