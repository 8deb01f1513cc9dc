// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <string.h>

#include "loader/chain_path.h"
#include "loader/instance_health.h"

/* ---- one step ---- */

static const struct model_instance *at_place(const struct model_function *f, uint8_t place)
{
	for (size_t i = 0; i < f->n_instances; i++)
		if (model_instance_is_used(&f->instances[i]) && f->instances[i].place == place)
			return &f->instances[i];
	return NULL;
}

static void put_devices(json_t *hop, const struct model_instance *one, enum chain_pcp pcp)
{
	const char *in = pcp == PCP_LEAVING ? one->leaving : one->towards;
	const char *out = pcp == PCP_LEAVING ? one->towards : one->leaving;

	json_object_update_new(hop, json_pack("{s:s, s:s, s:s}", "instance", one->name, "in", in,
					      "out", out));
	if (one->away)
		json_object_set_new(hop, "at", json_string(one->host->name));
}

/* Where the flow goes, or one of its kind would; NO_PLACE: nowhere. */
static uint8_t choose(const struct path_question *q, const struct function_now *now,
		      const struct model_function *f, uint64_t flow, const char **choice)
{
	struct sf_flow_key key = { .flow = flow,
				   .function = f->slot,
				   .tenant = (q->from ? q->from : q->to)->tenant->slot };
	bool is_new;
	uint8_t place = steering_kept(q->steering, now, &key, &is_new);

	*choice = "has";
	if (place != NO_PLACE)
		return place;
	place = steering_given(q->steering, now, flow, is_new);
	*choice = place == NO_PLACE ? "none" : is_new ? "new" : "moves";
	return place;
}

static void put_choice(const struct path_question *q, const struct function_now *now,
		       const struct model_function *f, enum chain_pcp pcp, json_t *hop)
{
	const char *choice, *unused;
	uint8_t place = choose(q, now, f, q->flow.flow, &choice), fragments;
	const struct model_instance *one = at_place(f, place), *other;
	struct instance_health health;

	json_object_set_new(hop, "choice", json_string(one ? choice : "none"));
	if (!one)
		return;
	put_devices(hop, one, pcp);
	instance_health_of(now->state, now->usable, (uint32_t)q->steering->now, q->steering->hz,
			   place, &health);
	json_object_set_new(hop, "health", json_string(health.state));
	fragments = choose(q, now, f, q->flow.fragments, &unused);
	other = at_place(f, fragments);
	if (other)
		json_object_set_new(hop, "fragments", json_string(other->name));
}

/* Who a new flow may be given, without knowing more of it. */
static void put_candidates(const struct path_question *q, const struct function_now *now,
			   const struct model_function *f, json_t *hop)
{
	json_t *list = json_array();
	uint32_t alive = 0, places;

	for (uint8_t i = 0; i < FUNCTION_INSTANCES; i++)
		if (!steering_is_dead(q->steering, now, i))
			alive |= 1u << i;
	places = now->f.fresh & now->usable & alive;
	if (!places)
		places = now->usable & alive;
	places = function_near(&now->f, places);
	for (uint8_t i = 0; i < FUNCTION_INSTANCES; i++) {
		const struct model_instance *one = places >> i & 1 ? at_place(f, i) : NULL;

		if (one)
			json_array_append_new(list, json_pack("{s:s, s:i, s:s*}", "instance", one->name, "weight",
							      one->weight, "at", one->away ? one->host->name : NULL));
	}
	json_object_set_new(hop, "choice", json_string(json_array_size(list) ? "any" : "none"));
	json_object_set_new(hop, "instances", list);
}

/* Returns 1 if the frame goes no further. */
static int add_step(const struct path_question *q, const struct model_host *host,
		    const struct model_chain *c, uint8_t n, enum chain_pcp pcp, json_t *hops,
		    struct error *e)
{
	const struct model_step *step = &c->step[n];
	struct function_now now;
	json_t *hop = json_pack("{s:s, s:s, s:s++, s:i, s:s, s:i, s:i, s:s}", "hop", "function",
				"host", host->name, "chain", c->tenant, "/", c->name, "step", n + 1,
				"function", step->function, "tag", (int)c->tag, "pcp", (int)pcp,
				"on_failure", step->open ? "open" : "closed");

	json_array_append_new(hops, hop);
	if (host != q->m->self || !step->sf) {
		json_object_set_new(hop, "choice", json_string("there"));
		return 0;
	}
	if (steering_read(q->steering, step->sf, &now, e))
		return -1;
	if (q->flow.flow)
		put_choice(q, &now, step->sf, pcp, hop);
	else
		put_candidates(q, &now, step->sf, hop);
	if (step->open || strcmp(json_string_value(json_object_get(hop, "choice")), "none") != 0)
		return 0;
	json_array_append_new(hops,
			      json_pack("{s:s, s:s}", "hop", "drop", "reason", "sf_down"));
	return 1;
}

/* ---- one wire, and all of it ---- */

