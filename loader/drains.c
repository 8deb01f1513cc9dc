// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loader/compile.h"
#include "loader/drains.h"
#include "loader/flows.h"

struct settling {
	const struct root *root;
	int map;
	uint32_t hz;
	uint64_t now; /* jiffies; 0: nobody has asked yet */
};

static int map_put(int map, uint32_t index, const struct sf_drain *drain, struct error *e)
{
	if (!bpf_map_update_elem(map, &index, drain, BPF_ANY))
		return 0;
	return error_set(e, EXIT_REFUSED, "map sf_drains: cannot be written: %s", strerror(errno));
}

static int begin_to_drain(struct settling *s, uint64_t ms, struct sf_drain *drain, struct error *e)
{
	if (!s->now && flows_now(s->root, &s->now, e))
		return -1;
	drain->since = s->now;
	drain->until = s->now + to_jiffies(ms, s->hz);
	return 0;
}

static int settle(struct settling *s, const struct model_function *f,
		  const struct model_instance *one, const struct sf_instance *had, struct error *e)
{
	uint32_t index = INSTANCE_INDEX(f->slot, one->place);
	bool drained = had->id == one->id && had->flags & INSTANCE_DRAIN;
	struct sf_drain drain = { 0 }, wanted = { 0 };

	if (bpf_map_lookup_elem(s->map, &index, &drain))
		return error_set(e, EXIT_REFUSED, "map sf_drains: cannot be read: %s",
				 strerror(errno));
	if (one->flags & INSTANCE_DRAIN) {
		wanted = drain;
		/* What a killed command has left of a drain that never began is none. */
		if ((!drained || !drain.until) && begin_to_drain(s, f->drain_ms, &wanted, e))
			return -1;
	}
	return memcmp(&drain, &wanted, sizeof(drain)) ? map_put(s->map, index, &wanted, e) : 0;
}

int drains_settle(const struct root *root, const struct model *m, const struct entries *functions,
		  uint32_t hz, struct error *e)
{
	struct settling s = { .root = root, .hz = hz };
	int failed = 0;

	if (!m->n_functions)
		return 0;
	s.map = root_map(root, "sf_drains", e);
	if (s.map < 0)
		return -1;
	for (size_t i = 0; i < m->n_functions && !failed; i++) {
		const struct model_function *f = &m->functions[i];
		const struct function *had = entries_value(functions, f->slot);

		for (size_t k = 0; k < f->n_instances && !failed; k++) {
			const struct model_instance *one = &f->instances[k];

			if (model_instance_is_used(one))
				failed = settle(&s, f, one, &had->instance[one->place], e);
		}
	}
	close(s.map);
	return failed;
}

int drain_ends_in(const struct root *root, const struct model_function *f,
		  const struct model_instance *one, uint64_t ms, uint32_t hz, struct error *e)
{
	struct settling s = { .root = root, .map = root_map(root, "sf_drains", e), .hz = hz };
	uint32_t index = INSTANCE_INDEX(f->slot, one->place);
	struct sf_drain drain = { 0 };
	uint64_t since;
	int failed;

	if (s.map < 0)
		return -1;
	bpf_map_lookup_elem(s.map, &index, &drain);
	since = drain.since;
	failed = begin_to_drain(&s, ms, &drain, e);
	if (since)
		drain.since = since;
	failed = failed || map_put(s.map, index, &drain, e);
	close(s.map);
	return failed ? -1 : 0;
}

const char *drain_text(uint64_t seconds, char buf[DRAIN_TEXT_SIZE])
{
	const uint64_t day = 86400, hour = 3600, minute = 60;

	if (seconds >= day)
		snprintf(buf, DRAIN_TEXT_SIZE, "%" PRIu64 "d%" PRIu64 "h", seconds / day,
			 seconds % day / hour);
	else if (seconds >= hour)
		snprintf(buf, DRAIN_TEXT_SIZE, "%" PRIu64 "h%" PRIu64 "m", seconds / hour,
			 seconds % hour / minute);
	else if (seconds >= minute)
		snprintf(buf, DRAIN_TEXT_SIZE, "%" PRIu64 "m%" PRIu64 "s", seconds / minute,
			 seconds % minute);
	else
		snprintf(buf, DRAIN_TEXT_SIZE, "%" PRIu64 "s", seconds);
	return buf;
}
