// SPDX-License-Identifier: BSD-2-Clause
/*
 * `weft sf drain NAME/INSTANCE` and `weft sf undrain NAME/INSTANCE`. A drain is the key `admin` and an end, which packets
 * know of themselves (drains.h): who waits here only looks on, and at the end says in the configuration what has come true.
 */
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "loader/batch.h"
#include "loader/config/schema.h"
#include "loader/config/schema_types.h"
#include "loader/drains.h"
#include "loader/instance_flows.h"
#include "loader/instances.h"
#include "loader/show.h"
#include "loader/steering.h"

#define WAIT_MAX_MS (30LL * 86400 * 1000)

#define LOOK_MS	    1000
#define LOOK_SHARE  20 /* a look takes at most this part of the time, whatever it costs */
#define SAY_MS	    60000 /* when nothing changes */

struct draining {
	struct command_line *cl;
	struct target target;
	long long wait_ms; /* -1: the function's own */
	/* what was seen last */
	struct instance_wanted wanted;
	uint64_t left; /* flows */
	bool over, is_last; /* its time is up; there is no other instance that may have flows */
	uint64_t left_s; /* seconds until then */
	json_t *flows; /* with -d */
	long long began_ms, said_ms;
	uint64_t said;
};

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static int read_wait(struct draining *d, struct error *e)
{
	const struct schema_key key = { .min = 0, .max = WAIT_MAX_MS };
	const char *text = cli_option(d->cl, "wait");
	char why[256], quoted[ERROR_QUOTE_SIZE];
	json_t *ms;

	d->wait_ms = -1;
	if (!text)
		return 0;
	ms = schema_type_duration.parse(&key, text, why, sizeof(why));
	if (!ms)
		return error_set(e, EXIT_USAGE, "--wait: %s %s",
				 error_quote(quoted, sizeof(quoted), text), why);
	d->wait_ms = json_integer_value(ms);
	json_decref(ms);
	return 0;
}

static int read_target(struct target *t, const char *operand, struct error *e)
{
	if (target_parse(t, "sf", operand, e))
		return -1;
	return t->part[0] ? 0
			  : error_set(e, EXIT_USAGE, "sf %s: write NAME/INSTANCE: one is drained at a time",
				      operand);
}

/* ---- what is configured ---- */

static const struct model_instance *find(const struct model *m, const struct target *t,
					 const struct model_function **function)
{
	const struct model_function *f = model_function(m, t->name);

	*function = f;
	for (size_t i = 0; f && i < f->n_instances; i++)
		if (!strcmp(f->instances[i].name, t->part))
			return &f->instances[i];
	return NULL;
}

/* What is stored, and the places of instances; the root is open. show_close() ends it. */
static int look_up(struct show *s, const struct draining *d, struct error *e)
{
	char self[WEFT_NAME_LEN + 1];

	s->cl = d->cl;
	if (d->cl->details ? state_read(&s->root, &s->state, e)
			   : state_read_objects(&s->root, &s->state, e))
		return -1;
	snprintf(self, sizeof(self), "%.*s", WEFT_NAME_LEN, s->state.host.name);
	model_make(&s->model, s->state.tree, &s->state.ids, self);
	return instances_place(&s->model, &s->root, e);
}

/* Do flows of this host's ports go to the instance? Each host drains it of its own. */
static bool is_used(const struct batch *b, const struct target *t, const char *self)
{
	const struct model_instance *one;
	const struct model_function *f;
	struct model m;
	bool used;

	model_make(&m, b->state.tree, &b->state.ids, self);
	one = find(&m, t, &f);
	used = one && model_instance_is_used(one);
	model_free(&m);
	return used;
}

static int check(const struct batch *b, const struct target *t, struct error *e)
{
	const json_t *instance = json_object_get(
		json_object_get(json_object_get(b->flat, t->path), "instances"), t->part);
	const char *host = json_string_value(json_object_get(instance, "host"));
	char self[WEFT_NAME_LEN + 1];

	snprintf(self, sizeof(self), "%.*s", WEFT_NAME_LEN, b->state.host.name);
	/* That there is none batch_set() says. */
	if (instance && strcmp(host, self) && !is_used(b, t, self))
		return error_set(
			e, EXIT_REFUSED,
			"sf %s/%s: is on host %s, and no flow of this host, %s, goes there: drain it where its flows are",
			t->name, t->part, host, self);
	if (instance && !strcmp(schema_text("instance", instance, "admin"), "down"))
		return error_set(e, EXIT_REFUSED,
				 "sf %s/%s: is down, and has no flows: `weft sf undrain %s/%s` ends that",
				 t->name, t->part, t->name, t->part);
	return 0;
}

