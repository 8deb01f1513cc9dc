// SPDX-License-Identifier: BSD-2-Clause
/* Instances of functions that are dead, or not well. */
#include <stdio.h>
#include <string.h>

#include "loader/instance_health.h"
#include "loader/steering.h"
#include "loader/verify.h"

static const char *remedy(const struct instance_health *h)
{
	if (!strcmp(h->reason, "link"))
		return "look at the function's own end of the device: is it up, does the function run?";
	if (!strcmp(h->reason, "deaf"))
		return "have the function pass frames of ethertype 0x88B5, or say `health: {probe: none}`";
	if (!strcmp(h->state, "degraded"))
		return "look at the function: is it overloaded?";
	return "look at the function, or bypass the chain (`weft chain set NAME bypass on`)";
}

/* What becomes of what the chain protects. */
static const char *consequence(const struct model_step *step, const struct instance_health *h)
{
	if (!strcmp(h->state, "degraded"))
		return "still passes it";
	if (h->others)
		return "goes to its other instances";
	return step->open ? "skips it (on_failure: open)" : "is dropped (sf_down)";
}

static void tell(json_t *list, const struct model_chain *c, const struct model_step *step,
		 const struct model_instance *one, const struct instance_health *h)
{
	char object[FINDING_OBJECT_SIZE];

	snprintf(object, sizeof(object), "chain %s/%s", c->tenant, c->name);
	finding_add(list, object, remedy(h), "function %s/%s%s%s %s for %lld s: what the chain protects %s",
		    one->function, one->name, one->away ? " on host " : "",
		    one->away ? one->host->name : "", instance_health_words(h),
		    (long long)(time(NULL) - h->since), consequence(step, h));
}

/* All are down, or have been drained. That devices are missing others say. */
static int look_for_any(const struct verify *v, json_t *list, const struct model_chain *c,
			const struct model_step *step, const struct steering *s, struct error *e)
{
	char object[FINDING_OBJECT_SIZE];
	struct function_now now;
	bool any = false;

	for (size_t i = 0; i < step->sf->n_instances; i++) {
		const struct model_instance *one = &step->sf->instances[i];

		if (model_instance_is_used(one) && !(one->flags & (INSTANCE_DOWN | INSTANCE_DRAIN)))
			return 0;
		any |= model_instance_is_used(one);
	}
	if (!any || !verify_protects(v, c))
		return 0;
	if (steering_read(s, step->sf, &now, e))
		return -1;
	snprintf(object, sizeof(object), "chain %s/%s", c->tenant, c->name);
	if (!now.usable)
		finding_add(list, object, "`weft sf undrain NAME/INSTANCE`, or add an instance",
			    "all instances of function %s here are down or drained: what the chain protects %s",
			    step->function,
			    step->open ? "skips it (on_failure: open)" : "is dropped (sf_down)");
	return 0;
}

static void look_at_step(json_t *list, const struct model_chain *c, const struct model_step *step,
			 const struct instance_look *look)
{
	struct instance_health h;

	for (size_t i = 0; step->sf && i < step->sf->n_instances; i++) {
		const struct model_instance *one = &step->sf->instances[i];

		if (model_instance_is_used(one) && instance_health(look, step->sf->slot, one->place, &h) &&
		    strcmp(h.state, "up"))
			tell(list, c, step, one, &h);
	}
}

int verify_health(const struct verify *v, json_t *list, struct error *e)
{
	struct instance_look look;
	struct steering s;
	int failed = 0;

	if (!v->model.n_chains)
		return 0;
	if (instance_health_open(&look, v->root, v->state->host.hz, e))
		return -1;
	if (steering_open(&s, v->root, v->state->host.hz, e)) {
		instance_health_close(&look);
		return -1;
	}
	for (size_t i = 0; i < v->model.n_chains && !failed; i++) {
		const struct model_chain *c = &v->model.chains[i];

		for (uint8_t n = 0; n < c->steps && !(c->flags & CHAIN_BYPASS) && !failed; n++) {
			/* Nobody waits for what a tap returns. */
			if (!c->step[n].sf || c->step[n].tap)
				continue;
			look_at_step(list, c, &c->step[n], &look);
			failed = look_for_any(v, list, c, &c->step[n], &s, e);
		}
	}
	steering_close(&s);
	instance_health_close(&look);
	return failed;
}
