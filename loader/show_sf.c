// SPDX-License-Identifier: BSD-2-Clause
/* `weft sf show [NAME[/INSTANCE]]`: functions, and how their instances on this host are. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/alloc.h"
#include "loader/batch.h"
#include "loader/config/emit.h"
#include "loader/drains.h"
#include "loader/instance_flows.h"
#include "loader/instance_health.h"
#include "loader/instances.h"
#include "loader/show.h"
#include "loader/steering.h"

/* Live flows of an instance. */
struct living {
	uint32_t function, instance;
	uint64_t flows;
};

struct sf_show {
	struct show s;
	struct steering steering;
	int stats; /* fd of sf_stats; -1: not asked for */
	struct living *living;
	size_t n_living, room;
	json_t *all;
};

/* ---- one instance ---- */

static json_t *seconds(const struct sf_show *v, uint64_t jiffies)
{
	return json_integer((json_int_t)(jiffies / v->steering.hz));
}

static void add_drain(const struct sf_show *v, const struct sf_drain *drain, json_t *out)
{
	uint64_t now = v->steering.now;

	if (!drain->until)
		return;
	json_object_set_new(out, "drain",
			    json_pack("{s:o, s:o}", "since_s",
				      seconds(v, now > drain->since ? now - drain->since : 0),
				      "left_s",
				      seconds(v, drain->until > now ? drain->until - now : 0)));
}

static const char *state_of(const struct sf_show *v, const struct function_now *now,
			    const struct model_instance *one)
{
	if (!model_instance_is_used(one))
		return "elsewhere";
	if (one->flags & INSTANCE_DOWN)
		return "down";
	if (now->f.instance[one->place].id != one->id || !(function_places(&now->f) >> one->place & 1))
		return "pending";
	if (!(one->flags & INSTANCE_DRAIN))
		return "up";
	return drain_is_over(&now->drain[one->place], v->steering.now) ? "drained" : "draining";
}

/* NULL: none. */
static struct living *living_of(const struct sf_show *v, uint32_t function, uint32_t instance)
{
	for (size_t i = 0; i < v->n_living; i++)
		if (v->living[i].function == function && v->living[i].instance == instance)
			return &v->living[i];
	return NULL;
}

static int add_statistics(const struct sf_show *v, const struct model_function *f,
			  const struct model_instance *one, json_t *out, struct error *e)
{
	uint32_t index = INSTANCE_INDEX(f->slot, one->place);
	int cpus = libbpf_num_possible_cpus();
	struct sf_traffic *values = alloc_zero((size_t)cpus, sizeof(*values)), sum = { 0 };
	const struct living *living = living_of(v, f->slot, one->id);
	int failed = bpf_map_lookup_elem(v->stats, &index, values);

	for (int i = 0; i < cpus && !failed; i++) {
		sum.flows += values[i].flows;
		sum.moved += values[i].moved;
		sum.sent += values[i].sent;
		sum.returned += values[i].returned;
	}
	free(values);
	if (failed)
		return error_set(e, EXIT_REFUSED, "map sf_stats: cannot be read: %s",
				 strerror(errno));
	json_object_set_new(out, "statistics",
			    json_pack("{s:I, s:I, s:I, s:I, s:I}", "flows", (json_int_t)sum.flows,
				      "moved", (json_int_t)sum.moved, "sent", (json_int_t)sum.sent,
				      "returned", (json_int_t)sum.returned, "live",
				      living ? (json_int_t)living->flows : 0));
	return 0;
}

/* How it is, in {state, health, drain, place, statistics}; NULL with an error. */
static json_t *condition(const struct sf_show *v, const struct model_function *f,
			 const struct function_now *now, const struct model_instance *one,
			 struct error *e)
{
	json_t *out = json_pack("{s:s}", "state", state_of(v, now, one));
	struct instance_health health;

	if (!model_instance_is_used(one))
		return out;
	if (now->usable >> one->place & 1 && now->f.instance[one->place].id == one->id) {
		instance_health_of(now->state, now->usable, (uint32_t)v->steering.now,
				   v->steering.hz, one->place, &health);
		json_object_set_new(out, "health", json_string(health.state));
		if (health.reason[0])
			json_object_set_new(out, "reason", json_string(health.reason));
	}
	if (one->flags & INSTANCE_DRAIN)
		add_drain(v, &now->drain[one->place], out);
	if (v->s.cl->details)
		json_object_set_new(out, "place", json_integer(one->place));
	if (v->stats < 0 || !add_statistics(v, f, one, out, e))
		return out;
	json_decref(out);
	return NULL;
}

static void print_instance(const struct model_instance *one, const json_t *object,
			   const json_t *now)
{
	const json_t *left = json_object_get(json_object_get(now, "drain"), "left_s"), *value;
	const char *health = json_string_value(json_object_get(now, "health")), *key;
	char text[DRAIN_TEXT_SIZE];

	printf("%s/%s ", one->function, one->name);
	config_emit_object(stdout, "instance", object);
	printf(" state %s", json_string_value(json_object_get(now, "state")));
	if (left)
		printf(" left %s", drain_text((uint64_t)json_integer_value(left), text));
	if (health)
		printf(" health %s", health);
	value = json_object_get(now, "reason");
	if (value)
		printf(" (%s)", json_string_value(value));
	value = json_object_get(now, "place");
	if (value)
		printf(" place %lld", (long long)json_integer_value(value));
	json_object_foreach (json_object_get(now, "statistics"), key, value)
		printf(" %s %lld", key, (long long)json_integer_value(value));
	putchar('\n');
}

