// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "loader/flows.h"
#include "loader/steering.h"

static const char *const map_names[STEERING_MAPS] = {
	[STEER_FUNCTIONS] = "functions",
	[STEER_STATE] = "sf_state",
	[STEER_DRAINS] = "sf_drains",
	[STEER_FLOWS] = "sf_flows",
};

int steering_open(struct steering *s, const struct root *root, uint32_t hz, struct error *e)
{
	*s = (struct steering){ .hz = hz ? hz : 250 };
	for (int i = 0; i < STEERING_MAPS; i++)
		s->map[i] = -1;
	for (int i = 0; i < STEERING_MAPS; i++) {
		s->map[i] = root_map(root, map_names[i], e);
		if (s->map[i] < 0) {
			steering_close(s);
			return -1;
		}
	}
	if (!flows_now(root, &s->now, e))
		return 0;
	steering_close(s);
	return -1;
}

void steering_close(struct steering *s)
{
	for (int i = 0; i < STEERING_MAPS; i++)
		if (s->map[i] >= 0)
			close(s->map[i]);
}

static int read_one(const struct steering *s, enum steering_map map, uint32_t index, void *value,
		    struct error *e)
{
	if (!bpf_map_lookup_elem(s->map[map], &index, value))
		return 0;
	return error_set(e, EXIT_REFUSED, "map %s: cannot be read: %s", map_names[map],
			 strerror(errno));
}

int steering_read(const struct steering *s, const struct model_function *f, struct function_now *now,
		  struct error *e)
{
	memset(now, 0, sizeof(*now));
	if (read_one(s, STEER_FUNCTIONS, f->slot, &now->f, e))
		return -1;
	/* It was configured, or has gone, since the maps were read. */
	if (now->f.id != f->id)
		now->f = (struct function){ 0 };
	for (uint8_t i = 0; i < FUNCTION_INSTANCES; i++) {
		uint32_t index = INSTANCE_INDEX(f->slot, i);

		if (!now->f.instance[i].id)
			continue;
		if (read_one(s, STEER_STATE, index, &now->state[i], e) ||
		    read_one(s, STEER_DRAINS, index, &now->drain[i], e))
			return -1;
		if (function_places(&now->f) >> i & 1 && !(now->f.instance[i].flags & INSTANCE_DRAIN &&
						 drain_is_over(&now->drain[i], s->now)))
			now->usable |= 1u << i;
	}
	return 0;
}

bool steering_is_dead(const struct steering *s, const struct function_now *now, uint8_t place)
{
	return instance_is_dead(&now->state[place], (uint32_t)s->now, s->hz);
}

uint8_t steering_pick(const struct function_now *now, uint64_t flow, uint32_t places)
{
	uint64_t least = UINT64_MAX;
	uint8_t best = NO_PLACE;

	for (uint8_t i = 0; i < FUNCTION_INSTANCES; i++) {
		const struct sf_instance *one = &now->f.instance[i];
		uint64_t rank = steer_rank(one->id, one->weight, flow);

		if (!(places >> i & 1) || rank >= least)
			continue;
		least = rank;
		best = i;
	}
	return best;
}

/* One of this host, else another's. */
static uint8_t pick_near(const struct function_now *now, uint64_t flow, uint32_t places)
{
	return steering_pick(now, flow, function_near(&now->f, places));
}

/* Places that answer, as alive_instances() of the datapath; with `is_new` also one that it is time to try. */
static uint32_t alive(const struct steering *s, const struct function_now *now, bool is_new)
{
	uint32_t answers = 0, doubted = 0, tries = 0, time = (uint32_t)s->now;

	for (uint8_t i = 0; i < FUNCTION_INSTANCES; i++) {
		const struct sf_state *state = &now->state[i];
		uint32_t bit = now->usable & 1u << i;

		if (!bit || instance_is_down(state, time, s->hz))
			continue;
		if (!steering_is_dead(s, now, i) && !instance_is_doubted(state, time, s->hz)) {
			answers |= bit;
			continue;
		}
		if (!steering_is_dead(s, now, i))
			doubted |= bit;
		if (time - state->last_try >= s->hz)
			tries |= bit;
	}
	return (answers ? answers : doubted) |
	       (is_new && places_are_several(now->usable) ? tries : 0);
}

static bool is_back_home(const struct steering *s, const struct function_now *now,
			 const struct sf_flow *known, uint64_t flow)
{
	uint8_t place;

	if (!(now->f.flags & FUNCTION_REBALANCE) || known->preferred == known->instance)
		return false;
	place = pick_near(now, flow, now->f.fresh & alive(s, now, false));
	return place != NO_PLACE && now->f.instance[place].id == known->preferred;
}

uint8_t steering_kept(const struct steering *s, const struct function_now *now,
		      const struct sf_flow_key *key, bool *is_new)
{
	struct sf_flow known;
	uint8_t place;

	*is_new = bpf_map_lookup_elem(s->map[STEER_FLOWS], key, &known) != 0;
	if (*is_new)
		return NO_PLACE;
	place = known.place & (FUNCTION_INSTANCES - 1);
	return now->f.instance[place].id == known.instance && now->usable >> place & 1 &&
			       alive(s, now, false) >> place & 1 &&
			       !is_back_home(s, now, &known, key->flow)
		       ? place
		       : NO_PLACE;
}

uint8_t steering_given(const struct steering *s, const struct function_now *now, uint64_t flow,
		       bool is_new)
{
	uint32_t answers = alive(s, now, is_new);
	uint8_t place = pick_near(now, flow, now->f.fresh & answers);

	return place != NO_PLACE ? place : pick_near(now, flow, function_places(&now->f) & answers);
}