/* Commits `admin`, without what other commands would say of it. */
static int set_admin(const struct draining *d, struct batch *b, char *admin, struct error *e)
{
	char key[] = "admin", *pair[] = { key, admin };

	return batch_set(b, &d->target, 2, pair, e) || batch_commit(b, e) < 0 ? -1 : 0;
}

/* The end that --wait asks for. The root is locked by the batch. */
static int set_end(const struct draining *d, const struct batch *b, struct error *e)
{
	const struct model_function *f;
	const struct model_instance *one;
	struct show s = { .root = b->root };
	int failed = look_up(&s, d, e);

	if (!failed) {
		one = find(&s.model, &d->target, &f);
		failed = one && model_instance_is_used(one) ? drain_ends_in(&s.root, f, one, (uint64_t)d->wait_ms,
							  s.state.host.hz ? s.state.host.hz : 250, e)
					  : 0;
	}
	model_free(&s.model);
	state_free(&s.state);
	return failed;
}

static int begin(const struct draining *d, struct error *e)
{
	struct command_line quiet = *d->cl;
	char drain[] = "drain";
	struct batch *b;
	int failed;

	quiet.json = false;
	if (batch_begin(&quiet, &b, e))
		return -1;
	b->force = cli_option(d->cl, "force") != NULL;
	failed = check(b, &d->target, e) || set_admin(d, b, drain, e) ? -1 : 0;
	if (!failed && d->wait_ms >= 0)
		failed = set_end(d, b, e);
	batch_end(b);
	return failed;
}

/* ---- looking on ---- */

static int take_flow(const struct flow_view *v, uint32_t function, uint32_t instance, void *arg)
{
	struct draining *d = arg;

	(void)function;
	(void)instance;
	(void)v;
	d->left++;
	return 0;
}

struct listing {
	struct draining *d;
	struct names names;
	uint32_t hz;
};

/* With -d: as a line, or with -j as an object. */
static int list_flow(const struct flow_view *v, uint32_t function, uint32_t instance, void *arg)
{
	struct listing *l = arg;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (l->d->cl->json)
		flow_view_print_json(out, "", v, &l->names, l->hz);
	else
		flow_view_print(out, v, &l->names, l->hz);
	fclose(out);
	json_array_append_new(l->d->flows, l->d->cl->json ? json_loads(text, 0, NULL)
							  : json_string(text));
	free(text);
	return take_flow(v, function, instance, l->d);
}

static int count(struct draining *d, struct show *s, struct error *e)
{
	struct listing l = { .d = d, .hz = s->state.host.hz };
	int result;

	d->left = 0;
	json_decref(d->flows);
	d->flows = NULL;
	if (!d->cl->details)
		return instance_flows(&s->root, &s->model, l.hz, &d->wanted, take_flow, d, e);
	d->flows = json_array();
	names_open(&l.names, s);
	result = instance_flows(&s->root, &s->model, l.hz, &d->wanted, list_flow, &l, e);
	names_close(&l.names);
	return result;
}

static int read_end(struct draining *d, const struct show *s, const struct model_function *f,
		    const struct model_instance *one, struct error *e)
{
	struct steering steering;
	struct function_now now;
	int failed;

	if (steering_open(&steering, &s->root, s->state.host.hz, e))
		return -1;
	failed = steering_read(&steering, f, &now, e);
	if (!failed) {
		const struct sf_drain *drain = &now.drain[one->place];

		d->over = drain_is_over(drain, steering.now);
		d->left_s = d->over ? 0 : (drain->until - steering.now) / steering.hz;
		d->is_last = !(now.usable & ~(1u << one->place));
	}
	steering_close(&steering);
	return failed;
}

static int look_at(struct draining *d, struct show *s, struct error *e)
{
	const struct model_function *f;
	const struct model_instance *one;

	if (look_up(s, d, e))
		return -1;
	one = find(&s->model, &d->target, &f);
	if (!one || !(one->flags & INSTANCE_DRAIN))
		return error_set(e, EXIT_REFUSED,
				 "sf %s/%s: somebody has %s it meanwhile: nothing is waited for any more",
				 d->target.name, d->target.part, one ? "changed" : "removed");
	d->wanted = (struct instance_wanted){ .function = f->slot, .instance = one->id };
	return read_end(d, s, f, one, e) ? -1 : count(d, s, e);
}

