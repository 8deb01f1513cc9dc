// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "agent/probe_set.h"
#include "loader/alloc.h"
#include "loader/away.h"
#include "loader/flows.h"

#define STATES_SIZE (WEFT_FUNCTIONS_MAX * FUNCTION_INSTANCES * sizeof(struct sf_state))

/* Any chain's wire will do: the first one's that has the function and is in the maps. */
static const struct model_chain *chain_of(const struct model *m, const struct model_function *f,
					  uint8_t *step)
{
	for (size_t i = 0; i < m->n_chains; i++) {
		const struct model_chain *c = &m->chains[i];

		if (!model_tenant(m, c->tenant)->here && !away_serves(m, c))
			continue;
		for (*step = 0; *step < c->steps; ++*step)
			if (c->step[*step].sf == f)
				return c;
	}
	return NULL;
}

static void add(struct probe_set *s, size_t *room, const struct model_function *f,
		const struct model_instance *one, const struct probe_target *common,
		const struct facts *facts)
{
	unsigned int leaving = facts_ifindex(facts, one->leaving);
	unsigned int towards = facts_ifindex(facts, one->towards);
	struct probe_target *t;

	if (!one->here || one->flags & INSTANCE_DOWN || !leaving || !towards)
		return;
	s->target = alloc_grow(s->target, room, s->n + 1, sizeof(*s->target));
	t = &s->target[s->n++];
	*t = *common;
	snprintf(t->function, sizeof(t->function), "%s", f->name);
	snprintf(t->instance, sizeof(t->instance), "%s", one->name);
	t->index = INSTANCE_INDEX(f->slot, one->place);
	t->id = one->id;
	for (int i = 0; i < PASSES; i++)
		t->probe[i].instance = one->place;
	t->probe[0].ifindex = leaving;
	t->probe[1].ifindex = towards;
}

static void add_function(struct probe_set *s, size_t *room, const struct model *m,
			 const struct model_function *f, const struct facts *facts)
{
	const struct model_health *h = &f->health;
	struct probe_target common = {
		.rules = { h->probes, h->down_after, h->up_after },
		.interval = h->interval_ms * 1000000ll,
	};
	uint8_t step;
	const struct model_chain *c = chain_of(m, f, &step);

	for (int i = 0; i < PASSES && c; i++)
		common.probe[i] = (struct chain_probe){ .chain = c->slot,
							.tag = c->tag,
							.step = step,
							.pcp = i ? PCP_TOWARDS : PCP_LEAVING };
	for (size_t i = 0; i < f->n_instances && c; i++)
		add(s, room, f, &f->instances[i], &common, facts);
}

static int open_states(struct probe_set *s, const struct root *root, struct error *e)
{
	int fd = root_map(root, "sf_state", e);
	void *at;

	if (fd < 0)
		return -1;
	at = mmap(NULL, STATES_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		error_set(e, EXIT_REFUSED, "map sf_state: cannot be mapped: %s", strerror(errno));
	else
		s->states = at;
	close(fd);
	return s->states ? 0 : -1;
}

/* Packets count time in jiffies, which are of the monotonic clock. */
static int read_clock(struct probe_set *s, const struct root *root, struct error *e)
{
	struct timespec now;

	if (flows_now(root, &s->jiffies, e))
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	s->at = now.tv_sec * 1000000000ll + now.tv_nsec;
	return 0;
}

static int open_all(struct probe_set *s, const struct root *root, struct error *e)
{
	struct host_config host = { 0 };
	int fd = root_map(root, "host", e), failed;
	uint32_t zero = 0;

	if (fd < 0)
		return -1;
	failed = bpf_map_lookup_elem(fd, &zero, &host);
	close(fd);
	if (failed)
		return error_set(e, EXIT_REFUSED, "map host: cannot be read: %s", strerror(errno));
	s->hz = host.hz ? host.hz : 250;
	for (size_t i = 0; i < s->n && s->socket < 0 && !s->why.text[0]; i++)
		if (s->target[i].rules.probes)
			s->socket = probe_socket(host.mark, &s->why);
	return open_states(s, root, e) || read_clock(s, root, e) ? -1 : 0;
}

struct probe_set *probe_set_make(const struct root *root, const struct model *m,
				 const struct facts *facts, struct error *e)
{
	struct probe_set *s = alloc_zero(1, sizeof(*s));
	size_t room = 0;

	s->socket = -1;
	for (size_t i = 0; i < m->n_functions; i++)
		add_function(s, &room, m, &m->functions[i], facts);
	if (s->n && !open_all(s, root, e))
		return s;
	probe_set_free(s);
	return NULL;
}

void probe_set_free(struct probe_set *s)
{
	if (!s)
		return;
	if (s->states)
		munmap(s->states, STATES_SIZE);
	if (s->socket >= 0)
		close(s->socket);
	free(s->target);
	free(s);
}
