// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <string.h>
#include <unistd.h>

#include "loader/flows.h"
#include "loader/instance_health.h"

int instance_health_open(struct instance_look *look, const struct root *root, uint32_t hz,
			 struct error *e)
{
	uint64_t now;

	*look = (struct instance_look){ .functions = -1, .states = -1, .hz = hz ? hz : 250 };
	if (flows_now(root, &now, e))
		return -1;
	look->now = (uint32_t)now;
	look->functions = root_map(root, "functions", e);
	if (look->functions >= 0)
		look->states = root_map(root, "sf_state", e);
	if (look->states >= 0)
		return 0;
	instance_health_close(look);
	return -1;
}

void instance_health_close(struct instance_look *look)
{
	if (look->functions >= 0)
		close(look->functions);
	if (look->states >= 0)
		close(look->states);
	look->functions = look->states = -1;
}

/* As alive_instances() of the datapath. */
static uint32_t find_alive(const struct sf_state *states, uint32_t usable, uint32_t now, uint32_t hz)
{
	uint32_t sure = 0, doubted = 0;

	for (int i = 0; i < FUNCTION_INSTANCES; i++) {
		uint32_t bit = usable & 1u << i;

		if (!bit || instance_is_dead(&states[i], now, hz))
			continue;
		if (instance_is_doubted(&states[i], now, hz))
			doubted |= bit;
		else
			sure |= bit;
	}
	return sure ? sure : doubted;
}

static bool read_states(const struct instance_look *look, uint32_t slot, struct sf_state *states)
{
	for (uint32_t i = 0; i < FUNCTION_INSTANCES; i++) {
		uint32_t index = INSTANCE_INDEX(slot, i);

		if (bpf_map_lookup_elem(look->states, &index, &states[i]))
			return false;
	}
	return true;
}

static time_t wall(time_t seconds_ago)
{
	return time(NULL) - seconds_ago;
}

/* What the agent has written. */
static void by_agent(const struct sf_state *state, struct instance_health *h)
{
	static const char *const down[] = { "", "probes", "link" };
	static const char *const degraded[] = { "", "loss", "slow", "deaf" };
	struct timespec up;

	clock_gettime(CLOCK_BOOTTIME, &up);
	h->watched = true;
	h->since = wall(up.tv_sec - (time_t)state->since);
	if (state->down) {
		h->state = "down";
		h->reason = down[state->down <= DOWN_LINK ? state->down : DOWN_PROBES];
	} else if (state->degraded) {
		h->state = "degraded";
		h->reason = degraded[state->degraded <= DEGRADED_DEAF ? state->degraded : DEGRADED_LOSS];
	}
}

void instance_health_of(const struct sf_state states[FUNCTION_INSTANCES], uint32_t usable,
			uint32_t now, uint32_t hz, uint8_t place, struct instance_health *h)
{
	const struct sf_state *state = &states[place];
	uint32_t alive = find_alive(states, usable, now, hz);

	*h = (struct instance_health){ .state = "up", .reason = "" };
	h->others = alive & ~(1u << place);
	if (instance_is_watched(state, now, hz))
		by_agent(state, h);
	if (strcmp(h->state, "down") && usable >> place & 1 && !(alive >> place & 1)) {
		h->state = "down";
		h->reason = "silence";
		h->since = wall((now - state->waiting_since) / hz);
	}
}

bool instance_health(const struct instance_look *look, uint32_t slot, uint8_t place,
		     struct instance_health *h)
{
	struct sf_state states[FUNCTION_INSTANCES];
	struct function f;

	if (place >= FUNCTION_INSTANCES || bpf_map_lookup_elem(look->functions, &slot, &f) ||
	    !f.instance[place].id || !read_states(look, slot, states))
		return false;
	instance_health_of(states, function_places(&f), look->now, look->hz, place, h);
	return true;
}

const char *instance_health_words(const struct instance_health *h)
{
	static const char *const words[][2] = {
		{ "probes", "is down: its probes have not come back" },
		{ "link", "is down: a device of it has had no carrier" },
		{ "silence", "has returned nothing" },
		{ "loss", "is degraded: probes have been lost" },
		{ "slow", "is degraded: probes have come back late" },
		{ "deaf", "is degraded: probes have not come back, so its traffic has told whether it lives," },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(words[i][0], h->reason))
			return words[i][1];
	return "";
}