/* Reads all anew, since others may have changed what they like. */
static int look(struct draining *d, struct error *e)
{
	struct show s = { 0 };
	int failed;

	if (root_open(&s.root, d->cl->root, false, e))
		return -1;
	failed = look_at(d, &s, e);
	show_close(&s);
	return failed;
}

/* ---- what is said ---- */

static const char *flows(uint64_t n)
{
	return n == 1 ? "flow" : "flows";
}

static void print_flows(const struct draining *d)
{
	const json_t *flow;
	size_t i;

	json_array_foreach (d->flows, i, flow)
		printf("  %s", json_string_value(flow));
}

static void say_left(struct draining *d)
{
	long long now = now_ms();
	char text[DRAIN_TEXT_SIZE];

	if (d->cl->json || (d->said_ms && d->said == d->left && now - d->said_ms < SAY_MS))
		return;
	printf("sf %s/%s: %llu %s left, for at most %s\n", d->target.name, d->target.part,
	       (unsigned long long)d->left, flows(d->left), drain_text(d->left_s, text));
	if (!d->said_ms)
		print_flows(d);
	fflush(stdout);
	d->said = d->left;
	d->said_ms = now;
}

static int say_end(struct draining *d, const char *admin, struct error *e)
{
	const char *name = d->target.name, *part = d->target.part;
	unsigned long long n = d->left;

	if (d->cl->json) {
		json_t *end = json_pack("{s:s++, s:s, s:I, s:b, s:I}", "instance", name, "/", part,
					"admin", admin, "left", (json_int_t)n, "others", !d->is_last,
					"waited_s", (json_int_t)((now_ms() - d->began_ms) / 1000));

		if (d->flows)
			json_object_set(end, "flows", d->flows);
		return cli_json(d->cl, end, e);
	}
	if (!n)
		printf("sf %s/%s is drained: it has no flow any more\n", name, part);
	else if (d->is_last)
		printf("sf %s/%s: its time is up, it is down, and there is no other instance for %llu %s\n",
		       name, part, n, flows(n));
	else
		printf("sf %s/%s: its time is up, it is down, and %llu %s to other instances\n", name,
		       part, n, n == 1 ? "flow goes" : "flows go");
	if (n)
		print_flows(d);
	return EXIT_DONE;
}

/* ---- all of it ---- */

static void rest(const struct draining *d, long long cost_ms)
{
	long long ms = cost_ms * LOOK_SHARE > LOOK_MS ? cost_ms * LOOK_SHARE : LOOK_MS;

	if (ms > (long long)d->left_s * 1000 + 100)
		ms = (long long)d->left_s * 1000 + 100;
	usleep((useconds_t)(ms * 1000));
}

/* Until it has no flow, or its time is up. */
static int wait_for_flows(struct draining *d, struct error *e)
{
	for (;;) {
		long long before = now_ms();

		if (look(d, e))
			return -1;
		if (!d->left || d->over)
			return 0;
		say_left(d);
		rest(d, now_ms() - before);
	}
}

/* What packets have done already. Whoever asked for the drain has answered for what comes of it. */
static int set_down(const struct draining *d, struct error *e)
{
	struct command_line quiet = *d->cl;
	char down[] = "down";
	struct batch *b;
	int failed;

	quiet.json = false;
	if (batch_begin(&quiet, &b, e))
		return -1;
	b->force = true;
	failed = set_admin(d, b, down, e);
	batch_end(b);
	return failed;
}

int cmd_sf_drain(struct command_line *cl, struct error *e)
{
	struct draining d = { .cl = cl, .began_ms = now_ms() };
	bool survivors;
	int result;

	if (read_target(&d.target, cl->argv[0], e) || read_wait(&d, e) || begin(&d, e))
		return -1;
	result = wait_for_flows(&d, e);
	survivors = !result && d.left;
	if (survivors)
		result = set_down(&d, e);
	if (!result)
		result = say_end(&d, survivors ? "down" : "drain", e);
	json_decref(d.flows);
	return result;
}

static int undrain(struct command_line *cl, struct batch *b, struct error *e)
{
	char key[] = "admin", nothing[] = "", *pair[] = { key, nothing };
	struct target t;

	return read_target(&t, cl->argv[0], e) ? -1 : batch_set(b, &t, 2, pair, e);
}

int cmd_sf_undrain(struct command_line *cl, struct error *e)
{
	return batch_edit(cl, undrain, e);
}
