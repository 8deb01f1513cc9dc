// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <unistd.h>

#include "loader/instances.h"

#define NOWHERE FUNCTION_INSTANCES

static uint8_t place_of(const struct function *had, uint32_t id)
{
	for (uint8_t i = 0; i < FUNCTION_INSTANCES; i++)
		if (had->instance[i].id == id)
			return i;
	return NOWHERE;
}

/* Rather a place that nobody had until now: frames of who has lost one may still be on their way. */
static uint8_t find_free(const bool used[FUNCTION_INSTANCES], const struct function *had)
{
	uint8_t place = NOWHERE;

	for (uint8_t i = FUNCTION_INSTANCES; i-- > 0;)
		if (!used[i] && (place == NOWHERE || !had->instance[i].id || had->instance[place].id))
			place = i;
	return place;
}

int instances_place_in(struct model_function *f, const struct function *had, struct error *e)
{
	bool used[FUNCTION_INSTANCES] = { false };

	for (size_t i = 0; i < f->n_instances; i++) {
		struct model_instance *one = &f->instances[i];

		one->place = model_instance_is_used(one) ? place_of(had, one->id) : NOWHERE;
		if (one->place != NOWHERE)
			used[one->place] = true;
	}
	for (size_t i = 0; i < f->n_instances; i++) {
		struct model_instance *one = &f->instances[i];

		if (!model_instance_is_used(one) || one->place != NOWHERE)
			continue;
		one->place = find_free(used, had);
		if (one->place == NOWHERE)
			return error_set(e, EXIT_REFUSED,
					 "function %s: has more than %d instances on host %s: run some of them "
					 "on other hosts, or as another function",
					 f->name, FUNCTION_INSTANCES, one->host->name);
		used[one->place] = true;
	}
	return 0;
}

int instances_place(struct model *m, const struct root *root, struct error *e)
{
	struct function had;
	int fd, failed = 0;

	if (!m->n_functions)
		return 0;
	fd = root_map(root, "functions", e);
	if (fd < 0)
		return -1;
	for (size_t i = 0; i < m->n_functions && !failed; i++) {
		struct model_function *f = &m->functions[i];

		if (bpf_map_lookup_elem(fd, &f->slot, &had) || had.id != f->id)
			had = (struct function){ 0 };
		failed = instances_place_in(f, &had, e);
	}
	close(fd);
	return failed;
}
