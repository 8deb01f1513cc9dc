// SPDX-License-Identifier: BSD-2-Clause
/* Functions, and where their instances are. */
#include "loader/away.h"
#include "loader/compile.h"

static void put_instance(const struct model_instance *one, const struct facts *facts,
			 struct function *f)
{
	const struct fact *leaving = facts_find(facts, one->leaving);
	const struct fact *towards = facts_find(facts, one->towards);
	struct sf_instance *put = &f->instance[one->place];
	const uint16_t bit = (uint16_t)(1 << one->place);

	put->id = one->id;
	put->weight = one->weight;
	put->flags = one->flags;
	if (!leaving || !leaving->present || !towards || !towards->present)
		return;
	put->leaving_ifindex = leaving->info.ifindex;
	put->towards_ifindex = towards->info.ifindex;
	if (one->flags & INSTANCE_DOWN)
		return;
	f->present |= bit;
	if (!(one->flags & INSTANCE_DRAIN))
		f->fresh |= bit;
}

/* `fits`: the underlay carries what goes to other hosts. */
static void put_away(const struct model_instance *one, bool fits, struct function *f)
{
	struct sf_instance *put = &f->instance[one->place];
	const uint16_t bit = (uint16_t)(1 << one->place);

	if (!fits)
		return;
	put->id = one->id;
	put->weight = one->weight;
	put->flags = one->flags | INSTANCE_REMOTE;
	put->leaving_ifindex = put->towards_ifindex = one->host->slot;
	if (one->flags & INSTANCE_DOWN)
		return;
	f->remote |= bit;
	if (!(one->flags & INSTANCE_DRAIN))
		f->fresh |= bit;
}

void compile_functions(const struct model *m, const struct facts *facts, struct desired *d)
{
	for (size_t i = 0; i < m->n_functions; i++) {
		const struct model_function *f = &m->functions[i];
		struct function function = { .id = f->id, .flags = f->flags };
		bool any = false, fits = !f->used || !away_misfit(facts, m, f);

		for (size_t k = 0; k < f->n_instances; k++) {
			const struct model_instance *one = &f->instances[k];

			if (one->here)
				put_instance(one, facts, &function);
			else if (one->away)
				put_away(one, fits, &function);
			any |= one->here || one->away;
		}
		if (any)
			entries_add(&d->map[MAP_FUNCTIONS], &f->slot, &function);
	}
}