static int add_chain(const struct path_question *q, const struct model_port *p, enum chain_pcp pcp,
		     json_t *hops, struct error *e)
{
	const struct model_chain *c = p->chain;
	int ended = 0;

	if (!c)
		return 0;
	if (c->flags & CHAIN_BYPASS) {
		json_array_append_new(hops, json_pack("{s:s, s:s, s:s++}", "hop", "bypass", "host",
						      p->host->name, "chain", c->tenant, "/",
						      c->name));
		return 0;
	}
	for (uint8_t i = 0; i < c->steps && !ended; i++) {
		bool mirrored = c->flags & CHAIN_MIRROR && pcp == PCP_TOWARDS;

		ended = add_step(q, p->host, c, mirrored ? (uint8_t)(c->steps - 1 - i) : i, pcp,
				 hops, e);
	}
	return ended;
}

static void add_port(const struct model_port *p, json_t *hops)
{
	json_array_append_new(hops,
			      json_pack("{s:s, s:s, s:s++, s:s}", "hop", "port", "host",
					p->host->name, "port", p->tenant->name, "/", p->name,
					"device", p->device));
}

static int add_all(const struct path_question *q, json_t *hops, struct error *e)
{
	int ended = 0;

	if (q->from) {
		add_port(q->from, hops);
		ended = add_chain(q, q->from, PCP_LEAVING, hops, e);
	}
	if (!ended && q->from && q->to && q->from->host != q->to->host)
		json_array_append_new(hops, json_pack("{s:s, s:s, s:s, s:i}", "hop", "tunnel",
						      "from", q->from->host->name, "to",
						      q->to->host->name, "vni",
						      (int)q->to->network->vni));
	if (!ended && q->to)
		ended = add_chain(q, q->to, PCP_TOWARDS, hops, e);
	if (!ended && q->to)
		add_port(q->to, hops);
	return ended < 0 ? -1 : 0;
}

json_t *chain_path(const struct path_question *q, struct error *e)
{
	json_t *hops = json_array();

	if (!add_all(q, hops, e))
		return hops;
	json_decref(hops);
	return NULL;
}

/* ---- as text ---- */

static const char *text(const json_t *hop, const char *key)
{
	const char *value = json_string_value(json_object_get(hop, key));

	return value ? value : "";
}

static void print_candidates(const json_t *hop)
{
	const json_t *list = json_object_get(hop, "instances"), *one;
	size_t i;

	json_array_foreach ((json_t *)list, i, one)
		printf("%s %s/%s%s%s weight %d", i ? "," : json_array_size(list) > 1 ? " one of" : "",
		       text(hop, "function"), text(one, "instance"), *text(one, "at") ? " on " : "", text(one, "at"),
		       (int)json_integer_value(json_object_get(one, "weight")));
}

static void print_function(const json_t *hop)
{
	const char *choice = text(hop, "choice"), *instance = text(hop, "instance");
	const char *fragments = text(hop, "fragments");

	printf("  %s: step %d of %s, tag %d PCP %d: %s", text(hop, "host"),
	       (int)json_integer_value(json_object_get(hop, "step")), text(hop, "chain"),
	       (int)json_integer_value(json_object_get(hop, "tag")),
	       (int)json_integer_value(json_object_get(hop, "pcp")), text(hop, "function"));
	if (*instance)
		printf("/%s%s%s in %s out %s (%s%s)", instance, *text(hop, "at") ? " on " : "", text(hop, "at"),
		       text(hop, "in"), text(hop, "out"),
		       !strcmp(choice, "has")	? "the flow has it"
		       : !strcmp(choice, "new") ? "a new flow's"
						: "the flow moves there",
		       !strcmp(text(hop, "health"), "up") ? "" : ", silent");
	else if (!strcmp(choice, "any"))
		print_candidates(hop);
	else if (!strcmp(choice, "there"))
		printf(": which instance is chosen there");
	else
		printf(": none answers");
	if (*fragments && strcmp(fragments, instance) != 0)
		printf("; fragments: %s", fragments);
	printf("; if %sdead: %s\n", !strcmp(choice, "none") ? "" : "all are ",
	       !strcmp(text(hop, "on_failure"), "open") ? "skipped" : "dropped (sf_down)");
}

void chain_path_print(const json_t *hops)
{
	const json_t *hop;
	size_t i;

	json_array_foreach ((json_t *)hops, i, hop) {
		const char *kind = text(hop, "hop");

		if (!strcmp(kind, "port"))
			printf("  %s: port %s, device %s\n", text(hop, "host"), text(hop, "port"),
			       text(hop, "device"));
		else if (!strcmp(kind, "function"))
			print_function(hop);
		else if (!strcmp(kind, "tunnel"))
			printf("  %s > %s: tunnel, VNI %d\n", text(hop, "from"), text(hop, "to"),
			       (int)json_integer_value(json_object_get(hop, "vni")));
		else if (!strcmp(kind, "bypass"))
			printf("  %s: chain %s is bypassed\n", text(hop, "host"),
			       text(hop, "chain"));
		else
			printf("  dropped (%s)\n", text(hop, "reason"));
	}
}