/* With -j into `into`, by its name. */
static int show_instance(const struct sf_show *v, const struct model_function *f,
			 const struct function_now *now, const struct model_instance *one,
			 const json_t *object, json_t *into, struct error *e)
{
	json_t *how = condition(v, f, now, one, e), *copy;

	if (!how)
		return -1;
	if (v->s.cl->json) {
		copy = json_copy((json_t *)object);
		json_object_update(copy, how);
		json_object_set_new(into, one->name, copy);
	} else {
		print_instance(one, object, how);
	}
	json_decref(how);
	return 0;
}

/* ---- functions ---- */

static void print_function(const struct sf_show *v, const struct model_function *f,
			   const json_t *object)
{
	json_t *own = json_copy((json_t *)object);

	json_object_del(own, "instances");
	printf("%s ", f->name);
	config_emit_object(stdout, "sf", own);
	if (v->s.cl->details)
		printf(" id %llu slot %u", (unsigned long long)f->id, f->slot);
	putchar('\n');
	json_decref(own);
}

static json_t *function_json(const struct sf_show *v, const struct model_function *f,
			     const json_t *object, json_t *instances)
{
	json_t *copy = json_copy((json_t *)object);

	json_object_set(copy, "instances", instances);
	if (v->s.cl->details)
		json_object_update_new(copy, json_pack("{s:I, s:I}", "id", (json_int_t)f->id,
						       "slot", (json_int_t)f->slot));
	return copy;
}

/* `part`: one of its instances alone; NULL: itself, with all of them. */
static int show_function(struct sf_show *v, const struct model_function *f, const char *part,
			 struct error *e)
{
	const json_t *object = json_object_get(
		json_object_get(v->s.state.tree, "service_functions"), f->name);
	json_t *instances = json_object();
	struct function_now now;
	int failed = steering_read(&v->steering, f, &now, e);

	if (!failed && !part && !v->s.cl->json)
		print_function(v, f, object);
	for (size_t i = 0; i < f->n_instances && !failed; i++) {
		const struct model_instance *one = &f->instances[i];

		if (!part || !strcmp(one->name, part))
			failed = show_instance(
				v, f, &now, one,
				json_object_get(json_object_get(object, "instances"), one->name),
				instances, e);
	}
	if (!failed && part)
		json_object_update(v->all, json_object_get(instances, part));
	else if (!failed)
		json_object_set_new(v->all, f->name, function_json(v, f, object, instances));
	json_decref(instances);
	return failed;
}

/* ---- what is asked for ---- */

static int count_live(const struct flow_view *flow, uint32_t function, uint32_t instance, void *arg)
{
	struct sf_show *v = arg;
	struct living *living = living_of(v, function, instance);

	(void)flow;
	if (!living) {
		v->living = alloc_grow(v->living, &v->room, v->n_living + 1, sizeof(*v->living));
		living = &v->living[v->n_living++];
		*living = (struct living){ function, instance, 0 };
	}
	living->flows++;
	return 0;
}

static int read_statistics(struct sf_show *v, const struct model_function *only, struct error *e)
{
	struct instance_wanted wanted = { .function = only ? only->slot : 0 };

	v->stats = root_map(&v->s.root, "sf_stats", e);
	return v->stats < 0 ? -1
			    : instance_flows(&v->s.root, &v->s.model, v->s.state.host.hz, &wanted,
					     count_live, v, e);
}

static int show(struct sf_show *v, const struct target *t, struct error *e)
{
	const struct model_function *only = t ? model_function(&v->s.model, t->name) : NULL;
	const struct model *m = &v->s.model;
	bool found = !t || (only && !t->part[0]);
	int failed = 0;

	for (size_t i = 0; only && i < only->n_instances; i++)
		found |= t->part[0] && !strcmp(only->instances[i].name, t->part);
	if (!found)
		return error_set(e, EXIT_REFUSED, "sf %s%s%s does not exist: see `weft sf show`",
				 t->name, t->part[0] ? "/" : "", t->part);
	if (instances_place(&v->s.model, &v->s.root, e) ||
	    (v->s.cl->stats && read_statistics(v, only, e)))
		return -1;
	for (size_t i = 0; i < m->n_functions && !failed; i++)
		if (!only || only == &m->functions[i])
			failed = show_function(v, &m->functions[i], only && t->part[0] ? t->part : NULL,
					       e);
	if (failed)
		return -1;
	return v->s.cl->json ? cli_json(v->s.cl, json_incref(v->all), e) : EXIT_DONE;
}

int cmd_sf_show(struct command_line *cl, struct error *e)
{
	struct sf_show v = { .stats = -1 };
	struct target t;
	int result = -1;

	if (cl->argc && target_parse(&t, "sf", cl->argv[0], e))
		return -1;
	if (show_open(&v.s, cl, e))
		return -1;
	v.all = json_object();
	if (!steering_open(&v.steering, &v.s.root, v.s.state.host.hz, e)) {
		result = show(&v, cl->argc ? &t : NULL, e);
		steering_close(&v.steering);
	}
	if (v.stats >= 0)
		close(v.stats);
	free(v.living);
	json_decref(v.all);
	show_close(&v.s);
	return result;
}
